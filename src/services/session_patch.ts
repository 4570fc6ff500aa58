/** Changing a session's settings: which values each may have, and what `null` does. */

import { invalidRequest } from "../core/error.ts";
import { quote } from "../core/quote.ts";
import type { SessionEntry } from "./session_entry.ts";
import { isName } from "./session_records.ts";

/** Longest label, in characters; the protocol document's parameters have the same bound. */
export const MAX_LABEL_CHARS = 64;

/** Longest name of a node, in characters. */
const MAX_NODE_CHARS = 128;

/** The values of each setting that has a fixed choice, in the order in which a refusal lists them. */
export const SETTING_CHOICES = {
  thinkingLevel: ["off", "minimal", "low", "medium", "high"],
  verboseLevel: ["off", "on", "full"],
  reasoningLevel: ["off", "on", "stream"],
  elevatedLevel: ["off", "on", "ask", "full"],
  execHost: ["sandbox", "gateway", "node"],
  execSecurity: ["deny", "allowlist", "full"],
  execAsk: ["off", "on-miss", "always"],
} as const;

const CHOSEN = [
  "thinkingLevel",
  "verboseLevel",
  "reasoningLevel",
  "elevatedLevel",
  "execHost",
  "execSecurity",
  "execAsk",
] as const satisfies readonly (keyof typeof SETTING_CHOICES)[];

/** What to change: an absent member stays, `null` clears, a value is set. */
export interface SessionPatch {
  readonly label?: string | null;
  readonly thinkingLevel?: string | null;
  readonly verboseLevel?: string | null;
  readonly reasoningLevel?: string | null;
  readonly elevatedLevel?: string | null;
  readonly responseUsage?: SessionEntry["responseUsage"] | null;
  readonly execHost?: string | null;
  readonly execSecurity?: string | null;
  readonly execAsk?: string | null;
  readonly execNode?: string | null;
  /** `provider/model`, a bare model name or an alias. */
  readonly model?: string | null;
  /** The canonical key of the session that started this one. */
  readonly spawnedBy?: string | null;
  readonly sendPolicy?: SessionEntry["sendPolicy"] | null;
  readonly groupActivation?: SessionEntry["groupActivation"] | null;
}

/** A model by its provider and its name there. */
export interface ModelChoice {
  readonly modelProvider: string;
  readonly model: string;
}

/** Which settings to change, and how a wanted model is found (or refused by throwing). */
export interface SettingChange {
  readonly patch: SessionPatch;
  readonly chooseModel: (wanted: string) => ModelChoice;
}

/**
 * The entry with the patch applied; times are left alone. Throws `INVALID_REQUEST` naming the first setting whose value is not allowed.
 */
export function applyPatch(
  entry: SessionEntry,
  { patch, chooseModel }: SettingChange,
): SessionEntry {
  const next: Writable<SessionEntry> = { ...entry };
  if (patch.label !== undefined) {
    next.label = patch.label === null ? undefined : checkedLabel(patch.label);
  }
  for (const name of CHOSEN) {
    const wanted = patch[name];
    if (wanted !== undefined) next[name] = wanted === null ? undefined : choice(name, wanted);
  }
  if (patch.execNode !== undefined) {
    next.execNode = patch.execNode === null ? undefined : checkedNode(patch.execNode);
  }
  if (patch.spawnedBy !== undefined) next.spawnedBy = patch.spawnedBy ?? undefined;
  if (patch.responseUsage !== undefined) next.responseUsage = patch.responseUsage ?? undefined;
  if (patch.sendPolicy !== undefined) next.sendPolicy = patch.sendPolicy ?? undefined;
  if (patch.groupActivation !== undefined) {
    next.groupActivation = patch.groupActivation ?? undefined;
  }
  if (patch.model !== undefined) {
    const chosen = patch.model === null ? undefined : chooseModel(checkedModel(patch.model));
    next.providerOverride = chosen?.modelProvider;
    next.modelOverride = chosen?.model;
  }
  return next;
}

/** What a session keeps when its conversation starts anew: who it is and how it is set. */
export function settingsOf(entry: SessionEntry): Partial<SessionEntry> {
  const {
    sessionId: _sessionId,
    createdAt: _createdAt,
    updatedAt: _updatedAt,
    derivedTitle: _derivedTitle,
    lastMessagePreview: _lastMessagePreview,
    systemSent: _systemSent,
    abortedLastRun: _abortedLastRun,
    openIn: _openIn,
    inputTokens: _inputTokens,
    outputTokens: _outputTokens,
    totalTokens: _totalTokens,
    ...settings
  } = entry;
  return settings;
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

function choice(name: keyof typeof SETTING_CHOICES, wanted: string): string {
  const choices: readonly string[] = SETTING_CHOICES[name];
  const value = wanted.trim().toLowerCase();
  if (choices.includes(value)) return value;
  throw invalidRequest(`invalid ${name} (use ${choices.join("|")})`);
}

function checkedLabel(label: string): string {
  const value = label.trim();
  if (value === "") throw invalidRequest("invalid label: empty");
  if (value.length > MAX_LABEL_CHARS) {
    throw invalidRequest(`invalid label: too long (max ${MAX_LABEL_CHARS})`);
  }
  if (isName(value)) return value;
  throw invalidRequest(`invalid label: ${quote(value)} has control characters; leave them out`);
}

function checkedNode(node: string): string {
  const value = node.trim();
  if (value === "") throw invalidRequest("invalid execNode: empty");
  if (value.length > MAX_NODE_CHARS) {
    throw invalidRequest(`invalid execNode: too long (max ${MAX_NODE_CHARS})`);
  }
  return value;
}

function checkedModel(model: string): string {
  const value = model.trim();
  if (value === "") throw invalidRequest("invalid model: empty");
  return value;
}
