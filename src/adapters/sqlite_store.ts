/** The store on one SQLite file. */

import { dirname, resolve as resolvePath } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { clearImmediate, setImmediate } from "node:timers";
import { quote } from "../core/quote.ts";
import {
  type CommitResult,
  type RecordKey,
  type RecordQuery,
  type RecordStamp,
  type Store,
  StoreConflict,
  type StoredRecord,
  StoreMisuse,
  StoreUnavailable,
  type StoreWrite,
  type StreamEntry,
  type StreamKey,
  type StreamRange,
} from "../ports/store.ts";
import { toStoreUnavailable } from "./sqlite_failure.ts";
import { migrate } from "./sqlite_migrations.ts";
import { countQuery, listQuery, readQuery } from "./sqlite_queries.ts";
import {
  createStatements,
  json,
  number,
  type Row,
  type Statements,
  text,
} from "./sqlite_statements.ts";
import { applyWrite, findHead } from "./sqlite_writes.ts";
import {
  checkKey,
  checkQuery,
  checkRange,
  type PreparedWrite,
  prepareWrites,
} from "./store_arguments.ts";

/** How to open the store. */
export interface SqliteStoreOptions {
  /** The database file. It and its folder are made where they are missing. */
  readonly path: string;
  /**
   * What a resolved commit survives. `process` (the default): the death of the process, `kill -9`
   * included; a power cut or a crash of the operating system can take the commits of the last moments
   * back, each whole, and leaves the file sound. `power`: that too, as far as the disk keeps what it
   * says it has written; each group of commits then waits for the disk, which is many times slower.
   */
  readonly durability?: "process" | "power";
  /** How long a call waits for another process's write, in milliseconds; default {@linkcode BUSY_TIMEOUT_MS}. */
  readonly busyTimeoutMs?: number;
  /**
   * How large the file may become, in bytes, the log beside it not counted; default
   * {@linkcode MAX_DATABASE_BYTES}. A commit that needs more is a {@linkcode StoreFull}. A file that is
   * larger already does not grow.
   */
  readonly maxBytes?: number;
}

/** How large the database may become, in bytes: years of talk, and a disk that others can still use. */
export const MAX_DATABASE_BYTES = 8 * 1024 * 1024 * 1024;

/**
 * How long reads are answered without a turn of the event loop, in milliseconds of the database's own
 * work. Reads resolve at once, so a caller that reads on and on would otherwise keep everything else from
 * happening. What a caller does with its answers comes on top, and other work, such as a request over
 * HTTP, takes many turns: so this is a small part of the delay that a person notices.
 */
const READ_BUDGET_MS = 2;

/**
 * How long a call waits for another process (the command line, a second gateway) to finish writing, in
 * milliseconds. The wait blocks the event loop, so it is shorter than any client's patience; other
 * writers hold the lock for milliseconds. After it: {@linkcode StoreUnavailable}.
 */
export const BUSY_TIMEOUT_MS = 2_000;

/**
 * Most commits in one transaction. Commits of one turn of the event loop share a transaction, because
 * its end is the costly part; the one that fills a group makes it commit at once.
 */
export const MAX_GROUP_COMMITS = 256;

/**
 * Pages in the write-ahead log at which they are copied into the database. Many sessions write to the same pages,
 * which are copied once however often they are in the log; 16 MiB of it are read back in a moment after a crash.
 */
const WAL_CHECKPOINT_PAGES = 4_096;

/** Pages that SQLite keeps in memory, in KiB, once they were used: those of some thousand busy sessions. */
const PAGE_CACHE_KIB = 16 * 1_024;

/** The size to which the write-ahead log is cut back after it grew, in bytes. */
const WAL_SIZE_LIMIT_BYTES = 64 * 1024 * 1024;

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** The permissions of everyone but the owner. */
const OTHERS = 0o077;

/**
 * Opens the store and brings an older database to the newest layout, also one that is larger than `maxBytes`: while
 * that goes on, some seconds for each gigabyte, it may need four times its size of the disk. The file and its companions
 * (`-wal`, `-shm`) are readable by their owner alone, as is a folder made for them. Several processes may have the same
 * file open. Throws {@linkcode StoreUnavailable}.
 */
export function openSqliteStore(options: SqliteStoreOptions): Store {
  const path = resolvePath(options.path);
  let database: DatabaseSync | undefined;
  try {
    makePrivate(path);
    database = new DatabaseSync(path);
    configure(database, { ...options, path });
    return new SqliteStore(database, path);
  } catch (error) {
    if (database?.isOpen) database.close();
    throw toStoreUnavailable(error, { path, action: "open" });
  }
}

/**
 * Makes the folder and an empty file where they are missing. SQLite gives its companion files the mode
 * of the database, so that one mode decides. An existing database is not opened here: closing it again
 * would drop the locks that this process holds on it.
 */
function makePrivate(path: string): void {
  const folder = dirname(path);
  if (look(folder) === undefined) {
    Deno.mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
    Deno.chmodSync(folder, FOLDER_MODE);
  }
  if (look(path) === undefined) {
    try {
      Deno.openSync(path, { createNew: true, write: true, mode: FILE_MODE }).close();
      Deno.chmodSync(path, FILE_MODE);
    } catch (error) {
      // Another process made it in between.
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    const found = look(file);
    if (found?.isFile && ((found.mode ?? 0) & OTHERS) !== 0) Deno.chmodSync(file, FILE_MODE);
  }
}

function look(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function configure(database: DatabaseSync, options: SqliteStoreOptions): void {
  const pragma = (text: string) => database.prepare(`PRAGMA ${text}`).get();
  const waitMs = Math.trunc(options.busyTimeoutMs ?? BUSY_TIMEOUT_MS);
  pragma(`busy_timeout = ${waitMs}`);
  // First of all: nothing is changed in a file that is not ours or newer than we are.
  migrate(database, { path: options.path });
  const mode = pragma("journal_mode = WAL")?.journal_mode;
  if (mode !== "wal") {
    throw new StoreUnavailable(
      `the database ${quote(options.path)} cannot keep a write-ahead log; ` +
        "put the state folder on a local disk",
    );
  }
  pragma(`synchronous = ${options.durability === "power" ? "FULL" : "NORMAL"}`);
  // Apple's fsync does not reach the medium without it; elsewhere it does nothing.
  pragma(`fullfsync = ${options.durability === "power" ? "ON" : "OFF"}`);
  const pageBytes = Number(pragma("page_size")?.page_size);
  const maxPages = Math.max(1, Math.floor((options.maxBytes ?? MAX_DATABASE_BYTES) / pageBytes));
  pragma(`max_page_count = ${maxPages}`);
  pragma(`wal_autocheckpoint = ${WAL_CHECKPOINT_PAGES}`);
  pragma(`cache_size = ${-PAGE_CACHE_KIB}`);
  pragma(`journal_size_limit = ${WAL_SIZE_LIMIT_BYTES}`);
}

/** A commit that waits for its group's transaction. */
interface WaitingCommit {
  readonly writes: readonly PreparedWrite[];
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
}

class SqliteStore implements Store {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #statements: Statements;
  /** At most {@linkcode MAX_GROUP_COMMITS}. */
  #waiting: WaitingCommit[] = [];
  #turn: ReturnType<typeof setImmediate> | undefined;
  /** Milliseconds of work on reads since the event loop was last given a turn. */
  #readMs = 0;
  /** Settles with the event loop's next turn, where reads wait for it. */
  #pause: Promise<void> | undefined;

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
    this.#statements = createStatements(database);
  }

  get(key: RecordKey): Promise<StoredRecord | undefined> {
    return this.#answer(() => {
      checkKey(key);
      const row = this.#statements.first(GET, key.tenant, key.kind, key.id);
      return row === undefined ? undefined : toRecord(row);
    });
  }

  stamp(key: RecordKey): Promise<RecordStamp | undefined> {
    return this.#answer(() => {
      checkKey(key);
      const row = this.#statements.first(STAMP, key.tenant, key.kind, key.id);
      if (row === undefined) return undefined;
      const revision = number(row, "revision");
      return row.tag === null ? { revision } : { revision, tag: text(row, "tag") };
    });
  }

  list(query: RecordQuery): Promise<readonly StoredRecord[]> {
    return this.#answer(() => {
      checkQuery(query);
      return this.#statements.all(listQuery(query)).map(toRecord);
    });
  }

  count(
    query: Pick<RecordQuery, "tenant" | "kind" | "tag" | "idPrefix" | "minOrder">,
  ): Promise<number> {
    return this.#answer(() => {
      checkQuery(query);
      const { sql, args } = countQuery(query);
      return number(this.#statements.first(sql, ...args), "total");
    });
  }

  read(stream: StreamKey, range: StreamRange): Promise<readonly StreamEntry[]> {
    return this.#answer(() => {
      checkKey(stream);
      checkRange(range);
      const entries = this.#statements.all(readQuery(stream, range)).map(toEntry);
      return range.keep === "newest" ? entries.reverse() : entries;
    });
  }

  length(stream: StreamKey): Promise<number> {
    return this.#answer(() => {
      checkKey(stream);
      return findHead(this.#statements, stream)?.length ?? 0;
    });
  }

  commit(writes: readonly StoreWrite[]): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      this.#refuseWhenClosed();
      this.#waiting.push({ writes: prepareWrites(writes), resolve, reject });
      if (this.#waiting.length >= MAX_GROUP_COMMITS) this.#flush();
      else this.#turn ??= setImmediate(() => this.#flush());
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#database.isOpen) {
        this.#flush();
        try {
          this.#database.close();
        } catch (error) {
          throw toStoreUnavailable(error, { path: this.#path, action: "close" });
        }
      }
      resolve();
    });
  }

  /** Commits the group that waits, then answers each of its commits. */
  #flush(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    const group = this.#waiting;
    this.#waiting = [];
    if (group.length === 0) return;
    const results: (CommitResult | StoreConflict)[] = [];
    try {
      this.#rollBack();
      this.#statements.run(BEGIN);
      for (const { writes } of group) results.push(this.#applyCommit(writes));
      this.#statements.run("COMMIT");
    } catch (error) {
      this.#rollBack();
      const failure = toStoreUnavailable(error, { path: this.#path, action: "write to" });
      for (const { reject } of group) reject(failure);
      return;
    }
    for (const [at, { resolve, reject }] of group.entries()) {
      const result = results[at];
      if (result === undefined || result instanceof StoreConflict) reject(result);
      else resolve(result);
    }
  }

  /** Some errors (a full disk) have SQLite roll back by itself. */
  #rollBack(): void {
    if (!this.#database.isTransaction) return;
    try {
      this.#statements.run("ROLLBACK");
    } catch {
      // The error that led here is the one to tell; the next group tries this again.
    }
  }

  /** Applies one commit of the group; returns what is its answer once the transaction is through. */
  #applyCommit(writes: readonly PreparedWrite[]): CommitResult | StoreConflict {
    // Only a failed `expect` undoes one commit of a group, and the first write has nothing before it.
    const guarded = writes.some((write, at) =>
      at > 0 && "expect" in write && write.expect !== undefined
    );
    if (guarded) this.#statements.run("SAVEPOINT one_commit");
    try {
      const result = writes.map((write) => applyWrite(this.#statements, write));
      if (guarded) this.#statements.run("RELEASE one_commit");
      return result;
    } catch (error) {
      if (!(error instanceof StoreConflict)) throw error;
      if (guarded) {
        this.#statements.run("ROLLBACK TO one_commit");
        this.#statements.run("RELEASE one_commit");
      }
      return error;
    }
  }

  /** Runs `work`, at once within the budget; what it throws becomes a rejection that the port knows. */
  async #answer<T>(work: () => T): Promise<T> {
    while (this.#readMs >= READ_BUDGET_MS) await (this.#pause ??= this.#nextTurn());
    this.#refuseWhenClosed();
    const began = performance.now();
    try {
      return work();
    } catch (error) {
      if (error instanceof StoreMisuse) throw error;
      throw toStoreUnavailable(error, { path: this.#path, action: "read" });
    } finally {
      this.#readMs += performance.now() - began;
    }
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(() => {
        this.#readMs = 0;
        this.#pause = undefined;
        resolve();
      });
    });
  }

  #refuseWhenClosed(): void {
    if (!this.#database.isOpen) {
      throw new StoreUnavailable("the store is closed; start the gateway again");
    }
  }
}

const GET = `SELECT id, revision, sort_order, tag, value FROM records
  WHERE tenant = ? AND kind = ? AND id = ?`;

const STAMP = `SELECT revision, tag FROM records
  WHERE tenant = ? AND kind = ? AND id = ?`;

/** Immediate: a lock that comes at the first write could fail after others were applied. */
const BEGIN = "BEGIN IMMEDIATE";

function toRecord(row: Row): StoredRecord {
  const record = {
    id: text(row, "id"),
    revision: number(row, "revision"),
    order: number(row, "sort_order"),
    value: json(row, "value"),
  };
  return row.tag === null ? record : { ...record, tag: text(row, "tag") };
}

function toEntry(row: Row): StreamEntry {
  return { sequence: number(row, "sequence"), value: json(row, "value") };
}
