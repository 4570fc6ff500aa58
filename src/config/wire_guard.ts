/**
 * What a change over the wire may not do, however well-formed: whoever may change settings is not by
 * that the owner of the host's files, of its environment, and of the secrets that the settings hold.
 */

import type { Json } from "../ports/store.ts";
import { isObject, sameJson, valueAt } from "../services/json_value.ts";
import { counterpart, elementLike, REDACTED } from "../services/redaction.ts";
import type {
  JsonObject,
  SettingPath,
  SettingsIssue,
  WireChange,
} from "../services/settings_codec.ts";
import { type Environment, hasReference, pathText, substitute } from "./document.ts";
import { isMetadataHost } from "./metadata_host.ts";
import { fillsReferences, type Setting, SETTINGS } from "./setting_tree.ts";

/**
 * Why a change over the wire is refused; empty where it is allowed. Refused are: settings that name a
 * path or program of the host, references to the environment that the file did not have at that path, a
 * provider's or the identity service's address on a link-local or metadata host, and a provider's move to another origin with
 * secrets that the writer did not bring.
 */
export function wireIssues(change: WireChange, env: Environment): readonly SettingsIssue[] {
  return [
    ...hostChanges(change),
    ...newReferences(change),
    ...movedProviders(change, env),
    ...movedIdentityService(change, env),
  ];
}

function hostChanges({ current, next }: WireChange): readonly SettingsIssue[] {
  const issues: SettingsIssue[] = [];
  const walk = (setting: Setting, sides: Sides, path: SettingPath): void => {
    const { before, after } = sides;
    if (setting.marks.host === true) {
      if (sameJson(before, after)) return;
      const message = "names a place on the host, so it is not changed over the wire; " +
        "edit the file on the host";
      issues.push({ path: pathText(path), message });
    } else if (setting.kind === "list" && setting.rest !== undefined) {
      // An element that is gone takes its settings with it; nothing is read from elsewhere instead.
      for (const [index, item] of asList(after).entries()) {
        const own = elementLike(item, index, asList(before));
        walk(setting.rest, { before: own, after: item }, [...path, String(index)]);
      }
    } else if (setting.kind !== "value") {
      const [old, now] = [asObject(before), asObject(after)];
      for (const key of new Set([...Object.keys(old), ...Object.keys(now)])) {
        const below = setting.entries.get(key) ?? setting.rest;
        if (below !== undefined) {
          walk(below, { before: valueAt(old, [key]), after: valueAt(now, [key]) }, [...path, key]);
        }
      }
    }
  };
  walk(SETTINGS, { before: current, after: next }, []);
  return issues;
}

interface Sides {
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

function newReferences({ current, next }: WireChange): readonly SettingsIssue[] {
  return textsIn(next, []).flatMap(({ path, text }) => {
    if (!text.includes("${") || !hasReference(text)) return [];
    if (current !== undefined && counterpart(path, next, current) === text) return [];
    const message = "refers to the environment; references to the environment are written in the " +
      "file on the host";
    return [{ path: pathText(path), message }];
  });
}

function movedProviders(
  { current, brought, next }: WireChange,
  env: Environment,
): readonly SettingsIssue[] {
  const fill = (document: JsonObject) => substitute(document, { env, fills: fillsReferences });
  const old = providersOf(fill(current ?? {}).document);
  const now = providersOf(fill(next).document);
  return Object.entries(now).flatMap(([id, provider]) => {
    const base = ["models", "providers", id];
    const from = addressOf(old, id);
    const to = addressOf(now, id);
    if (to === undefined || to === from) return [];
    const url = URL.canParse(to) ? new URL(to) : undefined;
    if (url !== undefined && isMetadataHost(url.hostname)) {
      return [{ path: pathText([...base, "baseUrl"]), message: METADATA_MESSAGE }];
    }
    const before = from !== undefined && URL.canParse(from) ? new URL(from).origin : undefined;
    if (url !== undefined && url.origin === before) return [];
    return secretsOf(provider).filter((path) => !isNew(valueAt(brought, [...base, ...path])))
      .map((path) => ({
        path: pathText([...base, ...path]),
        message: `would be sent to another server, as ${
          pathText([...base, "baseUrl"])
        } changes; write the value itself anew or remove it, in the same change`,
      }));
  });
}

const METADATA_MESSAGE =
  "leads to a link-local or metadata address, which is not set over the wire; " +
  "edit the file on the host";

const IDENTITY_ENDPOINT: SettingPath = ["channels", "websocket", "auth", "endpoint"];

function movedIdentityService(
  { current, next }: WireChange,
  env: Environment,
): readonly SettingsIssue[] {
  const filled = (document: JsonObject): Json | undefined =>
    valueAt(substitute(document, { env, fills: fillsReferences }).document, IDENTITY_ENDPOINT);
  const to = filled(next);
  if (typeof to !== "string" || to === filled(current ?? {}) || !URL.canParse(to)) return [];
  if (!isMetadataHost(new URL(to).hostname)) return [];
  return [{ path: pathText(IDENTITY_ENDPOINT), message: METADATA_MESSAGE }];
}

/** Whether the writer knows the value: it is neither missing, hidden, nor left to the environment. */
function isNew(value: Json | undefined): boolean {
  return typeof value === "string" && !value.includes(REDACTED) && !hasReference(value);
}

/** Paths below a provider of what is sent to its server and is a secret. */
function secretsOf(provider: Json): readonly SettingPath[] {
  const carriers: readonly SettingPath[] = [
    ["apiKey"],
    ["headers"],
    ...asList(valueAt(provider, ["models"])).map((_model, at) => ["models", String(at), "headers"]),
  ];
  return carriers.flatMap((path) => textsIn(valueAt(provider, path) ?? null, path))
    .filter(({ text }) => text.trim() !== "").map(({ path }) => path);
}

function addressOf(providers: JsonObject, id: string): string | undefined {
  const address = valueAt(providers, [id, "baseUrl"]);
  return typeof address === "string" ? address : undefined;
}

function providersOf(document: JsonObject): JsonObject {
  return asObject(valueAt(document, ["models", "providers"]));
}

function textsIn(
  value: Json,
  path: SettingPath,
): readonly { readonly path: SettingPath; readonly text: string }[] {
  if (typeof value === "string") return [{ path, text: value }];
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => textsIn(item, [...path, String(index)]));
  }
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => textsIn(item, [...path, key]));
}

function asObject(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function asList(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}
