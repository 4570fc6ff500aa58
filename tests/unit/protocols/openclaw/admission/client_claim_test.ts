import assert from "node:assert/strict";
import { DEFAULT_TENANT } from "../../../../../src/core/id.ts";
import {
  connect,
  gateway,
  LOCAL,
  REMOTE,
  signed,
  TOKEN,
} from "../../../../support/admission_stage.ts";
import { TestDevice } from "../../../../support/device_key.ts";

Deno.test("what a client says of itself changes nothing about who it is", async () => {
  const g = gateway();
  const claims = [
    { userAgent: "operator.admin", locale: "admin" },
    { caps: ["operator.admin", "device"], commands: ["system.run"], permissions: { admin: true } },
    { pathEnv: "/root", resume: { connId: "of-another", seq: 1 } },
  ];
  const plain = await g.admitting(connect({ token: TOKEN }), { peer: REMOTE });
  for (const extra of claims) {
    const { principal } = await g.admitting(connect({ token: TOKEN, extra }), { peer: REMOTE });
    assert.deepEqual(principal, plain.principal);
  }
  const posing = await g.admitting(
    connect({
      id: "gateway-client",
      mode: "backend",
      token: TOKEN,
      extra: {
        client: {
          id: "gateway-client",
          mode: "backend",
          version: "1",
          platform: "x",
          displayName: "admin",
          instanceId: "0".repeat(64),
        },
      },
    }),
    { peer: REMOTE },
  );
  assert.deepEqual(posing.principal, plain.principal);
});

Deno.test("names are one escaped line of bounded length, shown and stored", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const hostile = `\u001b[31mred\r\n\u202eevil${"x".repeat(400)}`;
  const params = await signed(device, { token: TOKEN, at: g.clock.now() });
  const client = { ...params.client, displayName: hostile, instanceId: hostile };
  const peer = { ...LOCAL, userAgent: hostile };
  const admission = await g.admitting({ ...params, client }, { peer });
  const stored = await g.services.devices.get(DEFAULT_TENANT, admission.principal.device!);
  const shown = [
    admission.client.displayName,
    admission.client.instanceId,
    admission.client.userAgent,
    stored?.displayName,
  ];
  for (const text of shown) {
    assert.ok(text !== undefined && text.length <= 257, String(text));
    assert.match(text, /^[\x20-\x7e…]+$/);
  }
});

Deno.test("a client may name its former connection", async () => {
  const g = gateway();
  const resume = { connId: "former", seq: 12 };
  const { resume: told } = await g.admitting(connect({ token: TOKEN, extra: { resume } }));
  assert.deepEqual(told, resume);
});
