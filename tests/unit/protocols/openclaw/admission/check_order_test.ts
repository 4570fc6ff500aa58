import assert from "node:assert/strict";
import type { Admission } from "../../../../../src/protocols/openclaw/admission.ts";
import {
  gateway,
  ORIGIN_REFUSED,
  PAGE,
  refusalOf,
  REMOTE,
  signed,
  TOKEN,
} from "../../../../support/admission_stage.ts";
import { TestDevice } from "../../../../support/device_key.ts";

Deno.test("the checks come in the order of the protocol: one fault after the other shows", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const other = await TestDevice.create();
  const at = g.clock.now();
  // Everything is wrong at first; each step mends what was told.
  const wish = { id: "webchat-ui", mode: "webchat", token: "wrong", at: at - 700_000 };
  const signing = { nonce: "another", scopes: ["operator.admin"] };
  const steps: readonly [string, () => Promise<Admission>][] = [
    ["invalid role", async () => {
      const params = await signed(device, { ...wish, role: "root", signing });
      return g.admitting(params, { peer: REMOTE });
    }],
    [
      ORIGIN_REFUSED,
      async () => g.admitting(await signed(device, { ...wish, signing }), { peer: REMOTE }),
    ],
    ["device identity mismatch", async () => {
      const params = await signed(device, { ...wish, signing });
      const claim = { ...params.device!, id: other.id };
      return g.admitting({ ...params, device: claim }, { peer: { ...PAGE, local: false } });
    }],
    ["device signature expired", async () => {
      const params = await signed(device, { ...wish, signing });
      return g.admitting(params, { peer: { ...PAGE, local: false } });
    }],
    ["device nonce mismatch", async () => {
      const params = await signed(device, { ...wish, at, signing });
      return g.admitting(params, { peer: { ...PAGE, local: false } });
    }],
    ["device signature invalid", async () => {
      const params = await signed(device, { ...wish, at, signing: { scopes: ["operator.admin"] } });
      return g.admitting(params, { peer: { ...PAGE, local: false } });
    }],
    [
      "unauthorized: gateway token mismatch (open a tokenized dashboard URL or paste token in Control UI settings)",
      async () => {
        const params = await signed(device, { ...wish, at });
        return g.admitting(params, { peer: { ...PAGE, local: false } });
      },
    ],
    ["pairing required", async () => {
      const params = await signed(device, { ...wish, at, token: TOKEN });
      return g.admitting(params, { peer: { ...PAGE, local: false } });
    }],
  ];
  for (const [message, attempt] of steps) {
    assert.equal((await refusalOf(attempt())).answer.message, message);
  }
  const mended = await signed(device, { ...wish, at, token: TOKEN });
  assert.equal((await g.admitting(mended, { peer: PAGE })).principal.device, device.id);
});
