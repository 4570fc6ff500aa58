/** What SQLite's errors mean to the person who runs the gateway. */

import { escapeText, quote } from "../core/quote.ts";
import { StoreFull, StoreUnavailable } from "../ports/store.ts";

/** What was going on when an error came up. */
export interface FailureContext {
  /** The database file. */
  readonly path: string;
  /** The action that failed, to follow "cannot", e.g. `write to`. */
  readonly action: string;
}

const ACCESS =
  "check that the user of the gateway may read and write this file and its folder (files 0600, folder 0700)";
const DAMAGED =
  "the file is damaged or not a database: stop the gateway and restore the file from a backup, or move it away (with the -wal and -shm files beside it) to start empty";
const BUSY = "another program keeps it locked: try again, or end the other program";

/** SQLITE_FULL. */
const FULL = 13;

/** What to do about SQLite's primary result codes. Source: sqlite.org, "Result and Error Codes". */
const ADVICE: ReadonlyMap<number, string> = new Map([
  [3, ACCESS], // SQLITE_PERM
  [5, BUSY], // SQLITE_BUSY
  [6, BUSY], // SQLITE_LOCKED
  [7, "the machine is out of memory: free some and try again"], // SQLITE_NOMEM
  [8, ACCESS], // SQLITE_READONLY
  [10, "the disk or its file system failed: check both, and the space left"], // SQLITE_IOERR
  [11, DAMAGED], // SQLITE_CORRUPT
  [
    FULL,
    "the database has reached its bound, or the disk or the user's quota is full: free space on the disk, or delete sessions that are no longer needed, and try again",
  ],
  [14, ACCESS], // SQLITE_CANTOPEN
  [26, DAMAGED], // SQLITE_NOTADB
]);

/** What waiting does not cure. */
const LASTING: ReadonlySet<string> = new Set([ACCESS, DAMAGED]);

/** Opening gives no code, so the codes are told by SQLite's fixed texts. */
const CODES_BY_MESSAGE: readonly (readonly [string, number])[] = [
  ["unable to open database file", 14],
  ["database is locked", 5],
  ["file is not a database", 26],
];

/** A row holds what this program never wrote there. */
export class DamagedRow extends Error {
  override readonly name = "DamagedRow";
}

/** The primary result code is the low byte of an extended one. */
const PRIMARY_CODE = 0xff;

/**
 * Turns whatever the database or the file system threw into a {@linkcode StoreUnavailable} that names
 * the file, the fault and the remedy. One that is a `StoreUnavailable` already is returned as it is.
 */
export function toStoreUnavailable(error: unknown, context: FailureContext): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error;
  const reason = error instanceof Error ? escapeText(error.message) : "unknown error";
  const advice = adviceFor(error) ?? "see the gateway's log";
  const Failure = primaryCode(error) === FULL ? StoreFull : StoreUnavailable;
  return new Failure(
    `cannot ${context.action} the database ${quote(context.path)} (${reason}); ${advice}`,
    { cause: error, lasting: LASTING.has(advice) },
  );
}

function adviceFor(error: unknown): string | undefined {
  if (
    error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable ||
    error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.AlreadyExists
  ) {
    return ACCESS;
  }
  if (error instanceof DamagedRow) return DAMAGED;
  if (!(error instanceof Error)) return undefined;
  const code = primaryCode(error);
  if (code !== undefined) return ADVICE.get(code);
  const known = CODES_BY_MESSAGE.find(([text]) => error.message.startsWith(text));
  return known === undefined ? undefined : ADVICE.get(known[1]);
}

function primaryCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode & PRIMARY_CODE : undefined;
}
