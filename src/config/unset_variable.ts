/** What becomes of settings that refer to a variable of the environment that is not set. */

import { escapeText, quote } from "../core/quote.ts";
import type { Json } from "../ports/store.ts";
import { isObject, valueAt } from "../services/json_value.ts";
import type { JsonObject, SettingPath, SettingsIssue } from "../services/settings_codec.ts";
import { pathText, type Unfilled } from "./document.ts";
import type { Config, SecretKind } from "./schema.ts";
import { hasEffect } from "./setting_tree.ts";

/** Longest id of a provider in a message, in characters. */
const MAX_ID_CHARS = 64;

/** Takes the place of an address that is not known while the rest of its provider is validated. */
const STAND_IN_ADDRESS = "http://unset.invalid";

/** What the variables that are not set leave of a document. */
export interface Gaps {
  readonly issues: readonly SettingsIssue[];
  readonly warnings: readonly SettingsIssue[];
  /** The gateway's own secrets that are not known. */
  readonly secrets: readonly SecretKind[];
  /** The document to validate, without values that only a variable can tell. */
  readonly document: JsonObject;
  /** The settings of {@linkcode Gaps.document} with what they lack marked in them. */
  close(config: Config): Config;
}

/**
 * Sorts references that were not filled in by what they cost: a provider is disabled, a variable of the
 * `env` section is not there, the gateway's secret is a refusal, and so is everything else. With
 * `foreignEnv` a variable that is not set is a warning wherever it stands.
 */
export function gapsOf(
  missing: readonly Unfilled[],
  { document, foreignEnv }: { readonly document: JsonObject; readonly foreignEnv: boolean },
): Gaps {
  const issues: SettingsIssue[] = [];
  const warnings: SettingsIssue[] = [];
  const secrets: SecretKind[] = [];
  const disabled = new Map<string, Set<string>>();
  const addresses = new Map<string, Json>();
  let rest = document;
  for (const { path, message, variable } of missing) {
    const where = pathText(path);
    if (variable === undefined) {
      issues.push({ path: where, message });
      continue;
    }
    // What has no effect is told to have none, whatever it refers to.
    if (!hasEffect(path)) continue;
    const [group = "", part, id = ""] = path;
    const why = foreignEnv
      ? `needs the environment variable ${variable}, which is not set in this shell; the gateway may have it`
      : message;
    if (group === "models" && part === "providers") {
      const names = disabled.get(id) ?? new Set();
      disabled.set(id, names.add(variable));
      if (path.length === 4 && path[3] === "baseUrl") {
        addresses.set(id, valueAt(document, path) ?? null);
        rest = replaced(rest, path, STAND_IN_ADDRESS);
      }
      const cost = `; the provider ${quote(id, MAX_ID_CHARS)} is disabled until it is`;
      warnings.push({ path: where, message: foreignEnv ? why : `${why}${cost}` });
    } else if (group === "env") {
      const name = escapeText(path.at(-1) ?? "", MAX_ID_CHARS);
      const cost = `; ${name} counts as not set`;
      warnings.push({ path: where, message: foreignEnv ? why : `${why}${cost}` });
    } else {
      (foreignEnv ? warnings : issues).push({ path: where, message: why });
      if (group === "gateway" && part === "auth" && (id === "token" || id === "password")) {
        secrets.push(id);
      }
      rest = replaced(rest, path, undefined);
    }
  }
  return {
    issues,
    // A text that refers to one variable twice is told of it once.
    warnings: warnings.filter(({ path, message }, at) =>
      at === warnings.findIndex((other) => other.path === path && other.message === message)
    ),
    secrets,
    document: rest,
    close: (config) => {
      const marked = closed(config, { disabled, addresses });
      return secrets.length === 0 ? marked : withoutSecrets(marked, secrets);
    },
  };
}

function closed(
  config: Config,
  { disabled, addresses }: {
    readonly disabled: ReadonlyMap<string, ReadonlySet<string>>;
    readonly addresses: ReadonlyMap<string, Json>;
  },
): Config {
  const { providers } = config.models;
  const names = [...disabled].filter(([id]) => Object.hasOwn(providers, id));
  if (names.length === 0) return config;
  return {
    ...config,
    models: {
      ...config.models,
      providers: Object.fromEntries(
        Object.entries(providers).map(([id, provider]) => {
          const baseUrl = addresses.get(id);
          return [id, typeof baseUrl === "string" ? { ...provider, baseUrl } : provider];
        }),
      ),
      disabled: Object.fromEntries(names.map(([id, variables]) => [id, [...variables]])),
    },
  };
}

function withoutSecrets(config: Config, unset: readonly SecretKind[]): Config {
  const { gateway } = config;
  return { ...config, gateway: { ...gateway, auth: { ...gateway.auth, unset } } };
}

/** The document with the value at a path replaced, or taken away. Only members of objects are. */
function replaced(
  document: JsonObject,
  [key, ...below]: SettingPath,
  value: Json | undefined,
): JsonObject {
  if (key === undefined) return document;
  const members = new Map(Object.entries(document));
  const at = members.get(key);
  if (below.length > 0) {
    if (isObject(at)) members.set(key, replaced(at, below, value));
  } else if (value === undefined) members.delete(key);
  else members.set(key, value);
  return Object.fromEntries(members);
}
