import assert from "node:assert/strict";
import { type Scope, SCOPES } from "../../../../src/core/access.ts";
import { MAX_PENDING_DEVICES, PENDING_TTL_MS } from "../../../../src/services/pending_devices.ts";
import {
  ask,
  deviceId,
  HOST,
  registry,
  remotely,
  requestOf,
  silently,
  tenant,
  tokenOf,
  types,
} from "../../../support/device_stage.ts";

Deno.test("a silent pairing gives a token at once and announces only that it is resolved", async () => {
  const { devices, events, clock } = registry();
  const token = tokenOf(await devices.enrol(tenant, ask(), silently));
  assert.match(token.token, /^[0-9a-f]{32}$/);
  assert.deepEqual(token.scopes, ["operator.read"]);
  assert.equal(token.issuedAtMs, clock.now());
  assert.deepEqual(types(events), ["device.resolved"]);
});

Deno.test("a device from afar waits; asking again gives the same request, announced once", async () => {
  const { devices, events, clock } = registry();
  const request = requestOf(await devices.enrol(tenant, ask(), remotely));
  await clock.advance(1000);
  assert.deepEqual(requestOf(await devices.enrol(tenant, ask(), remotely)), request);
  assert.deepEqual(types(events), ["device.requested"]);
  assert.deepEqual((await devices.list(tenant)).pending, [request]);
  assert.equal(request.isRepair, undefined);
});

Deno.test("a request that asks for more takes the place of the one that was seen", async () => {
  const { devices, events } = registry();
  const seen = requestOf(await devices.enrol(tenant, ask(), remotely));
  const wide = ask({ scopes: ["operator.admin"] });
  const replaced = requestOf(await devices.enrol(tenant, wide, remotely));
  assert.notEqual(replaced.requestId, seen.requestId);
  assert.deepEqual(types(events), ["device.requested", "device.resolved", "device.requested"]);
  await assert.rejects(devices.approve(tenant, seen.requestId, HOST), {
    code: "INVALID_REQUEST",
    message: "unknown requestId",
  });
});

Deno.test("a device may wait for each of its roles", async () => {
  const { devices } = registry();
  const operator = requestOf(await devices.enrol(tenant, ask(), remotely));
  const node = requestOf(await devices.enrol(tenant, ask({ role: "node", scopes: [] }), remotely));
  assert.notEqual(operator.requestId, node.requestId);
  await devices.approve(tenant, operator.requestId, HOST);
  await devices.approve(tenant, node.requestId, HOST);
  assert.deepEqual((await devices.get(tenant, deviceId(1)))?.roles, ["operator", "node"]);
});

Deno.test("a request ends after five minutes and is then unknown", async () => {
  const { devices, clock } = registry();
  const request = requestOf(await devices.enrol(tenant, ask(), remotely));
  await clock.advance(PENDING_TTL_MS - 1);
  assert.equal((await devices.list(tenant)).pending.length, 1);
  await clock.advance(1);
  assert.equal((await devices.list(tenant)).pending.length, 0);
  await assert.rejects(devices.approve(tenant, request.requestId, HOST), /unknown requestId/);
  await assert.rejects(devices.reject(tenant, request.requestId), /unknown requestId/);
  const next = requestOf(await devices.enrol(tenant, ask(), remotely));
  assert.notEqual(next.requestId, request.requestId);
});

Deno.test("requests are bounded: the oldest is rejected, expired ones just go", async () => {
  const { devices, store, clock, events } = registry();
  await devices.enrol(tenant, ask({ n: 999 }), remotely);
  await clock.advance(PENDING_TTL_MS);
  for (let n = 0; n < MAX_PENDING_DEVICES + 3; n++) {
    await devices.enrol(tenant, ask({ n }), remotely);
    await clock.advance(1);
  }
  const { pending } = await devices.list(tenant);
  assert.equal(pending.length, MAX_PENDING_DEVICES);
  assert.equal(await store.count({ tenant, kind: "device.pending" }), MAX_PENDING_DEVICES);
  assert.equal(pending.at(0)?.deviceId, deviceId(MAX_PENDING_DEVICES + 2));
  const rejected = events.filter((event) => event.type === "device.resolved");
  assert.deepEqual(
    rejected.map((event) => [event.deviceId, event.decision]),
    [0, 1, 2].map((n) => [deviceId(n), "rejected"]),
  );
});

Deno.test("an approved device gets in with what was approved", async () => {
  const { devices, events } = registry();
  const { requestId } = requestOf(await devices.enrol(tenant, ask(), remotely));
  const approved = await devices.approve(tenant, requestId, HOST);
  assert.equal(approved.requestId, requestId);
  assert.equal(approved.device.deviceId, deviceId(1));
  assert.deepEqual(approved.device.scopes, ["operator.read"]);
  assert.deepEqual(types(events), ["device.requested", "device.resolved"]);
  tokenOf(await devices.enrol(tenant, ask(), remotely));
  assert.equal((await devices.list(tenant)).pending.length, 0);
  await assert.rejects(devices.approve(tenant, requestId, HOST), /unknown requestId/);
});

Deno.test("a rejected device may ask again", async () => {
  const { devices, events } = registry();
  const { requestId } = requestOf(await devices.enrol(tenant, ask(), remotely));
  const outcome = await devices.reject(tenant, requestId);
  assert.deepEqual(outcome, { requestId, deviceId: deviceId(1) });
  const resolved = events.at(-1);
  assert.ok(resolved?.type === "device.resolved");
  assert.equal(resolved.decision, "rejected");
  assert.notEqual(requestOf(await devices.enrol(tenant, ask(), remotely)).requestId, requestId);
});

Deno.test("approve, reject and approve at once make one decision", async () => {
  const { devices, events } = registry();
  const { requestId } = requestOf(await devices.enrol(tenant, ask(), remotely));
  const outcomes = await Promise.allSettled([
    devices.approve(tenant, requestId, HOST),
    devices.reject(tenant, requestId),
    devices.approve(tenant, requestId, HOST),
  ]);
  assert.equal(outcomes.filter((outcome) => outcome.status === "fulfilled").length, 1);
  assert.equal(events.filter((event) => event.type === "device.resolved").length, 1);
});

Deno.test("another process on the same store decides: nothing is remembered beside it", async () => {
  const { devices, store, clock, random } = registry();
  const { requestId } = requestOf(await devices.enrol(tenant, ask(), remotely));
  const commandLine = registry({ store, clock, random }).devices;
  assert.equal((await commandLine.list(tenant)).pending[0]?.requestId, requestId);
  await commandLine.approve(tenant, requestId, HOST);
  const { token } = tokenOf(await devices.enrol(tenant, ask(), remotely));
  await commandLine.revokeToken(tenant, { deviceId: deviceId(1), role: "operator" }, HOST);
  const presented = { token, ask: ask(), flexible: false };
  assert.equal((await devices.verifyToken(tenant, presented)).ok, false);
});

Deno.test("a paired device that asks for more waits from afar as a repair, and gets it on this host", async () => {
  const { devices, events } = registry();
  await devices.enrol(tenant, ask(), silently);
  const wide = ask({ scopes: ["operator.admin"] });
  const request = requestOf(await devices.enrol(tenant, wide, remotely));
  assert.equal(request.isRepair, true);
  assert.deepEqual(tokenOf(await devices.enrol(tenant, ask(), remotely)).scopes, ["operator.read"]);
  const token = tokenOf(await devices.enrol(tenant, wide, silently));
  assert.deepEqual(token.scopes, ["operator.admin", "operator.read"]);
  assert.equal((await devices.list(tenant)).pending.length, 0);
  const resolved = events.at(-1);
  assert.ok(resolved?.type === "device.resolved");
  assert.equal(resolved.requestId, request.requestId);
});

// Never more than the approver has, nor than the device was approved for.

Deno.test("nobody approves more than it has; nothing changes when it tries", async () => {
  const { devices } = registry();
  const cases: readonly [readonly Scope[], readonly string[], string | undefined][] = [
    [["operator.read"], ["operator.pairing"], "missing scope: operator.read"],
    [["operator.admin"], ["operator.pairing", "operator.write"], "missing scope: operator.admin"],
    [["operator.write"], ["operator.pairing", "operator.read"], "missing scope: operator.write"],
    [["operator.read"], ["operator.pairing", "operator.write"], undefined],
    [["operator.pairing"], ["operator.pairing"], undefined],
    [[], [], undefined],
    [SCOPES, ["operator.admin"], undefined],
    [["operator.admin"], [], "missing scope: operator.admin"],
  ];
  for (const [n, [scopes, held, message]] of cases.entries()) {
    const { requestId } = requestOf(await devices.enrol(tenant, ask({ n, scopes }), remotely));
    const approval = devices.approve(tenant, requestId, { scopes: held });
    if (message === undefined) {
      assert.deepEqual((await approval).device.scopes, [...scopes].sort());
    } else {
      await assert.rejects(approval, { code: "INVALID_REQUEST", message });
      assert.equal(await devices.get(tenant, deviceId(n)), undefined);
      await devices.reject(tenant, requestId);
    }
  }
});
