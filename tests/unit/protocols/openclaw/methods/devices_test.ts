import assert from "node:assert/strict";
import * as v from "valibot";
import { createMemoryStore } from "../../../../../src/adapters/memory_store.ts";
import { type Principal, type Scope, SCOPES } from "../../../../../src/core/access.ts";
import {
  checked,
  DEFAULT_TENANT,
  type DeviceId,
  isConnectionId,
  isDeviceId,
} from "../../../../../src/core/id.ts";
import type { OpenClawContext } from "../../../../../src/protocols/openclaw/context.ts";
import { deviceMethods } from "../../../../../src/protocols/openclaw/methods/devices.ts";
import { type DeviceAsk, Devices } from "../../../../../src/services/devices.ts";
import type { DomainEvent } from "../../../../../src/services/domain_event.ts";
import { Hub } from "../../../../../src/services/hub.ts";
import { CountingRandom } from "../../../../support/counting_random.ts";
import { ManualClock } from "../../../../support/manual_clock.ts";

const DEVICE = checked("d".repeat(64), isDeviceId);
const OWN = checked("e".repeat(64), isDeviceId);

function desk(options: { scopes?: readonly Scope[]; device?: DeviceId } = {}) {
  const clock = new ManualClock();
  const hub = new Hub();
  const events: DomainEvent[] = [];
  hub.observe((_tenant, event) => events.push(event));
  const devices = new Devices({
    store: createMemoryStore(),
    clock,
    random: new CountingRandom(),
    hub,
    keyring: { secret: "k".repeat(64) },
  });
  const principal: Principal = {
    tenant: DEFAULT_TENANT,
    role: "operator",
    scopes: options.scopes ?? SCOPES,
    connection: checked("c", isConnectionId),
    device: options.device,
    credential: "shared",
    subject: "shared",
    local: true,
  };
  const after: (() => void)[] = [];
  const call = {
    signal: new AbortController().signal,
    interim: () => {},
    afterAnswer: (task: () => void) => after.push(task),
  };
  const context = { devices, principal, call };
  assert.ok(suffices(context));
  const run = async (name: string, params: unknown) => {
    const entry = deviceMethods.find((method) => method.name === name);
    assert.ok(entry !== undefined);
    const answer = await entry.run(params, context);
    assert.deepEqual(asSent(v.parse(entry.result, answer)), asSent(answer));
    return answer;
  };
  return { clock, devices, events, after, run };
}

/** The handlers of this group use these members alone. */
function suffices(
  context: Pick<OpenClawContext, "devices" | "principal" | "call">,
): context is OpenClawContext {
  return context.devices instanceof Devices;
}

function asSent(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer));
}

function ask(change: Partial<DeviceAsk> = {}): DeviceAsk {
  return {
    deviceId: DEVICE,
    publicKey: "key",
    role: "operator",
    scopes: ["operator.read"],
    about: { displayName: "phone", platform: "ios", clientId: "openclaw-ios", clientMode: "ui" },
    ...change,
  };
}

async function pending(devices: Devices, change: Partial<DeviceAsk> = {}): Promise<string> {
  const enrolment = await devices.enrol(DEFAULT_TENANT, ask(change), { silent: false });
  assert.ok(enrolment.status === "pending");
  return enrolment.request.requestId;
}

async function paired(devices: Devices, change: Partial<DeviceAsk> = {}): Promise<string> {
  const enrolment = await devices.enrol(DEFAULT_TENANT, ask(change), { silent: true });
  assert.ok(enrolment.status === "paired");
  return enrolment.token.token;
}

Deno.test("every method of the group needs the pairing scope of an operator", () => {
  assert.deepEqual(
    deviceMethods.map(({ name, access }) => [name, access.role, access.scope]),
    [
      ["device.pair.list", "operator", "operator.pairing"],
      ["device.pair.approve", "operator", "operator.pairing"],
      ["device.pair.reject", "operator", "operator.pairing"],
      ["device.token.rotate", "operator", "operator.pairing"],
      ["device.token.revoke", "operator", "operator.pairing"],
    ],
  );
});

Deno.test("the list shows requests and devices in the document's shapes, without token or salt", async () => {
  const { devices, run, clock } = desk();
  const token = await paired(devices, { deviceId: OWN });
  const requestId = await pending(devices);
  const about = {
    publicKey: "key",
    displayName: "phone",
    platform: "ios",
    clientId: "openclaw-ios",
    clientMode: "ui",
    role: "operator",
    roles: ["operator"],
    scopes: ["operator.read"],
  };
  const ts = clock.now();
  const listed = JSON.stringify(await run("device.pair.list", {}));
  assert.deepEqual(JSON.parse(listed), {
    pending: [{ requestId, deviceId: DEVICE, ...about, silent: false, ts }],
    paired: [{
      deviceId: OWN,
      ...about,
      tokens: [{
        role: "operator",
        scopes: ["operator.read"],
        createdAtMs: ts,
        lastUsedAtMs: ts,
      }],
      createdAtMs: ts,
      approvedAtMs: ts,
    }],
  });
  assert.equal(listed.includes(token), false);
  assert.equal(listed.includes("salt"), false);
});

Deno.test("approve answers with the device, its tokens by role", async () => {
  const { devices, run } = desk();
  await paired(devices, { scopes: [] });
  const requestId = await pending(devices);
  const answer = JSON.parse(JSON.stringify(await run("device.pair.approve", { requestId })));
  assert.equal(answer.requestId, requestId);
  assert.equal(answer.device.deviceId, DEVICE);
  assert.deepEqual(answer.device.scopes, ["operator.read"]);
  assert.deepEqual(Object.keys(answer.device.tokens), ["operator"]);
  assert.equal(JSON.stringify(answer).includes("salt"), false);
});

Deno.test("reject answers with the request and its device", async () => {
  const { devices, run } = desk();
  const requestId = await pending(devices);
  assert.deepEqual(await run("device.pair.reject", { requestId }), {
    requestId,
    deviceId: DEVICE,
  });
});

Deno.test("a caller gives nothing that it does not have itself", async () => {
  const { devices, run } = desk({ scopes: ["operator.pairing"] });
  const requestId = await pending(devices, { scopes: ["operator.admin"] });
  await assert.rejects(run("device.pair.approve", { requestId }), {
    code: "INVALID_REQUEST",
    message: "missing scope: operator.admin",
  });
  await paired(devices, { deviceId: OWN, scopes: ["operator.admin"] });
  const name = { deviceId: OWN, role: "operator" };
  for (const params of [name, { ...name, scopes: ["operator.admin"] }]) {
    await assert.rejects(run("device.token.rotate", params), {
      code: "INVALID_REQUEST",
      message: "missing scope: operator.admin",
    });
  }
});

Deno.test("rotate answers with a token that works; revoke ends it; both are announced at once", async () => {
  const { devices, run, events, clock, after } = desk({ device: OWN });
  const old = await paired(devices);
  await clock.advance(1000);
  const name = { deviceId: DEVICE, role: "operator" };
  const rotated = await run("device.token.rotate", name);
  assert.ok(typeof rotated === "object" && rotated !== null && "token" in rotated);
  const { token } = rotated;
  assert.ok(typeof token === "string" && token !== old);
  assert.deepEqual(rotated, {
    ...name,
    token,
    scopes: ["operator.read"],
    rotatedAtMs: clock.now(),
  });
  assert.deepEqual(events.at(-1), { type: "access.revoked", ...name });
  const presented = { token, ask: ask(), flexible: false };
  assert.equal((await devices.verifyToken(DEFAULT_TENANT, presented)).ok, true);
  const before = events.length;
  assert.deepEqual(await run("device.token.revoke", name), { ...name, revokedAtMs: clock.now() });
  assert.deepEqual(events.slice(before), [{ type: "access.revoked", ...name }]);
  assert.equal((await devices.verifyToken(DEFAULT_TENANT, presented)).ok, false);
  assert.equal(after.length, 0);
});

Deno.test("a device that rotates or revokes its own token is told before its connection ends", async () => {
  for (const method of ["device.token.rotate", "device.token.revoke"]) {
    const { devices, run, events, after } = desk({ device: OWN });
    await paired(devices, { deviceId: OWN });
    await run(method, { deviceId: OWN, role: "operator" });
    assert.equal(events.some((event) => event.type === "access.revoked"), false);
    assert.equal(after.length, 1);
    after[0]?.();
    assert.equal(events.at(-1)?.type, "access.revoked");
  }
});

Deno.test("unknown requests, devices and roles, and malformed parameters, are named as such", async () => {
  const { devices, run } = desk();
  await paired(devices);
  const cases: readonly [string, unknown, string][] = [
    ["device.pair.approve", { requestId: "nope" }, "unknown requestId"],
    ["device.pair.reject", { requestId: "../\u0000" }, "unknown requestId"],
    [
      "device.pair.approve",
      {},
      "invalid device.pair.approve params: must have required property 'requestId'",
    ],
    [
      "device.pair.list",
      { x: 1 },
      "invalid device.pair.list params: at root: unexpected property 'x'",
    ],
    ["device.token.rotate", { deviceId: OWN, role: "operator" }, "unknown deviceId/role"],
    ["device.token.revoke", { deviceId: DEVICE, role: "node" }, "unknown deviceId/role"],
    ["device.token.revoke", { deviceId: DEVICE, role: "toString" }, "unknown deviceId/role"],
    [
      "device.token.rotate",
      { deviceId: DEVICE, role: "operator", scopes: [""] },
      "invalid device.token.rotate params: at /scopes/0: must NOT have fewer than 1 characters",
    ],
  ];
  for (const [name, params, message] of cases) {
    await assert.rejects(async () => await run(name, params), { code: "INVALID_REQUEST", message });
  }
});

Deno.test("a caller with the pairing scope alone ends no admin: the token is neither told nor replaced", async () => {
  const { devices, run, events } = desk({ scopes: ["operator.pairing"], device: OWN });
  const token = await paired(devices, { scopes: ["operator.admin"] });
  const before = events.length;
  const name = { deviceId: DEVICE, role: "operator" };
  const calls: readonly [string, unknown][] = [
    ["device.token.rotate", { ...name, scopes: [] }],
    ["device.token.rotate", name],
    ["device.token.revoke", name],
  ];
  for (const [method, params] of calls) {
    await assert.rejects(async () => await run(method, params), {
      code: "INVALID_REQUEST",
      message: "missing scope: operator.admin",
    });
  }
  assert.equal(events.length, before);
  const presented = { token, ask: ask(), flexible: false };
  assert.equal((await devices.verifyToken(DEFAULT_TENANT, presented)).ok, true);
});
