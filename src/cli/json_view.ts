/** Foreign JSON read member by member, without trusting its shape. */

import { isJsonObject } from "../core/json.ts";

/** A JSON object of unknown members. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The value when it is an object, else an empty one. */
export function object(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

/** The objects of a list; nothing when it is none. */
export function objects(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** The texts of a list; nothing when it is none. */
export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
