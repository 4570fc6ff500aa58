/** Session keys: from the text that a client writes to the one key that a session has. */

import { invalidRequest } from "../core/error.ts";
import {
  type AgentId,
  checked,
  isAgentId,
  isSessionKey,
  MAX_SESSION_KEY_CHARS,
  type SessionKey,
} from "../core/id.ts";
import { quote } from "../core/quote.ts";

/** The name of the main session where the configuration does not give one. */
export const DEFAULT_MAIN_KEY = "main";

/** How the configuration wants keys to be read. */
export interface KeyRules {
  /** The name of an agent's main session; blank counts as {@linkcode DEFAULT_MAIN_KEY}. */
  readonly mainKey: string;
  /** With `global`, all of an agent's main conversation lies in one session named `global`. */
  readonly scope: "per-sender" | "global";
}

/** What a session is for, as far as its key tells. */
export const SESSION_KINDS = ["direct", "group", "global", "unknown"] as const;

/** One of {@linkcode SESSION_KINDS}. */
export type SessionKind = typeof SESSION_KINDS[number];

/**
 * The canonical key for what a client wrote: trimmed, its name too, and in lower case;
 * `agent:<id>:<name>` stands, any other text is a name at `agent`, and `main` (alone or as the name) is
 * that agent's main session.
 * Throws `INVALID_REQUEST` for what cannot be a key.
 */
export function canonicalKey(
  text: string,
  { agent, rules }: { readonly agent: AgentId; readonly rules: KeyRules },
): SessionKey {
  // Before anything looks at all of it.
  if (text.length > MAX_SESSION_KEY_CHARS) throw unusable(text);
  const written = text.trim().toLowerCase();
  const key = written.startsWith("agent:")
    ? written.replace(/^(agent:[^:]*:)\s+/, "$1")
    : `agent:${agent}:${written}`;
  if (!isSessionKey(key)) throw unusable(text);
  const name = nameOf(key);
  return name === "main" || name === mainName(rules) ? mainSessionKey(agentOf(key), rules) : key;
}

/** The key of an agent's main session. Throws `INVALID_REQUEST` when the configured name is unusable. */
export function mainSessionKey(agent: AgentId, rules: KeyRules): SessionKey {
  const key = `agent:${agent}:${rules.scope === "global" ? "global" : mainName(rules)}`;
  if (!isSessionKey(key)) throw unusable(key);
  return key;
}

/** The agent that a session belongs to. */
export function agentOf(key: SessionKey): AgentId {
  return checked(key.split(":", 2)[1] ?? "", isAgentId);
}

/** The part of a key behind its agent. */
export function nameOf(key: SessionKey): string {
  return key.split(":").slice(2).join(":");
}

/** What kind of session the key names. */
export function kindOf(key: SessionKey): SessionKind {
  const name = nameOf(key);
  if (name === "global" || name === "unknown") return name;
  return /(^|:)(group|channel):/.test(name) ? "group" : "direct";
}

function mainName(rules: KeyRules): string {
  const name = rules.mainKey.trim().toLowerCase();
  return name === "" ? DEFAULT_MAIN_KEY : name;
}

function unusable(text: string): Error {
  return invalidRequest(
    `invalid session key ${quote(text)}; use a name such as "main" or agent:<agent id>:<name>`,
  );
}
