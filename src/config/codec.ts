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
import { MAX_SETTINGS_BYTES } from "./document.ts";
import { bounded, parseConfig, type ParseOptions } from "./parse.ts";
import { type Config, ConfigSchema } from "./schema.ts";
import { fillIn, isSecret, restartKeys, uiHints } from "./setting_tree.ts";
import { loadTextFormat, type SettingsFormat, type TextFormat } from "./text_format.ts";
import { wireIssues } from "./wire_guard.ts";

/**
 * Reads a settings text of at most {@linkcode MAX_SETTINGS_BYTES}. A syntax problem names its line and
 * column and never quotes the text.
 */
export async function readSettingsText(
  raw: string,
  format: SettingsFormat,
): Promise<SettingsReading> {
  return readWith(await loadTextFormat(format), raw);
}

function readWith(text: TextFormat, raw: string): SettingsReading {
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
  return text.read(raw);
}

/** A settings text as a plain record, or the one issue that keeps it from being one. */
export async function parseConfigText(
  raw: string,
  options: { readonly format: SettingsFormat },
): Promise<{ readonly record?: JsonObject; readonly issues: readonly SettingsIssue[] }> {
  const reading = await readSettingsText(raw, options.format);
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

/** The config without what it holds besides settings. */
function onlySettings(config: Config): unknown {
  const { disabled: _disabled, ...models } = config.models;
  const { unset: _unset, ...auth } = config.gateway.auth;
  return { ...config, models, gateway: { ...config.gateway, auth } };
}

/** The codec for one format; `env` fills in references to the environment, as {@linkcode parseConfig} has it. */
export async function settingsCodec(
  options: ParseOptions & { readonly format: SettingsFormat },
): Promise<SettingsCodec<Config>> {
  const { format, env } = options;
  const text = await loadTextFormat(format);
  const patchText = await loadTextFormat("json5");
  const parse = (document: JsonObject) => parseConfig(document, options);
  return {
    read: (raw) => readWith(text, raw),
    readPatch: (raw) => readWith(patchText, raw),
    parse,
    fill: (document) => {
      const filled = fillIn(document, toJson(onlySettings(parse(document).config)));
      return isObject(filled) ? filled : document;
    },
    edit: (raw, next) => text.edit(raw, next) ?? text.write(next),
    // Double-quoted JSON text is a scalar of both formats, on one line.
    literal: (value) => JSON.stringify(value),
    isSecret,
    wireIssues: (change) => bounded(wireIssues(change, env)),
    restartKeys: (previous, next) => restartKeys(toJson(previous), toJson(next)),
    schema: configSchema,
  };
}
