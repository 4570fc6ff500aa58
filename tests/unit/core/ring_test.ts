import assert from "node:assert/strict";
import { Ring } from "../../../src/core/ring.ts";

Deno.test("a ring holds the newest values by their offset", () => {
  const ring = new Ring<string>(3);
  assert.equal(ring.at(0), undefined);
  for (const value of ["a", "b", "c", "d"]) ring.push(value);
  assert.deepEqual([ring.start, ring.end], [1, 4]);
  assert.deepEqual([0, 1, 2, 3, 4].map((at) => ring.at(at)), [undefined, "b", "c", "d", undefined]);
  assert.throws(() => new Ring(0), /at least 1/);
});
