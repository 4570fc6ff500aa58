/** `config.*`: the configuration file, read without its secrets and changed by compare-and-set. */

import * as v from "valibot";
import type { Method } from "../../../core/method.ts";
import { method, type OpenClawContext } from "../context.ts";
import { count, nothing, text } from "../params.ts";

const ADMIN = { role: "operator", scope: "operator.admin" } as const;

const Issue = v.object({ path: v.string(), message: v.string() });

const Snapshot = v.object({
  path: v.string(),
  exists: v.boolean(),
  raw: v.nullable(v.string()),
  parsed: v.unknown(),
  valid: v.boolean(),
  config: v.unknown(),
  hash: v.optional(v.string()),
  issues: v.array(Issue),
  warnings: v.array(Issue),
  legacyIssues: v.array(Issue),
});

const Changed = v.object({ ok: v.literal(true), path: v.string(), config: v.unknown() });

const Applied = v.object({
  ...Changed.entries,
  restart: v.unknown(),
  sentinel: v.object({ path: v.nullable(v.string()), payload: v.unknown() }),
});

const ApplyParams = v.strictObject({
  raw: text,
  baseHash: v.optional(v.string()),
  sessionKey: v.optional(v.string()),
  note: v.optional(v.string()),
  restartDelayMs: v.optional(count),
});

/** The methods of this group. */
export const configMethods: readonly Method<OpenClawContext>[] = [
  method({
    name: "config.get",
    access: ADMIN,
    summary: "The configuration file, secrets replaced by a marker, and the hash to change it by.",
    params: nothing,
    result: Snapshot,
    handler: (_params, { settings }) => settings.get(),
  }),
  method({
    name: "config.schema",
    access: ADMIN,
    summary: "The JSON Schema of the configuration, with hints for a form.",
    params: nothing,
    result: v.object({
      schema: v.unknown(),
      uiHints: v.record(v.string(), v.unknown()),
      version: v.string(),
      generatedAt: v.string(),
    }),
    handler: (_params, { settings }) => settings.schema(),
  }),
  method({
    name: "config.set",
    access: ADMIN,
    summary: "Replaces the text of the file; what can apply live does.",
    params: v.strictObject({ raw: text, baseHash: v.optional(v.string()) }),
    result: Changed,
    handler: (params, { settings }) => settings.set(params),
  }),
  method({
    name: "config.patch",
    access: ADMIN,
    summary: "Merges a JSON merge patch (RFC 7396) into the file.",
    params: ApplyParams,
    result: Applied,
    handler: (params, { settings }) => settings.patch(params),
  }),
  method({
    name: "config.apply",
    access: ADMIN,
    summary: "Replaces the text of the file and says what needs a restart.",
    params: ApplyParams,
    result: Applied,
    handler: (params, { settings }) => settings.apply(params),
  }),
];
