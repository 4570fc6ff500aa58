import assert from "node:assert/strict";
import { type LockFacts, LockNotice, MAX_LOCKS_TOLD } from "../../../src/core/lock_notice.ts";

Deno.test("a lock is told once, those of many are bounded and counted", () => {
  let now = 0;
  const told: LockFacts[] = [];
  const notice = new LockNotice({ now: () => now, tell: (facts) => told.push(facts) });
  const fail = (source: string, lockMs = 1_500) =>
    notice.failed(source, { lockMs, facts: { address: source } });
  fail("a", 0);
  assert.deepEqual(told, []);
  for (let at = 0; at < 3; at++) fail("a");
  assert.deepEqual(told, [{ address: "a", seconds: 2 }]);
  for (let at = 0; at < 50; at++) fail(`b${at}`);
  assert.equal(told.length, MAX_LOCKS_TOLD);
  now += 60_000;
  fail("a");
  assert.equal(told.length, MAX_LOCKS_TOLD);
  fail("c");
  assert.deepEqual(told.at(-1), {
    address: "c",
    seconds: 2,
    othersLockedOut: 50 - (MAX_LOCKS_TOLD - 1),
  });
  now += 5 * 60_000;
  fail("a");
  assert.deepEqual(told.at(-1), { address: "a", seconds: 2 });
});
