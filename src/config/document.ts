/** A plain record from a file or a stranger, made a bounded JSON document; and its environment. */

import { escapeText } from "../core/quote.ts";
import type { Json } from "../ports/store.ts";
import { isObject } from "../services/json_value.ts";
import type { JsonObject, SettingPath } from "../services/settings_codec.ts";

/** Largest settings text, in bytes of UTF-8; a large real one has a few dozen KiB. */
export const MAX_SETTINGS_BYTES = 1_048_576;

/** Deepest nesting of settings; the schema needs eight, channels and tools a few more. */
export const MAX_SETTINGS_DEPTH = 32;

/** Most values in a settings document: as many as its text can reasonably spell. */
export const MAX_SETTINGS_VALUES = 50_000;

/** Longest text that references to the environment may grow into, in characters over the whole document. */
const MAX_SUBSTITUTED_CHARS = 4 * MAX_SETTINGS_BYTES;

/** Keys that name parts of every object and so could be mistaken for members. */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Longest path in a message, in characters. */
const MAX_PATH_CHARS = 200;

/** A path for people: keys joined by dots, escaped and cut. */
export function pathText(path: SettingPath): string {
  return escapeText(path.join("."), MAX_PATH_CHARS);
}

/** A document, or why the value is none. */
export type DocumentOutcome =
  | { readonly ok: true; readonly document: JsonObject }
  | {
    readonly ok: false;
    readonly reason: "shape" | "bounds";
    readonly path: string;
    readonly message: string;
  };

/**
 * Copies a plain value into a document. Refused: anything but an object at the root, values that JSON
 * cannot carry, broken Unicode, `__proto__` and its like as keys, and what exceeds the bounds above.
 */
export function toDocument(value: unknown): DocumentOutcome {
  let count = 0;
  const problems: { path: string; message: string }[] = [];
  const refuse = (path: SettingPath, message: string): null => {
    problems.push({ path: pathText(path), message });
    return null;
  };
  const copy = (at: unknown, path: SettingPath): Json => {
    if (problems.length > 0) return null;
    if (++count > MAX_SETTINGS_VALUES) {
      return refuse([], `must have at most ${MAX_SETTINGS_VALUES} values`);
    }
    if (path.length > MAX_SETTINGS_DEPTH) {
      return refuse(path, `is nested deeper than ${MAX_SETTINGS_DEPTH} levels`);
    }
    if (at === null || typeof at === "boolean") return at;
    if (typeof at === "number") {
      return Number.isFinite(at) ? at : refuse(path, "must be a finite number");
    }
    if (typeof at === "string") {
      return at.isWellFormed() ? at : refuse(path, "is not well-formed Unicode text");
    }
    if (Array.isArray(at)) return at.map((item, index) => copy(item, [...path, String(index)]));
    if (typeof at !== "object") return refuse(path, "must be text, a number, a list or an object");
    const members: [string, Json][] = [];
    for (const [key, item] of Object.entries(at)) {
      const below = [...path, key];
      if (FORBIDDEN_KEYS.has(key)) return refuse(below, "is a key that is not allowed");
      if (!key.isWellFormed()) return refuse(path, "has a key that is not well-formed Unicode");
      if (item !== undefined) members.push([key, copy(item, below)]);
    }
    return Object.fromEntries(members);
  };
  const document = copy(value, []);
  const [problem] = problems;
  if (problem !== undefined) return { ok: false, reason: "bounds", ...problem };
  if (!isObject(document)) {
    return { ok: false, reason: "shape", path: "", message: "the settings must be an object" };
  }
  return { ok: true, document };
}

/** The variables of an environment, by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A reference to the environment, with the sign before it that makes it literal text. */
const REFERENCE = /(\$?)\$\{([A-Z_][A-Z0-9_]*)\}/g;

/** Variables of the gateway itself; they count without being referred to, and some are its secrets. */
const OWN_VARIABLE = /^CLAWGATE_/;

/** Whether a text refers to the environment, filled in or not. */
export function hasReference(text: string): boolean {
  for (const [, escape] of text.matchAll(REFERENCE)) {
    if (escape === "") return true;
  }
  return false;
}

/** A reference that should have been filled in and was not. */
export interface Unfilled {
  readonly path: SettingPath;
  readonly message: string;
  /** The variable, when it is merely not set; absent where the reference can never be filled in. */
  readonly variable?: string;
}

/** A document with its references filled in, and those that were not. */
export interface Substituted {
  readonly document: JsonObject;
  /** References that should have been filled in. */
  readonly missing: readonly Unfilled[];
  /** Texts that refer to the environment where references stay as written. */
  readonly literal: readonly SettingPath[];
}

/**
 * Fills in `${NAME}` in the text values for which `fills` says so; there `$${NAME}` stands for a literal
 * `${NAME}`. A name is upper-case letters, digits and underscores. A variable that the environment lacks
 * is sought in the document's own `env` section; one found nowhere, empty, itself waiting for a variable
 * that is not set, or the gateway's own (`CLAWGATE_…`) is missing and stays as written.
 */
export function substitute(document: JsonObject, options: {
  readonly env: Environment;
  readonly fills: (path: SettingPath) => boolean;
}): Substituted {
  const { env, fills } = options;
  const missing: Unfilled[] = [];
  const literal: SettingPath[] = [];
  const own = ownVariables(document, env);
  let budget = MAX_SUBSTITUTED_CHARS;
  const fill = (text: string, path: SettingPath): string =>
    text.replace(REFERENCE, (whole, escape: string, name: string) => {
      if (escape !== "") return whole.slice(1);
      const named = escapeText(name);
      const stays = (message: string, variable?: string): string => {
        missing.push({ path, message, ...(variable === undefined ? {} : { variable }) });
        return whole;
      };
      if (OWN_VARIABLE.test(name)) {
        return stays(`refers to ${named}; the gateway's own variables are never filled in`);
      }
      const value = variableOf(env, name) ?? own.get(name);
      if (value === undefined || value === "") {
        return stays(`needs the environment variable ${named}, which is not set`, named);
      }
      budget -= value.length;
      return budget >= 0 ? value : stays(`grows too long with the environment variable ${named}`);
    });
  const walkText = (text: string, path: SettingPath): string => {
    if (!text.includes("${")) return text;
    if (fills(path)) return fill(text, path);
    if (hasReference(text)) literal.push(path);
    return text;
  };
  const walk = (value: Json, path: SettingPath): Json => {
    if (typeof value === "string") return walkText(value, path);
    if (Array.isArray(value)) {
      return value.map((item, index) => walk(item, [...path, String(index)]));
    }
    return isObject(value) ? walkObject(value, path) : value;
  };
  const walkObject = (value: JsonObject, path: SettingPath): JsonObject =>
    Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])]),
    );
  return { document: walkObject(document, []), missing, literal };
}

/** The value of a variable; one that is empty counts as not set. */
function variableOf(env: Environment, name: string): string | undefined {
  return (Object.hasOwn(env, name) ? env[name] : undefined) || undefined;
}

/** The variables that the document brings; their own references are filled in from `env` alone. */
function ownVariables(document: JsonObject, env: Environment): ReadonlyMap<string, string> {
  const own = new Map<string, string>();
  const section = document.env;
  if (!isObject(section)) return own;
  let budget = MAX_SUBSTITUTED_CHARS;
  for (const variables of [section, isObject(section.vars) ? section.vars : {}]) {
    for (const [name, value] of Object.entries(variables)) {
      if (typeof value !== "string") continue;
      let whole = true;
      const filled = value.replace(REFERENCE, (reference, escape: string, inner: string) => {
        if (escape !== "") return reference.slice(1);
        const found = OWN_VARIABLE.test(inner) ? undefined : variableOf(env, inner);
        budget -= found?.length ?? 0;
        whole &&= found !== undefined && budget >= 0;
        return whole ? found ?? "" : "";
      });
      if (whole) own.set(name, filled);
    }
  }
  return own;
}
