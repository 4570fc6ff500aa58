/** The settings' text formats and schema, as the settings service takes them. */

import { toJsonSchema } from "@valibot/to-json-schema";
import { isObject, toJson } from "../services/json_value.ts";
import type {
  JsonObject,
  SettingsCodec,
  SettingsIssue,
  SettingsReading,
  SettingsSchema,
} from "../services/settings_codec.ts";
import { type Environment, MAX_SETTINGS_BYTES } from "./document.ts";
import { editJson5, readJson5, writeJson5 } from "./json5_text.ts";
import { parseConfig } from "./parse.ts";
import { type Config, ConfigSchema } from "./schema.ts";
import { fillIn, isSecret, restartKeys, uiHints } from "./setting_tree.ts";
import { editYaml, readYaml, writeYaml } from "./yaml_text.ts";

/** The formats that settings are written in. */
export type SettingsFormat = "json5" | "yaml";

/** The format of a settings file, by the end of its name: YAML for `.yaml` and `.yml`, else JSON5. */
export function settingsFormat(path: string): SettingsFormat {
  return /\.ya?ml$/i.test(path) ? "yaml" : "json5";
}

/**
 * Reads a settings text of at most {@linkcode MAX_SETTINGS_BYTES}. A syntax problem names its line and
 * column and never quotes the text.
 */
export function readSettingsText(raw: string, format: SettingsFormat): SettingsReading {
  if (
    raw.length > MAX_SETTINGS_BYTES || new TextEncoder().encode(raw).length > MAX_SETTINGS_BYTES
  ) {
    const message = `the settings must be at most ${MAX_SETTINGS_BYTES} bytes of text`;
    return { ok: false, reason: "bounds", message };
  }
  if (!raw.isWellFormed()) {
    return {
      ok: false,
      reason: "bounds",
      message: "the settings are not well-formed Unicode text",
    };
  }
  return format === "yaml" ? readYaml(raw) : readJson5(raw);
}

/** A settings text as a plain record, or the one issue that keeps it from being one. */
export function parseConfigText(
  raw: string,
  options: { readonly format: SettingsFormat },
): { readonly record?: JsonObject; readonly issues: readonly SettingsIssue[] } {
  const reading = readSettingsText(raw, options.format);
  if (reading.ok) return { record: reading.text.document, issues: [] };
  const { line, column } = reading;
  const where = line === undefined || column === undefined
    ? ""
    : ` at line ${line}, column ${column}`;
  return { issues: [{ path: "", message: `${reading.message}${where}` }] };
}

/** The JSON Schema of the settings and what a form needs besides. */
export function configSchema(): SettingsSchema {
  const schema = toJsonSchema(ConfigSchema, {
    typeMode: "input",
    // Checks in code have no counterpart in JSON Schema; metadata is served as hints.
    ignoreActions: ["check", "raw_check", "partial_check", "metadata"],
  });
  return { schema: { ...schema }, uiHints: uiHints() };
}

/** The codec for one format; `env` fills in references to the environment. */
export function settingsCodec(options: {
  readonly format: SettingsFormat;
  readonly env: Environment;
}): SettingsCodec<Config> {
  const { format, env } = options;
  const parse = (document: JsonObject) => parseConfig(document, { env });
  return {
    read: (raw) => readSettingsText(raw, format),
    readPatch: (raw) => readSettingsText(raw, "json5"),
    parse,
    fill: (document) => {
      const filled = fillIn(document, toJson(parse(document).config));
      return isObject(filled) ? filled : document;
    },
    edit: (raw, next) =>
      format === "yaml"
        ? editYaml(raw, next) ?? writeYaml(next)
        : editJson5(raw, next) ?? writeJson5(next),
    // Double-quoted JSON text is a scalar of both formats, on one line.
    literal: (value) => JSON.stringify(value),
    isSecret,
    restartKeys: (previous, next) => restartKeys(toJson(previous), toJson(next)),
    schema: configSchema,
  };
}
