/** A process of its own for the tests: commits to the store at the path given, and prints each commit that resolved. */

import { openSqliteStore } from "../../../src/adapters/sqlite_store.ts";

/** Enough to be busy whenever a test ends the process. */
const COMMITS = 100_000;

const store = openSqliteStore({ path: Deno.args[0]! });
const encoder = new TextEncoder();
for (let n = 1; n <= COMMITS; n++) {
  await store.commit([
    { op: "append", stream: { tenant: "t", kind: "child", id: "s" }, value: n },
    { op: "put", key: { tenant: "t", kind: "child", id: "last" }, order: n, value: n },
  ]);
  Deno.stdout.writeSync(encoder.encode(`${n}\n`));
}
