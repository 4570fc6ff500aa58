/** Parameters of the OpenClaw wire: parsed by the method's schema, refused in the wire's own words. */

import * as v from "valibot";
import { invalidRequest } from "../../core/error.ts";
import { explain } from "../../core/explain.ts";
import { isJsonObject } from "../../core/json.ts";
import type { Schema } from "../../core/method.ts";

/**
 * Parses a method's parameters. Absent and `null` parameters count as `{}`. Throws `INVALID_REQUEST`
 * `invalid <method> params: <problem>; <problem>…`.
 */
export function parseParams<S extends Schema>(
  schema: S,
  params: unknown,
  method: string,
): v.InferOutput<S> {
  const value = params ?? {};
  // Object schemas of valibot take arrays; this wire does not.
  if (isJsonObject(value)) {
    const parsed = v.safeParse(schema, value);
    if (parsed.success) return parsed.output;
  }
  throw invalidRequest(`invalid ${method} params: ${explain(schema, value).join("; ")}`);
}

/** A string that is not empty. */
export const text = v.pipe(v.string(), v.minLength(1));

/** A whole number of at least 0. */
export const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** A whole number of at least 1. */
export const positive = v.pipe(v.number(), v.integer(), v.minValue(1));

/** A method that takes nothing. */
export const nothing = v.strictObject({});

/** Parameters that older servers never checked: any object, unknown members ignored. */
export const anyParams = v.looseObject({});
