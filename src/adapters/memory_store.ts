/** The store without a disk: for tests and for a gateway that shall leave nothing behind. */

import {
  type CommitResult,
  type Expected,
  type RecordKey,
  type RecordQuery,
  type RecordStamp,
  type Store,
  StoreConflict,
  type StoredRecord,
  StoreUnavailable,
  type StreamEntry,
  type StreamKey,
  type StreamRange,
} from "../ports/store.ts";
import {
  checkKey,
  checkQuery,
  checkRange,
  fromText,
  type PreparedWrite,
  prepareWrites,
} from "./store_arguments.ts";

/** A record with its value as JSON text, so that no caller holds a reference into the store. */
interface HeldRecord {
  readonly revision: number;
  readonly order: number;
  readonly tag: string | undefined;
  readonly text: string;
}

interface HeldEntry {
  readonly sequence: number;
  readonly text: string;
}

interface HeldStream {
  /** The last sequence ever given out. */
  readonly last: number;
  /** Ascending by sequence. */
  readonly entries: readonly HeldEntry[];
}

const EMPTY_STREAM: HeldStream = { last: 0, entries: [] };

/**
 * A {@linkcode Store} that lives and dies with the process. It keeps the whole contract of the port but
 * durability, and grows with what is stored: lists scan the kind, so it is meant for small amounts.
 */
export function createMemoryStore(): Store {
  return new MemoryStore();
}

class MemoryStore implements Store {
  /** Records by id, by tenant and kind. */
  readonly #kinds = new Map<string, Map<string, HeldRecord>>();
  readonly #streams = new Map<string, HeldStream>();
  #closed = false;

  get(key: RecordKey): Promise<StoredRecord | undefined> {
    return this.#answer(() => {
      checkKey(key);
      const held = this.#held(key);
      return held === undefined ? undefined : toRecord(key.id, held);
    });
  }

  stamp(key: RecordKey): Promise<RecordStamp | undefined> {
    return this.#answer(() => {
      checkKey(key);
      const held = this.#held(key);
      if (held === undefined) return undefined;
      const { revision, tag } = held;
      return tag === undefined ? { revision } : { revision, tag };
    });
  }

  list(query: RecordQuery): Promise<readonly StoredRecord[]> {
    return this.#answer(() => {
      checkQuery(query);
      const direction = query.newestFirst === true ? -1 : 1;
      const { after } = query;
      const found = this.#matching(query)
        .filter((record) => after === undefined || direction * compare(record, after) > 0)
        .sort((left, right) => direction * compare(left, right));
      return found.slice(0, query.limit).map((record) => toRecord(record.id, record));
    });
  }

  count(
    query: Pick<RecordQuery, "tenant" | "kind" | "tag" | "idPrefix" | "minOrder">,
  ): Promise<number> {
    return this.#answer(() => {
      checkQuery(query);
      return this.#matching(query).length;
    });
  }

  read(stream: StreamKey, range: StreamRange): Promise<readonly StreamEntry[]> {
    return this.#answer(() => {
      checkKey(stream);
      checkRange(range);
      const { after = 0, before = Infinity, limit, keep } = range;
      const found = this.#stream(stream).entries
        .filter((entry) => entry.sequence > after && entry.sequence < before);
      const kept = keep === "newest"
        ? found.slice(Math.max(0, found.length - limit))
        : found.slice(0, limit);
      return kept.map((entry) => ({ sequence: entry.sequence, value: fromText(entry.text) }));
    });
  }

  length(stream: StreamKey): Promise<number> {
    return this.#answer(() => {
      checkKey(stream);
      return this.#stream(stream).entries.length;
    });
  }

  commit(writes: Parameters<Store["commit"]>[0]): Promise<CommitResult> {
    return this.#answer(() => {
      const undo: (() => void)[] = [];
      const prepared = prepareWrites(writes);
      try {
        return prepared.map((write) => this.#apply(write, undo));
      } catch (error) {
        for (const step of undo.reverse()) step();
        throw error;
      }
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** Runs `work` at once; what it throws becomes a rejection. */
  #answer<T>(work: () => T): Promise<T> {
    return new Promise((resolve) => {
      if (this.#closed) throw new StoreUnavailable("the store is closed; start the gateway again");
      resolve(work());
    });
  }

  #held(key: RecordKey): HeldRecord | undefined {
    return this.#kinds.get(joined(key.tenant, key.kind))?.get(key.id);
  }

  #stream(key: StreamKey): HeldStream {
    return this.#streams.get(joined(key.tenant, key.kind, key.id)) ?? EMPTY_STREAM;
  }

  #matching(query: RecordQuery): (HeldRecord & { readonly id: string })[] {
    const { tag, idPrefix = "", minOrder = -Infinity } = query;
    const records = this.#kinds.get(joined(query.tenant, query.kind)) ?? [];
    return Array.from(records, ([id, held]) => ({ id, ...held })).filter((record) =>
      (tag === undefined || record.tag === tag) && record.id.startsWith(idPrefix) &&
      record.order >= minOrder
    );
  }

  #apply(write: PreparedWrite, undo: (() => void)[]): number {
    switch (write.op) {
      case "put": {
        const revision = (this.#expected(write.key, write.expect)?.revision ?? 0) + 1;
        const { order, tag, text } = write;
        this.#setRecord(write.key, { revision, order, tag, text }, undo);
        return revision;
      }
      case "remove": {
        const existed = this.#expected(write.key, write.expect) !== undefined;
        if (existed) this.#setRecord(write.key, undefined, undo);
        return existed ? 1 : 0;
      }
      case "append": {
        const { last, entries } = this.#stream(write.stream);
        const sequence = last + 1;
        const entry = { sequence, text: write.text };
        this.#setStream(write.stream, { last: sequence, entries: [...entries, entry] }, undo);
        return sequence;
      }
      case "trim":
        return this.#take(write.stream, write.through, undo).length;
      case "move": {
        const moved = this.#take(write.stream, write.through, undo);
        if (moved.length === 0) return 0;
        const { last, entries } = this.#stream(write.into);
        const renumbered = moved.map(({ text }, at) => ({ sequence: last + 1 + at, text }));
        this.#setStream(write.into, {
          last: last + moved.length,
          entries: [...entries, ...renumbered],
        }, undo);
        return moved.length;
      }
    }
  }

  /** The record as it is now; throws {@linkcode StoreConflict} unless it is what `expect` says. */
  #expected(key: RecordKey, expect: Expected | undefined): HeldRecord | undefined {
    const held = this.#held(key);
    if (expect === undefined) return held;
    const { revision, tag } = typeof expect === "number"
      ? { revision: expect, tag: held?.tag }
      : expect;
    if ((held?.revision ?? 0) !== revision || held?.tag !== tag) throw new StoreConflict(key);
    return held;
  }

  /** Takes the entries up to and including `through` out of a stream. */
  #take(
    key: StreamKey,
    through: number | undefined,
    undo: (() => void)[],
  ): readonly HeldEntry[] {
    const { last, entries } = this.#stream(key);
    const taken = entries.filter((entry) => entry.sequence <= (through ?? last));
    if (taken.length > 0) {
      this.#setStream(key, { last, entries: entries.slice(taken.length) }, undo);
    }
    return taken;
  }

  #setRecord(key: RecordKey, record: HeldRecord | undefined, undo: (() => void)[]): void {
    const name = joined(key.tenant, key.kind);
    const records = this.#kinds.get(name) ?? new Map<string, HeldRecord>();
    this.#kinds.set(name, records);
    undo.push(replace(records, key.id, record));
  }

  #setStream(key: StreamKey, stream: HeldStream, undo: (() => void)[]): void {
    undo.push(replace(this.#streams, joined(key.tenant, key.kind, key.id), stream));
  }
}

/** Sets or (undefined) deletes a member and returns what takes that back. */
function replace<V>(map: Map<string, V>, name: string, value: V | undefined): () => void {
  const before = map.get(name);
  if (value === undefined) map.delete(name);
  else map.set(name, value);
  return () => {
    if (before === undefined) map.delete(name);
    else map.set(name, before);
  };
}

function toRecord(id: string, { revision, order, tag, text }: HeldRecord): StoredRecord {
  const record = { id, revision, order, value: fromText(text) };
  return tag === undefined ? record : { ...record, tag };
}

/** One name for several; U+0000 occurs in none of them. */
function joined(...parts: readonly string[]): string {
  return parts.join("\0");
}

interface Position {
  readonly order: number;
  readonly id: string;
}

function compare(left: Position, right: Position): number {
  if (left.order !== right.order) return left.order < right.order ? -1 : 1;
  return compareText(left.id, right.id);
}

/** Compares by code point, as the bytes of UTF-8 do and UTF-16 units do not. */
function compareText(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const difference = rank(left.charCodeAt(at)) - rank(right.charCodeAt(at));
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** A UTF-16 unit's place in code point order: surrogates stand for characters above all others. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
