/**
 * Durable state, in two shapes that any SQL database can hold: *records* (one JSON value under a key,
 * with a revision for compare-and-set) and *streams* (JSON values appended in order). Every key begins
 * with the tenant. What {@linkcode Store.commit} resolved for survives the death of the process.
 *
 * The parts of a key, tags and prefixes are well-formed Unicode without U+0000; tenant, kind and id are
 * not empty. Ids sort by code point. Numbers in a value are finite. Anything else is a
 * {@linkcode StoreMisuse}.
 */

import { PortFailure, type Told } from "../core/error.ts";
import { quote } from "../core/quote.ts";

/** A JSON value: what `JSON.parse` can return. */
export type Json = null | boolean | number | string | readonly Json[] | {
  readonly [key: string]: Json;
};

/** What is stored as JSON: members that are undefined are left out. */
export type WritableJson = Json | readonly WritableJson[] | {
  readonly [key: string]: WritableJson | undefined;
};

/** Names one record. */
export interface RecordKey {
  readonly tenant: string;
  /** The collection, e.g. `session`. */
  readonly kind: string;
  readonly id: string;
}

/** A record as stored. */
export interface StoredRecord {
  readonly id: string;
  /** 1 when created, one more at each change. */
  readonly revision: number;
  /** The finite number by which lists are sorted, e.g. a time in milliseconds. */
  readonly order: number;
  /** An optional label for exact look-ups within the kind; not unique. */
  readonly tag?: string;
  readonly value: Json;
}

/** A record without its value. */
export type RecordStamp = Pick<StoredRecord, "revision" | "tag">;

/** Which records of a kind to list. Sorted by `order`, then `id`, both descending when `newestFirst`. */
export interface RecordQuery {
  readonly tenant: string;
  readonly kind: string;
  readonly newestFirst?: boolean;
  /** Only records with this tag. */
  readonly tag?: string;
  /** Only records whose id begins with this. */
  readonly idPrefix?: string;
  /** Only records with `order` at least this. */
  readonly minOrder?: number;
  /**
   * Only records that come after this position in the chosen direction; taken from the last record of
   * a page. No record needs to be there any more.
   */
  readonly after?: { readonly order: number; readonly id: string };
  /** At most so many; absent: all. */
  readonly limit?: number;
}

/** Names one stream, e.g. the transcript of a session. */
export interface StreamKey {
  readonly tenant: string;
  readonly kind: string;
  readonly id: string;
}

/** One value of a stream. */
export interface StreamEntry {
  /** 1 for the first value ever appended to the stream; never reused, so gaps tell of removed values. */
  readonly sequence: number;
  readonly value: Json;
}

/** Which entries of a stream to read. Always returned in ascending order. */
export interface StreamRange {
  /** Only entries with a sequence above this. */
  readonly after?: number;
  /** Only entries with a sequence below this. */
  readonly before?: number;
  /** At most so many. */
  readonly limit: number;
  /** Which end the limit keeps; default `oldest`. */
  readonly keep?: "oldest" | "newest";
}

/**
 * What a write may expect of a record: its revision, 0 where it must not exist; or its revision and its tag, or that it
 * has none, which tells it from one that was made anew and has come as far.
 */
export type Expected = number | {
  readonly revision: number;
  /** Undefined: the record has no tag. */
  readonly tag: string | undefined;
};

/** One change of a {@linkcode Store.commit}. */
export type StoreWrite =
  | {
    /** Creates the record or replaces all of it: an absent `tag` takes an earlier one away. */
    readonly op: "put";
    readonly key: RecordKey;
    readonly order: number;
    readonly tag?: string;
    readonly value: WritableJson;
    /** What must be there now; absent: whatever is there. */
    readonly expect?: Expected;
  }
  /** Removes the record if it is there; `expect` as in `put`. A record made anew begins at revision 1. */
  | { readonly op: "remove"; readonly key: RecordKey; readonly expect?: Expected }
  | { readonly op: "append"; readonly stream: StreamKey; readonly value: WritableJson }
  /** Removes the entries of a stream up to and including `through`; all of them when absent. */
  | { readonly op: "trim"; readonly stream: StreamKey; readonly through?: number }
  /**
   * Moves the entries of `stream` up to and including `through` (absent: all) to the end of `into`, in
   * order and under new sequences. The two may be the same stream.
   */
  | {
    readonly op: "move";
    readonly stream: StreamKey;
    readonly into: StreamKey;
    readonly through?: number;
  };

/**
 * What each write of a commit did, in order: the new revision for `put`, the sequence for `append`,
 * the number of records or entries affected for the others.
 */
export type CommitResult = readonly number[];

/** A commit did not happen because a record's revision was not the expected one. */
export class StoreConflict extends Error {
  override readonly name = "StoreConflict";
  readonly key: RecordKey;
  constructor(key: RecordKey) {
    super(`${key.kind} ${quote(key.id)} was changed by another writer; read it again`);
    this.key = key;
  }
}

/** What a {@linkcode StoreUnavailable} is made with besides its message. */
export interface StoreFailureOptions {
  /** What the database threw. */
  readonly cause?: unknown;
  /** It will fail again until who runs the gateway has done something about it. */
  readonly lasting?: boolean;
}

/**
 * The database cannot serve now: busy, full, damaged, out of reach or closed. Nothing of a commit that
 * failed so was applied. The message names what failed and what to do.
 */
export class StoreUnavailable extends PortFailure {
  override readonly name: string = "StoreUnavailable";
  override readonly told: Told;

  constructor(message: string, { cause, lasting = false }: StoreFailureOptions = {}) {
    super(message, cause === undefined ? {} : { cause });
    this.told = lasting ? OUT_OF_ORDER : BUSY;
  }
}

/**
 * There is no room for what a commit adds: its bound, the disk or a quota is reached. Reads work, and so
 * do commits that only remove as long as the disk lets the database write at all.
 */
export class StoreFull extends StoreUnavailable {
  override readonly name: string = "StoreFull";
  override readonly told: Told = FULL;
}

const BUSY: Told = {
  message: "the gateway's database cannot serve now; try again in a moment",
  retryable: true,
};

const OUT_OF_ORDER: Told = {
  message:
    "the gateway's database is out of order; who runs the gateway finds the cause and the remedy in its log",
  retryable: false,
};

const FULL: Told = {
  message:
    "the gateway has no room to store this; delete sessions that are no longer needed (sessions.list, " +
    "sessions.delete), or have disk space freed on its host, then try again",
  retryable: false,
};

/** A defect of the caller: an argument that no adapter accepts. Nothing was applied. */
export class StoreMisuse extends Error {
  override readonly name = "StoreMisuse";
}

/**
 * The database of the gateway. Every method may throw {@linkcode StoreUnavailable} and
 * {@linkcode StoreMisuse}. A read sees every commit that resolved before it was called.
 */
export interface Store {
  get(key: RecordKey): Promise<StoredRecord | undefined>;
  /** What tells whether the record is another than before, without its value. */
  stamp(key: RecordKey): Promise<RecordStamp | undefined>;
  list(query: RecordQuery): Promise<readonly StoredRecord[]>;
  count(
    query: Pick<RecordQuery, "tenant" | "kind" | "tag" | "idPrefix" | "minOrder">,
  ): Promise<number>;
  read(stream: StreamKey, range: StreamRange): Promise<readonly StreamEntry[]>;
  /** How many entries the stream holds now. */
  length(stream: StreamKey): Promise<number>;
  /**
   * Applies all writes or none, in order, and is durable when it resolves. Commits apply in the order
   * of their calls. The values are taken when it is called; changing them later has no effect. Throws
   * {@linkcode StoreConflict} when an `expect` fails.
   */
  commit(writes: readonly StoreWrite[]): Promise<CommitResult>;
  /** Finishes the commits already called, then lets go of the database. Idempotent. */
  close(): Promise<void>;
}
