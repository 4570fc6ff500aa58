/** The examples of the chat channel's document, with the programs that it names, and what must hold around them. */

import assert from "node:assert/strict";
import { ChatClient } from "../support/chat_client.ts";
import { chatUrl, OPEN, startChat } from "../support/chat_gateway.ts";
import { runClient } from "../support/client_program.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { testWithProgram } from "../support/skip.ts";
import { WireClient } from "../support/wire_client.ts";

testWithProgram("npx", {
  name: "the document's examples work in wscat",
  fn: async (npx) => {
    await using running = await startChat(OPEN);
    const { url } = running;
    const lines = [
      '{"type":"chat.send","content":"My name is John"}',
      '{"type":"chat.send","content":"What is my name?"}',
      '{"type":"chat.send","content":"Hi there!","senderId":"user_123","senderName":"Alice"}',
      '{"type":"chat.send","content":"I agree","replyToBody":"Let\'s use Python for this project"}',
      '{"type":"chat.send","content":"Hello everyone!","chatType":"group","groupId":"dev-team","groupSubject":"Dev Team"}',
      '{"type":"chat.send","content":"Process this","customData":{"priority":"high","source":"api"}}',
    ];
    const out = await runClient(npx, [
      "-y",
      "wscat@6.1.0",
      "-c",
      `${url}?senderId=user1&senderName=John`,
    ], { lines, until: (text) => text.split('"done":true').length > lines.length });
    assert.match(out, /Your name is John\./);
    assert.match(out, /You said: Process this/);
    const typing = out.split('"type":"chat.typing"').length - 1;
    assert.equal(typing, 2 * lines.length);

    const [alice, bob] = await Promise.all(["Alice", "Bob"].map((name) =>
      runClient(npx, [
        "-y",
        "wscat@6.1.0",
        "-c",
        `${url}?senderId=${name.toLowerCase()}`,
        "-w",
        "-1",
        "-x",
        JSON.stringify({ type: "chat.send", content: `my name is ${name}` }),
      ], { until: (text) => text.includes('"done":true') })
    ));
    assert.match(alice!, /Nice to meet you, Alice/);
    assert.match(bob!, /Nice to meet you, Bob/);
  },
});

const PYTHON = `
import sys, json, websocket
def on_message(ws, message):
    msg = json.loads(message)
    if msg['type'] == 'chat.response':
        print(f"Agent: {msg['content']}", flush=True)
        if msg.get('done'):
            ws.close()
    elif msg['type'] == 'chat.error':
        print(f"Error: {msg['error']}", flush=True)
        ws.close()
def on_open(ws):
    ws.send(json.dumps({'type': 'chat.send', 'content': 'Hello!'}))
ws = websocket.WebSocketApp(sys.argv[1], on_message=on_message, on_open=on_open)
ws.run_forever()
`;

testWithProgram("wsdump", {
  name: "the document's Python example works",
  fn: async () => {
    await using running = await startChat(OPEN);
    const url = `${running.url}?senderId=user1&senderName=John`;
    const out = await runClient("/usr/bin/python3", ["-c", PYTHON, url], {
      until: (text) => text.split("Agent: ").length > 2,
    });
    assert.match(out, /^Agent: Connected to WebSocket chat server\nAgent: Hello/);
  },
});

Deno.test("a conversation is a session of the gateway: listed, read, continued, there after kill -9", async () => {
  const stateDir = await Deno.makeTempDir();
  try {
    const settings = { channels: { websocket: { port: 0, ...OPEN } } };
    const key = "agent:main:websocket:direct:user1";
    {
      await using gateway = await GatewayProcess.start({ stateDir, settings });
      await using chat = await ChatClient.open(`${await chatUrl(gateway)}?senderId=user1`);
      assert.match(await chat.ask("My name is John"), /Nice to meet you, John/);
      await using operator = await WireClient.connect(gateway.url, { token: gateway.token });
      const { sessions } = await operator.call("sessions.list", {});
      assert.deepEqual(sessions.map((session: { key: string }) => session.key), [key]);
      assert.equal(sessions[0].channel, "websocket");
      await operator.call("chat.send", {
        sessionKey: key,
        message: "My colour is red",
        idempotencyKey: "k1",
      });
      await operator.event("chat", ({ state }) => state === "final");
      await gateway.kill();
    }
    await using gateway = await GatewayProcess.start({ stateDir });
    // The same wire at its path on the gateway's port.
    await using chat = await ChatClient.open(`${gateway.url}/chat?senderId=user1`);
    assert.equal(await chat.ask("What is my name?"), "Your name is John.");
    assert.equal(await chat.ask("What is my colour?"), "Your colour is red.");
    await using other = await ChatClient.open(`${gateway.url}/chat?senderId=User1`);
    assert.match(await other.ask("What is my name?"), /You have not told me/);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

Deno.test("a run whose client leaves goes on, and its answer is in the session", async () => {
  await using running = await startChat(OPEN);
  const { gateway, url } = running;
  const chat = await ChatClient.open(`${url}?senderId=gone`);
  chat.send({ content: "count to 200" });
  await chat.next(({ type }) => type === "chat.stream");
  chat.close();
  await chat.end();
  await using operator = await WireClient.connect(gateway.url, { token: gateway.token });
  await operator.event("chat", ({ state }) => state === "final");
  const { messages } = await operator.call("chat.history", {
    sessionKey: "agent:main:websocket:direct:gone",
  });
  assert.match(messages.at(-1).content[0].text, / 199 200$/);
});

Deno.test("groups share a conversation and hear its answers, users do not", async () => {
  await using running = await startChat(OPEN);
  const { url } = running;
  const team = { chatType: "group", groupId: "team", groupSubject: "The team" };
  await using ann = await ChatClient.open(`${url}?senderId=ann`);
  await using bob = await ChatClient.open(`${url}?senderId=bob`);
  await using eve = await ChatClient.open(`${url}?senderId=eve`);
  await ann.ask("my colour is green", team);
  assert.equal(await bob.ask("what is my colour?", team), "Your colour is green.");
  const heard = await ann.next(({ done }) => done === true);
  assert.equal(heard.content, "Your colour is green.");
  assert.match(await eve.ask("what is my colour?"), /You have not told me/);
  assert.equal(eve.frames.some(({ content }) => content?.includes("green")), false);
});

Deno.test("operators write to users and ask them, once for each key", async () => {
  await using running = await startChat(OPEN);
  const { gateway, url } = running;
  await using operator = await WireClient.connect(gateway.url, {
    token: gateway.token,
    scopes: ["operator.admin"],
  });
  const absent = await operator.request("send", { to: "ann", message: "x", idempotencyKey: "s1" });
  assert.deepEqual([absent.error?.code, absent.error?.retryable], ["UNAVAILABLE", true]);
  await using ann = await ChatClient.open(`${url}?senderId=ann`);
  const sent = { to: "ann", message: "dinner is ready", idempotencyKey: "s1" };
  const receipt = await operator.call("send", sent);
  assert.deepEqual(await operator.call("send", sent), receipt);
  assert.deepEqual(
    [receipt.runId, receipt.channel, receipt.chatId],
    ["s1", "websocket", "direct:ann"],
  );
  const other = await operator.request("send", { ...sent, message: "another" });
  assert.equal(other.error?.code, "INVALID_REQUEST");
  const told = await ann.next(({ done }) => done === true);
  assert.deepEqual([told.content, told.messageId], ["dinner is ready", receipt.messageId]);

  const poll = { to: "ann", question: "Tea?", options: ["yes", "no"], idempotencyKey: "p1" };
  await operator.call("poll", poll);
  assert.match(
    (await ann.next(({ done }) => done === true)).content ?? "",
    /^Tea\?\n1\. yes\n2\. no/,
  );
  assert.equal(await ann.ask("no"), "Noted: no");
  const { answers, voters } = await operator.call("poll", poll);
  assert.deepEqual([answers, voters], [
    [{ option: "yes", count: 0 }, { option: "no", count: 1 }],
    1,
  ]);

  const { channelAccounts } = await operator.call("channels.status", {});
  const [account] = channelAccounts.websocket;
  assert.deepEqual([account.connected, account.connections, account.port], [
    true,
    1,
    Number(new URL(url).port),
  ]);
  assert.deepEqual(await operator.call("channels.logout", { channel: "websocket" }), {
    channel: "websocket",
    accountId: "default",
    cleared: true,
    closed: 1,
  });
  assert.deepEqual(await ann.end(), { code: 1000, reason: "logged out" });
});

Deno.test("each user has an agent with a folder of its own, up to the bound", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using running = await startChat({
      ...OPEN,
      dynamicAgentCreation: {
        enabled: true,
        workspaceTemplate: `${folder}/w-{agentId}`,
        agentDirTemplate: `${folder}/a-{userId}`,
        maxAgents: 2,
      },
    });
    const { gateway, url } = running;
    await using client = await ChatClient.open(`${url}?senderId=ann`);
    await client.ask("hello");
    await client.ask("hello", { senderId: "../ann" });
    assert.match(await client.ask("hello", { senderId: "Ann" }), /^Failed to process message: /);
    const made = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
    assert.equal(made.length, 4);
    assert.ok(made.includes("w-ws-ann") && made.includes("a-ann"));
    assert.ok(made.every((name) => /^[aw]-[a-z0-9_-]+$/.test(name)), made.join());
    await using operator = await WireClient.connect(gateway.url, { token: gateway.token });
    const { agents } = await operator.call("agents.list", {});
    assert.equal(agents.length, 3);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const PNG = Uint8Array.fromBase64(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg==",
);

Deno.test("an uploaded file goes to the agent, any other path does not", async () => {
  await using running = await startChat(OPEN);
  const { gateway, url } = running;
  const upload = `${url.replace(/^ws/, "http")}/media`;
  const post = async (type: string, body: Uint8Array<ArrayBuffer>) => {
    const response = await fetch(upload, {
      method: "POST",
      headers: { "content-type": type },
      body,
    });
    return { status: response.status, body: await response.json() };
  };
  const { status, body } = await post("image/png", PNG);
  assert.deepEqual([status, body.mediaType, body.size], [201, "image/png", PNG.length]);
  assert.equal((await post("image/png", new TextEncoder().encode("<svg/>"))).status, 415);
  assert.equal((await post("application/x-sh", PNG)).status, 415);

  await using chat = await ChatClient.open(`${url}?senderId=ann`);
  assert.match(await chat.ask("look", { mediaPath: body.mediaPath }), /You sent a picture/);
  assert.match(
    await chat.ask("look", {
      mediaPaths: [body.mediaPath, body.mediaPath],
      mediaTypes: ["image/png"],
    }),
    /You sent 2 pictures/,
  );
  const refused = ["/etc/passwd", "../clawgate.json", `${gateway.stateDir}/token`, "none.png", "."];
  for (const mediaPath of refused) {
    assert.match(await chat.ask("look", { mediaPath }), /^Failed to process message: ".*" is not /);
  }
  assert.match(
    await chat.ask("look", { mediaPath: body.mediaPath, mediaType: "image/jpeg" }),
    /the file's content is not image\/jpeg/,
  );
});

Deno.test("every way in that is not the channel's is refused", async () => {
  await using running = await startChat(OPEN);
  const { gateway, url } = running;
  const http = url.replace(/^ws/, "http");
  const table: readonly [path: string, headers: Record<string, string>, status: number][] = [
    ["", {}, 426],
    ["", { origin: "https://evil.example" }, 403],
    ["", { origin: "null" }, 403],
    ["/media", {}, 405],
    ["/media", { origin: "https://evil.example" }, 403],
    ["/else", {}, 404],
  ];
  for (const [path, headers, status] of table) {
    const response = await fetch(`${http}${path}`, { headers });
    await response.body?.cancel();
    assert.equal(response.status, status, `${path} ${JSON.stringify(headers)}`);
  }
  const big = await ChatClient.open(url);
  big.send("x".repeat(1024 * 1024 + 1));
  assert.equal((await big.end()).code, 1009);
  const main = await ChatClient.open(`${gateway.url}/chat`);
  main.send("x".repeat(1024 * 1024 + 1));
  assert.equal((await main.end()).code, 1009);
});

Deno.test("a sender that writes too often waits, and so do connections of one address", async () => {
  await using running = await startChat({
    ...OPEN,
    messagesPerMinute: 2,
    maxConnectionsPerAddress: 2,
  });
  const { url } = running;
  await using first = await ChatClient.open(`${url}?senderId=ann`);
  await using _second = await ChatClient.open(`${url}?senderId=bob`);
  const third = ChatClient.dial(url);
  assert.deepEqual(await third.end(), { code: 1013, reason: "too many connections" });
  await first.ask("one");
  await first.ask("two");
  assert.match(await first.ask("three"), /more than 2 messages in a minute; try again in \d+ s$/);
  assert.doesNotMatch(await first.ask("one", { senderId: "carl" }), /more than 2 messages/);
});

Deno.test("a stop says goodbye", async () => {
  await using running = await startChat(OPEN);
  const client = await ChatClient.open(running.url);
  const ended = client.end();
  await running.gateway.stop();
  assert.deepEqual(await ended, { code: 1000, reason: "Server shutting down" });
});

Deno.test("a public address without auth keeps the gateway from starting", async () => {
  await assert.rejects(startChat({ ...OPEN, host: "0.0.0.0" }), /channels\.websocket\.host/);
});

Deno.test("a gateway whose settings do not name the channel has none", async () => {
  await using gateway = await GatewayProcess.start();
  assert.doesNotMatch(gateway.output, /chat channel/);
  const response = await fetch(`${gateway.httpUrl}/chat`);
  await response.body?.cancel();
  assert.equal(response.status, 404);
});

Deno.test("health and status tell of the channel", async () => {
  await using running = await startChat(OPEN);
  const { gateway } = running;
  await using operator = await WireClient.connect(gateway.url, { token: gateway.token });
  const health = await operator.call("health", { probe: true });
  assert.deepEqual(health.channels, {
    websocket: { configured: true, running: true, connected: false },
  });
  assert.deepEqual(health.channelOrder, ["websocket"]);
  const status = await operator.call("status", {});
  assert.deepEqual(status.channelSummary, ["WebSocket: nobody is connected"]);
});
