import assert from "node:assert/strict";
import { ExpiringMap } from "../../../src/core/expiring_map.ts";
import {
  HandshakeGate,
  MAX_PENDING,
  MAX_PENDING_PER_SOURCE,
} from "../../../src/core/handshake_gate.ts";
import { FailureLimiter, MAX_FAILING_SOURCES } from "../../../src/core/rate.ts";
import { Ring } from "../../../src/core/ring.ts";

Deno.test("a ring holds the newest values by their offset", () => {
  const ring = new Ring<string>(3);
  assert.equal(ring.at(0), undefined);
  for (const value of ["a", "b", "c", "d"]) ring.push(value);
  assert.deepEqual([ring.start, ring.end], [1, 4]);
  assert.deepEqual([0, 1, 2, 3, 4].map((at) => ring.at(at)), [undefined, "b", "c", "d", undefined]);
  assert.throws(() => new Ring(0), /at least 1/);
});

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

Deno.test("a source over its share of handshakes loses its oldest, others lose nothing", () => {
  const gate = new HandshakeGate();
  const evicted: string[] = [];
  const enter = (source: string, name: string) => {
    const leave = gate.enter(source, () => {
      evicted.push(name);
      leave();
    });
    return leave;
  };
  enter("other", "other");
  for (let at = 0; at < MAX_PENDING_PER_SOURCE + 2; at++) enter("flood", `f${at}`);
  assert.deepEqual(evicted, ["f0", "f1"]);
  assert.equal(gate.pending, MAX_PENDING_PER_SOURCE + 1);
});

Deno.test("over the total, the source with most handshakes loses its oldest", () => {
  const gate = new HandshakeGate();
  const evicted: string[] = [];
  const enter = (source: string) => {
    const leave = gate.enter(source, () => {
      evicted.push(source);
      leave();
    });
    return leave;
  };
  const first = enter("big");
  for (let at = 0; at < 9; at++) enter("big");
  for (let at = 0; gate.pending < MAX_PENDING; at++) enter(`s${at}`);
  enter("late");
  assert.deepEqual(evicted, ["big"]);
  first();
  assert.equal(gate.pending, MAX_PENDING, "leaving twice counts once");
});
