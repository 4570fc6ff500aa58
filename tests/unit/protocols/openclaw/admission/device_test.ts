import assert from "node:assert/strict";
import {
  connect,
  type Gateway,
  gateway,
  LOCAL,
  REMOTE,
  signed,
  testRefusals,
  TOKEN,
} from "../../../../support/admission_stage.ts";
import { base64Url, fromHex, idOf, TestDevice } from "../../../../support/device_key.ts";

testRefusals([
  {
    name: "an unknown role",
    message: "invalid role",
    connect: () => connect({ role: "admin", token: TOKEN }),
  },
  {
    name: "no device, no secret",
    code: "NOT_PAIRED",
    message: "device identity required",
    connect: () => connect(),
  },
  {
    name: "no device, blank secrets",
    code: "NOT_PAIRED",
    message: "device identity required",
    connect: () => connect({ token: " ", password: "" }),
  },
  {
    name: "a device id that is not the key's digest",
    message: "device identity mismatch",
    details: { code: "DEVICE_AUTH_DEVICE_ID_MISMATCH", reason: "device-id-mismatch" },
    connect: async (g, device) => {
      const params = await signed(device, { token: TOKEN, at: g.clock.now() });
      const other = await TestDevice.create();
      return { ...params, device: { ...params.device!, publicKey: other.publicKey } };
    },
  },
  {
    name: "a signature of 601 seconds ago",
    message: "device signature expired",
    details: { code: "DEVICE_AUTH_SIGNATURE_EXPIRED", reason: "device-signature-stale" },
    connect: (g, device) => signed(device, { token: TOKEN, at: g.clock.now() - 601_000 }),
  },
  {
    name: "a signature of 601 seconds ahead",
    message: "device signature expired",
    details: { code: "DEVICE_AUTH_SIGNATURE_EXPIRED", reason: "device-signature-stale" },
    connect: (g, device) => signed(device, { token: TOKEN, at: g.clock.now() + 601_000 }),
  },
  {
    name: "no nonce from afar",
    message: "device nonce required",
    details: { code: "DEVICE_AUTH_NONCE_REQUIRED", reason: "device-nonce-missing" },
    peer: REMOTE,
    connect: (g, device) =>
      signed(device, { token: TOKEN, at: g.clock.now(), signing: { nonce: undefined } }),
  },
  {
    name: "another connection's nonce, replayed",
    message: "device nonce mismatch",
    details: { code: "DEVICE_AUTH_NONCE_MISMATCH", reason: "device-nonce-mismatch" },
    connect: (g, device) =>
      signed(device, { token: TOKEN, at: g.clock.now(), signing: { nonce: "another" } }),
  },
  {
    name: "a signature over other scopes",
    message: "device signature invalid",
    details: { code: "DEVICE_AUTH_SIGNATURE_INVALID", reason: "device-signature" },
    connect: (g, device) =>
      signed(device, {
        token: TOKEN,
        scopes: ["operator.admin"],
        at: g.clock.now(),
        signing: { scopes: [] },
      }),
  },
  {
    name: "key bytes that are no key",
    message: "device signature invalid",
    details: { code: "DEVICE_AUTH_PUBLIC_KEY_INVALID", reason: "device-public-key-length" },
    connect: (g, device) => withRawKey(g, device, new Uint8Array(16).fill(9)),
  },
  {
    name: "a key of small order",
    message: "device signature invalid",
    details: { code: "DEVICE_AUTH_PUBLIC_KEY_INVALID", reason: "device-public-key-small-order" },
    connect: (g, device) => withRawKey(g, device, fromHex(`01${"00".repeat(31)}`)),
  },
  {
    name: "a key that is not canonical",
    message: "device signature invalid",
    details: { code: "DEVICE_AUTH_PUBLIC_KEY_INVALID", reason: "device-public-key-non-canonical" },
    connect: (g, device) => withRawKey(g, device, fromHex(`ee${"ff".repeat(30)}7f`)),
  },
  {
    name: "a node without a device, from afar",
    code: "NOT_PAIRED",
    message: "device identity required",
    peer: REMOTE,
    connect: () => connect({ id: "node-host", mode: "node", role: "node", token: TOKEN }),
  },
]);

async function withRawKey(g: Gateway, device: TestDevice, rawKey: Uint8Array<ArrayBuffer>) {
  const params = await signed(device, { token: TOKEN, at: g.clock.now() });
  const signature = base64Url(fromHex(`01${"00".repeat(63)}`));
  const id = await idOf(rawKey);
  return { ...params, device: { ...params.device!, id, publicKey: base64Url(rawKey), signature } };
}

Deno.test("payloads v1, v2 and v3 admit a device here, v2 and v3 from afar once it is paired", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const at = g.clock.now();
  for (const peer of [LOCAL, REMOTE]) {
    for (const version of ["v3", "v2"] as const) {
      const params = await signed(device, { token: TOKEN, at, signing: { version } });
      assert.equal((await g.admitting(params, { peer })).principal.device, device.id);
    }
  }
  const bare = await signed(device, { token: TOKEN, at, signing: { nonce: undefined } });
  assert.equal((await g.admitting(bare)).principal.device, device.id);
});
