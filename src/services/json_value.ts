/** Questions about JSON values. */

import type { Json } from "../ports/store.ts";
import type { JsonObject } from "./settings_codec.ts";

/** Narrows a JSON value to an object. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value at a path, or undefined where the path leads nowhere. */
export function valueAt(root: Json, path: readonly string[]): Json | undefined {
  let at: Json | undefined = root;
  for (const key of path) {
    if (at === undefined || typeof at !== "object" || at === null) return undefined;
    if (Array.isArray(at)) {
      at = /^\d+$/.test(key) ? at[Number(key)] : undefined;
    } else {
      at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
    }
  }
  return at;
}

/** Whether two JSON values are the same, whatever the order of members. */
export function sameJson(left: Json | undefined, right: Json | undefined): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length &&
      left.every((element, index) => sameJson(element, right[index]));
  }
  if (!isObject(left) || !isObject(right)) return false;
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && sameJson(left[key], right[key]));
}

/** A plain value as JSON; what JSON cannot carry is null. */
export function toJson(value: unknown): Json {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return value;
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== "object") return null;
  return Object.fromEntries(
    Object.entries(value).filter(([, member]) => member !== undefined)
      .map(([key, member]) => [key, toJson(member)]),
  );
}
