import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { migrate } from "../../../src/adapters/sqlite_migrations.ts";
import {
  countQuery,
  endOfPrefix,
  listQuery,
  type Query,
  readQuery,
} from "../../../src/adapters/sqlite_queries.ts";
import type { RecordQuery } from "../../../src/ports/store.ts";

/** SQLite's plan for a query, a step an element. */
function plan({ sql, args }: Query): string[] {
  const database = new DatabaseSync(":memory:");
  try {
    migrate(database, { path: ":memory:" });
    return database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...args)
      .map((step) => String(step.detail));
  } finally {
    database.close();
  }
}

const KIND = "tenant=? AND kind=?";
const after = { order: 1, id: "a" };

/** The plan of each kind of list: an index that holds the order, and no sorting. */
const LISTS: readonly (readonly [Partial<RecordQuery>, string])[] = [
  [{ newestFirst: true, limit: 50 }, `records_by_order (${KIND})`],
  [{ newestFirst: true }, `records_by_order (${KIND})`],
  [{ limit: 50 }, `records_by_order (${KIND})`],
  [{ newestFirst: true, limit: 50, minOrder: 1 }, `records_by_order (${KIND} AND sort_order>?)`],
  [
    { newestFirst: true, limit: 50, after },
    `records_by_order (${KIND} AND (sort_order,id)<(?,?))`,
  ],
  [{ limit: 50, after }, `records_by_order (${KIND} AND (sort_order,id)>(?,?))`],
  [{ tag: "t", newestFirst: true, limit: 1 }, `records_by_tag (${KIND} AND tag=?)`],
  [{ tag: "t" }, `records_by_tag (${KIND} AND tag=?)`],
  [
    { tag: "t", newestFirst: true, limit: 9, after },
    `records_by_tag (${KIND} AND tag=? AND (sort_order,id)<(?,?))`,
  ],
  [{ tag: "t", idPrefix: "a:", limit: 9 }, `records_by_tag (${KIND} AND tag=?)`],
  [{ idPrefix: "" }, `records_by_order (${KIND})`],
  [{ idPrefix: "a:", newestFirst: true, limit: 50 }, `records_by_order (${KIND})`],
];

for (const [query, index] of LISTS) {
  Deno.test(`a list of ${JSON.stringify(query)} walks one index and sorts nothing`, () => {
    assert.deepEqual(plan(listQuery({ tenant: "acme", kind: "session", ...query })), [
      `SEARCH records USING INDEX ${index}`,
    ]);
  });
}

Deno.test("a list of a prefix without a limit finds its records by id and sorts only those", () => {
  const query = { tenant: "acme", kind: "session", idPrefix: "a:", newestFirst: true };
  assert.deepEqual(plan(listQuery(query)), [
    `SEARCH records USING INDEX sqlite_autoindex_records_1 (${KIND} AND id>? AND id<?)`,
    "USE TEMP B-TREE FOR ORDER BY",
  ]);
});

/** The plan of each kind of count: no table is read, only an index. */
const COUNTS: readonly (readonly [Partial<RecordQuery>, RegExp])[] = [
  [{}, /^SEARCH records USING COVERING INDEX \w+ \(tenant=\? AND kind=\?\)$/],
  [{ tag: "t" }, /COVERING INDEX records_by_tag \(.* AND tag=\?\)$/],
  [{ minOrder: 1 }, /COVERING INDEX records_by_order \(.* AND sort_order>\?\)$/],
  [{ tag: "t", minOrder: 1 }, /COVERING INDEX records_by_tag \(.* AND tag=\? AND sort_order>\?\)$/],
  [
    { idPrefix: "a:" },
    /COVERING INDEX sqlite_autoindex_records_1 \(.* AND id>\? AND id<\?\)$/,
  ],
];

for (const [query, expected] of COUNTS) {
  Deno.test(`a count of ${JSON.stringify(query)} reads one range of one index`, () => {
    const steps = plan(countQuery({ tenant: "acme", kind: "session", ...query }));
    assert.equal(steps.length, 1);
    assert.match(steps[0]!, expected);
  });
}

for (const keep of ["oldest", "newest"] as const) {
  Deno.test(`a read of a stream's ${keep} entries walks their order and sorts nothing`, () => {
    const stream = { tenant: "acme", kind: "transcript", id: "a" };
    assert.deepEqual(plan(readQuery(stream, { keep, limit: 9 })), [
      "SEARCH stream_entries USING INDEX stream_entries_in_order (stream=? AND sequence>? AND sequence<?)",
      "SCALAR SUBQUERY 1",
      `SEARCH stream_heads USING COVERING INDEX sqlite_autoindex_stream_heads_1 (${KIND} AND id=?)`,
    ]);
  });
}

Deno.test("the end of a prefix is the next text by code point", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["a", "b"],
    ["agent:", "agent;"],
    ["\ud7ff", "\ue000"],
    ["\uffff", "\u{10000}"],
    ["\u{1f600}", "\u{1f601}"],
    ["a\u{10ffff}", "b"],
    ["a\u{10ffff}\u{10ffff}", "b"],
    ["\u{10ffff}", undefined],
    ["", undefined],
  ];
  for (const [prefix, end] of cases) assert.equal(endOfPrefix(prefix), end);
});

Deno.test("no argument becomes part of a statement's text", () => {
  const hostile = "x' OR '1'='1";
  const range = { limit: 1, keep: "newest" } as const;
  for (
    const { sql } of [
      listQuery({
        tenant: hostile,
        kind: hostile,
        tag: hostile,
        idPrefix: hostile,
        after: { order: 1, id: hostile },
      }),
      countQuery({ tenant: hostile, kind: hostile, tag: hostile, idPrefix: hostile }),
      readQuery({ tenant: hostile, kind: hostile, id: hostile }, range),
    ]
  ) assert.ok(!sql.includes("x'"));
});
