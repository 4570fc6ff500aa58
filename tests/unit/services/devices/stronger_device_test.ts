/** Who may replace and revoke the tokens of a device that has more, and what happens at once. */

import assert from "node:assert/strict";
import type { DeviceAsk } from "../../../../src/services/devices.ts";
import {
  ask,
  deviceId,
  HOST,
  OPERATOR_1,
  PAIRING_ONLY,
  registry,
  silently,
  tenant,
  tokenOf,
} from "../../../support/device_stage.ts";

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
