/** The sessions in use, as they are stored: what every message needs of its session is read once. */

import { type SessionKey, type TenantId, tenantKey } from "../core/id.ts";
import type { ModelMessage } from "../ports/model.ts";
import type { Store, StreamKey } from "../ports/store.ts";
import { MAX_UPDATE_ATTEMPTS } from "./collection.ts";
import { charsOfEntry, type SessionEntry, type TranscriptMessage } from "./session_entry.ts";
import { SESSION_RECORD_KIND, type SessionRecords } from "./session_records.ts";
import { SessionTail } from "./session_tail.ts";
import { readNewest, transcriptStream } from "./transcript.ts";

/** Most that is kept of all sessions together, in characters: the latest words of a thousand people who talk at once. */
export const MAX_CACHED_CHARS = 64 * 1024 * 1024;

/** What an entry counts for besides its texts: about what it takes in memory. */
const ENTRY_CHARS = 1_024;

/** Whose session it is. */
export interface SessionName {
  readonly tenant: TenantId;
  readonly key: SessionKey;
}

/** A session and what was said in it. */
export interface History {
  /** Absent when the session does not exist. */
  readonly entry: SessionEntry | undefined;
  /** Oldest first. */
  readonly messages: readonly TranscriptMessage[];
  /** Characters of the messages and of what came with them, where they were counted; of older ones as well. */
  readonly chars?: number;
  /** As of {@linkcode SessionTail.told}, where it was asked for and they are kept in memory; of older ones as well. */
  readonly told?: readonly ModelMessage[];
}

/** A session's entry and the revision of its record. */
export interface Known {
  readonly revision: number;
  readonly entry: SessionEntry;
}

interface Kept extends Known {
  readonly tail?: SessionTail;
}

/** With what it counts for, and its place among the names. */
interface Weighed extends Kept {
  readonly chars: number;
  place: number;
}

/** What is read with, and until when. */
export interface ReadingOptions {
  readonly limit: number;
  readonly signal?: AbortSignal;
}

/**
 * Answers from memory what is still so: every change of a session, its messages included, gives its record another
 * revision, and that is asked for each time. So another process may change sessions as well. Of too much, any session is
 * forgotten: were it the one that was used longest ago, of more people than there is room for who talk in turn each
 * would be forgotten just before it is their turn.
 */
export class SessionCache {
  readonly #store: Store;
  readonly #records: SessionRecords;
  /** By tenant and key. Bounded by {@linkcode MAX_CACHED_CHARS}. */
  readonly #kept = new Map<string, Weighed>();
  /** The names of those that are kept, in no order. */
  readonly #names: string[] = [];
  #chars = 0;
  /** What chooses which session is forgotten next. */
  #choice = 1;

  constructor({ store, records }: { readonly store: Store; readonly records: SessionRecords }) {
    this.#store = store;
    this.#records = records;
  }

  /** The session, or undefined where there is none that can be read. */
  async entry(session: SessionName): Promise<SessionEntry | undefined> {
    return (await this.#current(session))?.entry;
  }

  /**
   * What was kept of the newest messages, where it is all that is asked for and still so. `forModel`: with
   * {@linkcode History.told}.
   */
  async recall(
    session: SessionName,
    { limit, forModel = false }: { readonly limit: number; readonly forModel?: boolean },
  ): Promise<History | undefined> {
    const kept = await this.#unchanged(session);
    const messages = kept?.tail?.newest(limit);
    return kept === undefined || messages === undefined ? undefined : {
      entry: kept.entry,
      messages,
      chars: kept.tail?.chars,
      told: forModel ? kept.tail?.told() : undefined,
    };
  }

  /** The newest messages, read from the store; bounds: {@linkcode readNewest}. */
  async read(session: SessionName, { limit, signal }: ReadingOptions): Promise<History> {
    const { kept, messages } = await this.#conversation(
      session,
      (stream) => readNewest(this.#store, { stream, limit, signal }),
    );
    if (kept === undefined) return { entry: undefined, messages };
    const stream = transcriptStream(session.tenant, kept.entry.sessionId);
    // Fewer than asked for may also be what the bounds of a reading left.
    const whole = messages.length < limit &&
      await this.#store.length(stream) === messages.length;
    const now = await this.#current(session);
    if (now?.revision === kept.revision && isOf(now, kept.entry.sessionId)) {
      const tail = new SessionTail({ whole });
      this.#keep(session, { ...kept, tail: tail.add(messages) ? tail : undefined });
    }
    return { entry: kept.entry, messages };
  }

  /** A session and what `read` finds in its transcript; both of the same time. */
  async conversation<T>(
    session: SessionName,
    read: (stream: StreamKey) => Promise<readonly T[]>,
  ): Promise<{ readonly entry: SessionEntry | undefined; readonly messages: readonly T[] }> {
    const { kept, messages } = await this.#conversation(session, read);
    return { entry: kept?.entry, messages };
  }

  /** The session as it is stored; undefined where there is none that can be read. */
  known(session: SessionName): Promise<Known | undefined> {
    return this.#current(session);
  }

  /** The session as it was when it was last heard of: for a change that fails unless it is still so. */
  presumed({ tenant, key }: SessionName): Known | undefined {
    return this.#kept.get(tenantKey(tenant, key));
  }

  /** Takes in what was stored on top of `base`: an entry, and messages behind the others. */
  added(
    session: SessionName,
    { base, revision, entry, messages }: {
      readonly base: number;
      readonly revision: number;
      readonly entry: SessionEntry;
      readonly messages: readonly TranscriptMessage[];
    },
  ): void {
    const before = this.#kept.get(tenantKey(session.tenant, session.key));
    // A session of the same name that another process made anew may have come as far.
    const follows = before?.revision === base && isOf(before, entry.sessionId);
    const tail = base === 0 ? new SessionTail() : follows ? before?.tail : undefined;
    const keepable = tail?.add(messages) === true;
    this.#keep(session, { revision, entry, tail: keepable ? tail : undefined });
  }

  /** Forgets a session. */
  forget({ tenant, key }: SessionName): void {
    this.#forget(tenantKey(tenant, key));
  }

  /** Reads what was said in a session; anew where a reset came in between. */
  async #conversation<T>(
    session: SessionName,
    read: (stream: StreamKey) => Promise<readonly T[]>,
  ): Promise<{ readonly kept: Kept | undefined; readonly messages: readonly T[] }> {
    for (let attempt = 1;; attempt++) {
      const kept = await this.#current(session);
      if (kept === undefined) return { kept, messages: [] };
      const messages = await read(transcriptStream(session.tenant, kept.entry.sessionId));
      if (messages.length > 0 || attempt >= MAX_UPDATE_ATTEMPTS) return { kept, messages };
      // Nothing there: either nothing was said yet, or a reset put the messages away meanwhile.
      if (isOf(await this.#current(session), kept.entry.sessionId)) return { kept, messages };
    }
  }

  /** What is kept, if the store has nothing newer. */
  async #unchanged(session: SessionName): Promise<Kept | undefined> {
    const { tenant, key } = session;
    if (!this.#kept.has(tenantKey(tenant, key))) return undefined;
    const stamp = await this.#store.stamp({ tenant, kind: SESSION_RECORD_KIND, id: key });
    const kept = this.#kept.get(tenantKey(tenant, key));
    // A session that was made anew counts its revisions from the beginning.
    return kept?.revision === stamp?.revision && isOf(kept, stamp?.tag) ? kept : undefined;
  }

  async #current(session: SessionName): Promise<Kept | undefined> {
    const kept = await this.#unchanged(session);
    if (kept !== undefined) return kept;
    const item = await this.#records.entries.get(session.tenant, session.key);
    if (item === undefined) return undefined;
    const found: Kept = { revision: item.revision, entry: item.value };
    const known = this.#kept.get(tenantKey(session.tenant, session.key));
    // What was stored meanwhile is newer; of another session of this name nothing is worth keeping.
    const newer = isOf(known, item.value.sessionId) && (known?.revision ?? 0) >= item.revision;
    if (!newer) this.#keep(session, found);
    return found;
  }

  #keep(session: SessionName, kept: Kept): void {
    const name = tenantKey(session.tenant, session.key);
    const texts = charsOfEntry(kept.entry);
    // What is cut when it is stored is not what the store has.
    if (texts === undefined) return this.#forget(name);
    const { revision, entry, tail } = kept;
    const chars = ENTRY_CHARS + texts + (tail?.weight ?? 0);
    const before = this.#kept.get(name);
    const place = before?.place ?? this.#names.push(name) - 1;
    this.#kept.set(name, { revision, entry, tail, chars, place });
    this.#chars += chars - (before?.chars ?? 0);
    while (this.#chars > MAX_CACHED_CHARS) this.#forget(this.#anyName());
  }

  #forget(name: string): void {
    const kept = this.#kept.get(name);
    if (kept === undefined) return;
    this.#kept.delete(name);
    this.#chars -= kept.chars;
    // The last of the names takes the place that becomes free.
    const last = this.#names.pop();
    const moved = last === undefined || last === name ? undefined : this.#kept.get(last);
    if (last === undefined || moved === undefined) return;
    this.#names[kept.place] = last;
    moved.place = kept.place;
  }

  /** One after the other in an order that follows nothing (Lehmer's generator). */
  #anyName(): string {
    this.#choice = this.#choice * 48_271 % 0x7fff_ffff;
    return this.#names[this.#choice % this.#names.length] ?? "";
  }
}

function isOf(kept: Kept | undefined, sessionId: string | undefined): boolean {
  return kept?.entry.sessionId === sessionId;
}
