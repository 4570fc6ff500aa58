import assert from "node:assert/strict";
import { checked, DEFAULT_TENANT, isSessionKey } from "../../../../src/core/id.ts";
import { ModelError } from "../../../../src/ports/model.ts";
import { agentMethods } from "../../../../src/protocols/openclaw/methods/agent.ts";
import { settle } from "../../../support/manual_clock.ts";
import { MAIN, PRINCIPAL, setStage } from "../../../support/run_stage.ts";
import { wireCaller } from "../../../support/wire_caller.ts";

const USAGE = { input: 10, output: 5, cacheRead: 1, cacheWrite: 2, total: 18 };

function open(from: Parameters<typeof setStage>[0] = {}) {
  const stage = setStage(from);
  return { stage, ...wireCaller(stage, agentMethods) };
}

function message(idempotencyKey: string, more: Record<string, unknown> = {}) {
  return { message: "hello", idempotencyKey, ...more };
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test(`agent: ${name}`, fn);
}

test("a call is answered at once and again when its run has ended, events in between", async () => {
  const { stage, call, order } = open();
  const acceptedAt = stage.clock.now();
  const { answers } = await call("agent", message("r1"));
  assert.deepEqual(answers, [{ runId: "r1", status: "accepted", acceptedAt }]);
  await stage.clock.advance(1_500);
  stage.model.call().text("Hi", "!").end(USAGE);
  await settle();
  const entry = await stage.sessions.get(DEFAULT_TENANT, MAIN);
  assert.deepEqual(answers[1], {
    runId: "r1",
    status: "ok",
    summary: "completed",
    result: {
      payloads: [{ text: "Hi!", mediaUrl: null }],
      meta: {
        durationMs: 1_500,
        stopReason: "stop",
        agentMeta: { sessionId: entry?.sessionId, provider: "fake", model: "one", usage: USAGE },
      },
    },
  });
  assert.deepEqual(order, [
    "agent answer",
    "r1 start",
    "r1 text",
    "r1 text",
    "r1 end",
    "agent answer",
  ]);
});

test("the same key: the same acceptance while it runs, the whole last answer afterwards, a restart included", async () => {
  const { stage, call, answer, refusal } = open();
  const first = await call("agent", message("r1"));
  await stage.clock.advance(1_000);
  assert.deepEqual(await answer("agent", message("r1")), first.answers[0]);
  stage.model.call().text("Hi!").end(USAGE);
  await settle();
  assert.deepEqual(await answer("agent", message("r1")), first.answers[1]);
  const restarted = open({ store: stage.store, clock: stage.clock });
  assert.deepEqual(await restarted.answer("agent", message("r1")), first.answers[1]);
  const error = await refusal("agent", message("r1", { message: "other" }));
  assert.equal(error.code, "INVALID_REQUEST");
  assert.equal(stage.model.calls.length, 1);
  assert.equal(restarted.stage.model.calls.length, 0);
});

test("a run that fails, is aborted or takes too long says so in its last answer", async () => {
  const { stage, call, refusal, answer } = open();
  const failing = await call("agent", message("r1"));
  stage.model.call().fail(new ModelError("no credit"));
  await settle();
  for (const error of [failing.error, await refusal("agent", message("r1"))]) {
    assert.equal(error?.code, "UNAVAILABLE");
    assert.equal(error?.message, "no credit");
    const said = { runId: "r1", status: "error", summary: "no credit" };
    assert.deepEqual(error?.extras, { payload: said, details: said });
  }
  const late = await call("agent", message("r2", { timeout: 2 }));
  await stage.clock.advance(1_999);
  assert.equal(stage.runs.counts.running, 1);
  await stage.clock.advance(1);
  assert.equal(late.error?.code, "AGENT_TIMEOUT");
  const { summary } = late.error.extras.payload ?? {};
  assert.deepEqual(late.error.extras.payload, { runId: "r2", status: "error", summary });
  assert.equal(summary, late.error.message);
  const aborted = await call("agent", message("r3"));
  stage.model.call().text("so far");
  await settle();
  await stage.runs.abort(DEFAULT_TENANT, { sessionKey: MAIN });
  await settle();
  assert.equal(aborted.answers.length, 2);
  assert.deepEqual(await answer("agent", message("r3")), aborted.answers[1]);
  assert.match(JSON.stringify(aborted.answers[1]), /"status":"ok","summary":"aborted".*"so far"/);
  assert.match(JSON.stringify(aborted.answers[1]), /"aborted":true,"stopReason":"rpc"/);
});

test("a long answer comes whole at the end, and cut with a mark when it is asked for again", async () => {
  const { stage, call, answer } = open();
  const { answers } = await call("agent", message("r1"));
  stage.model.call().text("x".repeat(100_000)).end();
  await settle();
  assert.ok(JSON.stringify(answers[1]).includes("x".repeat(100_000)));
  const again = JSON.stringify(await answer("agent", message("r1")));
  assert.ok(again.includes('"textCut":true'));
  assert.ok(again.length < 70_000);
});

test("a client that disconnects ends nothing", async () => {
  const { stage, call, disconnect } = open();
  await call("agent", message("r1"));
  disconnect();
  stage.model.call().text("done").end();
  await settle();
  const { status } = await stage.runs.wait(PRINCIPAL, { runId: "r1" });
  assert.equal(status, "ok");
});

test("a call finds its session by key, id, agent or receiver; by none it is the main session", async () => {
  const { stage, call } = open();
  stage.settings.agents = { defaults: {}, list: [{ id: "main" }, { id: "ada" }] };
  const work = checked("agent:ada:work", isSessionKey);
  const { entry } = await stage.sessions.append(DEFAULT_TENANT, work, { messages: [] });
  const cases: readonly [Record<string, unknown>, string, string][] = [
    [{}, MAIN, MAIN],
    [{ to: "+15550100" }, MAIN, MAIN],
    [{ sessionKey: "side" }, "agent:main:side", "side"],
    [{ sessionKey: "agent:ada:x" }, "agent:ada:x", "agent:ada:x"],
    [{ agentId: "Ada" }, "agent:ada:main", "agent:ada:main"],
    [{ agentId: "ada", sessionKey: "side" }, "agent:ada:side", "side"],
    [{ sessionId: entry.sessionId }, work, work],
    [{ sessionKey: " ", sessionId: "", agentId: "" }, MAIN, MAIN],
  ];
  for (const [at, [target, sessionKey, requestedKey]] of cases.entries()) {
    await call("agent", message(`r${at}`, target));
    const event = stage.events.at(-1);
    assert.ok(event?.type === "run");
    assert.equal(event.sessionKey, sessionKey);
    assert.equal(event.requestedKey, requestedKey);
    stage.model.call().end();
    await settle();
  }
});

test("a target that does not exist or contradicts itself is refused, nothing is stored", async () => {
  const { stage, refusal } = open();
  stage.settings.agents = { defaults: {}, list: [{ id: "main" }, { id: "ada" }] };
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ agentId: "bob" }, 'unknown agent id "bob"'],
    [{ agentId: "../etc" }, 'unknown agent id "../etc"'],
    [{ sessionId: "nope" }, "No session found: nope"],
    [
      { agentId: "ada", sessionKey: "agent:main:x" },
      'agent "ada" does not match session key agent "main"',
    ],
    [{ message: "" }, "invalid agent params: at /message: must NOT have fewer than 1 characters"],
    [{ senderIsOwner: true }, "invalid agent params: at root: unexpected property 'senderIsOwner'"],
  ];
  for (const [target, text] of cases) {
    const error = await refusal("agent", message("r", target));
    assert.equal(error.code, "INVALID_REQUEST");
    assert.equal(error.message, text);
  }
  const unknown = await refusal("agent", message("r", { sessionKey: "agent:bob:x" }));
  assert.match(unknown.message, /^unknown agent id "bob"/);
  assert.deepEqual(stage.store.commits, []);
});

test("keys, ids and names are bounded; a session key is taken without the blanks around it", async () => {
  const { stage, call, refusal } = open();
  const long = "x".repeat(513);
  const bounds: readonly [string, Record<string, unknown>, number][] = [
    ...[
      "sessionKey",
      "spawnedBy",
      "sessionId",
      "agentId",
      "to",
      "replyTo",
      "thinking",
      "channel",
      "replyChannel",
      "accountId",
      "replyAccountId",
      "threadId",
      "groupId",
      "groupChannel",
      "groupSpace",
      "lane",
    ].map((name): [string, Record<string, unknown>, number] => [
      "agent",
      message("r1", { [name]: long }),
      512,
    ]),
    ["agent", message("k".repeat(257)), 256],
    ["agent", message("r1", { sessionKey: `main${" ".repeat(500_000)}` }), 512],
    ["agent.wait", { runId: "r".repeat(257) }, 256],
    ["agent.identity.get", { agentId: long }, 512],
    ["agent.identity.get", { sessionKey: long }, 512],
  ];
  for (const [method, params, bound] of bounds) {
    const { code, message: text } = await refusal(method, params);
    assert.equal(code, "INVALID_REQUEST");
    assert.match(text, new RegExp(`must NOT have more than ${bound} characters$`));
  }
  assert.deepEqual(stage.store.commits, []);
  await call("agent", message("r1", { sessionKey: " side\n", spawnedBy: " Parent " }));
  const event = stage.events.at(-1);
  assert.ok(event?.type === "run");
  assert.equal(event.requestedKey, "side");
  const side = await stage.sessions.get(DEFAULT_TENANT, event.sessionKey);
  assert.equal(side?.spawnedBy, "agent:main:parent");
  await call("agent", message("r2", { sessionKey: "side", spawnedBy: "other" }), [
    "operator.write",
  ]);
  assert.deepEqual(
    (await stage.sessions.get(DEFAULT_TENANT, event.sessionKey))?.spawnedBy,
    "agent:main:parent",
  );
  await stage.runs.stop();
});

test("agent.wait tells how a run ended, and gives up with its caller", async () => {
  const { stage, call, begin, answer, disconnect } = open();
  const waiting = await begin("agent.wait", { runId: "r1", timeoutMs: 5_000 });
  await call("agent", message("r1"));
  stage.model.call().end();
  await settle();
  const at = stage.clock.now();
  const report = { runId: "r1", status: "ok", startedAt: at, endedAt: at };
  assert.deepEqual(waiting.answers, [report]);
  assert.deepEqual(await answer("agent.wait", { runId: "r1" }), report);
  assert.deepEqual(await answer("agent.wait", { runId: "nope", timeoutMs: 0 }), {
    runId: "nope",
    status: "timeout",
  });
  await begin("agent.wait", { runId: "nope" });
  assert.equal(stage.clock.waiting, 1);
  disconnect();
  await settle();
  assert.equal(stage.clock.waiting, 0);
});

test("agents.list, agent.identity.get and models.list show the configuration", async () => {
  const { stage, answer, refusal } = open();
  assert.deepEqual(await answer("agents.list"), {
    defaultId: "main",
    mainKey: "main",
    scope: "per-sender",
    agents: [{ id: "main" }],
  });
  const avatar = "https://example.org/ada.png";
  stage.settings.agents = {
    defaults: {},
    list: [
      { id: "bob", name: "Bob" },
      { id: "ada", default: true, identity: { name: "Ada", theme: "calm", emoji: "🦞", avatar } },
      { id: "eve", identity: { avatar: "eve.png" } },
    ],
  };
  assert.deepEqual(await answer("agents.list"), {
    defaultId: "ada",
    mainKey: "main",
    scope: "per-sender",
    agents: [
      { id: "bob", name: "Bob" },
      {
        id: "ada",
        identity: { name: "Ada", theme: "calm", emoji: "🦞", avatar, avatarUrl: avatar },
      },
      { id: "eve", identity: { avatar: "eve.png" } },
    ],
  });
  const ada = { agentId: "ada", name: "Ada", emoji: "🦞", avatar };
  assert.deepEqual(await answer("agent.identity.get"), ada);
  assert.deepEqual(await answer("agent.identity.get", { sessionKey: "agent:ada:x" }), ada);
  assert.deepEqual(await answer("agent.identity.get", { agentId: "bob" }), {
    agentId: "bob",
    name: "Bob",
  });
  assert.deepEqual(await answer("agent.identity.get", { agentId: "bob", sessionKey: "main" }), {
    agentId: "bob",
    name: "Bob",
  });
  assert.equal(
    (await refusal("agent.identity.get", { agentId: "nope" })).message,
    'unknown agent id "nope"',
  );
  assert.equal(
    (await refusal("agent.identity.get", { agentId: "bob", sessionKey: "agent:ada:x" })).message,
    'agent "bob" does not match session key agent "ada"',
  );
  assert.deepEqual(await answer("models.list", {}), {
    models: [
      { id: "one", name: "One", provider: "fake", contextWindow: 100_000 },
      { id: "two", name: "Two", provider: "fake" },
    ],
  });
});

test("each method needs its scope", async () => {
  const { refusal } = open();
  const needs = {
    "agent": ["operator.read", "operator.write"],
    "agent.wait": ["operator.read", "operator.write"],
    "agent.identity.get": ["operator.pairing", "operator.read"],
    "agents.list": ["operator.pairing", "operator.read"],
    "models.list": ["operator.pairing", "operator.read"],
  };
  for (const [method, [held = "", needed]] of Object.entries(needs)) {
    const error = await refusal(method, {}, [held]);
    assert.equal(error.message, `missing scope: ${needed}`);
  }
});
