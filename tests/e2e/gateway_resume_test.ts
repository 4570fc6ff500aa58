/** Clients that lose their connection, and runs that go on without them. */

import assert from "node:assert/strict";
import { TestDevice } from "../support/device_key.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { type Parsed, refusalOf, WireClient } from "../support/wire_client.ts";

const COUNT_TO_300 = Array.from({ length: 300 }, (_, index) => index + 1).join(" ");
const SEND = { sessionKey: "agent:main:trip", message: "count to 300", idempotencyKey: "trip" };

function lastSeq(client: WireClient): number {
  return Math.max(0, ...client.frames.map(({ seq }) => seq ?? 0));
}

function connId(client: WireClient): string {
  return client.frames.find(({ type }) => type === "res")?.payload.server.connId;
}

Deno.test("a client that comes back during a run sees it go on and learns what it missed", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token } = gateway;
  const first = await WireClient.connect(url, { token });
  await first.call("chat.send", SEND);
  await first.event("agent", ({ stream, seq }) => stream === "assistant" && seq > 10);
  await first[Symbol.asyncDispose]();
  const resume = { connId: connId(first), seq: lastSeq(first) };

  await using second = await WireClient.open(url, { library: "platform" });
  const hello = await second.connect({ token, extra: { resume } });
  assert.equal(hello.resume.status, "known");
  assert.deepEqual(Object.keys(hello.resume).sort(), ["missed", "sessions", "status"]);
  assert.ok(hello.resume.missed >= 0);
  if (hello.resume.missed > 0) assert.deepEqual(hello.resume.sessions, [SEND.sessionKey]);

  assert.deepEqual(await second.call("chat.send", SEND), { runId: "trip", status: "in_flight" });
  const final = await second.event("chat", ({ state }) => state === "final");
  assert.equal(final.payload.message.content[0].text, COUNT_TO_300);
  const seen = second.events("agent").filter(({ payload }) => payload.stream === "assistant");
  assert.ok(seen.length > 10, "the stream goes on");
  assert.ok(seen[0]!.payload.data.text.length > seen[0]!.payload.data.delta.length);
  assert.deepEqual(await second.call("chat.send", SEND), { runId: "trip", status: "ok" });
});

Deno.test("what was missed counts each event and names each session, for this identity alone", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token } = gateway;
  const scopes = ["operator.admin"];
  const gone = await WireClient.connect(url, { token, scopes });
  await gone.event("health");
  const id = connId(gone);
  await using stays = await WireClient.connect(url, { token, scopes });
  await gone[Symbol.asyncDispose]();
  // Seen by all once the gateway has noticed that the connection is gone.
  await stays.event(
    "presence",
    ({ presence }) => presence.some(({ reason }: Parsed) => reason === "disconnect"),
  );
  const resume = { connId: id, seq: lastSeq(gone) };
  for (const name of ["a", "b"]) {
    const message = { message: "count to 3", idempotencyKey: name, sessionKey: name };
    await stays.call("chat.send", message);
    await stays.event("chat", ({ runId, state }) => runId === name && state === "final");
  }
  await using back = await WireClient.open(url);
  const hello = await back.connect({ token, scopes, extra: { resume } });
  assert.equal(hello.resume.status, "known");
  assert.deepEqual(hello.resume.sessions.toSorted(), ["agent:main:a", "agent:main:b"]);
  const runs = [...stays.events("agent"), ...stays.events("chat")].length;
  assert.ok(hello.resume.missed >= runs, `${hello.resume.missed} of at least ${runs}`);

  for (
    const unknown of [
      { connId: "00000000-0000-4000-8000-000000000000", seq: 1 },
      { connId: id, seq: resume.seq + 1_000_000 },
    ]
  ) {
    await using client = await WireClient.open(url);
    const answer = await client.connect({ token, scopes, extra: { resume: unknown } });
    assert.deepEqual(answer.resume, { status: "unknown" });
  }
  await using stranger = await WireClient.open(url);
  const device = await TestDevice.create();
  const answer = await stranger.connect({ token, device, scopes, extra: { resume } });
  assert.deepEqual(answer.resume, { status: "unknown" });
});

Deno.test("a key that is used again with other parameters is refused", async () => {
  await using gateway = await GatewayProcess.start();
  await using client = await WireClient.connect(gateway.url, { token: gateway.token });
  await client.call("chat.send", { ...SEND, message: "hello" });
  const refusal = await refusalOf(client.call("chat.send", { ...SEND, message: "goodbye" }));
  assert.equal(refusal.code, "INVALID_REQUEST");
  assert.match(refusal.message, /used with different parameters/);
});

Deno.test("a key that was used counts after a restart, and the history is as it was", async () => {
  const stateDir = await Deno.makeTempDir({ prefix: "gateway-" });
  try {
    let before: Parsed;
    let token: string;
    {
      await using gateway = await GatewayProcess.start({ stateDir });
      token = gateway.token;
      await using client = await WireClient.connect(gateway.url, { token });
      await client.call("chat.send", { ...SEND, message: "hello" });
      await client.event("chat", ({ state }) => state === "final");
      before = await client.call("chat.history", { sessionKey: SEND.sessionKey });
      // Begun and cut off by the stop: its message stays, its run does not begin anew.
      await client.call("chat.send", { ...SEND, idempotencyKey: "cut", sessionKey: "cut" });
      await client.event("agent", ({ runId, seq }) => runId === "cut" && seq > 3);
      assert.equal(await gateway.stop(), 0);
    }
    await using gateway = await GatewayProcess.start({ stateDir });
    assert.equal(gateway.token, token);
    await using client = await WireClient.connect(gateway.url, { token });
    const again = await client.call("chat.send", { ...SEND, message: "hello" });
    assert.deepEqual(again, { runId: "trip", status: "ok" });
    assert.deepEqual(await client.call("chat.history", { sessionKey: SEND.sessionKey }), before);
    const other = client.call("chat.send", { ...SEND, message: "something else" });
    assert.match((await refusalOf(other)).message, /used with different parameters/);

    const cut = await client.call("chat.history", { sessionKey: "cut" });
    const [asked, answered] = cut.messages;
    assert.equal(asked.content[0].text, SEND.message);
    assert.match(answered.content[0].text, /^1 2 3/);
    assert.equal(cut.messages.length, 2);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});
