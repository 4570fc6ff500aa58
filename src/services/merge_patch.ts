import type { Json } from "../ports/store.ts";
import { isObject } from "./json_value.ts";
import type { JsonObject } from "./settings_codec.ts";

/**
 * Applies a JSON merge patch (RFC 7396): members of `patch` replace those of `target`, objects are
 * merged member by member, `null` removes. Lists are replaced whole. Neither argument is changed.
 */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const merged = new Map<string, Json>(Object.entries(target));
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) {
      merged.delete(key);
    } else if (isObject(change)) {
      const before = merged.get(key);
      merged.set(key, mergePatch(isObject(before) ? before : {}, change));
    } else {
      merged.set(key, change);
    }
  }
  return Object.fromEntries(merged);
}
