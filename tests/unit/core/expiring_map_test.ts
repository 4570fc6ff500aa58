import assert from "node:assert/strict";
import { ExpiringMap } from "../../../src/core/expiring_map.ts";

Deno.test("an expiring map forgets with time and, when full, the oldest first", () => {
  let now = 0;
  const map = new ExpiringMap<string, number>({ now: () => now, ttlMs: 10, capacity: 2 });
  map.set("a", 1);
  map.set("b", 2);
  map.set("c", 3);
  assert.deepEqual([map.get("a"), map.get("b"), map.get("c"), map.size], [undefined, 2, 3, 2]);
  now = 10;
  assert.deepEqual([map.get("b"), [...map.values()]], [undefined, []]);
  map.set("d", 4);
  assert.equal(map.size, 1);
});
