import assert from "node:assert/strict";
import { createMemoryStore } from "../../../src/adapters/memory_store.ts";
import { checked, DEFAULT_TENANT, isSessionKey } from "../../../src/core/id.ts";
import { StoreConflict } from "../../../src/ports/store.ts";
import {
  fingerprintOf,
  isRunId,
  MAX_RUN_RECORDS,
  RUN_RECORD_KIND,
  RUN_RECORD_RETENTION_MS,
  type RunRecord,
  RunRecords,
  SWEEP_PAGE,
  toRunId,
} from "../../../src/services/run_record.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const QUERY = { tenant: DEFAULT_TENANT, kind: RUN_RECORD_KIND };

function record(acceptedAt: number, state: RunRecord["state"] = "ok"): RunRecord {
  const sessionKey = checked("agent:main:main", isSessionKey);
  return { kind: "chat", sessionKey, fingerprint: "f", state, acceptedAt };
}

Deno.test("run ids: visible text of at most 256 characters", () => {
  for (const good of ["a", "8f14e45f-ceea", "ключ 1", "x".repeat(256)]) assert.ok(isRunId(good));
  for (const bad of ["", "a\u0000b", "a\nb", "\ud800", "x".repeat(257)]) {
    assert.ok(!isRunId(bad));
    assert.throws(() => toRunId(bad), /must be 1 to 256 characters/);
  }
});

Deno.test("fingerprints: the order of members does not matter, everything else does", async () => {
  const base = await fingerprintOf({ a: 1, b: [{ c: 2, d: 3 }] });
  assert.match(base, /^[0-9a-f]{64}$/);
  assert.equal(await fingerprintOf({ b: [{ d: 3, c: 2 }], a: 1 }), base);
  assert.equal(await fingerprintOf({ a: 1, b: [{ c: 2, d: 3 }], e: undefined }), base);
  for (
    const other of [
      { a: 1, b: [{ c: 2, d: 4 }] },
      { a: "1", b: [{ c: 2, d: 3 }] },
      { a: 1, b: [{ c: 2 }, { d: 3 }] },
      { a: 1 },
      [],
      null,
      undefined,
    ]
  ) assert.notEqual(await fingerprintOf(other), base);
});

Deno.test("records: come back as they were stored, and bind their key for a day", async () => {
  const clock = new ManualClock();
  const records = new RunRecords({ store: createMemoryStore(), clock });
  const stored: RunRecord = {
    ...record(clock.now(), "failed"),
    startedAt: 1,
    endedAt: 2,
    error: "no",
    usage: { input: 1, output: 2, cacheRead: 3, cacheWrite: 4, total: 10 },
  };
  await records.commit([records.put(DEFAULT_TENANT, toRunId("r"), stored, 0)]);
  const item = await records.get(DEFAULT_TENANT, toRunId("r"));
  assert.deepEqual({ ...item?.value }, stored);
  await assert.rejects(
    records.commit([records.put(DEFAULT_TENANT, toRunId("r"), stored, 0)]),
    StoreConflict,
  );
  assert.equal(records.expired(stored), false);
  await clock.advance(RUN_RECORD_RETENTION_MS + 1);
  assert.equal(records.expired(stored), true);
});

Deno.test("records: open ones are found by themselves, oldest first, page by page", async () => {
  const clock = new ManualClock();
  const records = new RunRecords({ store: createMemoryStore(), clock });
  for (let at = 0; at < 10; at++) {
    const state = at % 2 === 0 ? "open" : "ok";
    await records.commit([records.put(DEFAULT_TENANT, toRunId(`r${at}`), record(at, state), 0)]);
  }
  const first = await records.open(DEFAULT_TENANT, { limit: 3 });
  assert.deepEqual(first.map(({ id }) => id), ["r0", "r2", "r4"]);
  const rest = await records.open(DEFAULT_TENANT, { limit: 3, after: { order: 4, id: "r4" } });
  assert.deepEqual(rest.map(({ id }) => id), ["r6", "r8"]);
});

Deno.test("records: a sweep removes what is past its time, over several pages, and no open run", async () => {
  const clock = new ManualClock();
  const store = createMemoryStore();
  const records = new RunRecords({ store, clock });
  const now = clock.now();
  for (let at = 0; at < SWEEP_PAGE * 2 + 10; at++) {
    const acceptedAt = now - RUN_RECORD_RETENTION_MS - 1_000 + at;
    const state = at === 5 ? "open" : "ok";
    await records.commit([
      records.put(DEFAULT_TENANT, toRunId(`old${at}`), record(acceptedAt, state), 0),
    ]);
  }
  await records.commit([records.put(DEFAULT_TENANT, toRunId("new"), record(now), 0)]);
  await records.sweep(DEFAULT_TENANT);
  const left = await store.list(QUERY);
  assert.deepEqual(left.map(({ id }) => id), ["old5", "new"]);
});

Deno.test("records: a sweep removes the oldest of too many", async () => {
  const clock = new ManualClock();
  const store = createMemoryStore();
  const records = new RunRecords({ store, clock });
  await store.commit(
    Array.from(
      { length: MAX_RUN_RECORDS + 3 },
      (_, at) => records.put(DEFAULT_TENANT, toRunId(`r${at}`), record(clock.now() + at), 0),
    ),
  );
  await records.sweep(DEFAULT_TENANT);
  assert.equal(await store.count(QUERY), MAX_RUN_RECORDS);
  assert.deepEqual((await store.list({ ...QUERY, limit: 1 })).map(({ id }) => id), ["r3"]);
});
