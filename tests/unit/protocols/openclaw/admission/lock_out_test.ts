import assert from "node:assert/strict";
import type { GatewayError } from "../../../../../src/core/error.ts";
import { DEFAULT_TENANT } from "../../../../../src/core/id.ts";
import type { ConnectParams } from "../../../../../src/protocols/openclaw/connect_params.ts";
import { LOCK_OUT } from "../../../../../src/services/auth.ts";
import {
  connect,
  deviceToken,
  gateway,
  LOCAL,
  PAGE,
  refusalOf,
  signed,
  TOKEN,
} from "../../../../support/admission_stage.ts";
import { TestDevice } from "../../../../support/device_key.ts";

Deno.test("a thousand wrong tokens, with and without a device, in turn or at once, are locked out after ten", async () => {
  for (const mode of ["in turn", "at once"]) {
    const g = gateway();
    const device = await TestDevice.create();
    const guesses = await Promise.all(Array.from({ length: 1000 }, (_, n) => {
      const token = n.toString(16).padStart(32, "0");
      return n % 2 === 0 ? connect({ token }) : signed(device, { token, at: g.clock.now() });
    }));
    const answers: GatewayError[] = [];
    const attempt = async (params: ConnectParams) => {
      answers.push((await refusalOf(g.admitting(params, { peer: PAGE }))).answer);
    };
    if (mode === "at once") await Promise.all(guesses.map(attempt));
    else for (const guess of guesses) await attempt(guess);
    const wrong = answers.filter((answer) => answer.message.includes("mismatch"));
    const locked = answers.filter((answer) => answer.message.includes("too many failed attempts"));
    assert.equal(wrong.length, LOCK_OUT.failures);
    assert.equal(locked.length, guesses.length - LOCK_OUT.failures);

    const right = connect({ token: TOKEN });
    const refused = await refusalOf(g.admitting(right, { peer: PAGE }));
    assert.equal(refused.answer.code, "INVALID_REQUEST");
    assert.equal(
      refused.answer.message,
      "unauthorized: too many failed attempts from this address (try again in 300 s)",
    );
    assert.deepEqual(refused.answer.extras, { retryable: true, retryAfterMs: LOCK_OUT.lockMs });
    assert.deepEqual(refused.close, [1008, refused.answer.message]);
    for (const peer of [LOCAL, { ...PAGE, ip: "192.0.2.9" }]) {
      assert.equal((await g.admitting(right, { peer })).principal.role, "operator");
    }
    await g.clock.advance(LOCK_OUT.lockMs);
    assert.equal((await g.admitting(right, { peer: PAGE })).principal.role, "operator");
  }
});

Deno.test("HTTP and WebSocket failures add up", async () => {
  const g = gateway();
  for (let n = 0; n < 5; n++) {
    await refusalOf(g.admitting(connect({ token: `wrong-${n}` })));
    await g.services.auth.authorizeBearer(`Bearer wrong-${n}`, LOCAL);
  }
  const { answer } = await refusalOf(g.admitting(connect({ token: TOKEN })));
  assert.match(answer.message, /too many failed attempts/);
});

Deno.test("a connect without a secret, or a good device token for too much, is no guess", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const token = await deviceToken(g, device, ["operator.read"]);
  const at = g.clock.now();
  for (let n = 0; n < LOCK_OUT.failures; n++) {
    await refusalOf(g.admitting(connect()));
    await refusalOf(g.admitting(await signed(device, { at })));
    await refusalOf(g.admitting(await signed(device, { token, scopes: ["operator.admin"], at })));
  }
  assert.equal(g.services.auth.lockedFor(LOCAL), 0);
});

Deno.test("a paired device that comes with an old token counts against itself, not against its address", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const old = await deviceToken(g, device, ["operator.read"]);
  const name = { deviceId: device.id, role: "operator" };
  const { token } = await g.services.devices.rotateToken(DEFAULT_TENANT, name, {
    scopes: ["operator.admin"],
  });
  const at = g.clock.now();
  const answers: string[] = [];
  for (let n = 0; n < 3 * LOCK_OUT.failures; n++) {
    const stale = await signed(device, { token: old, scopes: ["operator.read"], at });
    answers.push((await refusalOf(g.admitting(stale, { peer: PAGE }))).answer.message);
  }
  assert.equal(answers.filter((text) => /mismatch/.test(text)).length, LOCK_OUT.failures);
  assert.match(answers.at(-1) ?? "", /too many failed attempts from this device/);
  for (const peer of [PAGE, LOCAL]) {
    assert.equal(g.services.auth.lockedFor(peer), 0);
    await g.admitting(connect({ token: TOKEN }), { peer });
  }
  // Its own token lets it in again at once: that is not to be guessed.
  const fresh = await signed(device, { token, scopes: ["operator.read"], at });
  assert.equal((await g.admitting(fresh, { peer: PAGE })).principal.device, device.id);
});

Deno.test("a paired device that proves its key gets in from an address that is locked out, nobody else does", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const token = await deviceToken(g, device, ["operator.read"]);
  for (let n = 0; n < LOCK_OUT.failures; n++) {
    await refusalOf(g.admitting(connect({ token: `wrong-${n}` }), { peer: PAGE }));
  }
  const at = g.clock.now();
  const read = ["operator.read"];
  for (const secret of [token, TOKEN]) {
    const params = await signed(device, { token: secret, scopes: read, at });
    assert.equal((await g.admitting(params, { peer: PAGE })).principal.device, device.id);
  }
  const stranger = await TestDevice.create();
  const forged = await signed(stranger, { token, scopes: read, at });
  const refused = [
    connect({ token: TOKEN }),
    await signed(stranger, { token: TOKEN, at }),
    forged,
    { ...forged, device: { ...forged.device!, id: device.id } },
    await signed(device, { token: TOKEN, at, signing: { nonce: "another" } }),
  ];
  for (const params of refused) {
    const { answer } = await refusalOf(g.admitting(params, { peer: PAGE }));
    assert.match(answer.message, /too many failed attempts from this address/);
  }
});
