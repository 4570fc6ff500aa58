import assert from "node:assert/strict";
import { createMemoryStore } from "../../../src/adapters/memory_store.ts";
import { type Store, StoreFull } from "../../../src/ports/store.ts";
import {
  ARCHIVE_RETENTION_MS,
  MAX_ARCHIVES,
  sweepWrites,
} from "../../../src/services/session_archive.ts";
import { MAX_SESSIONS } from "../../../src/services/session_count.ts";
import { archiveStream } from "../../../src/services/transcript.ts";
import {
  type House,
  house,
  main,
  other,
  refusal,
  said,
  tenant,
  texts,
} from "../../support/session_house.ts";
import { alteredStore } from "../../support/altered_store.ts";

const ARCHIVES = { tenant, kind: "session.archive" } as const;

/** A session `other` labelled `home` with one message, whose record no longer fits the schema. */
async function bricked(): Promise<House> {
  const home = house();
  await home.sessions.append(tenant, other, { messages: [said("kept")] });
  await home.sessions.patch(tenant, other, { label: "home" });
  const record = await home.store.get({ tenant, kind: "session", id: other });
  assert.ok(record);
  const { order, tag } = record;
  await home.store.commit([
    { op: "put", key: { tenant, kind: "session", id: other }, order, tag, value: { broken: 1 } },
  ]);
  assert.equal(await home.sessions.get(tenant, other), undefined);
  return home;
}

Deno.test("a session whose record cannot be read goes on with its messages when something is said", async () => {
  const { sessions } = await bricked();
  await sessions.append(tenant, other, { messages: [said("new")] });
  assert.deepEqual(await texts(sessions, other), ["kept", "new"]);
  assert.equal(await sessions.count(tenant), 1);
});

Deno.test("a session whose record cannot be read can be reset, and its messages are put away", async () => {
  const { sessions, store } = await bricked();
  await sessions.reset(tenant, other);
  assert.deepEqual(await texts(sessions, other), []);
  assert.equal(await store.count(ARCHIVES), 1);
});

Deno.test("a session whose record cannot be read can be deleted", async () => {
  const { sessions, store } = await bricked();
  const { deleted, archived } = await sessions.remove(tenant, other);
  assert.equal(deleted, true);
  assert.equal(archived.length, 1);
  assert.equal(await store.get({ tenant, kind: "session", id: other }), undefined);
});

Deno.test("a label left behind by a record that cannot be read can be given again", async () => {
  const { sessions } = await bricked();
  await sessions.patch(tenant, main, { label: "home" });
  assert.equal((await sessions.resolve(tenant, { label: "home" })).key, main);
  await assert.rejects(
    sessions.patch(tenant, other, { label: "home" }),
    refusal("label already in use: home"),
  );
});

Deno.test("a list goes on after a page whose records cannot be read", async () => {
  const { sessions, store } = house();
  await sessions.append(tenant, main, { messages: [] });
  const broken = Array.from({ length: 300 }, (_, at) => ({
    op: "put" as const,
    key: { tenant, kind: "session", id: `agent:main:broken-${at}` },
    order: Number.MAX_SAFE_INTEGER,
    value: null,
  }));
  await store.commit(broken);
  const { sessions: found } = await sessions.list(tenant);
  assert.deepEqual(found.map(({ key }) => key), [main]);
});

Deno.test("counts that are no numbers are not known, and the session stays readable", async () => {
  const { sessions } = house();
  const usage = { input: Infinity, output: 1, cacheRead: 0, cacheWrite: 0, total: NaN };
  await sessions.append(tenant, main, {
    messages: [{ ...said("x", "assistant"), usage }],
    change: (entry) => ({ ...entry, inputTokens: Infinity, outputTokens: 1, totalTokens: NaN }),
  });
  const entry = await sessions.get(tenant, main);
  assert.deepEqual([entry?.inputTokens, entry?.outputTokens, entry?.totalTokens], [
    undefined,
    1,
    undefined,
  ]);
  const { messages } = await sessions.history(tenant, main, { limit: 1 });
  assert.equal(messages[0]?.usage, undefined);
});

Deno.test("what changes an entry is told whether the session is new", async () => {
  const { sessions } = house();
  const told: boolean[] = [];
  for (let at = 0; at < 2; at++) {
    await sessions.append(tenant, main, {
      messages: [],
      change: (entry, { isNew }) => {
        told.push(isNew);
        return entry;
      },
    });
  }
  assert.deepEqual(told, [true, false]);
});

Deno.test("beyond the most sessions none is made; those there are go on", async () => {
  const base = createMemoryStore();
  const store = alteredStore(base, {
    count: async (query) =>
      query.kind === "session" ? MAX_SESSIONS - 1 + await base.count(query) : base.count(query),
  });
  const { sessions } = house({}, store);
  await sessions.append(tenant, main, { messages: [said("first")] });
  await assert.rejects(sessions.append(tenant, other, { messages: [] }), {
    code: "UNAVAILABLE",
    message: /sessions\.delete/,
  });
  await assert.rejects(sessions.patch(tenant, other, {}), { code: "UNAVAILABLE" });
  await assert.rejects(sessions.reset(tenant, other), { code: "UNAVAILABLE" });
  await sessions.append(tenant, main, { messages: [said("second")] });
  assert.deepEqual(await texts(sessions, main), ["first", "second"]);
});

/** Archives with one message each unless told, made one millisecond after the other from `from` on. */
async function archived(
  store: Store,
  count: number,
  { from = 0, messages = 1 } = {},
): Promise<void> {
  for (let at = 0; at < count; at++) {
    const stream = archiveStream(tenant, `archive-${at}`);
    await store.commit([
      { op: "put", key: { ...ARCHIVES, id: `archive-${at}` }, order: from + at, value: null },
      ...Array.from({ length: messages }, () => ({ op: "append" as const, stream, value: null })),
    ]);
  }
}

Deno.test("another archive takes the oldest beyond the bound away, messages and all", async () => {
  const { sessions, store, clock } = house();
  await archived(store, MAX_ARCHIVES, { from: clock.now() - MAX_ARCHIVES });
  await sessions.append(tenant, main, { messages: [said("x")] });
  await sessions.reset(tenant, main);
  assert.equal(await store.count(ARCHIVES), MAX_ARCHIVES);
  assert.equal(await store.get({ ...ARCHIVES, id: "archive-0" }), undefined);
  assert.equal(await store.length(archiveStream(tenant, "archive-0")), 0);
  assert.equal(await store.length(archiveStream(tenant, "archive-1")), 1);
});

Deno.test("archives past their time go a few at a time", async () => {
  const { store } = house();
  await archived(store, 10);
  const at = ARCHIVE_RETENTION_MS + 6;
  await store.commit(await sweepWrites(store, { tenant, at }));
  assert.equal(await store.count(ARCHIVES), 6);
  await store.commit(await sweepWrites(store, { tenant, at }));
  assert.equal(await store.count(ARCHIVES), 4);
  await store.commit(await sweepWrites(store, { tenant, at }));
  assert.equal(await store.count(ARCHIVES), 4, "the others are not past their time");
});

Deno.test("a long archive goes in several steps, its record last", async () => {
  const { store } = house();
  await archived(store, 1, { messages: 2_500 });
  const lengths: number[] = [];
  while (await store.count(ARCHIVES) > 0) {
    await store.commit(await sweepWrites(store, { tenant, at: ARCHIVE_RETENTION_MS + 1 }));
    lengths.push(await store.length(archiveStream(tenant, "archive-0")));
  }
  assert.deepEqual(lengths, [1_500, 500, 0]);
});

Deno.test("in a full store the oldest archives make room; without any the caller is told", async () => {
  const base = createMemoryStore();
  const store = alteredStore(base, {
    commit: async (writes) => {
      const frees = writes.every(({ op }) => op === "remove" || op === "trim");
      if (!frees && await base.count(ARCHIVES) > 1) throw new StoreFull("full");
      return await base.commit(writes);
    },
  });
  const { sessions, clock } = house({}, store);
  await archived(base, 3, { from: clock.now() });
  await sessions.append(tenant, main, { messages: [said("x")] });
  assert.deepEqual(await texts(sessions, main), ["x"]);
  assert.ok(await base.get({ ...ARCHIVES, id: "archive-2" }), "the newest archive stays");

  const full = alteredStore(base, { commit: () => Promise.reject(new StoreFull("full")) });
  await assert.rejects(
    house({}, full).sessions.append(tenant, main, { messages: [] }),
    StoreFull,
  );
});
