/** Who may replace and revoke the tokens of a device that has more, and what happens at once. */

import assert from "node:assert/strict";
import { createMemoryStore } from "../../../../src/adapters/memory_store.ts";
import { type Role, type Scope, SCOPES } from "../../../../src/core/access.ts";
import { checked, DEFAULT_TENANT, type DeviceId, isDeviceId } from "../../../../src/core/id.ts";
import { type DeviceAsk, Devices, type Enrolment } from "../../../../src/services/devices.ts";
import type { DomainEvent } from "../../../../src/services/domain_event.ts";
import { Hub } from "../../../../src/services/hub.ts";
import { CountingRandom } from "../../../support/counting_random.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

const HOST = { scopes: SCOPES };
const PAIRING_ONLY = { scopes: ["operator.pairing"] };
const OPERATOR_1 = { deviceId: deviceId(1), role: "operator" };
const tenant = DEFAULT_TENANT;
const silently = { silent: true };

function registry() {
  const hub = new Hub();
  const events: DomainEvent[] = [];
  hub.observe((_tenant, event) => events.push(event));
  const devices = new Devices({
    store: createMemoryStore(),
    clock: new ManualClock(),
    random: new CountingRandom(),
    hub,
    keyring: { secret: "0123456789abcdef0123456789abcdef" },
  });
  return { events, devices };
}

function deviceId(n: number): DeviceId {
  return checked(n.toString(16).padStart(64, "0"), isDeviceId);
}

function ask(change: { role?: Role; scopes?: readonly Scope[] } = {}): DeviceAsk {
  const { role = "operator", scopes = ["operator.read"] } = change;
  return { deviceId: deviceId(1), publicKey: "key-1", role, scopes, about: { platform: "linux" } };
}

function tokenOf(enrolment: Enrolment) {
  assert.ok(enrolment.status === "paired");
  return enrolment.token;
}

Deno.test("who has less than a device neither rotates nor revokes its token, and nothing happens to it", async () => {
  const { devices, events } = registry();
  const wide: DeviceAsk = ask({ scopes: ["operator.admin"] });
  const { token } = tokenOf(await devices.enrol(tenant, wide, silently));
  await devices.enrol(tenant, ask({ role: "node", scopes: [] }), silently);
  const before = events.length;
  for (const held of [[], ["operator.pairing"], ["operator.pairing", "operator.write"]]) {
    for (const role of ["operator", "node"]) {
      const name = { deviceId: deviceId(1), role };
      const refused = { code: "INVALID_REQUEST", message: "missing scope: operator.admin" };
      const approver = { scopes: held, device: deviceId(2) };
      await assert.rejects(devices.rotateToken(tenant, { ...name, scopes: [] }, approver), refused);
      await assert.rejects(devices.revokeToken(tenant, name, approver), refused);
    }
  }
  assert.equal(events.length, before);
  const presented = { token, ask: wide, flexible: false };
  assert.equal((await devices.verifyToken(tenant, presented)).ok, true);
});

Deno.test("a device rotates and revokes its own token with what its connection has", async () => {
  const { devices } = registry();
  await devices.enrol(tenant, ask({ scopes: ["operator.admin"] }), silently);
  const own = { ...PAIRING_ONLY, device: deviceId(1) };
  const rotated = await devices.rotateToken(tenant, { ...OPERATOR_1, scopes: [] }, own);
  assert.deepEqual(rotated.scopes, []);
  await devices.revokeToken(tenant, OPERATOR_1, own);
});

Deno.test("callers that change one token at once all have an answer, and the ones too many may retry", async () => {
  const { devices } = registry();
  await devices.enrol(tenant, ask(), silently);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 40 }, () => devices.rotateToken(tenant, OPERATOR_1, HOST)),
  );
  const refused = outcomes.filter((outcome) => outcome.status === "rejected");
  for (const { reason } of refused) {
    assert.equal(reason.code, "UNAVAILABLE");
    assert.equal(reason.extras.retryable, true);
    assert.doesNotMatch(reason.message, /internal/);
  }
  assert.ok(refused.length < outcomes.length);
});
