import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { DamagedRow, toStoreUnavailable } from "../../../src/adapters/sqlite_failure.ts";
import { StoreFull, StoreUnavailable } from "../../../src/ports/store.ts";

const CONTEXT = { path: "/state/clawgate.db", action: "write to" };

/** An error as `node:sqlite` throws it. */
function sqliteError(errcode: number): Error {
  return Object.assign(new Error("a reason"), { code: "ERR_SQLITE_ERROR", errcode });
}

Deno.test("a failure names the action, the file, the reason and the remedy", () => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [sqliteError(5), /another program keeps it locked: try again/],
    [sqliteError(8), /may read and write this file/],
    [sqliteError(10 | (3 << 8)), /the disk or its file system failed/],
    [sqliteError(11), /damaged .* restore the file from a backup/],
    [sqliteError(13), /full: free space/],
    [sqliteError(14), /may read and write this file/],
    [sqliteError(26), /damaged or not a database/],
    [sqliteError(1), /see the gateway's log$/],
    [new Error("unable to open database file: x"), /may read and write this file/],
    [new Error("database is locked"), /another program keeps it locked/],
    [new Deno.errors.PermissionDenied("no"), /may read and write this file/],
    [new Deno.errors.NotADirectory("no"), /may read and write this file/],
    [new DamagedRow("a row"), /restore the file from a backup/],
    ["a text", /unknown error.*see the gateway's log$/],
  ];
  for (const [error, remedy] of cases) {
    const failure = toStoreUnavailable(error, CONTEXT);
    assert.match(failure.message, /^cannot write to the database "\/state\/clawgate.db" \(/);
    assert.match(failure.message, remedy);
    assert.equal(failure.cause, error);
  }
});

Deno.test("clients are told no file and no reason, and to try again only where that may help", () => {
  const lasting = [sqliteError(8), sqliteError(11), sqliteError(26), new DamagedRow("a row")];
  const passing = [sqliteError(5), sqliteError(10), sqliteError(1), "a text"];
  for (const [errors, retryable] of [[lasting, false], [passing, true]] as const) {
    for (const error of errors) {
      const { told, message } = toStoreUnavailable(error, CONTEXT);
      assert.equal(told.retryable, retryable, message);
      assert.doesNotMatch(told.message, /clawgate\.db|a reason|a row|a text/);
    }
  }
});

Deno.test("a failure that is told already stays as it is", () => {
  const failure = new StoreUnavailable("closed");
  assert.equal(toStoreUnavailable(failure, CONTEXT), failure);
});

Deno.test("SQLite's own error for a full database is known", () => {
  const database = new DatabaseSync(":memory:");
  try {
    database.exec("CREATE TABLE t (a TEXT); PRAGMA max_page_count = 3");
    const insert = database.prepare("INSERT INTO t VALUES (?)");
    assert.throws(() => insert.run("x".repeat(100_000)), (error) => {
      const failure = toStoreUnavailable(error, CONTEXT);
      assert.ok(failure instanceof StoreFull);
      assert.match(failure.message, /free space on the disk, or delete sessions/);
      return true;
    });
  } finally {
    database.close();
  }
});
