/** A conversation from the handshake to the history, over real sockets of two foreign libraries. */

import assert from "node:assert/strict";
import { GatewayProcess } from "../support/gateway_process.ts";
import { LIBRARIES, type ServerFrame, WireClient } from "../support/wire_client.ts";

const READ_WRITE = ["operator.read", "operator.write"];
const COUNT_TO_40 = Array.from({ length: 40 }, (_, index) => index + 1).join(" ");

for (const library of LIBRARIES) {
  Deno.test(`a client (${library}) connects, sends and sees the answer stream`, async () => {
    await using gateway = await GatewayProcess.start();
    await using client = await WireClient.open(gateway.url, { library });
    const challenge = client.frames[0];
    assert.deepEqual(Object.keys(challenge ?? {}).sort(), ["event", "payload", "type"]);
    assert.deepEqual(Object.keys(challenge?.payload).sort(), ["nonce", "ts"]);
    await client.connect({ token: gateway.token, scopes: READ_WRITE });

    const ack = await client.call("chat.send", {
      sessionKey: "main",
      message: "count to 40",
      idempotencyKey: "run-1",
    });
    assert.deepEqual(ack, { runId: "run-1", status: "started" });
    const final = await client.event("chat", ({ state }) => state === "final");
    const run = client.frames.filter(({ event }) => event === "agent" || event === "chat");
    assertStream(run, { runId: "run-1", sessionKey: "main", text: COUNT_TO_40 });
    assert.equal(run.at(-1), final);
    const answered = client.frames.findIndex(({ payload }) => payload?.status === "started");
    assert.ok(client.frames.indexOf(run[0]!) > answered, "the answer comes before the first event");

    for (const sessionKey of ["main", "agent:main:main"]) {
      const history = await client.call("chat.history", { sessionKey });
      assert.equal(history.sessionKey, sessionKey);
      assert.match(history.sessionId, /^[0-9a-f-]{36}$/);
      assert.deepEqual(
        history.messages.map(({ role, content }: Message) => [role, content]),
        [
          ["user", [{ type: "text", text: "count to 40" }]],
          ["assistant", [{ type: "text", text: COUNT_TO_40 }]],
        ],
      );
    }
  });
}

interface Message {
  readonly role: string;
  readonly content: unknown;
}

/** The documented order: start; text, each partial answer after its text; end; final. */
function assertStream(
  run: readonly ServerFrame[],
  expected: { readonly runId: string; readonly sessionKey: string; readonly text: string },
): void {
  const { runId, sessionKey, text } = expected;
  const [start, ...rest] = run;
  const final = rest.pop();
  const end = rest.pop();
  for (const { payload } of run) {
    assert.equal(payload.runId, runId);
    assert.equal(payload.sessionKey, sessionKey);
  }
  assert.equal(start?.event, "agent");
  assert.deepEqual(start?.payload, {
    runId,
    seq: 1,
    stream: "lifecycle",
    ts: start?.payload.ts,
    data: { phase: "start", startedAt: start?.payload.data.startedAt },
    sessionKey,
  });
  let said = "";
  let seq = 1;
  let deltas = 0;
  for (const { event, payload } of rest) {
    if (event === "agent") {
      assert.equal(payload.stream, "assistant");
      assert.equal(payload.seq, ++seq);
      said += payload.data.delta;
      assert.equal(payload.data.text, said);
    } else {
      deltas++;
      assert.equal(payload.state, "delta");
      assert.equal(payload.seq, seq, "a partial answer has the number of its agent event");
      assert.deepEqual(payload.message.content, [{ type: "text", text: said }]);
    }
  }
  assert.equal(said, text);
  assert.ok(deltas >= 1, "at least one partial answer");
  assert.equal(rest[1]?.event, "chat", "the first partial answer comes at once");
  assert.equal(end?.payload.stream, "lifecycle");
  assert.equal(end?.payload.data.phase, "end");
  assert.equal(final?.payload.state, "final");
  assert.equal(final?.payload.seq, end?.payload.seq);
  assert.equal(final?.payload.message.role, "assistant");
  assert.deepEqual(final?.payload.message.content, [{ type: "text", text }]);
}

Deno.test("another client sees the same events of a run, and those of a note", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token } = gateway;
  const admin = ["operator.admin"];
  await using talker = await WireClient.connect(url, { token, scopes: admin });
  await using watcher = await WireClient.connect(url, {
    token,
    scopes: ["operator.read"],
    library: "platform",
  });
  await using pairer = await WireClient.connect(url, { token, scopes: ["operator.pairing"] });
  const message = { sessionKey: "agent:main:shared", message: "hello", idempotencyKey: "r" };
  await talker.call("chat.send", message);
  const isRun = ({ event }: ServerFrame) => event === "agent" || event === "chat";
  await talker.event("chat", ({ state }) => state === "final");
  await watcher.event("chat", ({ state }) => state === "final");
  assert.deepEqual(
    watcher.frames.filter(isRun).map(({ event, payload }) => ({ event, payload })),
    talker.frames.filter(isRun).map(({ event, payload }) => ({ event, payload })),
  );

  const { messageId } = await talker.call("chat.inject", {
    sessionKey: "agent:main:shared",
    message: "the door is open",
    label: "House",
  });
  assert.match(messageId, /^[0-9a-f]{8}$/);
  const note = await watcher.event("chat", ({ runId }) => runId === `inject-${messageId}`);
  assert.equal(note.payload.seq, 0);
  assert.equal(note.payload.state, "final");
  assert.deepEqual(note.payload.message.content, [{
    type: "text",
    text: "[House]\n\nthe door is open",
  }]);
  // What a client may not see would have come before the answer to a later request.
  assert.equal((await pairer.request("device.pair.list")).ok, true);
  assert.deepEqual(pairer.frames.filter(isRun), []);
});

Deno.test("an aborted run says so, sends nothing more, and keeps what was said", async () => {
  await using gateway = await GatewayProcess.start();
  await using client = await WireClient.connect(gateway.url, {
    token: gateway.token,
    scopes: READ_WRITE,
  });
  const send = { sessionKey: "main", message: "count to 900", idempotencyKey: "long" };
  await client.call("chat.send", send);
  await client.event("agent", ({ stream, seq }) => stream === "assistant" && seq > 5);
  assert.deepEqual(await client.call("chat.abort", { sessionKey: "main", runId: "long" }), {
    ok: true,
    aborted: true,
    runIds: ["long"],
  });
  const aborted = await client.event("chat", ({ state }) => state === "aborted");
  assert.equal(aborted.payload.stopReason, "rpc");
  assert.deepEqual(await client.call("chat.abort", { sessionKey: "main", runId: "long" }), {
    ok: true,
    aborted: false,
    runIds: [],
  });
  assert.deepEqual(await client.call("chat.send", send), { runId: "long", status: "ok" });
  const { messages } = await client.call("chat.history", { sessionKey: "main" });
  assert.equal(messages.length, 2);
  assert.match(messages[1].content[0].text, /^1 2 3 4 5/);
  assert.deepEqual(
    client.frames.slice(client.frames.indexOf(aborted) + 1).filter(({ event }) =>
      event === "agent" || event === "chat"
    ),
    [],
  );

  const wrong = await client.request("chat.send", { ...send, idempotencyKey: "w" });
  assert.equal(wrong.ok, true);
  const elsewhere = await client.request("chat.abort", { sessionKey: "other", runId: "w" });
  assert.equal(elsewhere.error?.message, "runId does not match sessionKey");
});

Deno.test("agent answers twice under one id, at once and at the end", async () => {
  await using gateway = await GatewayProcess.start();
  await using client = await WireClient.connect(gateway.url, {
    token: gateway.token,
    scopes: READ_WRITE,
  });
  const params = { message: "count to 5", sessionKey: "agent:main:jobs", idempotencyKey: "a1" };
  const id = client.post("agent", params);
  const ours = (frame: ServerFrame) => frame.type === "res" && frame.id === id;
  const accepted = await client.frame(ours);
  assert.deepEqual(accepted.payload, {
    runId: "a1",
    status: "accepted",
    acceptedAt: accepted.payload.acceptedAt,
  });
  const waited = await client.call("agent.wait", { runId: "a1" });
  assert.equal(waited.status, "ok");
  const from = client.frames.indexOf(accepted) + 1;
  const done = await client.frame(ours, { from, what: "the second answer" });
  assert.equal(done.payload.status, "ok");
  assert.equal(done.payload.summary, "completed");
  assert.deepEqual(done.payload.result.payloads, [{ text: "1 2 3 4 5", mediaUrl: null }]);
  assert.ok(client.events("chat").some(({ payload }) => payload.state === "final"));

  const again = await client.call("agent", params);
  assert.deepEqual(again, done.payload);
  assert.deepEqual(await client.call("agent.wait", { runId: "nobody", timeoutMs: 0 }), {
    runId: "nobody",
    status: "timeout",
  });
});

Deno.test("sends to one session go one after the other, sessions side by side", async () => {
  await using gateway = await GatewayProcess.start();
  await using client = await WireClient.connect(gateway.url, {
    token: gateway.token,
    scopes: READ_WRITE,
  });
  const send = (sessionKey: string, idempotencyKey: string) =>
    client.call("chat.send", { sessionKey, message: "count to 60", idempotencyKey });
  await Promise.all([send("one", "one-a"), send("one", "one-b"), send("two", "two-a")]);
  for (const run of ["one-a", "one-b", "two-a"]) {
    await client.event("chat", ({ runId, state }) => runId === run && state === "final");
  }
  const at = (run: string, wanted: string) =>
    client.frames.findIndex(({ event, payload }) =>
      payload?.runId === run &&
      (event === "agent" ? payload.data.phase : payload.state) === wanted
    );
  assert.ok(at("one-b", "start") > at("one-a", "final"), "the second waits for the first");
  assert.ok(at("two-a", "start") < at("one-a", "final"), "another session does not wait");
  assert.ok(at("one-a", "start") < at("two-a", "final"), "and is not waited for");
  const { messages } = await client.call("chat.history", { sessionKey: "one" });
  // Each message is stored when it is acknowledged, each answer when it ends.
  assert.deepEqual(messages.map(({ role }: Message) => role), [
    "user",
    "user",
    "assistant",
    "assistant",
  ]);
});
