import assert from "node:assert/strict";
import { RateLimiter } from "../../../src/core/rate.ts";

Deno.test("an allowance is used up at once or spread, and comes back little by little", () => {
  let now = 1_000_000;
  const rate = new RateLimiter(() => now);
  for (let at = 0; at < 6; at++) assert.equal(rate.take("a", 6), 0);
  assert.equal(rate.take("a", 6), 10_000);
  now += 4_000;
  assert.equal(rate.take("a", 6), 6_000);
  now += 6_000;
  assert.equal(rate.take("a", 6), 0);
  assert.equal(rate.take("a", 6), 10_000);
});

Deno.test("sources do not share; an allowance that rests is whole and no more", () => {
  let now = 0;
  const rate = new RateLimiter(() => now);
  assert.equal(rate.take("a", 1), 0);
  assert.equal(rate.take("b", 1), 0);
  now += 3_600_000;
  assert.equal(rate.take("a", 1), 0);
  assert.equal(rate.take("a", 1), 60_000);
});
