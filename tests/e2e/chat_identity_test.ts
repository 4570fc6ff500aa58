/** Who comes into the chat channel: an identity service with good, bad, slow and broken answers. */

import assert from "node:assert/strict";
import { ChatClient } from "../support/chat_client.ts";
import { OPEN, startChat } from "../support/chat_gateway.ts";
import { identityServer } from "../support/identity_service.ts";
import { WireClient } from "../support/wire_client.ts";

Deno.test("the identity service decides who comes in, and as whom", async () => {
  await using service = identityServer();
  await using running = await startChat({ auth: { endpoint: service.url, timeout: 1_000 } });
  const { url } = running;
  const refusals: readonly [query: string, text: string, reason: string][] = [
    ["", "Token required. Connect with ?token=YOUR_TOKEN", "Token required"],
    ["?token=undefined", "Token required. Connect with ?token=YOUR_TOKEN", "Token required"],
    ["?token=bad", "Authentication failed: expired", "Authentication failed"],
    ["?token=slow", "Authentication failed: timeout", "Authentication failed"],
    ["?token=broken", "Authentication failed: service_unavailable", "Authentication failed"],
    ["?token=huge", "Authentication failed: service_unavailable", "Authentication failed"],
    ["?token=moved", "Authentication failed: service_unavailable", "Authentication failed"],
    ["?token=teapot", "Authentication failed: auth_failed", "Authentication failed"],
  ];
  for (const [query, error, reason] of refusals) {
    const client = ChatClient.dial(`${url}${query}`);
    assert.deepEqual(await client.end(), { code: 4401, reason }, query);
    assert.deepEqual(client.frames, [{ type: "chat.error", error }], query);
  }
  // What comes while the service is asked waits; no message makes its sender another one.
  const client = ChatClient.dial(`${url}?token=good-u1&senderId=u2&lang=en`);
  await using _ = client;
  client.send({ content: "my name is Ann", senderId: "u2" });
  const answer = await client.next(({ done }) => done === true);
  assert.match(answer.content ?? "", /Nice to meet you, Ann/);
  assert.deepEqual(service.asked.at(-1), {
    token: "good-u1",
    senderId: "u2",
    lang: "en",
    tokenType: "local",
  });
  const { gateway } = running;
  await using operator = await WireClient.connect(gateway.url, { token: gateway.token });
  const { sessions } = await operator.call("sessions.list", {});
  assert.deepEqual(sessions.map((session: { key: string }) => session.key), [
    "agent:main:websocket:direct:u1",
  ]);
});

Deno.test("ten wrong tokens lock their address out", async () => {
  await using service = identityServer();
  await using running = await startChat({ auth: { endpoint: service.url } });
  for (let at = 0; at < 12; at++) {
    const client = ChatClient.dial(`${running.url}?token=bad${at}`);
    await client.end();
    const code = at < 10 ? "expired" : "too_many_attempts";
    assert.deepEqual(client.frames.at(-1)?.error, `Authentication failed: ${code}`);
  }
  assert.equal(service.asked.length, 10);
});

Deno.test("where identity is not required, strangers are guests who share nothing with users", async () => {
  await using service = identityServer();
  await using running = await startChat({ auth: { endpoint: service.url, required: false } });
  const { url } = running;
  await using user = await ChatClient.open(`${url}?token=good-ann`);
  assert.match(await user.ask("my name is Ann"), /Ann/);
  await using guest = await ChatClient.open(`${url}?token=bad&senderId=ann`);
  assert.match(await guest.ask("what is my name?"), /You have not told me/);
});

Deno.test("the environment overrides the file's identity service", async () => {
  await using service = identityServer();
  const env = { WS_AUTH_ENABLED: "1", WS_AUTH_ENDPOINT: service.url };
  await using running = await startChat(OPEN, { env });
  await using client = await ChatClient.open(`${running.url}?token=good-ann`);
  assert.match(await client.ask("hello"), /Hello/);
});
