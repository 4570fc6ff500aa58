import assert from "node:assert/strict";
import {
  checked,
  isConnectionId,
  isDeviceId,
  isSessionKey,
  isTenantId,
} from "../../../src/core/id.ts";
import { partyOf } from "../../../src/services/run_party.ts";
import { MAX_WAITS_PER_PARTY } from "../../../src/services/run_waiters.ts";
import { settle } from "../../support/manual_clock.ts";
import {
  chat,
  PRINCIPAL,
  refusal,
  runTest,
  send,
  setStage,
  told,
} from "../../support/run_stage.ts";

const DEVICE = checked("d".repeat(64), isDeviceId);
const paired = { ...PRINCIPAL, device: DEVICE, subject: `device:${DEVICE}` };
const elsewhere = { connection: checked("c2", isConnectionId) };

Deno.test("party: all connections of a device are one, each of the shared secret is its own", () => {
  assert.equal(partyOf(paired), partyOf({ ...paired, ...elsewhere }));
  assert.notEqual(partyOf(PRINCIPAL), partyOf({ ...PRINCIPAL, ...elsewhere }));
  assert.equal(partyOf(PRINCIPAL), partyOf({ ...PRINCIPAL }));
  assert.notEqual(partyOf(paired), partyOf(PRINCIPAL));
});

Deno.test("party: tenants share none", () => {
  const tenant = checked("other", isTenantId);
  assert.notEqual(partyOf(paired), partyOf({ ...paired, tenant }));
});

runTest("another client's run comes next however many one client sent before", async () => {
  const stage = setStage();
  stage.settings.runs = { maxConcurrent: 1 };
  for (let at = 0; at < 20; at++) {
    const sessionKey = checked(`agent:main:s${at}`, isSessionKey);
    await send(stage, chat(`r${at}`, { sessionKey }));
  }
  const connection = checked("c2", isConnectionId);
  const outcome = await stage.runs.start({ ...PRINCIPAL, connection }, chat("theirs"));
  assert.ok(outcome.status === "accepted");
  outcome.begin();
  stage.model.call().end();
  await settle();
  // While the answer of the first is stored, the next has its turn.
  assert.deepEqual(told(stage).slice(-2), ["theirs 1 start", 'r0 2 end ""']);
  await stage.runs.stop();
});

runTest("one client's waits do not take those of another", async () => {
  const stage = setStage();
  const control = new AbortController();
  const wait = (party: Partial<typeof PRINCIPAL> = {}) =>
    stage.runs.wait({ ...PRINCIPAL, ...party }, { runId: "r1", signal: control.signal });
  const waits = Array.from({ length: MAX_WAITS_PER_PARTY }, () => wait());
  await settle();
  const error = await refusal(wait());
  assert.deepEqual([error.code, error.extras.retryable], ["UNAVAILABLE", true]);
  waits.push(wait({ connection: checked("c2", isConnectionId) }));
  await settle();
  control.abort();
  assert.ok((await Promise.all(waits)).every(({ status }) => status === "timeout"));
});
