import assert from "node:assert/strict";
import { SCOPES } from "../../../../../src/core/access.ts";
import { DEFAULT_TENANT } from "../../../../../src/core/id.ts";
import { admit } from "../../../../../src/protocols/openclaw/admission.ts";
import { Authenticator } from "../../../../../src/services/auth.ts";
import {
  connect,
  CONNECTION,
  deviceToken,
  gateway,
  NONCE,
  READ_WRITE,
  refusalOf,
  REMOTE,
  signed,
  TOKEN,
} from "../../../../support/admission_stage.ts";
import { TestDevice } from "../../../../support/device_key.ts";

Deno.test("a device token stands in for the shared token in both modes, for its scopes and role", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const token = await deviceToken(g, device, ["operator.write"]);
  const at = g.clock.now();
  const rows: readonly [readonly string[], readonly string[] | undefined][] = [
    [["operator.write"], ["operator.write"]],
    [["operator.read"], ["operator.read"]],
    [[], READ_WRITE],
    [["operator.admin"], undefined],
  ];
  for (const [scopes, granted] of rows) {
    const attempt = g.admitting(await signed(device, { token, scopes, at }), { peer: REMOTE });
    if (granted === undefined) {
      const { answer } = await refusalOf(attempt);
      assert.match(answer.message, /^unauthorized: gateway token mismatch/);
    } else {
      const { principal, auth } = await attempt;
      assert.deepEqual(principal.scopes, granted);
      assert.equal(principal.credential, "device");
      assert.equal(auth?.deviceToken, token);
    }
  }
  const asNode = await signed(device, { token, role: "node", at });
  assert.match((await refusalOf(g.admitting(asNode))).answer.message, /token mismatch/);
  const without = connect({ token });
  assert.match((await refusalOf(g.admitting(without))).answer.message, /token mismatch/);
  const thief = await signed(await TestDevice.create(), { token, at });
  assert.match((await refusalOf(g.admitting(thief))).answer.message, /token mismatch/);
});

Deno.test("a device token works where the gateway asks for a password", async () => {
  const options: { mode: "token" | "password"; token: string; password: string } = {
    mode: "token",
    token: TOKEN,
    password: "open sesame",
  };
  const g = gateway();
  const services = {
    ...g.services,
    auth: new Authenticator({ clock: g.clock, options: () => options }),
  };
  const device = await TestDevice.create();
  const token = await deviceToken(g, device, ["operator.read"]);
  options.mode = "password";
  const params = await signed(device, { token, scopes: ["operator.read"], at: g.clock.now() });
  const request = {
    params,
    nonce: NONCE,
    peer: REMOTE,
    connection: CONNECTION,
    now: g.clock.now(),
  };
  assert.equal((await admit(request, services)).principal.credential, "device");
});

Deno.test("a revoked or rotated token is refused at once", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const token = await deviceToken(g, device, ["operator.read"]);
  const name = { deviceId: device.id, role: "operator" };
  await g.services.devices.rotateToken(DEFAULT_TENANT, name, { scopes: SCOPES });
  const params = await signed(device, { token, scopes: ["operator.read"], at: g.clock.now() });
  assert.match((await refusalOf(g.admitting(params))).answer.message, /token mismatch/);
  await g.services.devices.revokeToken(DEFAULT_TENANT, name, { scopes: SCOPES });
  assert.match((await refusalOf(g.admitting(params))).answer.message, /token mismatch/);
  assert.notEqual(await deviceToken(g, device, ["operator.read"]), token);
});
