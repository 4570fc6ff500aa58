import assert from "node:assert/strict";
import { GatewayError } from "../../../src/core/error.ts";
import { checked, isSessionKey } from "../../../src/core/id.ts";
import type { RunRecord } from "../../../src/services/run_record.ts";
import {
  MAX_WAIT_MS,
  MAX_WAITERS,
  MAX_WAITS_PER_PARTY,
  RunWaiters,
} from "../../../src/services/run_waiters.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const RECORD: RunRecord = {
  kind: "chat",
  sessionKey: checked("agent:main:main", isSessionKey),
  fingerprint: "f",
  state: "ok",
  acceptedAt: 1,
};

Deno.test("waiters: all who wait for a run are told, the others go on waiting", async () => {
  const clock = new ManualClock();
  const waiters = new RunWaiters({ clock });
  const first = waiters.wait("a", { party: "p", timeoutMs: 1_000 });
  const second = waiters.wait("a", { party: "p", timeoutMs: 2_000 });
  const other = waiters.wait("b", { party: "p", timeoutMs: 1_000 });
  waiters.notify("a", RECORD);
  assert.equal(await first, RECORD);
  assert.equal(await second, RECORD);
  assert.equal(waiters.size, 1);
  await clock.advance(1_000);
  assert.equal(await other, undefined);
  assert.equal(waiters.size, 0);
  assert.equal(clock.waiting, 0);
  waiters.notify("a", RECORD);
});

Deno.test("waiters: a caller that goes away ends its wait alone", async () => {
  const clock = new ManualClock();
  const waiters = new RunWaiters({ clock });
  const control = new AbortController();
  const gone = waiters.wait("a", { party: "p", timeoutMs: 1_000, signal: control.signal });
  const stays = waiters.wait("a", { party: "p", timeoutMs: 1_000 });
  control.abort();
  assert.equal(await gone, undefined);
  assert.equal(
    await waiters.wait("a", { party: "p", timeoutMs: 1, signal: control.signal }),
    undefined,
  );
  waiters.notify("a", RECORD);
  assert.equal(await stays, RECORD);
});

function refused(work: () => unknown, pattern: RegExp): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.code, "UNAVAILABLE");
    assert.equal(error.extras.retryable, true);
    assert.match(error.message, pattern);
    return true;
  });
}

Deno.test("waiters: too many are refused, to be tried again", async () => {
  const clock = new ManualClock();
  const waiters = new RunWaiters({ clock });
  const waits = Array.from(
    { length: MAX_WAITERS },
    (_, at) => waiters.wait(`r${at}`, { party: `p${at}`, timeoutMs: 1 }),
  );
  refused(() => waiters.wait("more", { party: "p", timeoutMs: 1 }), /^1000 requests wait/);
  for (let at = 0; at < MAX_WAITERS; at++) waiters.notify(`r${at}`, RECORD);
  await Promise.all(waits);
  assert.equal(waiters.size, 0);
});

Deno.test("waiters: a party that waits for too much is refused alone, and takes more when one ended", async () => {
  const clock = new ManualClock();
  const waiters = new RunWaiters({ clock });
  const ask = (name: string, party: string) => waiters.wait(name, { party, timeoutMs: 5 });
  const waits = Array.from({ length: MAX_WAITS_PER_PARTY }, (_, at) => ask(`r${at}`, "greedy"));
  refused(() => ask("more", "greedy"), /^32 requests of this client wait/);
  waits.push(ask("r0", "modest"));
  waiters.notify("r0", RECORD);
  waits.push(ask("more", "greedy"));
  refused(() => ask("too much", "greedy"), /^32 requests of this client wait/);
  await clock.advance(5);
  await Promise.all(waits);
  assert.equal(waiters.size, 0);
});

Deno.test("waiters: no wait is longer than the bound, whatever was asked", async () => {
  const clock = new ManualClock();
  const waiters = new RunWaiters({ clock });
  const waiting = waiters.wait("a", { party: "p", timeoutMs: Number.MAX_SAFE_INTEGER });
  await clock.advance(MAX_WAIT_MS - 1);
  assert.equal(waiters.size, 1);
  await clock.advance(1);
  assert.equal(await waiting, undefined);
});
