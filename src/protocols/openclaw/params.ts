/** The shapes that parameters of the OpenClaw wire are made of. */

import * as v from "valibot";
import { MAX_SESSION_KEY_CHARS } from "../../core/id.ts";

/** A string that is not empty. */
export const text = v.pipe(v.string(), v.minLength(1));

/** Longest run id or idempotency key, in characters: the bound of what a run is stored under. */
export const MAX_RUN_ID_CHARS = 256;

/** Longest id, label or other name, in characters. */
export const MAX_NAME_CHARS = 512;

/**
 * A session key as a client writes it, without the blanks around it. Every event of a run repeats it,
 * so it is bounded before it is trimmed.
 */
export const keyText = v.pipe(text, v.maxLength(MAX_SESSION_KEY_CHARS), v.trim());

/** The same where it may be blank, which counts as absent. */
export const blankKeyText = v.pipe(v.string(), v.maxLength(MAX_SESSION_KEY_CHARS), v.trim());

/** A run id, or the idempotency key that becomes one. */
export const runIdText = v.pipe(text, v.maxLength(MAX_RUN_ID_CHARS));

/** An id, label or other name; it may be empty, which counts as absent. */
export const nameText = v.pipe(v.string(), v.maxLength(MAX_NAME_CHARS));

/** A whole number of at least 0. */
export const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** A whole number of at least 1. */
export const positive = v.pipe(v.number(), v.integer(), v.minValue(1));

/** A method that takes nothing. */
export const nothing = v.strictObject({});

/** Parameters that older servers never checked: any object, unknown members ignored. */
export const anyParams = v.looseObject({});
