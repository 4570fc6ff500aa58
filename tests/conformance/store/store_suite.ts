/** What every adapter of `ports/store.ts` must do. */

import assert from "node:assert/strict";
import {
  type Json,
  type RecordQuery,
  type Store,
  StoreConflict,
  StoreMisuse,
  StoreUnavailable,
  type StoreWrite,
} from "../../../src/ports/store.ts";
import {
  append,
  entries,
  type OpenedStore,
  put,
  session,
  type StoreTest,
  transcript,
} from "./store_words.ts";
import { testStreams } from "./stream_suite.ts";

async function ids(store: Store, query: Partial<RecordQuery> = {}): Promise<string[]> {
  const records = await store.list({ tenant: "acme", kind: "session", ...query });
  return records.map((record) => record.id);
}

/** Values that a careless adapter changes. */
const VALUES: readonly (readonly [string, Json])[] = [
  ["null", null],
  ["false", false],
  ["zero", 0],
  ["a fraction", 0.1],
  ["the largest safe integer", Number.MAX_SAFE_INTEGER],
  ["a number beyond 64 bits", 1e300],
  ["an empty text", ""],
  ["a text that looks like JSON", '{"a":1}'],
  ["U+0000 in a text", "a\0b"],
  ["a lone surrogate in a text", "\ud800"],
  ["characters of two UTF-16 units", "\u{1f600}\u{10ffff}"],
  ["empty containers", [{}, []]],
  ["a key __proto__", JSON.parse('{"__proto__":{"polluted":true},"constructor":1}')],
  ["nesting", { a: [{ b: [[1, { c: "d" }]] }] }],
  ["a text of 300,000 characters", "x".repeat(300_000)],
];

/** Registers the suite's tests for one adapter. */
export function testStore(adapter: string, open: () => Promise<OpenedStore>): void {
  const test: StoreTest = (name, run) => {
    Deno.test(`${adapter}: ${name}`, async () => {
      await using opened = await open();
      await run(opened.store);
    });
  };

  testStreams(test);

  test("an empty store holds nothing", async (store) => {
    assert.equal(await store.get(session("a")), undefined);
    assert.deepEqual(await ids(store), []);
    assert.equal(await store.count({ tenant: "acme", kind: "session" }), 0);
    assert.deepEqual(await entries(store, "a"), []);
    assert.equal(await store.length(transcript("a")), 0);
    assert.deepEqual(await store.commit([]), []);
  });

  test("a record comes back as it was put, with revisions that count up", async (store) => {
    assert.deepEqual(await store.commit([put("a", { order: 7.5, tag: "t", value: { n: 1 } })]), [
      1,
    ]);
    assert.deepEqual(await store.get(session("a")), {
      id: "a",
      revision: 1,
      order: 7.5,
      tag: "t",
      value: { n: 1 },
    });
    assert.deepEqual(await store.commit([put("a", { order: -8 }), put("a", { order: -9 })]), [
      2,
      3,
    ]);
    const replaced = await store.get(session("a"));
    assert.deepEqual(replaced, { id: "a", revision: 3, order: -9, value: null });
    assert.ok(replaced && !("tag" in replaced));
  });

  test("a stamp is a record without its value", async (store) => {
    assert.equal(await store.stamp(session("a")), undefined);
    await store.commit([put("a", { tag: "t", value: { n: 1 } })]);
    assert.deepEqual(await store.stamp(session("a")), { revision: 1, tag: "t" });
    await store.commit([put("a", { value: { n: 1 } })]);
    assert.deepEqual(await store.stamp(session("a")), { revision: 2 });
    await store.commit([{ op: "remove", key: session("a") }]);
    assert.equal(await store.stamp(session("a")), undefined);
  });

  for (const [name, value] of VALUES) {
    test(`records and streams give back ${name}`, async (store) => {
      await store.commit([put("a", { value }), append("a", value)]);
      assert.deepEqual((await store.get(session("a")))?.value, value);
      assert.deepEqual(await entries(store, "a"), [[1, value]]);
    });
  }

  test("a value is a copy on the way in and on the way out", async (store) => {
    const value = { list: [1] };
    const committed = store.commit([put("a", { value }), append("a", value)]);
    value.list.push(2);
    await committed;
    const first = await store.get(session("a"));
    assert.deepEqual(first?.value, { list: [1] });
    assert.notEqual(first?.value, (await store.get(session("a")))?.value);
    assert.deepEqual(await entries(store, "a"), [[1, { list: [1] }]]);
  });

  test("tenants and kinds do not see each other", async (store) => {
    await store.commit([
      put("a", { value: 1, tag: "t" }),
      put("a", { value: 2, tag: "t", tenant: "other" }),
      { op: "put", key: { tenant: "acme", kind: "device", id: "a" }, order: 0, value: 3 },
      append("a", "mine"),
      append("a", "theirs", "other"),
    ]);
    assert.equal((await store.get(session("a")))?.value, 1);
    assert.equal((await store.get(session("a", "other")))?.value, 2);
    assert.equal((await store.list({ tenant: "acme", kind: "session", tag: "t" })).length, 1);
    assert.equal(await store.count({ tenant: "acme", kind: "device" }), 1);
    assert.deepEqual(await entries(store, "a"), [[1, "mine"]]);
    await store.commit([{ op: "remove", key: session("a") }, {
      op: "trim",
      stream: transcript("a"),
    }]);
    assert.equal((await store.get(session("a", "other")))?.value, 2);
    assert.equal(await store.length(transcript("a", "other")), 1);
  });

  test("expect lets a put through only at that revision", async (store) => {
    await store.commit([put("a", { value: "first", expect: 0 })]);
    for (const expect of [0, 2]) {
      await assert.rejects(store.commit([put("a", { expect })]), (error) => {
        assert.ok(error instanceof StoreConflict);
        assert.deepEqual(error.key, session("a"));
        return true;
      });
    }
    assert.equal((await store.get(session("a")))?.value, "first");
    assert.deepEqual(await store.commit([put("a", { value: "second", expect: 1 })]), [2]);
    await assert.rejects(store.commit([put("b", { expect: 1 })]), StoreConflict);
    assert.equal(await store.get(session("b")), undefined);
  });

  test("expect lets a remove through only at that revision", async (store) => {
    const remove = (expect?: number): Promise<readonly number[]> =>
      store.commit([{ op: "remove", key: session("a"), expect }]);
    assert.deepEqual(await remove(), [0]);
    assert.deepEqual(await remove(0), [0]);
    await assert.rejects(remove(1), StoreConflict);
    await store.commit([put("a")]);
    await assert.rejects(remove(0), StoreConflict);
    await assert.rejects(remove(2), StoreConflict);
    assert.deepEqual(await remove(1), [1]);
    assert.deepEqual(await store.commit([put("a")]), [1], "a record made anew begins at 1");
    assert.deepEqual(await remove(), [1]);
  });

  test("expect with a tag tells a record from one that was made anew and has come as far", async (store) => {
    const key = session("a");
    const absent = { revision: 0, tag: "old" };
    await assert.rejects(store.commit([put("a", { tag: "old", expect: absent })]), StoreConflict);
    await assert.rejects(store.commit([{ op: "remove", key, expect: absent }]), StoreConflict);
    await store.commit([put("a", { tag: "old", expect: { revision: 0, tag: undefined } })]);
    assert.deepEqual(
      await store.commit([put("a", { tag: "new", expect: { revision: 1, tag: "old" } })]),
      [2],
    );
    for (
      const expect of [{ revision: 2, tag: undefined }, { revision: 2, tag: "old" }, {
        revision: 1,
        tag: "new",
      }]
    ) {
      await assert.rejects(store.commit([put("a", { expect })]), StoreConflict);
      await assert.rejects(store.commit([{ op: "remove", key, expect }]), StoreConflict);
    }
    assert.deepEqual(await store.commit([put("a", { expect: { revision: 2, tag: "new" } })]), [3]);
    await assert.rejects(store.commit([put("a", { expect: { revision: 3, tag: "new" } })]));
    assert.deepEqual(
      await store.commit([{ op: "remove", key, expect: { revision: 3, tag: undefined } }]),
      [1],
    );
  });

  test("of several writers that expect one revision, one gets through", async (store) => {
    await store.commit([put("a")]);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => store.commit([put("a", { value: n, expect: 1 })])),
    );
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ["fulfilled", ...Array(19).fill("rejected")],
    );
    assert.deepEqual(await store.get(session("a")), {
      id: "a",
      revision: 2,
      order: 0,
      value: 0,
    });
  });

  test("a commit that conflicts leaves nothing behind, nor harms its neighbours", async (store) => {
    await store.commit([put("kept", { value: 1, tag: "t" }), append("a", 1), append("a", 2)]);
    const before = store.commit([append("a", "before")]);
    const failing = store.commit([
      put("new"),
      put("kept", { value: 2 }),
      { op: "remove", key: session("kept") },
      append("a", 3),
      append("fresh", 1),
      { op: "move", stream: transcript("a"), into: transcript("b"), through: 1 },
      { op: "trim", stream: transcript("a") },
      put("missing", { expect: 9 }),
    ]);
    const after = store.commit([append("a", "after")]);
    const outcomes = await Promise.allSettled([before, failing, after]);
    assert.deepEqual(outcomes.map((outcome) => outcome.status), [
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    assert.deepEqual(await ids(store), ["kept"]);
    assert.deepEqual(await store.get(session("kept")), {
      id: "kept",
      revision: 1,
      order: 0,
      tag: "t",
      value: 1,
    });
    assert.deepEqual(await entries(store, "a"), [[1, 1], [2, 2], [3, "before"], [4, "after"]]);
    assert.equal(await store.length(transcript("a")), 4);
    assert.deepEqual(await entries(store, "b"), []);
    assert.deepEqual(await store.commit([append("fresh", 1)]), [1]);
  });

  test("commits apply in the order of their calls, however many come at once", async (store) => {
    const commits = Array.from({ length: 700 }, (_, n) => store.commit([append("a", n)]));
    assert.deepEqual(
      await Promise.all(commits),
      Array.from({ length: 700 }, (_, n) => [n + 1]),
    );
    assert.deepEqual(
      (await entries(store, "a")).map(([, value]) => value),
      Array.from({ length: 700 }, (_, n) => n),
    );
  });

  test("lists sort by order, then by the id's code points, in both directions", async (store) => {
    const sorted: [string, number][] = [
      ["z", -1.5],
      ["B", 0],
      ["a", 0],
      ["aa", 0],
      ["b", 0],
      ["é", 0],
      ["\ue000", 0],
      ["\uffff", 0],
      ["\u{1f600}", 0],
      ["a0", 2 ** 40],
      ["a1", 1e300],
    ];
    await store.commit(sorted.toReversed().map(([id, order]) => put(id, { order })));
    const expected = sorted.map(([id]) => id);
    assert.deepEqual(await ids(store), expected);
    assert.deepEqual(await ids(store, { newestFirst: true }), expected.toReversed());
    for (const newestFirst of [false, true]) {
      const whole = newestFirst ? sorted.toReversed() : sorted;
      const paged: string[] = [];
      let after: RecordQuery["after"];
      for (let page = 0; page < 6; page++) {
        const found = await store.list({
          tenant: "acme",
          kind: "session",
          newestFirst,
          after,
          limit: 2,
        });
        paged.push(...found.map(({ id }) => id));
        after = found.at(-1);
      }
      assert.deepEqual(paged, whole.map(([id]) => id));
    }
  });

  test("a page goes on after a record that is gone", async (store) => {
    await store.commit(["a", "b", "c"].map((id) => put(id, { order: 5 })));
    await store.commit([{ op: "remove", key: session("b") }]);
    assert.deepEqual(await ids(store, { after: { order: 5, id: "b" } }), ["c"]);
    assert.deepEqual(await ids(store, { newestFirst: true, after: { order: 5, id: "b" } }), ["a"]);
    assert.deepEqual(await ids(store, { after: { order: 4, id: "" } }), ["a", "c"]);
  });

  test("filters narrow lists and counts alike", async (store) => {
    await store.commit([
      put("agent:a", { order: 1, tag: "x" }),
      put("agent:b", { order: 2, tag: "y" }),
      put("agent:b:1", { order: 3 }),
      put("agent;", { order: 4, tag: "x" }),
      put("AGENT:c", { order: 5, tag: "" }),
      put("100%_a", { order: 6, tag: "x" }),
      put("100x_a", { order: 7, tag: "xx" }),
    ]);
    const cases: readonly (readonly [Partial<RecordQuery>, readonly string[]])[] = [
      [{ tag: "x" }, ["agent:a", "agent;", "100%_a"]],
      [{ tag: "x", newestFirst: true, limit: 2 }, ["100%_a", "agent;"]],
      [{ tag: "" }, ["AGENT:c"]],
      [{ tag: "none" }, []],
      [{ idPrefix: "agent:" }, ["agent:a", "agent:b", "agent:b:1"]],
      [{ idPrefix: "agent:", newestFirst: true, limit: 2 }, ["agent:b:1", "agent:b"]],
      [{ idPrefix: "agent:b" }, ["agent:b", "agent:b:1"]],
      [{ idPrefix: "100%" }, ["100%_a"]],
      [{ idPrefix: "", minOrder: 6 }, ["100%_a", "100x_a"]],
      [{ minOrder: 4, newestFirst: true }, ["100x_a", "100%_a", "AGENT:c", "agent;"]],
      [{ tag: "x", idPrefix: "agent", minOrder: 2 }, ["agent;"]],
      [{ limit: 0 }, []],
    ];
    for (const [query, expected] of cases) {
      assert.deepEqual(await ids(store, query), expected, JSON.stringify(query));
      const { limit, newestFirst: _, ...filter } = query;
      const all = limit === undefined ? expected.length : (await ids(store, filter)).length;
      assert.equal(
        await store.count({ tenant: "acme", kind: "session", ...filter }),
        all,
        JSON.stringify(query),
      );
    }
  });

  test("a prefix holds at the edges of Unicode", async (store) => {
    const names = ["\ud7ff", "\ud7ffx", "\ue000", "\uffff", "\u{10ffff}", "\u{10ffff}\u{10ffff}"];
    await store.commit(names.map((id, order) => put(id, { order })));
    for (const idPrefix of ["\ud7ff", "\ue000", "\uffff", "\u{10ffff}", "\u{10ffff}\u{10ffff}"]) {
      const expected = names.filter((id) => id.startsWith(idPrefix));
      assert.deepEqual(await ids(store, { idPrefix }), expected);
      assert.deepEqual(await ids(store, { idPrefix, limit: 9 }), expected);
    }
  });

  test("what no database can hold is refused and nothing of its commit applied", async (store) => {
    const cyclic: Record<string, Json> = {};
    cyclic.self = cyclic;
    const bad: readonly StoreWrite[] = [
      put(""),
      put("a", { tenant: "" }),
      put("a\0b"),
      put("\ud800"),
      put("a", { tag: "\udc00" }),
      put("a", { order: NaN }),
      put("a", { order: Infinity }),
      put("a", { expect: -1 }),
      put("a", { expect: 0.5 }),
      put("a", { expect: { revision: -1, tag: undefined } }),
      put("a", { expect: { revision: 1, tag: "\0" } }),
      put("a", { value: cyclic }),
      append("a\0", 1),
      { op: "trim", stream: transcript("a"), through: NaN },
      { op: "move", stream: transcript("a"), into: transcript("") },
    ];
    for (const write of bad) {
      await assert.rejects(store.commit([put("first"), write]), StoreMisuse);
    }
    assert.deepEqual(await ids(store), []);
    await assert.rejects(store.get(session("a\0")), StoreMisuse);
    await assert.rejects(store.stamp(session("")), StoreMisuse);
    await assert.rejects(ids(store, { limit: -1 }), StoreMisuse);
    await assert.rejects(ids(store, { limit: 1.5 }), StoreMisuse);
    await assert.rejects(ids(store, { minOrder: NaN }), StoreMisuse);
    await assert.rejects(ids(store, { idPrefix: "\ud800" }), StoreMisuse);
    await assert.rejects(store.read(transcript("a"), { limit: Infinity }), StoreMisuse);
    await assert.rejects(store.length(transcript("")), StoreMisuse);
  });

  for (const number of [NaN, Infinity, -Infinity]) {
    for (const value of [number, { usage: { input: number } }, [null, [number]]]) {
      test(`a value with ${number} is refused: ${typeof value} ${String(value)}`, async (store) => {
        const stored = put("first");
        await assert.rejects(store.commit([stored, put("a", { value })]), StoreMisuse);
        await assert.rejects(store.commit([stored, append("a", value)]), StoreMisuse);
        assert.deepEqual(await ids(store), []);
        assert.deepEqual(await entries(store, "a"), []);
      });
    }
  }

  test("negative zero becomes zero", async (store) => {
    await store.commit([put("a", { order: -0 })]);
    assert.ok(Object.is((await store.get(session("a")))?.order, 0));
  });

  test("close finishes the commits already called; then every call is refused", async (store) => {
    const last = store.commit([put("a")]);
    await store.close();
    assert.deepEqual(await last, [1]);
    await store.close();
    for (
      const call of [
        () => store.get(session("a")),
        () => store.stamp(session("a")),
        () => store.list({ tenant: "acme", kind: "session" }),
        () => store.count({ tenant: "acme", kind: "session" }),
        () => store.read(transcript("a"), { limit: 1 }),
        () => store.length(transcript("a")),
        () => store.commit([put("b")]),
        () => store.commit([]),
      ]
    ) {
      await assert.rejects(call(), StoreUnavailable);
    }
  });
}
