import assert from "node:assert/strict";
import { FailureLimiter, MAX_FAILING_SOURCES } from "../../../src/core/rate.ts";

Deno.test("a source is locked by the tenth failure in the window and free again after the lock", () => {
  let now = 0;
  const limiter = new FailureLimiter(() => now, {
    failures: 10,
    windowMs: 60_000,
    lockMs: 300_000,
  });
  for (let failure = 1; failure <= 9; failure++) {
    assert.equal(limiter.fail("a"), 0, `failure ${failure}`);
  }
  assert.equal(limiter.lockedFor("a"), 0);
  assert.equal(limiter.fail("a"), 300_000);
  assert.equal(limiter.lockedFor("b"), 0);
  now += 299_999;
  assert.equal(limiter.lockedFor("a"), 1);
  now += 1;
  assert.equal(limiter.lockedFor("a"), 0);
});

Deno.test("failures that lie further apart than the window never lock", () => {
  let now = 0;
  const limiter = new FailureLimiter(() => now, { failures: 3, windowMs: 100, lockMs: 1_000 });
  for (let failure = 0; failure < 50; failure++) {
    assert.equal(limiter.fail("a"), 0);
    now += 51;
  }
});

Deno.test("failing sources are bounded, the longest silent one is forgotten", () => {
  const limiter = new FailureLimiter(() => 0, { failures: 1, windowMs: 1, lockMs: 1_000 });
  for (let source = 0; source <= MAX_FAILING_SOURCES; source++) limiter.fail(`s${source}`);
  assert.equal(limiter.lockedFor("s0"), 0);
  assert.equal(limiter.lockedFor(`s${MAX_FAILING_SOURCES}`), 1_000);
});
