/** The changes of sessions: each one commit, those of one session one after the other. */

import { invalidRequest } from "../core/error.ts";
import { type AgentId, type SessionKey, type TenantId, tenantKey } from "../core/id.ts";
import { escapeText, quote } from "../core/quote.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import {
  type CommitResult,
  type Expected,
  type Store,
  StoreConflict,
  StoreFull,
  type StoreWrite,
} from "../ports/store.ts";
import { MAX_UPDATE_ATTEMPTS } from "./collection.ts";
import { KeyedMutex } from "./keyed_mutex.ts";
import { putAway, roomWrites, sweepWrites } from "./session_archive.ts";
import { SessionCount } from "./session_count.ts";
import type { Known, SessionCache, SessionName } from "./session_cache.ts";
import type { NewMessage, SessionEntry, TranscriptMessage } from "./session_entry.ts";
import { agentOf } from "./session_key.ts";
import { applyPatch, type SettingChange, settingsOf } from "./session_patch.ts";
import { type Archive, SESSION_RECORD_KINDS, type SessionRecords } from "./session_records.ts";
import { appendWrites, bounded, cutPoint, summaryOf, transcriptStream } from "./transcript.ts";

/** Messages that a compaction leaves when it is not told how many. */
export const DEFAULT_COMPACT_MESSAGES = 400;

/** Random bytes of a message's id: enough within one transcript, short enough to be typed. */
const MESSAGE_ID_BYTES = 4;

/** What the changes are made with. */
export interface ChangeParts {
  readonly store: Store;
  readonly records: SessionRecords;
  readonly cache: SessionCache;
  readonly clock: Clock;
  readonly random: Random;
  readonly hasAgent: (id: AgentId) => boolean;
  /** Names this life of the gateway. */
  readonly life: string;
  /** Told of every change, once it is stored. */
  readonly changed: (tenant: TenantId) => void;
}

/** What an addition says of a run that has no record of its own. */
export type RunMark = "opens" | "closes";

/** What to add to a session. */
export interface Addition {
  /** In the order in which they were said. */
  readonly messages: readonly NewMessage[];
  /**
   * Changes the entry; what it does to `sessionId`, `label`, `createdAt`, `updatedAt` and `openIn` is
   * ignored. May be called more than once; what it throws refuses the addition. A session that does not exist is
   * given to it as it would be made, with `isNew`. Settings that only an administrator may change are
   * the caller's to guard: what it sets here is stored.
   */
  readonly change?: (entry: SessionEntry, about: { readonly isNew: boolean }) => SessionEntry;
  /**
   * `opens`: a run begins that has no record of its own; unless an addition `closes` it, the session's last run
   * counts as aborted once this life of the gateway is over. Absent: that stays as it is. A function is asked when all
   * that was added before is stored; it may be asked more than once.
   */
  readonly run?: RunMark | (() => RunMark | undefined);
  /** Told of what was stored before any other change of the session begins; must not throw. */
  readonly stored?: (appended: Appended) => void;
  /** It ends what was accepted before, so that it is never refused because too many changes of the session wait. */
  readonly owed?: boolean;
  /** Writes of the caller's own kinds that happen with the addition or not at all. */
  readonly alongside?: readonly StoreWrite[];
}

/** What an addition stored: the session as it is now, the messages with their ids. */
export interface Appended {
  readonly entry: SessionEntry;
  readonly messages: readonly TranscriptMessage[];
}

/** What a deletion did. */
export interface Removed {
  readonly deleted: boolean;
  /** The names of the archives that hold what was deleted. */
  readonly archived: readonly string[];
}

/** What a compaction did, or why nothing. */
export interface Compacted {
  readonly compacted: boolean;
  readonly reason?: string;
  /** The name of the archive that holds the older messages. */
  readonly archived?: string;
  /** How many messages are left. */
  readonly kept?: number;
}

/** Changes sessions. Each promise resolves when its change is durable. */
export class SessionChanges {
  readonly #parts: ChangeParts;
  readonly #turns = new KeyedMutex();
  readonly #count: SessionCount;

  constructor(parts: ChangeParts) {
    this.#parts = parts;
    this.#count = new SessionCount((tenant) => parts.records.entries.count(tenant));
  }

  /** Adds messages; makes the session when it does not exist. */
  append(
    target: SessionName,
    { messages, change, run, stored: committed, owed, alongside = [] }: Addition,
  ): Promise<Appended> {
    const { records, random, clock, life } = this.#parts;
    const { tenant, key } = target;
    const added = messages.map((message) =>
      bounded({ ...message, id: random.hex(MESSAGE_ID_BYTES) })
    );
    const plan = ({ stored, expect }: Found): Plan<Appended> => {
      const before = stored?.entry ?? this.#begin(key);
      const changed = change?.(before, { isNew: stored === undefined }) ?? before;
      const mark = typeof run === "function" ? run() : run;
      const entry = {
        ...changed,
        ...summaryOf(changed, added),
        sessionId: before.sessionId,
        label: before.label,
        createdAt: before.createdAt,
        updatedAt: clock.now(),
        openIn: mark === undefined ? before.openIn : mark === "opens" ? life : undefined,
      };
      const writes = [
        records.entries.put(tenant, key, entry, expect),
        ...appendWrites(transcriptStream(tenant, entry.sessionId), added),
        ...alongside,
      ];
      const result = { entry, messages: added };
      return { writes, result, appends: result };
    };
    return this.#change(target, plan, { owed, presumes: true, committed });
  }

  /** Changes settings; makes the session when it does not exist. */
  patch(target: SessionName, change: SettingChange): Promise<SessionEntry> {
    const { records, clock } = this.#parts;
    const { tenant, key } = target;
    return this.#change(target, async ({ stored, expect }) => {
      const before = stored?.entry ?? this.#begin(key);
      const entry = { ...applyPatch(before, change), updatedAt: clock.now() };
      const writes = [
        records.entries.put(tenant, key, entry, expect),
        ...await this.#moveLabel(target, { from: before.label, to: entry.label }),
      ];
      return { writes, result: entry };
    });
  }

  /** Starts the conversation anew; makes the session when it does not exist. */
  reset(target: SessionName): Promise<SessionEntry> {
    const { records } = this.#parts;
    const { tenant, key } = target;
    return this.#change(target, async ({ stored, expect }) => {
      if (stored === undefined) {
        const entry = this.#begin(key);
        return { writes: [records.entries.put(tenant, key, entry, expect)], result: entry };
      }
      const entry = { ...settingsOf(stored.entry), ...this.#identity() };
      const { sessionId } = stored.entry;
      const away = await this.#putAllAway(target, { sessionId, reason: "reset" });
      const put = records.entries.put(tenant, key, entry, expect);
      return { writes: [put, ...away.writes], result: entry };
    });
  }

  /** Deletes the session; its messages are put away as deleted or as kept. */
  remove(target: SessionName, { keepTranscript }: { keepTranscript: boolean }): Promise<Removed> {
    const { entries, labels } = this.#parts.records;
    const { tenant, key } = target;
    return this.#change<Removed>(target, async ({ stored, expect }) => {
      if (stored === undefined) return { writes: [], result: { deleted: false, archived: [] } };
      const { label, sessionId } = stored.entry;
      const reason = keepTranscript ? "kept" : "deleted";
      const away = await this.#putAllAway(target, { sessionId, reason });
      const writes = [
        entries.remove(tenant, key, expect),
        ...(label === undefined ? [] : [labels.remove(tenant, label)]),
        ...away.writes,
      ];
      const archived = keepTranscript ? [] : away.names;
      return { writes, removes: true, result: { deleted: true, archived } };
    });
  }

  /** Keeps the newest `keep` messages and puts the older ones away; `updatedAt` stays. */
  compact(target: SessionName, keep: number): Promise<Compacted> {
    const { store, records, clock } = this.#parts;
    const { tenant, key } = target;
    return this.#change<Compacted>(target, async ({ stored, expect }) => {
      if (stored === undefined) return untouched({ reason: "no session" });
      const { sessionId } = stored.entry;
      const stream = transcriptStream(tenant, sessionId);
      const length = await store.length(stream);
      if (length === 0) return untouched({ reason: "no transcript" });
      const through = await cutPoint(store, { stream, keep });
      if (through === undefined) return untouched({ reason: "nothing to compact", kept: length });
      const at = clock.now();
      const away = putAway(records, {
        ...target,
        sessionId,
        reason: "compacted",
        at,
        through,
      });
      // What the last run used tells nothing about the shorter transcript.
      const tokens = { inputTokens: undefined, outputTokens: undefined, totalTokens: undefined };
      const put = records.entries.put(tenant, key, { ...stored.entry, ...tokens }, expect);
      return {
        writes: [...await sweepWrites(store, { tenant, at }), put, ...away.writes],
        result: { compacted: true, archived: away.name, kept: keep },
      };
    });
  }

  /**
   * Plans on what is stored and commits; again when another writer, in another process, was faster, and
   * when old archives could make room in a full store.
   */
  #change<T>(
    target: SessionName,
    plan: (found: Found) => Plan<T> | Promise<Plan<T>>,
    { owed, presumes = false, committed }: Manner<T> = {},
  ): Promise<T> {
    const { tenant, key } = target;
    const { cache, changed, store } = this.#parts;
    const work = async (): Promise<T> => {
      for (let attempt = 1;; attempt++) {
        const presumed = presumes && attempt === 1 ? this.#presumed(target) : undefined;
        const found = presumed ?? await this.#stored(target);
        let planned: Plan<T>;
        try {
          const made = plan(found);
          planned = made instanceof Promise ? await made : made;
        } catch (error) {
          // Whoever is refused is refused for what is stored.
          if (presumed === undefined) throw error;
          cache.forget(target);
          continue;
        }
        if (planned.writes.length === 0) return planned.result;
        let stored: CommitResult;
        try {
          const { writes } = planned;
          stored = found.stored === undefined
            ? await this.#commitNew(tenant, writes)
            : await store.commit(writes);
        } catch (error) {
          cache.forget(target);
          if (attempt >= MAX_UPDATE_ATTEMPTS) throw error;
          if (!isOurs(error) && !await this.#makeRoom(tenant, error)) throw error;
          continue;
        }
        const { appends, removes = false, result } = planned;
        const [revision = 0] = stored;
        if (removes) this.#count.removed(tenant);
        changed(tenant);
        if (appends === undefined) cache.forget(target);
        else cache.added(target, { ...appends, base: found.stored?.revision ?? 0, revision });
        committed?.(result);
        return result;
      }
    };
    return this.#turns.run(tenantKey(tenant, key), { name: key, work, owed });
  }

  #presumed(target: SessionName): Found | undefined {
    const stored = this.#parts.cache.presumed(target);
    return stored && foundAs(stored);
  }

  /** The session; one whose record cannot be read goes on as a new one with the same messages. */
  async #stored(target: SessionName): Promise<Found> {
    const { tenant, key } = target;
    const known = await this.#parts.cache.known(target);
    if (known !== undefined) return foundAs(known);
    const { revision, value, tag } = await this.#parts.records.entries.current(tenant, key);
    if (revision === 0) return { expect: 0 };
    if (value !== undefined) return foundAs({ revision, entry: value });
    const fresh = this.#identity();
    const entry = { ...fresh, sessionId: tag ?? fresh.sessionId };
    return { stored: { revision, entry }, expect: { revision, tag } };
  }

  /** Commits what makes a session, where there may be one more. */
  async #commitNew(tenant: TenantId, writes: readonly StoreWrite[]): Promise<CommitResult> {
    await this.#count.reserve(tenant);
    let made = false;
    try {
      const result = await this.#parts.store.commit(writes);
      made = true;
      return result;
    } finally {
      this.#count.settle(tenant, { made });
    }
  }

  /** Where the store is full, takes the oldest archive away; false: that was not it, or none is left. */
  async #makeRoom(tenant: TenantId, error: unknown): Promise<boolean> {
    if (!(error instanceof StoreFull)) return false;
    const { store } = this.#parts;
    const writes = await roomWrites(store, tenant);
    if (writes.length > 0) await store.commit(writes);
    return writes.length > 0;
  }

  /** A session that did not exist. Throws `INVALID_REQUEST` when its agent does not either. */
  #begin(key: SessionKey): SessionEntry {
    const agent = agentOf(key);
    if (this.#parts.hasAgent(agent)) return this.#identity();
    throw invalidRequest(`unknown agent id ${quote(agent)}; agents.list names those that exist`);
  }

  #identity(): SessionEntry {
    const now = this.#parts.clock.now();
    return { sessionId: this.#parts.random.uuid(), createdAt: now, updatedAt: now };
  }

  /** The writes that free one label and take another; throws when another session has it. */
  async #moveLabel(
    { tenant, key }: SessionName,
    { from, to }: { from: string | undefined; to: string | undefined },
  ): Promise<readonly StoreWrite[]> {
    if (from === to) return [];
    const { labels, entries } = this.#parts.records;
    const freed = from === undefined ? [] : [labels.remove(tenant, from)];
    if (to === undefined) return freed;
    const { revision, value: owner } = await labels.current(tenant, to);
    const owning = owner === undefined ? undefined : await entries.get(tenant, owner.key);
    if (owning?.value.label === to) {
      throw invalidRequest(`label already in use: ${escapeText(to)}`);
    }
    // A session whose record could not be read may have left its label behind.
    return [...freed, labels.put(tenant, to, { key }, revision)];
  }

  /** Puts all messages away; where there are none, makes no archive. */
  async #putAllAway(
    target: SessionName,
    { sessionId, reason }: Pick<Archive, "sessionId" | "reason">,
  ): Promise<{ readonly writes: readonly StoreWrite[]; readonly names: readonly string[] }> {
    const { store, records, clock } = this.#parts;
    const length = await store.length(transcriptStream(target.tenant, sessionId));
    if (length === 0) return { writes: [], names: [] };
    const at = clock.now();
    const { writes, name } = putAway(records, { ...target, sessionId, reason, at });
    const swept = await sweepWrites(store, { tenant: target.tenant, at });
    return { writes: [...swept, ...writes], names: [name] };
  }
}

/** How a change is made. */
interface Manner<T> {
  readonly owed?: boolean;
  /**
   * It writes the session's record whatever it finds, so that what is known of it needs no look at the store: the
   * commit fails unless it is still so.
   */
  readonly presumes?: boolean;
  /** Told of the result before the next change begins. */
  readonly committed?: (result: T) => void;
}

/** What a change begins with. */
interface Found {
  /** Absent: the session does not exist. */
  readonly stored?: Known;
  /** What the write of its record must expect. */
  readonly expect: Expected;
}

/** The session's id is the tag of its record. */
function foundAs(stored: Known): Found {
  const { revision, entry } = stored;
  return { stored, expect: { revision, tag: entry.sessionId } };
}

/** What a change writes, and what it answers when that is done; nothing to write: nothing is done. */
interface Plan<T> {
  readonly writes: readonly StoreWrite[];
  readonly result: T;
  /** The writes remove the session. */
  readonly removes?: boolean;
  /** The first write puts this entry, the others add these messages to those that there are and touch no others. */
  readonly appends?: Appended;
}

function untouched(why: { reason: string; kept?: number }): Plan<Compacted> {
  return { writes: [], result: { compacted: false, ...why } };
}

/** Whether a commit failed on a record of ours, so that planning anew can help. */
function isOurs(error: unknown): boolean {
  return error instanceof StoreConflict && SESSION_RECORD_KINDS.includes(error.key.kind);
}
