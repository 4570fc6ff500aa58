/** The chat channel before and beside its users: floods, bounds, hostile names, tokens that must not be shown. */

import assert from "node:assert/strict";
import { ChatClient } from "../support/chat_client.ts";
import { OPEN, startChat } from "../support/chat_gateway.ts";
import { identityServer } from "../support/identity_service.ts";
import { SECRETS } from "../support/secret_watch.ts";
import { WireClient } from "../support/wire_client.ts";

Deno.test("what a client may send before it is known is bounded in number and in bytes", async () => {
  await using service = identityServer();
  await using running = await startChat({ auth: { endpoint: service.url } });
  const { url } = running;
  const many = ChatClient.dial(`${url}?token=slow`);
  await many.opened();
  for (let at = 0; at < 33; at++) many.send({ content: "early" });
  assert.deepEqual(await many.end(), {
    code: 1008,
    reason: "too many messages before the greeting",
  });
  const large = ChatClient.dial(`${url}?token=slow`);
  await large.opened();
  large.send("x".repeat(300_000));
  assert.equal((await large.end()).code, 1009);
});

Deno.test("connections that wait for the identity service give way, and users still get in", async () => {
  await using service = identityServer();
  await using running = await startChat({
    auth: { endpoint: service.url, timeout: 60_000 },
    maxConnectionsPerAddress: 10_000,
  });
  const { url } = running;
  const waiting: ChatClient[] = [];
  for (let at = 0; at < 300; at++) {
    const client = ChatClient.dial(`${url}?token=slow`);
    waiting.push(client);
    await client.opened();
  }
  await using user = await ChatClient.open(`${url}?token=good-ann`);
  assert.match(await user.ask("hello"), /Hello/);
  const ended = await Promise.all(waiting.slice(0, 40).map((client) => client.end()));
  assert.equal(ended.length, 40);
  for (const client of waiting.slice(40)) client.close();
  await Promise.all(waiting.map((client) => client.end()));
});

Deno.test("hostile names become keys and lines that are safe, each with a conversation of its own", async () => {
  await using running = await startChat(OPEN);
  const { gateway, url } = running;
  const names = [
    "../../etc/passwd",
    "a:b",
    "agent:main:main",
    "main",
    "group:team",
    "\u202eevil",
    "%2e%2e",
    "constructor",
    "__proto__",
    "ＡＮＮ",
    "x".repeat(256),
  ];
  await using chat = await ChatClient.open(url);
  for (const [at, senderId] of names.entries()) {
    const name = "\u001b[31mred\nline";
    const answer = await chat.ask(`my number is n${at}`, { senderId, senderName: name });
    assert.match(answer, new RegExp(`Noted: your number is n${at}\\.`));
  }
  for (const [at, senderId] of names.entries()) {
    assert.equal(await chat.ask("what is my number?", { senderId }), `Your number is n${at}.`);
  }
  await using operator = await WireClient.connect(gateway.url, { token: gateway.token });
  const { sessions } = await operator.call("sessions.list", { limit: 100 });
  assert.equal(sessions.length, names.length);
  for (const { key, kind, displayName } of sessions) {
    assert.match(key, /^agent:main:websocket:direct:[a-z0-9_.@+~-]+$/);
    assert.equal(kind, "direct");
    assert.equal(displayName, "\\u{1b}[31mred\\u{a}line");
  }
});

Deno.test("a token is in no file, log line, metric or page of the gateway", async () => {
  const token = `refused-${crypto.randomUUID()}`;
  SECRETS.add("a chat client's token", token);
  await using service = identityServer();
  await using running = await startChat({ auth: { endpoint: service.url } });
  const { gateway, url } = running;
  const client = ChatClient.dial(`${url}?token=${token}`);
  await client.end();
  assert.equal(service.asked.length, 1);
  const metrics = await fetch(`${gateway.httpUrl}/metrics`, {
    headers: { authorization: `Bearer ${gateway.token}` },
  });
  const text = await metrics.text();
  assert.match(text, /clawgate_chat_connections 0/);
  assert.ok(!text.includes(token));
});
