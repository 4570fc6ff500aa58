/** The secrets among settings, for a log that must not tell them. */

import type { Json } from "../ports/store.ts";
import { isObject } from "./json_value.ts";
import type { SettingPath, SettingsCodec } from "./settings_codec.ts";

/** Most secrets that are listed; the gateway's own come first. */
export const MAX_LISTED_SECRETS = 256;

/** The secrets in `root`, each once: at most {@linkcode MAX_LISTED_SECRETS}. */
export function secretsIn(
  root: Json,
  rules: Pick<SettingsCodec<unknown>, "isSecret">,
): readonly string[] {
  const found = new Set<string>();
  const walk = (value: Json, path: SettingPath): void => {
    if (found.size >= MAX_LISTED_SECRETS) return;
    if (Array.isArray(value)) value.forEach((item, at) => walk(item, [...path, String(at)]));
    else if (isObject(value)) {
      for (const [key, item] of Object.entries(value)) walk(item, [...path, key]);
    } else if (rules.isSecret(path, value)) found.add(String(value));
  };
  walk(root, []);
  return [...found];
}
