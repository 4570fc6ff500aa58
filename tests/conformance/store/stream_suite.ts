/** What every adapter of `ports/store.ts` must do with streams. */

import assert from "node:assert/strict";
import type { StoreWrite } from "../../../src/ports/store.ts";
import { append, entries, type StoreTest, transcript } from "./store_words.ts";

/** Registers the tests of streams. */
export function testStreams(test: StoreTest): void {
  test("a stream counts from 1 and reads any part from either end", async (store) => {
    await store.commit([1, 2, 3, 4, 5].map((value) => append("a", value)));
    const cases = [
      [{ limit: 9 }, [1, 2, 3, 4, 5]],
      [{ limit: 2 }, [1, 2]],
      [{ limit: 2, keep: "oldest" }, [1, 2]],
      [{ limit: 2, keep: "newest" }, [4, 5]],
      [{ limit: 0, keep: "newest" }, []],
      [{ limit: 0 }, []],
      [{ limit: 9, after: 3 }, [4, 5]],
      [{ limit: 9, before: 3 }, [1, 2]],
      [{ limit: 9, after: 1, before: 5 }, [2, 3, 4]],
      [{ limit: 1, after: 1, before: 5, keep: "newest" }, [4]],
      [{ limit: 9, after: 5 }, []],
      [{ limit: 9, after: -1, before: Infinity }, [1, 2, 3, 4, 5]],
    ] as const;
    for (const [range, expected] of cases) {
      const found = await store.read(transcript("a"), range);
      assert.deepEqual(found.map(({ sequence }) => sequence), expected, JSON.stringify(range));
      assert.deepEqual(found.map(({ value }) => value), expected, JSON.stringify(range));
    }
    assert.equal(await store.length(transcript("a")), 5);
  });

  test("trim removes from the front and never gives a sequence twice", async (store) => {
    const trim = (through?: number): Promise<readonly number[]> =>
      store.commit([{ op: "trim", stream: transcript("a"), through }]);
    assert.deepEqual(await trim(), [0]);
    await store.commit([append("a", 1), append("a", 2), append("a", 3)]);
    assert.deepEqual(await trim(0), [0]);
    assert.deepEqual(await trim(2), [2]);
    assert.deepEqual(await trim(2), [0]);
    assert.deepEqual(await entries(store, "a"), [[3, 3]]);
    assert.equal(await store.length(transcript("a")), 1);
    assert.deepEqual(await trim(99), [1]);
    assert.deepEqual(await store.commit([append("a", 4)]), [4]);
    assert.deepEqual(await trim(), [1]);
    assert.deepEqual(await entries(store, "a"), []);
    assert.deepEqual(await store.commit([append("a", 5)]), [5]);
    assert.equal(await store.length(transcript("a")), 1);
  });

  test("move carries entries to another stream's end under its next sequences", async (store) => {
    const move = (from: string, into: string, through?: number): StoreWrite => ({
      op: "move",
      stream: transcript(from),
      into: transcript(into),
      through,
    });
    assert.deepEqual(await store.commit([move("a", "b")]), [0]);
    await store.commit([..."abcd"].map((value) => append("a", value)));
    await store.commit([append("b", "z")]);
    assert.deepEqual(await store.commit([move("a", "b", 0), move("a", "b", 2)]), [0, 2]);
    assert.deepEqual(await entries(store, "a"), [[3, "c"], [4, "d"]]);
    assert.deepEqual(await entries(store, "b"), [[1, "z"], [2, "a"], [3, "b"]]);
    assert.deepEqual(await store.commit([move("a", "b"), append("a", "e"), append("b", "f")]), [
      2,
      5,
      6,
    ]);
    assert.deepEqual(await entries(store, "a"), [[5, "e"]]);
    assert.deepEqual(
      await entries(store, "b"),
      [[1, "z"], [2, "a"], [3, "b"], [4, "c"], [5, "d"], [6, "f"]],
    );
    assert.equal(await store.length(transcript("a")), 1);
    assert.equal(await store.length(transcript("b")), 6);
    assert.deepEqual(await store.commit([move("b", "b", 2), move("a", "a")]), [2, 1]);
    assert.deepEqual(
      await entries(store, "b"),
      [[3, "b"], [4, "c"], [5, "d"], [6, "f"], [7, "z"], [8, "a"]],
    );
    assert.deepEqual(await entries(store, "a"), [[6, "e"]]);
    assert.equal(await store.length(transcript("b")), 6);
  });

  test("a stream that was moved as a whole goes on under the next sequence", async (store) => {
    const move: StoreWrite = { op: "move", stream: transcript("a"), into: transcript("b") };
    await store.commit([append("a", "1"), append("a", "2")]);
    assert.deepEqual(await store.commit([move]), [2]);
    assert.deepEqual(await entries(store, "a"), []);
    assert.equal(await store.length(transcript("a")), 0);
    assert.equal(await store.length(transcript("b")), 2);
    assert.deepEqual(await store.commit([append("a", "3"), append("b", "x")]), [3, 3]);
    assert.deepEqual(await store.commit([move, move]), [1, 0]);
    assert.deepEqual(await entries(store, "b"), [[1, "1"], [2, "2"], [3, "x"], [4, "3"]]);
    assert.deepEqual(await store.commit([append("a", "4")]), [4]);
  });
}
