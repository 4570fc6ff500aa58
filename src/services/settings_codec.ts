/** What the settings service needs to know of the settings' text, schema and meaning. */

import type { Json } from "../ports/store.ts";

/** A JSON object: the settings as written, before defaults and environment. */
export type JsonObject = { readonly [key: string]: Json };

/** Keys from the root; an element of a list is named by its index in decimal. */
export type SettingPath = readonly string[];

/** Something wrong, or worth knowing, about one setting. Never holds a secret. */
export interface SettingsIssue {
  /** Keys joined by dots, e.g. `gateway.port`; empty for the settings as a whole. */
  readonly path: string;
  readonly message: string;
}

/** Where one piece of a text lies: UTF-16 offsets, the end exclusive. */
export interface TextSpan {
  readonly start: number;
  readonly end: number;
}

/** Where one scalar value of a settings text lies. */
export interface ScalarSpan extends TextSpan {
  readonly path: SettingPath;
  readonly value: Json;
}

/** A settings text that was understood. */
export interface SettingsText {
  readonly document: JsonObject;
  /** In the order of the text; a key that is written twice appears twice. */
  readonly scalars: readonly ScalarSpan[];
  readonly comments: readonly TextSpan[];
}

/** A settings text, or why it cannot be read. `message` never quotes the text. */
export type SettingsReading =
  | { readonly ok: true; readonly text: SettingsText }
  | {
    readonly ok: false;
    /** `syntax`: not this format; `shape`: not an object; `bounds`: too large, too deep or forbidden. */
    readonly reason: "syntax" | "shape" | "bounds";
    readonly message: string;
    /** 1-based, where known. */
    readonly line?: number;
    readonly column?: number;
  };

/** The settings after the environment, validation and defaults. */
export interface ParsedSettings<Config> {
  /** With issues: the defaults alone. */
  readonly config: Config;
  /** Empty exactly when the settings are valid. */
  readonly issues: readonly SettingsIssue[];
  readonly warnings: readonly SettingsIssue[];
}

/** How a form shows one setting. */
export interface SettingHint {
  readonly label?: string;
  readonly help?: string;
  readonly group?: string;
  readonly order?: number;
  readonly advanced?: boolean;
  readonly sensitive?: boolean;
  readonly placeholder?: string;
}

/** The settings' schema for forms and editors. */
export interface SettingsSchema {
  /** JSON Schema, draft 7. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** By path; `*` stands for any key of a record, `[]` after a key for any element of a list. */
  readonly uiHints: Readonly<Record<string, SettingHint>>;
}

/** A change that someone asks for over the wire. */
export interface WireChange {
  /** The settings as they stand; undefined where the file cannot be read. */
  readonly current: JsonObject | undefined;
  /** What the writer sent: a whole document or a patch, before hidden secrets are put back. */
  readonly brought: JsonObject;
  /** The settings as they would stand. */
  readonly next: JsonObject;
}

/** One text format (JSON5 or YAML) and one schema, as the settings service uses them. All pure. */
export interface SettingsCodec<Config> {
  /** Reads a whole settings text. Blank text is an empty document. */
  read(raw: string): SettingsReading;
  /** Reads a patch, which is JSON5 whatever the format of the file. */
  readPatch(raw: string): SettingsReading;
  /** Fills in the environment, validates, fills in defaults. */
  parse(document: JsonObject): ParsedSettings<Config>;
  /** The document with defaults filled in where it says nothing; references to the environment stay. */
  fill(document: JsonObject): JsonObject;
  /** `raw` changed so that it reads as `next`, with comments and layout kept where that is possible. */
  edit(raw: string, next: JsonObject): string;
  /** The text that stands for a scalar value in this format, whatever surrounds it. */
  literal(value: Json): string;
  /**
   * Whether a scalar at this path must never be shown. False for blank text, booleans, null and a
   * value that only refers to the environment (`${NAME}`).
   */
  isSecret(path: SettingPath, value: Json): boolean;
  /**
   * What only someone with access to the host may change: paths and programs, references to the
   * environment, the server that a kept secret is sent to. Empty where the change is allowed.
   */
  wireIssues(change: WireChange): readonly SettingsIssue[];
  /** Paths of the settings that differ and take effect only after a restart. */
  restartKeys(previous: Config, next: Config): readonly string[];
  schema(): SettingsSchema;
}
