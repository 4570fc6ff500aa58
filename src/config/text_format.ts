/** The text formats that settings are written in. */

import type { JsonObject, SettingsReading } from "../services/settings_codec.ts";

/** The formats that settings are written in. */
export type SettingsFormat = "json5" | "yaml";

/** How one format is read and written; all pure. */
export interface TextFormat {
  /** Reads a text whose size was checked. */
  read(raw: string): SettingsReading;
  write(document: JsonObject): string;
  /** The text changed so that it reads as `next`; undefined when it must be written anew. */
  edit(raw: string, next: JsonObject): string | undefined;
}

/** The format of a settings file, by the end of its name: YAML for `.yaml` and `.yml`, else JSON5. */
export function settingsFormat(path: string): SettingsFormat {
  return /\.ya?ml$/i.test(path) ? "yaml" : "json5";
}

/** Loads a format's library; a gateway without a YAML file never carries the one for YAML. */
export async function loadTextFormat(format: SettingsFormat): Promise<TextFormat> {
  if (format === "yaml") {
    const { editYaml, readYaml, writeYaml } = await import("./yaml_text.ts");
    return { read: readYaml, write: writeYaml, edit: editYaml };
  }
  const { editJson5, readJson5, writeJson5 } = await import("./json5_text.ts");
  return { read: readJson5, write: writeJson5, edit: editJson5 };
}
