import assert from "node:assert/strict";
import { ReadBuffer, ReadBuffers } from "../../../src/adapters/read_buffers.ts";

Deno.test("a quiet connection keeps a small buffer of its own", () => {
  const shared = new ReadBuffers();
  const [one, other] = [new ReadBuffer(shared), new ReadBuffer(shared)];
  const own = one.current;
  assert.ok(own.length <= 512);
  assert.notEqual(own, other.current);
  for (const bytes of [1, 200, own.length - 1]) {
    one.used(bytes);
    assert.equal(one.current, own);
  }
});

Deno.test("a connection reads into the smallest buffer that its last read would have fit into", () => {
  const buffer = new ReadBuffer(new ReadBuffers());
  const sizes = [512, 2_000, 2_048, 32_768, 32_768, 600, 512, 100].map((bytes) => {
    const { length } = buffer.current;
    buffer.used(Math.min(bytes, length));
    return length;
  });
  assert.deepEqual(sizes, [512, 2_048, 2_048, 32_768, 32_768, 32_768, 2_048, 512]);
});

Deno.test("whoever greeted at length rests with a small buffer", () => {
  const buffer = new ReadBuffer(new ReadBuffers());
  for (const bytes of [512, 1_200]) buffer.used(bytes);
  assert.equal(buffer.current.length, 2_048);
});

Deno.test("large buffers go from one connection to the next, and never to two at once", () => {
  const shared = new ReadBuffers();
  const all = Array.from({ length: 100 }, () => new ReadBuffer(shared));
  for (const buffer of all) buffer.used(buffer.current.length);
  const taken = new Set(all.map((buffer) => buffer.current));
  assert.equal(taken.size, all.length);
  for (const buffer of all) {
    buffer.release();
    buffer.release();
  }
  const again = all.map((buffer) => {
    buffer.used(buffer.current.length);
    return buffer.current;
  });
  assert.equal(new Set(again).size, all.length);
  const kept = again.filter((buffer) => taken.has(buffer)).length;
  assert.ok(kept > 0 && kept < all.length, `${kept} of ${all.length} were kept`);
});

Deno.test("quiet buffers never share a byte, and one that was given up serves another connection", () => {
  const shared = new ReadBuffers();
  const all = Array.from({ length: 200 }, () => new ReadBuffer(shared));
  for (const [at, buffer] of all.entries()) buffer.current.fill(at);
  for (const [at, buffer] of all.entries()) assert.ok(buffer.current.every((byte) => byte === at));

  const [first] = all;
  const given = first?.current;
  first?.used(1_000);
  first?.end();
  assert.equal(new ReadBuffer(shared).current, given);
  assert.equal(new Set(all.slice(1).map((buffer) => buffer.current)).has(given!), false);
});

Deno.test("of a great many quiet buffers that are given up, a bounded number is kept", () => {
  const shared = new ReadBuffers();
  const before = Array.from({ length: 3_000 }, () => new ReadBuffer(shared));
  const given = new Set(before.map((buffer) => buffer.current));
  for (const buffer of before) buffer.end();
  const after = Array.from({ length: 3_000 }, () => new ReadBuffer(shared).current);
  const kept = after.filter((buffer) => given.has(buffer)).length;
  assert.ok(kept > 0 && kept < 3_000, `${kept} were kept`);
  assert.equal(new Set(after).size, 3_000);
});
