import assert from "node:assert/strict";
import { createMemoryStore } from "../../../../src/adapters/memory_store.ts";
import type { Scope } from "../../../../src/core/access.ts";
import { checked, isTenantId } from "../../../../src/core/id.ts";
import { LAST_USED_RESOLUTION_MS } from "../../../../src/services/device_token.ts";
import { type DeviceAsk, Devices, MAX_PAIRED_DEVICES } from "../../../../src/services/devices.ts";
import { Hub } from "../../../../src/services/hub.ts";
import {
  ask,
  deviceId,
  HOST,
  KEYRING,
  registry,
  remotely,
  requestOf,
  silently,
  tenant,
  tokenOf,
} from "../../../support/device_stage.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

Deno.test("a device keeps its token while that covers what it asks for, also over a restart", async () => {
  const { devices, store, clock, random } = registry();
  const wide: DeviceAsk = ask({ scopes: ["operator.admin"] });
  const first = tokenOf(await devices.enrol(tenant, wide, silently));
  await clock.advance(10 * LAST_USED_RESOLUTION_MS);
  const { devices: restarted } = registry({ store, clock, random });
  assert.deepEqual(tokenOf(await restarted.enrol(tenant, ask(), remotely)), first);
});

Deno.test("a device that asks for more gets another token that keeps what it had", async () => {
  const { devices, clock } = registry();
  const before = tokenOf(await devices.enrol(tenant, ask(), silently));
  await clock.advance(5);
  const more = ask({ scopes: ["operator.approvals"] });
  const after = tokenOf(await devices.enrol(tenant, more, silently));
  assert.notEqual(after.token, before.token);
  assert.deepEqual(after.scopes, ["operator.approvals", "operator.read"]);
  assert.equal(after.issuedAtMs, clock.now());
  const old = { token: before.token, ask: ask(), flexible: false };
  assert.deepEqual(await devices.verifyToken(tenant, old), { ok: false, reason: "unknown" });
});

Deno.test("neither the store nor a list holds a token", async () => {
  const { devices, store } = registry();
  const { token } = tokenOf(await devices.enrol(tenant, ask(), silently));
  const stored = await store.list({ tenant, kind: "device" });
  assert.equal(stored.length, 1);
  const listed = JSON.stringify(await devices.list(tenant));
  assert.equal(`${JSON.stringify(stored)}${listed}`.includes(token), false);
  assert.equal(listed.includes("salt"), false);
});

Deno.test("a token depends on device, role, tenant and keyring", async () => {
  const other = checked("other", isTenantId);
  const tokens = new Set<string>();
  const asks = [ask(), ask({ n: 2 }), ask({ role: "node", scopes: [] })];
  for (const one of [tenant, other]) {
    for (const secret of [KEYRING.secret, KEYRING.secret.toUpperCase()]) {
      // The same salts everywhere: only the names and the secret differ.
      const random = { uuid: () => "r", hex: () => "00", fraction: () => 0 };
      const devices = new Devices({
        store: createMemoryStore(),
        clock: new ManualClock(),
        random,
        hub: new Hub(),
        keyring: { secret },
      });
      for (const each of asks) {
        tokens.add(tokenOf(await devices.enrol(one, each, silently)).token);
      }
    }
  }
  assert.equal(tokens.size, 2 * 2 * asks.length);
});

Deno.test("a keyring without a real secret is refused", () => {
  const { store, clock, random, hub } = registry();
  for (const secret of ["", "short", "x".repeat(31)]) {
    assert.throws(
      () => new Devices({ store, clock, random, hub, keyring: { secret } }),
      RangeError,
    );
  }
});

Deno.test("a device token holds for its device, role and scopes only", async () => {
  const { devices } = registry();
  const scopes: readonly Scope[] = ["operator.write"];
  const { token } = tokenOf(await devices.enrol(tenant, ask({ scopes }), silently));
  await devices.enrol(tenant, ask({ n: 2, scopes }), silently);
  await devices.enrol(tenant, ask({ role: "node", scopes: [] }), silently);
  const cases: readonly [string, DeviceAsk, string, boolean][] = [
    ["the same", ask({ scopes }), token, true],
    ["a subset", ask({ scopes: ["operator.read"] }), token, true],
    ["nothing", ask({ scopes: [] }), token, true],
    ["a superset", ask({ scopes: ["operator.write", "operator.admin"] }), token, false],
    ["another role", ask({ role: "node", scopes: [] }), token, false],
    ["another device", ask({ n: 2, scopes }), token, false],
    ["an unknown device", ask({ n: 3, scopes }), token, false],
    ["another token", ask({ scopes }), token.replace(/^./, (c) => c === "0" ? "1" : "0"), false],
    ["no token", ask({ scopes }), "", false],
    ["upper case", ask({ scopes }), `${token}A`, false],
  ];
  for (const [name, each, presented, ok] of cases) {
    const verdict = await devices.verifyToken(tenant, {
      token: presented,
      ask: each,
      flexible: false,
    });
    assert.equal(verdict.ok, ok, name);
  }
});

Deno.test("a token presented without scopes grants what it has of the default, never more", async () => {
  const { devices } = registry();
  const { token } = tokenOf(await devices.enrol(tenant, ask(), silently));
  const wanted = ask({ scopes: ["operator.read", "operator.write"] });
  const verdict = await devices.verifyToken(tenant, { token, ask: wanted, flexible: true });
  assert.ok(verdict.ok);
  assert.deepEqual(verdict.scopes, ["operator.read"]);
});

Deno.test("the use of a token is noted once a minute and costs no write in between", async () => {
  const { devices, store, clock } = registry();
  await devices.enrol(tenant, ask(), silently);
  const revision = async () =>
    (await store.get({ tenant, kind: "device", id: deviceId(1) }))?.revision;
  const lastUsed = async () => (await devices.get(tenant, deviceId(1)))?.tokens[0]?.lastUsedAtMs;
  assert.equal(await revision(), 1);
  const first = clock.now();
  await clock.advance(LAST_USED_RESOLUTION_MS - 1);
  await devices.enrol(tenant, ask(), silently);
  assert.equal(await revision(), 1);
  assert.equal(await lastUsed(), first);
  await clock.advance(1);
  await devices.enrol(tenant, ask(), silently);
  assert.equal(await revision(), 2);
  assert.equal(await lastUsed(), clock.now());
});

Deno.test("devices that come at the same time all get in, and one device gets one token", async () => {
  const { devices } = registry();
  const enrolments = await Promise.all(
    Array.from({ length: 40 }, (_, n) => devices.enrol(tenant, ask({ n: n % 8 }), silently)),
  );
  assert.equal(new Set(enrolments.map((each) => tokenOf(each).token)).size, 8);
});

// Requests.

Deno.test("one tenant's devices are unknown to another", async () => {
  const { devices } = registry();
  const other = checked("other", isTenantId);
  const { requestId } = requestOf(await devices.enrol(tenant, ask(), remotely));
  const { token } = tokenOf(await devices.enrol(tenant, ask({ n: 2 }), silently));
  await assert.rejects(devices.approve(other, requestId, HOST), /unknown requestId/);
  const presented = { token, ask: ask({ n: 2 }), flexible: false };
  assert.equal((await devices.verifyToken(other, presented)).ok, false);
  assert.deepEqual(await devices.list(other), { pending: [], paired: [] });
});

Deno.test("paired devices are bounded: the one not heard of for longest is forgotten", async () => {
  const { devices, store, clock, events } = registry();
  for (let n = 1; n <= MAX_PAIRED_DEVICES; n++) {
    await devices.enrol(tenant, ask({ n }), silently);
    await clock.advance(100);
  }
  await clock.advance(LAST_USED_RESOLUTION_MS);
  await devices.enrol(tenant, ask({ n: 1 }), silently);
  await devices.enrol(tenant, ask({ n: MAX_PAIRED_DEVICES + 1 }), silently);
  assert.equal(await store.count({ tenant, kind: "device" }), MAX_PAIRED_DEVICES);
  assert.deepEqual(events.at(-1), { type: "access.revoked", deviceId: deviceId(2) });
  assert.equal(await devices.get(tenant, deviceId(2)), undefined);
  assert.notEqual(await devices.get(tenant, deviceId(1)), undefined);
});
