/** The schema as a tree of settings: what each is called, holds and is marked with. */

import type { Json } from "../ports/store.ts";
import { isObject, sameJson, valueAt } from "../services/json_value.ts";
import type { SettingHint, SettingPath } from "../services/settings_codec.ts";
import { ConfigSchema } from "./schema.ts";
import { carriesSecret, isReference, secretName } from "./secret_text.ts";
import type { SettingMarks } from "./setting_schema.ts";

/** One setting, or a group of them. */
export interface Setting {
  readonly kind: "section" | "record" | "list" | "value";
  readonly marks: Partial<SettingMarks>;
  /** Its named members, in the order of the schema. */
  readonly entries: ReadonlyMap<string, Setting>;
  /** What every other member (of a record or open section) or every element (of a list) is. */
  readonly rest?: Setting;
}

/** The root of {@linkcode ConfigSchema}. */
export const SETTINGS: Setting = describe(ConfigSchema);

/** What the settings are along a path: one more than its keys where the schema knows them all. */
export function settingsAlong(path: SettingPath): readonly Setting[] {
  const along: Setting[] = [SETTINGS];
  let at: Setting | undefined = SETTINGS;
  for (const key of path) {
    at = at.entries.get(key) ?? at.rest;
    if (at === undefined) break;
    along.push(at);
  }
  return along;
}

/**
 * Whether a scalar must never be shown: its setting is marked sensitive, an unknown key on its path is
 * named like a secret, or its text carries one.
 */
export function isSecret(path: SettingPath, value: Json): boolean {
  if (typeof value === "string") {
    if (value.trim() === "" || isReference(value)) return false;
    return carriesSecret(value) || isSensitive(path, "text");
  }
  return typeof value === "number" && isSensitive(path, "number");
}

/** Whether what stands at a path may be a secret, by the marks and names along it. */
export function isSensitive(path: SettingPath, kind: "text" | "number" = "text"): boolean {
  const along = settingsAlong(path);
  if (along.some(({ marks }) => marks.sensitive === true)) return true;
  return path.slice(along.length - 1).some((key) => {
    const speaks = secretName(key);
    return speaks === "yes" || (speaks === "many" && kind === "text");
  });
}

/** Whether references to the environment are filled in at a path: in secrets and where a mark says so. */
export function fillsReferences(path: SettingPath): boolean {
  const along = settingsAlong(path);
  return along.length > path.length &&
    along.some(({ marks }) => marks.sensitive === true || marks.environment === true);
}

/** Whether the gateway knows the setting at a path and acts on it. */
export function hasEffect(path: SettingPath): boolean {
  const along = settingsAlong(path);
  return along.length > path.length && along.every(({ marks }) => marks.unused !== true);
}

/** Paths of the settings marked for a restart whose values differ. */
export function restartKeys(previous: Json, next: Json): readonly string[] {
  const found: string[] = [];
  const walk = (setting: Setting, path: SettingPath): void => {
    if (setting.marks.restart === true) {
      if (!sameJson(valueAt(previous, path), valueAt(next, path))) found.push(path.join("."));
      return;
    }
    for (const [key, entry] of setting.entries) walk(entry, [...path, key]);
  };
  walk(SETTINGS, []);
  return found;
}

/** How a form shows each setting, by path; `*` for a record's keys, `[]` for a list's elements. */
export function uiHints(): Readonly<Record<string, SettingHint>> {
  const hints: Record<string, SettingHint> = {};
  const walk = (setting: Setting, path: string, inherited: { group?: string; order: number }) => {
    const { label, help, placeholder, advanced, sensitive } = setting.marks;
    if (path !== "" && label !== undefined) {
      hints[path] = {
        label,
        ...(help === undefined ? {} : { help }),
        ...(inherited.group === undefined ? {} : { group: inherited.group }),
        order: inherited.order,
        ...(placeholder === undefined ? {} : { placeholder }),
        ...(advanced === true ? { advanced } : {}),
        ...(sensitive === true ? { sensitive } : {}),
      };
    }
    const group = inherited.group ?? label;
    const below = group === undefined ? {} : { group };
    let order = 0;
    for (const [key, entry] of setting.entries) {
      walk(entry, path === "" ? key : `${path}.${key}`, { ...below, order: ++order });
    }
    if (setting.rest !== undefined) {
      const member = setting.kind === "list" ? `${path}[]` : `${path}.*`;
      walk(setting.rest, member, { ...below, order: ++order });
    }
  };
  walk(SETTINGS, "", { order: 0 });
  return hints;
}

/** `document` with the members of `defaults` that it lacks, at every level; elements match by index. */
export function fillIn(document: Json, defaults: Json | undefined): Json {
  if (Array.isArray(document)) {
    return document.map((element, index) =>
      fillIn(element, Array.isArray(defaults) ? defaults[index] : undefined)
    );
  }
  if (!isObject(document) || !isObject(defaults)) return document;
  const filled = new Map<string, Json>();
  for (const [key, value] of Object.entries(document)) {
    filled.set(key, fillIn(value, defaults[key]));
  }
  for (const [key, value] of Object.entries(defaults)) {
    if (!filled.has(key)) filled.set(key, value);
  }
  return Object.fromEntries(filled);
}

function describe(schema: unknown): Setting {
  const marks = marksOf(schema);
  const inner = describeShape(schema);
  return { ...inner, marks: { ...inner.marks, ...marks } };
}

function describeShape(schema: unknown): Setting {
  const none = { marks: {}, entries: new Map<string, Setting>() };
  switch (member(schema, "type")) {
    case "optional":
      return describe(member(schema, "wrapped"));
    case "object":
      return { ...none, kind: "section", entries: entriesOf(schema) };
    case "object_with_rest":
      return {
        ...none,
        kind: "section",
        entries: entriesOf(schema),
        rest: describe(member(schema, "rest")),
      };
    case "record":
      return { ...none, kind: "record", rest: describe(member(schema, "value")) };
    case "array":
      return { ...none, kind: "list", rest: describe(member(schema, "item")) };
    case "union": {
      // A setting that may be text or an object: the object's members are its settings.
      const options = member(schema, "options");
      const shapes = Array.isArray(options) ? options.map(describe) : [];
      return shapes.find(({ kind }) => kind === "section") ?? { ...none, kind: "value" };
    }
    default:
      return { ...none, kind: "value" };
  }
}

function entriesOf(schema: unknown): ReadonlyMap<string, Setting> {
  const entries = member(schema, "entries");
  if (typeof entries !== "object" || entries === null) return new Map();
  return new Map(Object.entries(entries).map(([key, entry]) => [key, describe(entry)]));
}

function marksOf(schema: unknown): Partial<SettingMarks> {
  const pipe = member(schema, "pipe");
  if (!Array.isArray(pipe)) return {};
  let marks: Partial<SettingMarks> = {};
  pipe.forEach((item, index) => {
    // The first item of a pipe is the schema it refines, which may have marks of its own.
    if (index === 0) marks = { ...marksOf(item) };
    const metadata = member(item, "metadata");
    const found = member(metadata, "marks");
    if (isMarks(found)) marks = { ...marks, ...found };
  });
  return marks;
}

function isMarks(value: unknown): value is SettingMarks {
  return typeof value === "object" && value !== null && "label" in value;
}

function member(value: unknown, key: string): unknown {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) {
    return undefined;
  }
  return Reflect.get(value, key);
}
