/** Sessions: who talks where, with which settings, and what was said. */

import { GatewayError, invalidRequest } from "../core/error.ts";
import { refuseAborted } from "../core/gate.ts";
import type { AgentId, SessionKey, TenantId } from "../core/id.ts";
import { escapeText, quote } from "../core/quote.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import type { Store } from "../ports/store.ts";
import {
  type Addition,
  type Appended,
  type Compacted,
  DEFAULT_COMPACT_MESSAGES,
  type Removed,
  SessionChanges,
} from "./session_changes.ts";
import { type History, SessionCache } from "./session_cache.ts";
import type { SessionEntry } from "./session_entry.ts";
import { agentOf, canonicalKey, type KeyRules, mainSessionKey } from "./session_key.ts";
import {
  type ListedSession,
  listSessions,
  matches,
  type SessionFilter,
  type SessionQuery,
} from "./session_list.ts";
import {
  MAX_PREVIEWED_SESSIONS,
  type PreviewBounds,
  PreviewBudget,
  type SessionPreview,
} from "./session_preview.ts";
import type { ModelChoice, SessionPatch } from "./session_patch.ts";
import { GATEWAY_READER, type Reader, readingGate } from "./session_reader.ts";
import {
  agentPrefix,
  findByLabel,
  findBySessionId,
  keyed,
  type KeyedEntry,
  type SessionRecords,
  sessionRecords,
} from "./session_records.ts";

/** What {@linkcode Sessions} asks of the agents. */
export interface AgentDirectory {
  readonly defaultId: AgentId;
  has(id: AgentId): boolean;
}

/** What a session uses as long as nothing else was chosen for it. */
export interface ModelDefaults {
  readonly modelProvider: string | null;
  readonly model: string | null;
  /** Context window in tokens. */
  readonly contextTokens: number | null;
}

/** What stands for the place of sessions that lie in a database instead of one file. */
export const DEFAULT_STORE_PATH = "(multiple)";

/** What the configuration and the other services say; read at every use. */
export interface SessionOptions extends KeyRules {
  /** Where sessions lie, in words for a person; default {@linkcode DEFAULT_STORE_PATH}. */
  readonly path?: string;
  /** The model of an agent's sessions; absent: nothing is known. */
  readonly defaults?: (agent: AgentId) => ModelDefaults;
  /** Finds a model by what a client calls it; throws INVALID_REQUEST. Absent: no model can be chosen. */
  readonly resolveModel?: (wanted: string, agent: AgentId) => ModelChoice;
  /** Ends the runs of a session and waits until what they said so far is stored. */
  readonly abortRuns?: (tenant: TenantId, key: SessionKey) => Promise<void>;
  /** Told of every change of a tenant's sessions, once it is stored. */
  readonly changed?: (tenant: TenantId) => void;
}

/** The parts that sessions are made of. */
export interface SessionParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly agents: AgentDirectory;
  readonly options: () => SessionOptions;
  /** Told of stored sessions that cannot be read. */
  readonly log?: Log;
}

/** What to look a session up by: exactly one of key, session id and label. */
export interface SessionWanted extends Omit<SessionFilter, "search"> {
  readonly key?: string;
  readonly sessionId?: string;
}

/** For whom a heavy reading is done; absent: for the gateway itself. */
export interface ForReader {
  readonly reader?: Reader;
}

/** What {@linkcode Sessions.list} found; `at` is its time. */
export interface SessionListing {
  readonly at: number;
  readonly sessions: readonly ListedSession[];
}

/** What {@linkcode Sessions.preview} found; `at` is its time. */
export interface SessionPreviews {
  readonly at: number;
  readonly previews: readonly SessionPreview[];
}

/** What {@linkcode Sessions.patch} stored, and the model that the session uses from now on. */
export interface Patched {
  readonly entry: SessionEntry;
  readonly resolved: { readonly modelProvider?: string; readonly model?: string };
}

/**
 * The sessions of every tenant. Reads never write; a change is durable when its promise resolves.
 * Changes of one session happen one after the other, in the order of the calls. Methods that take a
 * {@linkcode SessionKey} want a canonical one, from {@linkcode Sessions.canonicalKey}.
 *
 * Lists, histories and previews are heavy: few are read at once, their readers take turns, and they are
 * refused as `UNAVAILABLE` when too many of one reader wait (`session_reader.ts`) or the reader is gone.
 */
export class Sessions {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #agents: AgentDirectory;
  readonly #options: () => SessionOptions;
  readonly #records: SessionRecords;
  readonly #cache: SessionCache;
  readonly #changes: SessionChanges;
  readonly #gate = readingGate();

  constructor({ store, clock, random, agents, options, log }: SessionParts) {
    this.#store = store;
    this.#clock = clock;
    this.#agents = agents;
    this.#options = options;
    // No two begin in the same millisecond: one waits until the other has let go of the state folder.
    const life = String(clock.now());
    this.#records = sessionRecords(store, { life, log });
    const hasAgent = (id: AgentId): boolean => agents.has(id);
    const changed = (tenant: TenantId): void => this.#options().changed?.(tenant);
    const records = this.#records;
    const cache = this.#cache = new SessionCache({ store, records });
    this.#changes = new SessionChanges({
      store,
      records,
      cache,
      clock,
      random,
      hasAgent,
      changed,
      life,
    });
  }

  /** The key for what a client wrote, a bare name being one of `agent` (absent: the default agent). */
  canonicalKey(text: string, agent: AgentId = this.#agents.defaultId): SessionKey {
    return canonicalKey(text, { agent, rules: this.#options() });
  }

  /** The key of an agent's main session. */
  mainKey(agent: AgentId = this.#agents.defaultId): SessionKey {
    return mainSessionKey(agent, this.#options());
  }

  /** Where sessions lie, in words for a person. */
  get path(): string {
    return this.#options().path ?? DEFAULT_STORE_PATH;
  }

  /** The model that an agent's sessions use unless another was chosen. */
  defaults(agent: AgentId = this.#agents.defaultId): ModelDefaults {
    const unknown = { modelProvider: null, model: null, contextTokens: null };
    return this.#options().defaults?.(agent) ?? unknown;
  }

  /** The session's entry, or undefined when it does not exist. */
  get(tenant: TenantId, key: SessionKey): Promise<SessionEntry | undefined> {
    return this.#cache.entry({ tenant, key });
  }

  /** How many sessions there are, of one agent or of all. */
  count(tenant: TenantId, { agentId }: { agentId?: AgentId } = {}): Promise<number> {
    return this.#records.entries.count(tenant, { idPrefix: prefixOf(agentId) });
  }

  /** The most recently used sessions, global and unknown ones included. */
  async recent(
    tenant: TenantId,
    { limit, agentId }: { limit: number; agentId?: AgentId },
  ): Promise<readonly KeyedEntry[]> {
    const query = { newestFirst: true, limit, idPrefix: prefixOf(agentId) };
    const items = await this.#records.entries.list(tenant, query);
    return items.map(keyed).filter((one) => one !== undefined);
  }

  /** The sessions that match, the most recently used first, and the time of the answer. */
  list(
    tenant: TenantId,
    { reader = GATEWAY_READER, ...query }: SessionQuery & ForReader = {},
  ): Promise<SessionListing> {
    const { signal } = reader;
    const work = async (): Promise<SessionListing> => {
      const at = this.#clock.now();
      const wanted = { ...query, spawnedBy: this.#parent(query.spawnedBy) };
      const search = { tenant, query: wanted, now: at, signal };
      return { at, sessions: await listSessions(this.#records, search) };
    };
    return this.#gate.run({ ...reader, work });
  }

  /** The one session that is looked for; filters apply to ids and labels. Throws `INVALID_REQUEST`. */
  async resolve(tenant: TenantId, wanted: SessionWanted): Promise<KeyedEntry> {
    const { key, sessionId, label, ...rest } = wanted;
    const named = [key, sessionId, label].filter((text) => text !== undefined);
    if (named.length > 1) {
      throw invalidRequest("Provide either key, sessionId, or label (not multiple)");
    }
    const filter = { ...rest, spawnedBy: this.#parent(rest.spawnedBy) };
    if (key !== undefined) {
      const canonical = this.canonicalKey(key);
      const entry = await this.get(tenant, canonical);
      if (entry !== undefined) return { key: canonical, entry };
      throw invalidRequest(`No session found: ${escapeText(key)}`);
    }
    if (sessionId !== undefined) {
      const found = await findBySessionId(this.#records, { tenant, sessionId });
      if (found !== undefined && matches(found, filter)) return found;
      throw invalidRequest(`No session found: ${escapeText(sessionId)}`);
    }
    if (label !== undefined) {
      const found = await findByLabel(this.#records, { tenant, label: label.trim() });
      if (found !== undefined && matches(found, filter)) return found;
      throw invalidRequest(`No session found with label: ${escapeText(label)}`);
    }
    throw invalidRequest("Either key, sessionId, or label is required");
  }

  /**
   * The newest messages, at most `limit`, oldest first; older ones are left out where they would exceed
   * the bounds of `transcript.ts`. `forModel`: as a model is told them, too, where that is known.
   */
  async history(
    tenant: TenantId,
    key: SessionKey,
    { limit, forModel, reader = GATEWAY_READER }:
      & { readonly limit: number; readonly forModel?: boolean }
      & ForReader,
  ): Promise<History> {
    const { signal } = reader;
    const cache = this.#cache;
    const known = await cache.recall({ tenant, key }, { limit, forModel });
    if (known !== undefined) return known;
    return await this.#gate.run({
      ...reader,
      work: () => cache.read({ tenant, key }, { limit, signal }),
    });
  }

  /**
   * The end of what was said in each session, in the order of `keys` and under the keys as they are
   * written there, one that comes twice once; of more than {@linkcode MAX_PREVIEWED_SESSIONS} only the
   * first ones. The bounds of `session_preview.ts` are shared among them.
   */
  preview(
    tenant: TenantId,
    keys: readonly string[],
    { reader = GATEWAY_READER, ...bounds }: PreviewBounds & ForReader = {},
  ): Promise<SessionPreviews> {
    const { signal } = reader;
    const named = [...new Set(keys)].slice(0, MAX_PREVIEWED_SESSIONS);
    const budget = new PreviewBudget(named.length, bounds);
    const work = async (): Promise<SessionPreviews> => {
      const at = this.#clock.now();
      const previews: SessionPreview[] = [];
      for (const written of named) {
        refuseAborted(signal);
        previews.push(await this.#previewOf(tenant, written, { budget, signal }));
        budget.next();
      }
      return { at, previews };
    };
    return this.#gate.run({ ...reader, work });
  }

  async #previewOf(
    tenant: TenantId,
    written: string,
    { budget, signal }: { budget: PreviewBudget; signal: AbortSignal | undefined },
  ): Promise<SessionPreview> {
    const key = this.#keyIfUsable(written);
    if (key === undefined) return { key: written, status: "error", items: [] };
    const { entry, messages: items } = await this.#cache.conversation(
      { tenant, key },
      (stream) => budget.read(this.#store, { stream, signal }),
    );
    if (entry === undefined) return { key: written, status: "missing", items };
    return { key: written, status: items.length === 0 ? "empty" : "ok", items };
  }

  #keyIfUsable(written: string): SessionKey | undefined {
    try {
      return this.canonicalKey(written);
    } catch (error) {
      if (error instanceof GatewayError) return undefined;
      throw error;
    }
  }

  /**
   * Adds messages to a session, which is made when it does not exist. The entry, the messages and what
   * the caller writes alongside are one commit. Throws `INVALID_REQUEST` for a new session of an agent
   * that does not exist; a {@linkcode StoreConflict} about the caller's own writes passes through.
   */
  append(tenant: TenantId, key: SessionKey, addition: Addition): Promise<Appended> {
    return this.#changes.append({ tenant, key }, addition);
  }

  /**
   * Changes settings of a session, which is made when it does not exist. Throws `INVALID_REQUEST` for a
   * value that is not allowed and for a label that another session has.
   */
  async patch(tenant: TenantId, key: SessionKey, patch: SessionPatch): Promise<Patched> {
    const agent = agentOf(key);
    const spawnedBy = patch.spawnedBy === null ? null : this.#parent(patch.spawnedBy);
    const chooseModel = (wanted: string): ModelChoice => this.#chooseModel(wanted, agent);
    const entry = await this.#changes.patch(
      { tenant, key },
      { patch: { ...patch, spawnedBy }, chooseModel },
    );
    return { entry, resolved: this.#modelOf(entry, agent) };
  }

  /**
   * Starts the conversation anew under another session id: settings stay, messages are put away. Runs
   * of the session are aborted first. A session that does not exist is made.
   */
  async reset(tenant: TenantId, key: SessionKey): Promise<SessionEntry> {
    await this.#options().abortRuns?.(tenant, key);
    return await this.#changes.reset({ tenant, key });
  }

  /**
   * Deletes a session; its runs are aborted first. Its messages are put away: as deleted, which
   * `archived` names, or with `keepTranscript` as kept. `deleted` is false when there was no such
   * session. Throws `INVALID_REQUEST` for the main session.
   */
  async remove(
    tenant: TenantId,
    key: SessionKey,
    { keepTranscript = false }: { keepTranscript?: boolean } = {},
  ): Promise<Removed> {
    if (key === this.mainKey()) throw invalidRequest(`Cannot delete the main session (${key}).`);
    await this.#options().abortRuns?.(tenant, key);
    return await this.#changes.remove({ tenant, key }, { keepTranscript });
  }

  /** Keeps the newest `keep` messages and puts the older ones away. No activity: the times stay. */
  compact(
    tenant: TenantId,
    key: SessionKey,
    { keep = DEFAULT_COMPACT_MESSAGES }: { keep?: number } = {},
  ): Promise<Compacted> {
    return this.#changes.compact({ tenant, key }, keep);
  }

  #parent(spawnedBy: string | undefined): SessionKey | undefined {
    return spawnedBy === undefined ? undefined : this.canonicalKey(spawnedBy);
  }

  #chooseModel(wanted: string, agent: AgentId): ModelChoice {
    const { resolveModel } = this.#options();
    if (resolveModel !== undefined) return resolveModel(wanted, agent);
    throw invalidRequest(
      `unknown model ${quote(wanted)}; this gateway has no models to choose from`,
    );
  }

  #modelOf(entry: SessionEntry, agent: AgentId): Patched["resolved"] {
    const { modelProvider, model } = this.defaults(agent);
    return {
      modelProvider: entry.providerOverride ?? modelProvider ?? undefined,
      model: entry.modelOverride ?? model ?? undefined,
    };
  }
}

function prefixOf(agent: AgentId | undefined): string | undefined {
  return agent === undefined ? undefined : agentPrefix(agent);
}
