import assert from "node:assert/strict";
import fc from "fast-check";
import { createMemoryStore } from "../../src/adapters/memory_store.ts";
import { openSqliteStore } from "../../src/adapters/sqlite_store.ts";
import {
  type Json,
  type RecordQuery,
  type Store,
  StoreConflict,
  type StoreWrite,
  type StreamRange,
} from "../../src/ports/store.ts";

/** Random histories; each runs against a fresh tenant of one database. */
const HISTORIES = 150;

// Few names, so that writes meet; some of them sort differently by UTF-16 unit and by code point.
const id = fc.constantFrom("a", "a:1", "a:2", "b", "\uffff", "\u{1f600}");
const kind = fc.constantFrom("x", "y");
const tag = fc.constantFrom("", "red", "blue");
const order = fc.oneof(
  fc.integer({ min: -2, max: 2 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const revision = fc.integer({ min: 0, max: 3 });
const expected = fc.option(
  fc.oneof(revision, fc.record({ revision, tag: fc.option(tag, { nil: undefined }) })),
  { nil: undefined, freq: 2 },
);
const through = fc.option(fc.integer({ min: -1, max: 6 }), { nil: undefined });
const value = fc.jsonValue({ maxDepth: 2 }).map((json): Json => JSON.parse(JSON.stringify(json)));

function writes(tenant: string): fc.Arbitrary<readonly StoreWrite[]> {
  const key = fc.record({ tenant: fc.constant(tenant), kind, id });
  const optionalTag = fc.option(tag, { nil: undefined });
  return fc.array(
    fc.oneof(
      fc.record({
        op: fc.constant("put" as const),
        key,
        order,
        tag: optionalTag,
        value,
        expect: expected,
      }),
      fc.record({ op: fc.constant("remove" as const), key, expect: expected }),
      {
        weight: 2,
        arbitrary: fc.record({ op: fc.constant("append" as const), stream: key, value }),
      },
      fc.record({ op: fc.constant("trim" as const), stream: key, through }),
      fc.record({ op: fc.constant("move" as const), stream: key, into: key, through }),
    ),
    { maxLength: 6 },
  );
}

function optional<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined });
}

function query(tenant: string): fc.Arbitrary<RecordQuery> {
  return fc.record({
    tenant: fc.constant(tenant),
    kind,
    newestFirst: optional(fc.boolean()),
    tag: optional(tag),
    idPrefix: optional(fc.constantFrom("", "a", "a:", "\uffff", "\u{1f600}")),
    minOrder: optional(order),
    after: optional(fc.record({ order, id })),
    limit: optional(fc.integer({ min: 0, max: 4 })),
  });
}

const range: fc.Arbitrary<StreamRange> = fc.record({
  after: optional(fc.integer({ min: -1, max: 6 })),
  before: optional(fc.integer({ min: -1, max: 9 })),
  limit: fc.integer({ min: 0, max: 5 }),
  keep: optional(fc.constantFrom("oldest" as const, "newest" as const)),
});

/** What a group of commits, called at once, came to. */
function outcomes(
  store: Store,
  group: readonly (readonly StoreWrite[])[],
): Promise<readonly unknown[]> {
  return Promise.all(group.map((commit) =>
    store.commit(commit).catch((error: unknown) => {
      if (error instanceof StoreConflict) return { conflict: error.key };
      throw error;
    })
  ));
}

async function everything(store: Store, tenant: string): Promise<unknown> {
  const all: unknown[] = [];
  for (const kind of ["x", "y"]) {
    all.push(await store.list({ tenant, kind }));
    for (const id of ["a", "a:1", "a:2", "b", "\uffff", "\u{1f600}"]) {
      const stream = { tenant, kind, id };
      const entries = await store.read(stream, { limit: 1_000 });
      assert.equal(await store.length(stream), entries.length);
      all.push(entries, await store.get(stream));
    }
  }
  return all;
}

Deno.test("any history of commits leaves both adapters with the same answers", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/state.db`;
  let sqlite = openSqliteStore({ path });
  const memory = createMemoryStore();
  let run = 0;
  const TENANT = "tenant of this run";
  const renamed = <T>(part: T, tenant: string): T =>
    JSON.parse(JSON.stringify(part).replaceAll(TENANT, tenant));
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(writes(TENANT), { minLength: 1, maxLength: 4 }), {
          minLength: 1,
          maxLength: 8,
        }),
        fc.array(query(TENANT), { maxLength: 8 }),
        fc.array(fc.tuple(kind, id, range), { maxLength: 4 }),
        fc.boolean(),
        async (groups, queries, reads, reopen) => {
          const tenant = `run-${run++}`;
          for (const group of renamed(groups, tenant)) {
            assert.deepEqual(await outcomes(sqlite, group), await outcomes(memory, group));
          }
          if (reopen) {
            await sqlite.close();
            sqlite = openSqliteStore({ path });
          }
          assert.deepEqual(await everything(sqlite, tenant), await everything(memory, tenant));
          for (const query of renamed(queries, tenant)) {
            assert.deepEqual(await sqlite.list(query), await memory.list(query));
            assert.equal(await sqlite.count(query), await memory.count(query));
          }
          for (const [kind, id, range] of reads) {
            const stream = { tenant, kind, id };
            assert.deepEqual(await sqlite.read(stream, range), await memory.read(stream, range));
          }
        },
      ),
      { numRuns: HISTORIES },
    );
  } finally {
    await sqlite.close();
    await Deno.remove(folder, { recursive: true });
  }
});
