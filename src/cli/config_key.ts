/** Settings named by keys joined with dots, as `config get` and `config set` take them. */

import type { Setting } from "../config/setting_tree.ts";
import { SETTINGS } from "../config/setting_tree.ts";
import { quote } from "../core/quote.ts";
import { isObject, valueAt } from "../services/json_value.ts";
import type { Json } from "../ports/store.ts";
import { CommandFailed, EXIT } from "./exit_code.ts";
import { suggestion } from "./suggestion.ts";

/** Longest key, in characters. */
const MAX_KEY_CHARS = 500;

/** Keys that would reach an object's prototype. */
const FORBIDDEN: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Splits `agents.list[0].name` or `agents.list.0.name`; a dot inside a key is written `\.`. */
export function parseKey(text: string): readonly string[] {
  const keys = text.replace(/\[(\d+)\]/g, ".$1").split(/(?<!\\)\./)
    .map((key) => key.replaceAll("\\.", "."));
  const bad = text.length > MAX_KEY_CHARS || keys.some((key) => key === "" || FORBIDDEN.has(key));
  if (!bad) return keys;
  throw new CommandFailed(
    EXIT.usage,
    `${quote(text, 80)} does not name a setting`,
    "write it like gateway.port or agents.list.0.name",
  );
}

/** Throws `usage`, with the nearest setting there is, for a key that the schema does not know. */
export function checkKey(keys: readonly string[]): void {
  let setting: Setting | undefined = SETTINGS;
  for (const [at, key] of keys.entries()) {
    // Below a setting of free shape everything is allowed.
    if (setting.kind === "value") {
      if (setting.marks.unused === true) return;
      throw unknown(keys, at, []);
    }
    const names: readonly string[] = [...setting.entries.keys()];
    const next: Setting | undefined = setting.entries.get(key) ??
      (setting.kind === "list" && !/^\d+$/.test(key) ? undefined : setting.rest);
    if (next === undefined) throw unknown(keys, at, names);
    setting = next;
  }
}

function unknown(
  keys: readonly string[],
  at: number,
  names: readonly string[],
): CommandFailed {
  const parent = keys.slice(0, at);
  const near = suggestion(keys[at] ?? "", names);
  const hint = near !== undefined
    ? `did you mean ${quote([...parent, near, ...keys.slice(at + 1)].join("."))}?`
    : names.length > 0
    ? `${at === 0 ? "there are" : `below ${parent.join(".")} there are`}: ${names.join(", ")}`
    : `${parent.join(".")} is a single value`;
  return new CommandFailed(EXIT.usage, `${quote(keys.join("."), 80)} is not a setting`, hint);
}

/**
 * The merge patch (RFC 7396) that sets one value, or for `null` takes it away with every object that
 * would be left empty. A list is replaced as a whole by a merge patch, so
 * one on the way is taken from `current` with the one element changed; an index at most one beyond its
 * end.
 */
export function patchFor(keys: readonly string[], value: Json, current: Json | undefined): Json {
  if (value === null) {
    const kept = keptKeys(keys, current);
    // Nothing stands there: a patch that removes it would make the objects around it.
    return kept === undefined ? {} : patchAt(keys.slice(0, kept), value, current);
  }
  return patchAt(keys, value, current);
}

/**
 * How many of the keys lead to what is to be removed so that no object around it is left empty; a list's
 * element stays one. Undefined when the keys lead to nothing.
 */
function keptKeys(keys: readonly string[], current: Json | undefined): number | undefined {
  const along: Json[] = [];
  let at = current;
  for (const key of keys) {
    if (at === undefined) return undefined;
    along.push(at);
    at = valueAt(at, [key]);
  }
  // An index out of range is refused where the list is changed.
  if (at === undefined) return Array.isArray(along.at(-1)) ? keys.length : undefined;
  let kept = keys.length;
  while (kept > 1) {
    const holder = along[kept - 1];
    if (!isObject(holder) || Object.keys(holder).length > 1) break;
    if (Array.isArray(along[kept - 2])) break;
    kept--;
  }
  return kept;
}

function patchAt(keys: readonly string[], value: Json, current: Json | undefined): Json {
  const [key, ...rest] = keys;
  if (key === undefined) return value;
  if (Array.isArray(current)) {
    const index = Number(key);
    if (!/^\d+$/.test(key) || index > current.length) {
      throw new CommandFailed(
        EXIT.usage,
        `${quote(key, 40)} is not an element of a list of ${current.length}`,
        `the next one to add is ${current.length}`,
      );
    }
    if (rest.length === 0 && value === null) {
      return current.filter((_element, position) => position !== index);
    }
    return index === current.length
      ? [...current, withChange(undefined, rest, value)]
      : current.with(index, withChange(current[index], rest, value));
  }
  const below = isObject(current) && Object.hasOwn(current, key) ? current[key] : undefined;
  return { [key]: patchAt(rest, value, below) };
}

/** Unlike a patch: the whole element of a list, with one value in it changed. */
function withChange(element: Json | undefined, keys: readonly string[], value: Json): Json {
  const [key, ...rest] = keys;
  if (key === undefined) return value;
  if (Array.isArray(element)) return patchAt(keys, value, element);
  const members = new Map(Object.entries(isObject(element) ? element : {}));
  if (rest.length === 0 && value === null) members.delete(key);
  else members.set(key, withChange(members.get(key), rest, value));
  return Object.fromEntries(members);
}
