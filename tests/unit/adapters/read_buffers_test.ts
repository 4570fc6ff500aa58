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
