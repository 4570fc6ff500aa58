import assert from "node:assert/strict";
import { BufferPool, LARGEST_POOLED_BYTES } from "../../../src/core/buffer_pool.ts";

const SIZES = [512, 2_048, 8_192, 32_768];
const MAX_KEPT_BYTES = 1024 * 1024;

Deno.test("a buffer is of the smallest size that does, and exact above the largest", () => {
  const table: readonly (readonly [wanted: number, got: number])[] = [
    [0, 512],
    [1, 512],
    [512, 512],
    [513, 2_048],
    [2_048, 2_048],
    [2_049, 8_192],
    [8_193, 32_768],
    [32_768, 32_768],
    [32_769, 32_769],
    [1_000_000, 1_000_000],
  ];
  const pool = new BufferPool();
  for (const [wanted, got] of table) assert.equal(pool.take(wanted).length, got, String(wanted));
  assert.equal(pool.take(LARGEST_POOLED_BYTES).length, LARGEST_POOLED_BYTES);
});

Deno.test("what comes back is given out again, once", () => {
  const pool = new BufferPool();
  for (const size of SIZES) {
    const [first, second] = [pool.take(size), pool.take(size)];
    assert.notEqual(first, second);
    pool.give(first);
    pool.give(second);
    const again = new Set([pool.take(size), pool.take(size)]);
    assert.deepEqual(again, new Set([first, second]));
    assert.ok(!again.has(pool.take(size)));
  }
});

Deno.test("a buffer of one size is not given for another", () => {
  const pool = new BufferPool();
  const small = pool.take(512);
  pool.give(small);
  assert.equal(pool.take(600).length, 2_048);
  assert.equal(pool.take(100), small);
});

Deno.test("what is larger than the largest size is forgotten", () => {
  const pool = new BufferPool();
  const large = pool.take(LARGEST_POOLED_BYTES + 1);
  pool.give(large);
  assert.notEqual(pool.take(LARGEST_POOLED_BYTES + 1), large);
});

Deno.test("no more than a bounded number of bytes is kept of each size", () => {
  for (const size of SIZES) {
    const pool = new BufferPool();
    const count = MAX_KEPT_BYTES / size;
    const made = new Set(Array.from({ length: 2 * count }, () => pool.take(size)));
    assert.equal(made.size, 2 * count);
    for (const buffer of made) pool.give(buffer);
    let known = 0;
    for (let taken = 0; taken < 2 * count; taken++) if (made.has(pool.take(size))) known++;
    assert.equal(known, count, `buffers of ${size} bytes`);
  }
});

Deno.test("two pools share nothing", () => {
  const [one, other] = [new BufferPool(), new BufferPool()];
  const buffer = one.take(1);
  one.give(buffer);
  assert.notEqual(other.take(1), buffer);
  assert.equal(one.take(1), buffer);
});
