/** The layouts of the SQLite database, oldest first, and the way from each to the newest. */

import type { DatabaseSync } from "node:sqlite";
import { quote } from "../core/quote.ts";
import { StoreUnavailable } from "../ports/store.ts";

/** One step from the layout before to the layout `version`. */
export interface Migration {
  /** 1 for the first, one more for each that follows. */
  readonly version: number;
  /** Run in order. A layout that was ever released is never edited; a change is a new migration. */
  readonly statements: readonly string[];
}

/** Every layout there has been. The last one is what the program reads and writes. */
export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    statements: [
      `CREATE TABLE records (
        tenant TEXT NOT NULL,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        revision INTEGER NOT NULL,
        sort_order REAL NOT NULL,
        tag TEXT,
        value TEXT NOT NULL,
        PRIMARY KEY (tenant, kind, id)
      ) STRICT`,
      // A head outlives its entries and even an empty stream, because no sequence may come twice.
      `CREATE TABLE stream_heads (
        stream INTEGER PRIMARY KEY,
        tenant TEXT NOT NULL,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        last_sequence INTEGER NOT NULL,
        length INTEGER NOT NULL,
        UNIQUE (tenant, kind, id)
      ) STRICT`,
      `CREATE TABLE stream_entries (
        stream INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (stream, sequence)
      ) STRICT, WITHOUT ROWID`,
    ],
  },
  {
    version: 2,
    statements: [
      `CREATE INDEX records_by_order ON records (tenant, kind, sort_order, id)`,
      `CREATE INDEX records_by_tag ON records (tenant, kind, tag, sort_order, id)
        WHERE tag IS NOT NULL`,
    ],
  },
  {
    version: 3,
    // What is said in many streams at once lies together, in the order in which it comes: a commit writes half the pages.
    statements: [
      `ALTER TABLE stream_entries RENAME TO stream_entries_by_stream`,
      `CREATE TABLE stream_entries (
        entry INTEGER PRIMARY KEY,
        stream INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        value TEXT NOT NULL
      ) STRICT`,
      `INSERT INTO stream_entries (stream, sequence, value)
        SELECT stream, sequence, value FROM stream_entries_by_stream ORDER BY stream, sequence`,
      `DROP TABLE stream_entries_by_stream`,
      `CREATE UNIQUE INDEX stream_entries_in_order ON stream_entries (stream, sequence)`,
    ],
  },
];

/** Marks a file as a database of this program ("CLWG" in ASCII), in the field SQLite keeps for that. */
export const APPLICATION_ID = 0x434c5747;

/** Where {@linkcode migrate} works, and with which layouts. */
export interface MigrateOptions {
  /** The database file, for messages. */
  readonly path: string;
  /** Default {@linkcode MIGRATIONS}. */
  readonly migrations?: readonly Migration[];
}

/**
 * Brings the database to the newest layout, in one transaction: after an error it is as it was before.
 * Does not write where there is nothing to do. Safe against another process that migrates the same
 * file. Throws {@linkcode StoreUnavailable} for a database of a newer program or of another one, and
 * SQLite's own errors.
 */
export function migrate(database: DatabaseSync, options: MigrateOptions): void {
  const { path, migrations = MIGRATIONS } = options;
  if (pending(database, path, migrations).length === 0) return;
  run(database, "BEGIN IMMEDIATE");
  try {
    // Read again under the lock: another process may have been faster.
    for (const { version, statements } of pending(database, path, migrations)) {
      for (const statement of statements) run(database, statement);
      run(database, `PRAGMA user_version = ${version}`);
    }
    run(database, `PRAGMA application_id = ${APPLICATION_ID}`);
    run(database, "COMMIT");
  } catch (error) {
    if (database.isTransaction) run(database, "ROLLBACK");
    throw error;
  }
}

function pending(
  database: DatabaseSync,
  path: string,
  migrations: readonly Migration[],
): readonly Migration[] {
  const owner = readNumber(database, "PRAGMA application_id");
  if (owner !== APPLICATION_ID && readNumber(database, "SELECT count(*) FROM sqlite_schema") > 0) {
    throw new StoreUnavailable(
      `the file ${quote(path)} is a database of another program; choose another state folder`,
    );
  }
  const current = readNumber(database, "PRAGMA user_version");
  const newest = migrations.at(-1)?.version ?? 0;
  if (current > newest) {
    throw new StoreUnavailable(
      `the database ${quote(path)} has layout ${current}, this program knows layouts up to ` +
        `${newest}; start the newer program that wrote it, or restore an older backup of the file`,
    );
  }
  return migrations.filter(({ version }) => version > current);
}

/** Prepared, unlike `exec`, so that an error carries SQLite's result code. */
function run(database: DatabaseSync, sql: string): void {
  database.prepare(sql).run();
}

function readNumber(database: DatabaseSync, sql: string): number {
  return Number(Object.values(database.prepare(sql).get() ?? {})[0]);
}
