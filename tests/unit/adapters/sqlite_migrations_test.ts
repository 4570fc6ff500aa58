import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { migrate, MIGRATIONS } from "../../../src/adapters/sqlite_migrations.ts";
import { openSqliteStore } from "../../../src/adapters/sqlite_store.ts";
import { StoreUnavailable } from "../../../src/ports/store.ts";

const NEWEST = MIGRATIONS.length;

/**
 * The same data as each layout holds it: written by hand, for no code of the program writes an earlier
 * layout. A new layout needs an entry here.
 */
const DATA_AT: Readonly<Record<number, string>> = {
  1: `
    INSERT INTO records VALUES ('acme', 'session', 'a', 3, 1.5, 't', '{"n":1}');
    INSERT INTO records VALUES ('acme', 'session', 'b', 1, 1700000000000.0, NULL, '[null]');
    INSERT INTO records VALUES ('other', 'session', 'a', 1, -1.0, 't', '"é"');
    INSERT INTO stream_heads VALUES (7, 'acme', 'transcript', 'a', 4, 2);
    INSERT INTO stream_heads VALUES (9, 'acme', 'transcript', 'emptied', 2, 0);
    INSERT INTO stream_entries VALUES (7, 3, '"three"');
    INSERT INTO stream_entries VALUES (7, 4, '"four"');
  `,
  get 2(): string {
    return this[1] ?? "";
  },
  get 3(): string {
    const entries = /INSERT INTO stream_entries VALUES/g;
    return this[1]?.replaceAll(
      entries,
      "INSERT INTO stream_entries (stream, sequence, value) VALUES",
    ) ?? "";
  },
};

async function withPath(run: (path: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(`${folder}/state.db`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function withDatabase<T>(path: string, run: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(path);
  try {
    return run(database);
  } finally {
    database.close();
  }
}

function layout(path: string): unknown {
  return withDatabase(
    path,
    (database) => database.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY name").all(),
  );
}

function version(path: string): unknown {
  return withDatabase(path, (database) => database.prepare("PRAGMA user_version").get())
    ?.user_version;
}

Deno.test("layouts are numbered from 1 without gaps, and each has data to migrate here", () => {
  assert.deepEqual(
    MIGRATIONS.map((migration) => migration.version),
    MIGRATIONS.map((_, index) => index + 1),
  );
  assert.deepEqual(Object.keys(DATA_AT).map(Number), MIGRATIONS.map(({ version }) => version));
});

for (const { version: from } of MIGRATIONS) {
  Deno.test(`a database of layout ${from} keeps its data on the way to layout ${NEWEST}`, () =>
    withPath(async (path) => {
      withDatabase(path, (database) => {
        migrate(database, { path, migrations: MIGRATIONS.slice(0, from) });
        database.exec(DATA_AT[from]!);
      });
      assert.equal(version(path), from);
      const store = openSqliteStore({ path });
      const sessions = { tenant: "acme", kind: "session" };
      const stream = { tenant: "acme", kind: "transcript", id: "a" };
      assert.deepEqual(await store.list({ ...sessions, newestFirst: true }), [
        { id: "b", revision: 1, order: 1_700_000_000_000, value: [null] },
        { id: "a", revision: 3, order: 1.5, tag: "t", value: { n: 1 } },
      ]);
      assert.equal((await store.list({ ...sessions, tag: "t" })).length, 1);
      assert.equal((await store.get({ ...sessions, tenant: "other", id: "a" }))?.value, "é");
      assert.deepEqual(await store.read(stream, { limit: 9 }), [
        { sequence: 3, value: "three" },
        { sequence: 4, value: "four" },
      ]);
      assert.equal(await store.length(stream), 2);
      assert.deepEqual(
        await store.commit([
          { op: "append", stream, value: "five" },
          { op: "append", stream: { ...stream, id: "emptied" }, value: "three" },
          { op: "put", key: { ...sessions, id: "a" }, order: 2, value: null, expect: 3 },
        ]),
        [5, 3, 4],
      );
      await store.close();
      assert.equal(version(path), NEWEST);

      const fresh = `${path}-fresh`;
      await openSqliteStore({ path: fresh }).close();
      assert.deepEqual(layout(path), layout(fresh));
    }));
}

Deno.test("a database of a newer program is refused and left as it is", () =>
  withPath((path) => {
    const newer = [...MIGRATIONS, {
      version: NEWEST + 1,
      statements: ["CREATE TABLE future (a TEXT) STRICT"],
    }];
    withDatabase(path, (database) => migrate(database, { path, migrations: newer }));
    const before = Deno.readFileSync(path);
    assert.throws(() => openSqliteStore({ path }), (error) => {
      assert.ok(error instanceof StoreUnavailable);
      assert.ok(error.message.includes(path), error.message);
      assert.match(error.message, new RegExp(`layout ${NEWEST + 1}, .*up to ${NEWEST}; start`));
      return true;
    });
    assert.deepEqual(Deno.readFileSync(path), before);
  }));

Deno.test("a database of another program is refused and left as it is", () =>
  withPath((path) => {
    withDatabase(path, (database) => database.exec("CREATE TABLE bookmarks (url TEXT)"));
    const before = Deno.readFileSync(path);
    assert.throws(() => openSqliteStore({ path }), /of another program; choose another/);
    assert.deepEqual(Deno.readFileSync(path), before);
  }));

Deno.test("a migration that fails leaves the layout and the data as they were", () =>
  withPath((path) => {
    withDatabase(path, (database) => {
      migrate(database, { path });
      database.exec(DATA_AT[NEWEST]!);
    });
    const before = layout(path);
    const failing = [...MIGRATIONS, {
      version: NEWEST + 1,
      statements: ["CREATE TABLE half (a TEXT) STRICT", "DELETE FROM records", "NOT SQL"],
    }];
    withDatabase(path, (database) => {
      assert.throws(() => migrate(database, { path, migrations: failing }), /syntax error/);
      assert.equal(database.isTransaction, false);
      assert.equal(database.prepare("SELECT count(*) AS n FROM records").get()?.n, 3);
    });
    assert.deepEqual(layout(path), before);
    assert.equal(version(path), NEWEST);
  }));

Deno.test("a database of the newest layout is opened without a write", () =>
  withPath((path) => {
    withDatabase(path, (database) => migrate(database, { path }));
    withDatabase(path, (locker) => {
      locker.exec("BEGIN IMMEDIATE");
      withDatabase(path, (database) => {
        database.exec("PRAGMA busy_timeout = 0");
        assert.doesNotThrow(() => migrate(database, { path }));
      });
    });
  }));
