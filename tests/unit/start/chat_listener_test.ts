import assert from "node:assert/strict";
import { parseConfig } from "../../../src/config/parse.ts";
import { chatExposure, resolveChat, uploadBytes } from "../../../src/start/chat_listener.ts";

function config(websocket: unknown) {
  const parsed = parseConfig({ channels: websocket === undefined ? {} : { websocket } }, {
    env: {},
  });
  assert.deepEqual(parsed.issues, []);
  return parsed.config;
}

Deno.test("a public address needs auth, also by the environment, or an explicit word", () => {
  const open = { host: "0.0.0.0", auth: { enabled: false } };
  const refused = resolveChat(config(open), {});
  assert.ok(!refused.ok);
  assert.equal(refused.issues[0]?.path, "channels.websocket.host");
  assert.ok(resolveChat(config(open), { WS_AUTH_ENABLED: "1" }).ok);
  assert.ok(!resolveChat(config({ host: "0.0.0.0" }), { WS_AUTH_ENABLED: "0" }).ok);
  assert.ok(resolveChat(config({ ...open, allowPublicWithoutAuth: true }), {}).ok);
  assert.ok(resolveChat(config({ ...open, enabled: false }), {}).ok);
});

Deno.test("an operator is warned of whom a channel beyond the machine lets in", () => {
  const table: readonly [unknown, string, RegExp | undefined][] = [
    [{}, "127.0.0.1", undefined],
    [{}, "0.0.0.0", /whom its identity service knows/],
    [{ host: "0.0.0.0", auth: { required: false } }, "127.0.0.1", /strangers as guests/],
    [
      { host: "0.0.0.0", auth: { enabled: false }, allowPublicWithoutAuth: true },
      "127.0.0.1",
      /without asking who they are/,
    ],
    [{ auth: { enabled: false } }, "0.0.0.0", undefined],
    [{ enabled: false, host: "0.0.0.0" }, "0.0.0.0", undefined],
    [undefined, "0.0.0.0", undefined],
  ];
  for (const [websocket, host, warning] of table) {
    const setup = resolveChat(config(websocket), {});
    assert.ok(setup.ok);
    const [told] = chatExposure(setup.value, { host, tls: false });
    if (warning === undefined) assert.equal(told, undefined);
    else {assert.match(
        told ?? "",
        new RegExp(`${warning.source}.*; switch gateway.tls on or put TLS in front of it$`),
      );}
    // With TLS who is let in remains to be said, unless all are asked who they are.
    const [left] = chatExposure(setup.value, { host, tls: true });
    if (warning === undefined || /identity/.test(warning.source)) assert.equal(left, undefined);
    else assert.match(left ?? "", new RegExp(`${warning.source}(?!.*TLS)`));
  }
});

Deno.test("bodies may be as large as files where the channel is on", () => {
  const of = (websocket: unknown) => {
    const setup = resolveChat(config(websocket), {});
    assert.ok(setup.ok);
    return uploadBytes(setup.value);
  };
  assert.equal(of({ media: { maxBytes: 5 } }), 5);
  assert.equal(of({ enabled: false }), undefined);
  assert.equal(of(undefined), undefined);
});
