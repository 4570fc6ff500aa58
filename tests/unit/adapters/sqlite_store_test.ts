import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { DatabaseSync } from "node:sqlite";
import { MAX_GROUP_COMMITS, openSqliteStore } from "../../../src/adapters/sqlite_store.ts";
import {
  type Store,
  StoreFull,
  StoreUnavailable,
  type StoreWrite,
} from "../../../src/ports/store.ts";

function test(name: string, run: (folder: string) => Promise<void>): void {
  Deno.test(name, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await run(folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

const put = (id: string, order = 0): StoreWrite => ({
  op: "put",
  key: { tenant: "t", kind: "session", id },
  order,
  value: { id },
});

function count(store: Store): Promise<number> {
  return store.count({ tenant: "t", kind: "session" });
}

function mode(path: string): string {
  return ((Deno.statSync(path).mode ?? 0) & 0o777).toString(8);
}

/** A message that names the file and says what to do. */
function unavailable(path: string, remedy: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StoreUnavailable, String(error));
    assert.ok(error.message.includes(path), error.message);
    assert.match(error.message, remedy);
    return true;
  };
}

test("a store is there again after it was closed", async (folder) => {
  const path = `${folder}/state.db`;
  const first = openSqliteStore({ path });
  await first.commit([put("a", 5)]);
  await first.close();
  const second = openSqliteStore({ path });
  assert.deepEqual(await second.list({ tenant: "t", kind: "session" }), [
    { id: "a", revision: 1, order: 5, value: { id: "a" } },
  ]);
  await second.close();
});

for (const umask of [0o000, 0o022, 0o277]) {
  test(`with umask ${umask.toString(8)} files are 0600 and new folders 0700`, async (folder) => {
    const before = Deno.umask(umask);
    try {
      const state = `${folder}/state`;
      const store = openSqliteStore({ path: `${state}/state.db` });
      await store.commit([put("a")]);
      assert.equal(mode(state), "700");
      for (const file of ["state.db", "state.db-wal", "state.db-shm"]) {
        assert.equal(mode(`${state}/${file}`), "600", file);
      }
      await store.close();
    } finally {
      Deno.umask(before);
    }
  });
}

test("a database that others could read is closed to them", async (folder) => {
  const path = `${folder}/state.db`;
  await openSqliteStore({ path }).close();
  await Deno.chmod(path, 0o644);
  const store = openSqliteStore({ path });
  await store.commit([put("a")]);
  assert.equal(mode(path), "600");
  assert.equal(mode(`${path}-wal`), "600");
  await store.close();
});

test("a file that is no database is refused and left as it is", async (folder) => {
  const path = `${folder}/state.db`;
  const garbage = "not a database ".repeat(1_000);
  await Deno.writeTextFile(path, garbage);
  assert.throws(
    () => openSqliteStore({ path }),
    unavailable(path, /damaged or not a database: stop the gateway and restore/),
  );
  assert.equal(await Deno.readTextFile(path), garbage);
});

test("a page that is damaged later fails the read with the file's name", async (folder) => {
  const path = `${folder}/state.db`;
  const filled = openSqliteStore({ path });
  await filled.commit(Array.from({ length: 2_000 }, (_, n) => put(`id-${n}`, n)));
  await filled.close();
  const bytes = await Deno.readFile(path);
  await Deno.writeFile(path, bytes.fill(0xa5, 16_384));
  const store = openSqliteStore({ path });
  await assert.rejects(
    store.list({ tenant: "t", kind: "session" }),
    unavailable(path, /cannot read .*restore the file from a backup/),
  );
  await store.close();
});

test("a value that is not JSON fails the read with the file's name", async (folder) => {
  const path = `${folder}/state.db`;
  const store = openSqliteStore({ path });
  await store.commit([put("a")]);
  const other = new DatabaseSync(path);
  other.exec("UPDATE records SET value = '{'");
  other.close();
  await assert.rejects(
    store.get({ tenant: "t", kind: "session", id: "a" }),
    unavailable(path, /no usable value.*restore/),
  );
  await store.close();
});

test("a path that cannot be used is refused with its name", async (folder) => {
  await Deno.writeTextFile(`${folder}/file`, "");
  await Deno.mkdir(`${folder}/folder`);
  for (const path of [`${folder}/file/state.db`, `${folder}/folder`]) {
    assert.throws(() => openSqliteStore({ path }), unavailable(path, /may read and write/));
  }
});

test("while another program holds the lock a commit fails whole, and reads go on", async (folder) => {
  const path = `${folder}/state.db`;
  const store = openSqliteStore({ path, busyTimeoutMs: 1 });
  await store.commit([put("a")]);
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  const commits = [store.commit([put("b")]), store.commit([put("c")])];
  for (const commit of commits) {
    await assert.rejects(commit, unavailable(path, /keeps it locked: try again/));
  }
  assert.equal(await count(store), 1);
  other.exec("ROLLBACK");
  other.close();
  await store.commit([put("b")]);
  assert.equal(await count(store), 2);
  await store.close();
});

test("an error amid a group takes back all of the group, and the next one works", async (folder) => {
  const path = `${folder}/state.db`;
  const store = openSqliteStore({ path });
  const other = new DatabaseSync(path);
  other.exec(`CREATE TRIGGER refuse BEFORE INSERT ON records WHEN NEW.id = 'bad'
    BEGIN SELECT RAISE(ABORT, 'refused'); END`);
  const outcomes = await Promise.allSettled(
    ["a", "bad", "c"].map((id) => store.commit([put(id)])),
  );
  assert.deepEqual(outcomes.map(({ status }) => status), Array(3).fill("rejected"));
  assert.equal(await count(store), 0);
  await store.commit([put("a")]);
  assert.equal(await count(store), 1);
  other.close();
  await store.close();
});

test("commits of one turn share a transaction, up to the group's limit", async (folder) => {
  const path = `${folder}/state.db`;
  const store = openSqliteStore({ path });
  const reader = new DatabaseSync(path);
  const visible = reader.prepare("SELECT count(*) AS n FROM records");
  const commits = Array.from({ length: MAX_GROUP_COMMITS - 1 }, (_, n) => {
    return store.commit([put(`id-${n}`)]);
  });
  assert.equal(visible.get()?.n, 0);
  commits.push(store.commit([put("the last of the group")]), store.commit([put("the next")]));
  assert.equal(visible.get()?.n, MAX_GROUP_COMMITS);
  await Promise.all(commits);
  assert.equal(visible.get()?.n, MAX_GROUP_COMMITS + 1);
  reader.close();
  await store.close();
});

test("two stores on one file see each other's commits", async (folder) => {
  const path = `${folder}/state.db`;
  const [left, right] = [openSqliteStore({ path }), openSqliteStore({ path })];
  await left.commit([put("a")]);
  assert.equal(await count(right), 1);
  await Promise.all([left.commit([put("b")]), right.commit([put("c")])]);
  assert.equal(await count(left), 3);
  await left.close();
  await right.commit([put("d")]);
  await right.close();
});

test("a database of 10,000 records opens without reading them", async (folder) => {
  const path = `${folder}/state.db`;
  const filled = openSqliteStore({ path });
  await filled.commit(Array.from({ length: 10_000 }, (_, n) => put(`id-${n}`, n)));
  await filled.close();
  const size = (await Deno.stat(path)).size;
  assert.ok(size > 1_000_000);
  // Every page but those of the layout is made unreadable, and opening does not notice.
  const bytes = await Deno.readFile(path);
  const layoutPages = 8 * 4_096;
  await Deno.writeFile(path, bytes.fill(0xa5, layoutPages));
  const store = openSqliteStore({ path });
  await store.close();
});

/** After how many commits the child is killed: at the start, and in the middle of its work. */
for (const commits of [1, 37, 500]) {
  test(`what resolved survives kill -9 after ${commits} commits, another writer's work too`, async (folder) => {
    const path = `${folder}/state.db`;
    const store = openSqliteStore({ path });
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-lock",
        "-A",
        fileURLToPath(new URL("./sqlite_store_child.ts", import.meta.url)),
        path,
      ],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let printed = "";
    let own = 0;
    let killed = false;
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      printed += chunk;
      await store.commit([put(`own-${own++}`)]);
      if (!killed && printed.split("\n").length > commits) {
        child.kill("SIGKILL");
        killed = true;
      }
    }
    assert.equal((await child.status).signal, "SIGKILL");
    const acknowledged = printed.slice(0, printed.lastIndexOf("\n")).split("\n").length;
    const stream = { tenant: "t", kind: "child", id: "s" };
    const length = await store.length(stream);
    assert.ok(length >= acknowledged, `${length} of ${acknowledged} are there`);
    const entries = await store.read(stream, { limit: length + 1 });
    assert.deepEqual(
      entries,
      Array.from({ length }, (_, n) => ({ sequence: n + 1, value: n + 1 })),
    );
    const last = await store.get({ tenant: "t", kind: "child", id: "last" });
    assert.equal(last?.value, length, "a commit is whole");
    assert.equal(await count(store), own);
    await store.close();
  });
}

test("reads that never wait for anything else leave the event loop its turns", async (folder) => {
  const store = openSqliteStore({ path: `${folder}/state.db` });
  const stream = { tenant: "t", kind: "transcript", id: "a" };
  await store.commit([{ op: "append", stream, value: "x".repeat(100_000) }]);
  let turned = false;
  const timer = setTimeout(() => turned = true, 0);
  let reads = 0;
  while (!turned && reads < 5_000) {
    await store.read(stream, { limit: 1 });
    reads++;
  }
  clearTimeout(timer);
  assert.ok(turned, `no turn in ${reads} reads`);
  // Those that wait for the turn are answered after it, all of them.
  const many = Array.from({ length: 500 }, () => store.read(stream, { limit: 1 }));
  assert.equal((await Promise.all(many)).length, 500);
  await store.close();
});

test("a database at its bound refuses what adds, and serves what reads and removes", async (folder) => {
  const path = `${folder}/state.db`;
  const store = openSqliteStore({ path, maxBytes: 1024 * 1024 });
  const stream = { tenant: "t", kind: "transcript", id: "a" };
  const append: StoreWrite = { op: "append", stream, value: "x".repeat(100_000) };
  await assert.rejects(
    async () => {
      for (let at = 0; at < 20; at++) await store.commit([append]);
    },
    (error) => {
      assert.ok(error instanceof StoreFull, String(error));
      return unavailable(path, /delete sessions that are no longer needed/)(error);
    },
  );
  const length = await store.length(stream);
  assert.ok(length >= 5, String(length));
  const into = { tenant: "t", kind: "archive", id: "a" };
  assert.deepEqual(await store.commit([{ op: "move", stream, into }]), [length]);
  await store.commit([{ op: "trim", stream: into, through: 3 }]);
  assert.deepEqual(await store.commit([append]), [length + 1]);
  await store.close();
  assert.ok((await Deno.stat(path)).size <= 1024 * 1024);
});
