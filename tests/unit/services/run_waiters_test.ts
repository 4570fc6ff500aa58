import assert from "node:assert/strict";
import { GatewayError } from "../../../src/core/error.ts";
import { checked, isSessionKey } from "../../../src/core/id.ts";
import type { RunRecord } from "../../../src/services/run_record.ts";
import { MAX_WAITERS, RunWaiters } from "../../../src/services/run_waiters.ts";
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
  const first = waiters.wait("a", { timeoutMs: 1_000 });
  const second = waiters.wait("a", { timeoutMs: 2_000 });
  const other = waiters.wait("b", { timeoutMs: 1_000 });
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
  const gone = waiters.wait("a", { timeoutMs: 1_000, signal: control.signal });
  const stays = waiters.wait("a", { timeoutMs: 1_000 });
  control.abort();
  assert.equal(await gone, undefined);
  assert.equal(await waiters.wait("a", { timeoutMs: 1, signal: control.signal }), undefined);
  waiters.notify("a", RECORD);
  assert.equal(await stays, RECORD);
});

Deno.test("waiters: too many are refused, to be tried again", async () => {
  const clock = new ManualClock();
  const waiters = new RunWaiters({ clock });
  const waits = Array.from(
    { length: MAX_WAITERS },
    (_, at) => waiters.wait(`r${at}`, { timeoutMs: 1 }),
  );
  assert.throws(() => waiters.wait("more", { timeoutMs: 1 }), (error) => {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.code, "UNAVAILABLE");
    assert.equal(error.extras.retryable, true);
    return true;
  });
  for (let at = 0; at < MAX_WAITERS; at++) waiters.notify(`r${at}`, RECORD);
  await Promise.all(waits);
  assert.equal(waiters.size, 0);
});
