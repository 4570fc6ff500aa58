import assert from "node:assert/strict";
import { SCOPES } from "../../../../src/core/access.ts";
import {
  ask,
  deviceId,
  HOST,
  OPERATOR_1,
  PAIRING_ONLY,
  registry,
  remotely,
  silently,
  tenant,
  tokenOf,
  types,
} from "../../../support/device_stage.ts";

Deno.test("nobody rotates to more than it has, nor than the device was approved for", async () => {
  const { devices } = registry();
  await devices.enrol(tenant, ask({ scopes: ["operator.write"] }), silently);
  const cases: readonly [readonly string[] | undefined, readonly string[], RegExp | string[]][] = [
    [["operator.admin"], ["operator.admin"], /was not approved for operator\.admin/],
    [["operator.approvals"], SCOPES, /was not approved for operator\.approvals/],
    [["operator.write"], PAIRING_ONLY.scopes, /^GatewayError: missing scope: operator\.write$/],
    [undefined, PAIRING_ONLY.scopes, /^GatewayError: missing scope: operator\.write$/],
    [[], PAIRING_ONLY.scopes, /^GatewayError: missing scope: operator\.write$/],
    [["operator.read"], ["operator.pairing", "operator.read"], /missing scope: operator\.write$/],
    [["operator.read"], ["operator.pairing", "operator.write"], /missing scope: operator\.admin$/],
    [["operator.write"], ["operator.admin"], ["operator.write"]],
    [["made-up"], SCOPES, []],
    // What the device may have again counts as well as what its token has now.
    [[], PAIRING_ONLY.scopes, /^GatewayError: missing scope: operator\.write$/],
  ];
  for (const [scopes, held, expected] of cases) {
    const wanted = { ...OPERATOR_1, ...(scopes === undefined ? {} : { scopes }) };
    const rotation = devices.rotateToken(tenant, wanted, { scopes: held });
    if (expected instanceof RegExp) await assert.rejects(rotation, expected);
    else assert.deepEqual((await rotation).scopes, expected);
  }
});

Deno.test("a node's token never has scopes, whatever its device has as an operator", async () => {
  const { devices } = registry();
  await devices.enrol(tenant, ask({ scopes: ["operator.admin"] }), silently);
  await devices.enrol(tenant, ask({ role: "node", scopes: [] }), silently);
  const node = { deviceId: deviceId(1), role: "node" };
  assert.deepEqual((await devices.rotateToken(tenant, node, HOST)).scopes, []);
  await assert.rejects(
    devices.rotateToken(tenant, { ...node, scopes: ["operator.admin"] }, HOST),
    /was not approved for/,
  );
});

Deno.test("rotation ends the old token and announces that at once", async () => {
  const { devices, events, clock } = registry();
  const old = tokenOf(await devices.enrol(tenant, ask(), silently));
  await clock.advance(10);
  const rotated = await devices.rotateToken(tenant, OPERATOR_1, HOST);
  assert.notEqual(rotated.token, old.token);
  assert.equal(rotated.issuedAtMs, clock.now());
  assert.deepEqual(events.at(-1), { type: "access.revoked", ...OPERATOR_1 });
  const presented = (token: string) =>
    devices.verifyToken(tenant, { token, ask: ask(), flexible: false });
  assert.equal((await presented(old.token)).ok, false);
  assert.equal((await presented(rotated.token)).ok, true);
});

Deno.test("an approver that ends its own connection has its answer first", async () => {
  const { devices, events } = registry();
  await devices.enrol(tenant, ask(), silently);
  const deferred: (() => void)[] = [];
  const own = { scopes: SCOPES, defer: (task: () => void) => deferred.push(task) };
  const before = events.length;
  await devices.rotateToken(tenant, OPERATOR_1, own);
  await devices.revokeToken(tenant, OPERATOR_1, own);
  assert.equal(events.length, before);
  for (const task of deferred) task();
  assert.deepEqual(types(events.slice(before)), ["access.revoked", "access.revoked"]);
  await devices.revokeToken(tenant, OPERATOR_1, own);
  assert.equal(deferred.length, 2, "what was revoked before is not announced again");
});

Deno.test("revocation ends the token at once; the shared secret brings a new one", async () => {
  const { devices, events, clock } = registry();
  const old = tokenOf(await devices.enrol(tenant, ask(), silently));
  const revokedAtMs = clock.now();
  const outcome = { deviceId: deviceId(1), role: "operator", revokedAtMs };
  assert.deepEqual(await devices.revokeToken(tenant, OPERATOR_1, HOST), outcome);
  assert.deepEqual(events.at(-1), { type: "access.revoked", ...OPERATOR_1 });
  const announced = events.length;
  await clock.advance(10);
  assert.deepEqual(await devices.revokeToken(tenant, OPERATOR_1, HOST), outcome);
  assert.equal(events.length, announced, "nothing was revoked, so nothing is announced");
  const presented = { token: old.token, ask: ask(), flexible: false };
  assert.deepEqual(await devices.verifyToken(tenant, presented), { ok: false, reason: "unknown" });
  const next = tokenOf(await devices.enrol(tenant, ask(), remotely));
  assert.notEqual(next.token, old.token);
  assert.equal((await devices.verifyToken(tenant, presented)).ok, false);
});

Deno.test("a device or role without a token has none to rotate or revoke", async () => {
  const { devices } = registry();
  await devices.enrol(tenant, ask(), silently);
  const names = [
    { deviceId: deviceId(2), role: "operator" },
    { deviceId: deviceId(1), role: "node" },
    { deviceId: deviceId(1), role: "constructor" },
    { deviceId: deviceId(1), role: "__proto__" },
    { deviceId: "../../etc", role: "operator" },
    { deviceId: deviceId(1).toUpperCase() + "\0", role: "operator" },
  ];
  const refused = { code: "INVALID_REQUEST", message: "unknown deviceId/role" };
  for (const name of names) {
    await assert.rejects(devices.rotateToken(tenant, name, HOST), refused);
    await assert.rejects(devices.revokeToken(tenant, name, HOST), refused);
  }
});
