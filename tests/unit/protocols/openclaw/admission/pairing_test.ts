import assert from "node:assert/strict";
import { SCOPES } from "../../../../../src/core/access.ts";
import { DEFAULT_TENANT } from "../../../../../src/core/id.ts";
import {
  ALL,
  deviceToken,
  gateway,
  refusalOf,
  REMOTE,
  signed,
  testRefusals,
  TOKEN,
} from "../../../../support/admission_stage.ts";
import { TestDevice } from "../../../../support/device_key.ts";

testRefusals([
  {
    name: "a device that nobody paired, from afar",
    code: "NOT_PAIRED",
    message: "pairing required",
    details: { requestId: "00000000-0000-4000-8000-000000000001" },
    peer: REMOTE,
    connect: (g, device) => signed(device, { token: TOKEN, at: g.clock.now() }),
  },
]);

Deno.test("a device here is paired without a word to anybody but that it is resolved", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const params = await signed(device, { token: TOKEN, scopes: SCOPES, at: g.clock.now() });
  const { auth } = await g.admitting(params);
  assert.deepEqual(auth, {
    deviceToken: auth?.deviceToken,
    role: "operator",
    scopes: ALL,
    issuedAtMs: g.clock.now(),
  });
  assert.match(auth?.deviceToken ?? "", /^[0-9a-f]{32}$/);
  assert.deepEqual(g.events.map((event) => event.type), ["device.resolved"]);
  const again = await g.admitting(params);
  assert.deepEqual(again.auth, auth);
});

Deno.test("a proxied peer on loopback is never paired silently", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const params = await signed(device, { token: TOKEN, at: g.clock.now() });
  const first = await refusalOf(g.admitting(params, { peer: REMOTE }));
  const second = await refusalOf(g.admitting(params, { peer: REMOTE }));
  assert.deepEqual(first.answer.extras.details, second.answer.extras.details);
  assert.deepEqual(g.events.map((event) => event.type), ["device.requested"]);
  assert.equal((await g.services.devices.list(DEFAULT_TENANT)).paired.length, 0);
});

Deno.test("an approved device from afar gets what it was approved for, and no more", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const at = g.clock.now();
  const attempt = async (scopes: readonly string[]) =>
    g.admitting(await signed(device, { token: TOKEN, scopes, at }), { peer: REMOTE });
  const pending = await refusalOf(attempt(["operator.read", "operator.pairing"]));
  const requestId = pending.answer.extras.details?.requestId;
  assert.ok(typeof requestId === "string");
  await g.services.devices.approve(DEFAULT_TENANT, requestId, { scopes: SCOPES });
  assert.deepEqual((await attempt(["operator.pairing"])).principal.scopes, ["operator.pairing"]);
  const more = await refusalOf(attempt(["operator.admin"]));
  assert.equal(more.answer.message, "pairing required");
  const { pending: [repair] } = await g.services.devices.list(DEFAULT_TENANT);
  assert.equal(repair?.isRepair, true);
});

Deno.test("a device is a node only once it is paired as one", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  await deviceToken(g, device, ["operator.read"]);
  const wish = { id: "node-host", mode: "node", role: "node", token: TOKEN, at: g.clock.now() };
  const params = await signed(device, wish);
  const { answer } = await refusalOf(g.admitting(params, { peer: REMOTE }));
  assert.equal(answer.message, "pairing required");
  assert.equal((await g.admitting(params)).principal.role, "node");
  assert.equal((await g.admitting(params, { peer: REMOTE })).principal.role, "node");
});
