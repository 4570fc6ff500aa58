/** Reads the parameters of a method call. */

import * as v from "valibot";
import { invalidRequest } from "./error.ts";
import { explain } from "./explain.ts";
import { isJsonObject } from "./json.ts";
import type { Schema } from "./method.ts";

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
  // Object schemas of valibot take arrays; the wires do not.
  if (isJsonObject(value)) {
    const parsed = v.safeParse(schema, value);
    if (parsed.success) return parsed.output;
  }
  throw invalidRequest(`invalid ${method} params: ${explain(schema, value).join("; ")}`);
}
