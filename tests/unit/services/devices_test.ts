import assert from "node:assert/strict";
import { createMemoryStore } from "../../../src/adapters/memory_store.ts";
import { type Role, type Scope, SCOPES } from "../../../src/core/access.ts";
import {
  checked,
  DEFAULT_TENANT,
  type DeviceId,
  isDeviceId,
  isTenantId,
} from "../../../src/core/id.ts";
import type { Store } from "../../../src/ports/store.ts";
import { LAST_USED_RESOLUTION_MS } from "../../../src/services/device_token.ts";
import {
  type DeviceAsk,
  Devices,
  type Enrolment,
  MAX_PAIRED_DEVICES,
} from "../../../src/services/devices.ts";
import type { DomainEvent } from "../../../src/services/domain_event.ts";
import { Hub } from "../../../src/services/hub.ts";
import { MAX_PENDING_DEVICES, PENDING_TTL_MS } from "../../../src/services/pending_devices.ts";
import { CountingRandom } from "../../support/counting_random.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const KEYRING = { secret: "0123456789abcdef0123456789abcdef" };
const HOST = { scopes: SCOPES };

/** A gateway's registry on a store that another process may share. */
function registry(
  shared: { store?: Store; clock?: ManualClock; random?: CountingRandom } = {},
) {
  const store = shared.store ?? createMemoryStore();
  const clock = shared.clock ?? new ManualClock();
  const random = shared.random ?? new CountingRandom();
  const hub = new Hub();
  const events: DomainEvent[] = [];
  hub.observe((_tenant, event) => events.push(event));
  const devices = new Devices({ store, clock, random, hub, keyring: KEYRING });
  return { store, clock, random, hub, events, devices };
}

function deviceId(n: number): DeviceId {
  return checked(n.toString(16).padStart(64, "0"), isDeviceId);
}

function ask(change: { n?: number; role?: Role; scopes?: readonly Scope[] } = {}): DeviceAsk {
  const { n = 1, role = "operator", scopes = ["operator.read"] } = change;
  return {
    deviceId: deviceId(n),
    publicKey: `key-${n}`,
    role,
    scopes,
    about: { platform: "linux" },
  };
}

function tokenOf(enrolment: Enrolment) {
  assert.equal(enrolment.status, "paired");
  assert.ok(enrolment.status === "paired");
  return enrolment.token;
}

function requestOf(enrolment: Enrolment) {
  assert.ok(enrolment.status === "pending");
  return enrolment.request;
}

function types(events: readonly DomainEvent[]): readonly string[] {
  return events.map((event) => event.type);
}

const tenant = DEFAULT_TENANT;
const silently = { silent: true };
const remotely = { silent: false };

Deno.test("a silent pairing gives a token at once and announces only that it is resolved", async () => {
  const { devices, events, clock } = registry();
  const token = tokenOf(await devices.enrol(tenant, ask(), silently));
  assert.match(token.token, /^[0-9a-f]{32}$/);
  assert.deepEqual(token.scopes, ["operator.read"]);
  assert.equal(token.issuedAtMs, clock.now());
  assert.deepEqual(types(events), ["device.resolved"]);
});

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

const PAIRING_ONLY = { scopes: ["operator.pairing"] };
const OPERATOR_1 = { deviceId: deviceId(1), role: "operator" };

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
