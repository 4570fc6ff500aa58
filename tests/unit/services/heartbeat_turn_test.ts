import assert from "node:assert/strict";
import { GatewayError } from "../../../src/core/error.ts";
import { checked, DEFAULT_TENANT, isAgentId } from "../../../src/core/id.ts";
import { ModelError } from "../../../src/ports/model.ts";
import type { HeartbeatOutcome } from "../../../src/services/heartbeat.ts";
import {
  HEARTBEAT_CONTEXT_MESSAGES,
  heartbeatTurns,
  MAX_HEARTBEAT_CHARS,
} from "../../../src/services/heartbeat_turn.ts";
import { chat, MAIN, send, setStage, type Stage, transcript } from "../../support/run_stage.ts";
import { settle } from "../../support/manual_clock.ts";
import type { ScriptedCall } from "../../support/scripted_model.ts";

const AGENT = checked("main", isAgentId);

/** A stage on which someone has said something in the main session, so that it exists. */
async function begun(): Promise<Stage> {
  const stage = setStage();
  await send(stage, chat("hi"));
  stage.model.calls[0]?.text("hello").end();
  await settle();
  stage.events.length = 0;
  stage.model.calls.length = 0;
  return stage;
}

/** A turn that goes on, and the model's side of it. */
async function asked(stage: Stage): Promise<{
  readonly outcome: Promise<HeartbeatOutcome>;
  readonly call: ScriptedCall | undefined;
  readonly abort: () => void;
}> {
  const controller = new AbortController();
  const outcome = heartbeatTurns(stage)(DEFAULT_TENANT, {
    agentId: AGENT,
    prompt: "Anything to do?",
    signal: controller.signal,
  });
  // A test that looks at the call first must not lose a rejection.
  outcome.catch(() => {});
  await settle();
  return { outcome, call: stage.model.calls.at(-1), abort: () => controller.abort() };
}

const SAID = ['user "message hi"', 'assistant "hello"'];

Deno.test("the agent is asked the prompt, and shown what was said lately", async () => {
  const stage = await begun();
  stage.settings.agents = {
    defaults: { model: "fake/two" },
    list: [{ id: "main", name: "Robin" }],
  };
  const { call, outcome } = await asked(stage);
  assert.equal(call?.request.model, "fake/two");
  assert.deepEqual(call?.request.messages, [{ role: "user", text: "Anything to do?" }]);
  assert.match(call?.request.system ?? "", /Robin/);
  assert.match(call?.request.system ?? "", /2025-06-15/);
  assert.ok(
    call?.request.system?.includes(
      "What was said lately:\n\nuser: message hi\n\nassistant: hello",
    ),
  );
  call?.end();
  assert.equal((await outcome).status, "ok");
});

Deno.test("of a long session the newest messages are shown, of a new one none", async () => {
  const stage = await begun();
  const messages = Array.from({ length: HEARTBEAT_CONTEXT_MESSAGES }, (_, at) => ({
    role: "user" as const,
    text: `line-${at}.`,
    at: 1,
  }));
  await stage.sessions.append(DEFAULT_TENANT, MAIN, { messages });
  const { call, outcome } = await asked(stage);
  const shown = call?.request.system?.match(/user: line-/g) ?? [];
  assert.equal(shown.length, HEARTBEAT_CONTEXT_MESSAGES);
  assert.doesNotMatch(call?.request.system ?? "", /message hi|hello/);
  call?.end();
  await outcome;

  const fresh = setStage();
  const first = await asked(fresh);
  assert.doesNotMatch(first.call?.request.system ?? "", /said lately/);
  first.call?.end();
  await first.outcome;
});

interface AnswerRow {
  readonly name: string;
  readonly parts: readonly string[];
  readonly text: string;
  /** What is put into the session; absent: nothing. */
  readonly told?: string;
}

const ANSWERS: readonly AnswerRow[] = [
  { name: "nothing", parts: [], text: "" },
  { name: "white space", parts: [" \n", "\t"], text: "" },
  { name: "the token", parts: ["HEARTBEAT", "_OK"], text: "HEARTBEAT_OK" },
  { name: "the token in bold", parts: ["**HEARTBEAT_OK**."], text: "**HEARTBEAT_OK**." },
  {
    name: "the token and a few words",
    parts: ["HEARTBEAT_OK All is well."],
    text: "HEARTBEAT_OK All is well.",
  },
  {
    name: "words that need attention",
    parts: [" The disk ", "is full.\n"],
    text: "The disk is full.",
    told: "The disk is full.",
  },
  {
    name: "words that name the token amid them",
    parts: ["I cannot say HEARTBEAT_OK today."],
    text: "I cannot say HEARTBEAT_OK today.",
    told: "I cannot say HEARTBEAT_OK today.",
  },
  {
    name: "many words behind the token",
    parts: ["HEARTBEAT_OK ", "x".repeat(301)],
    text: `HEARTBEAT_OK ${"x".repeat(301)}`,
    told: "x".repeat(301),
  },
];

for (const { name, parts, text, told } of ANSWERS) {
  Deno.test(`an answer of ${name} ${told === undefined ? "leaves no trace" : "is told"}`, async () => {
    const stage = await begun();
    const { call, outcome } = await asked(stage);
    call?.reasoning("Hm.").text(...parts).end();
    assert.deepEqual(await outcome, { status: "ok", text });
    const note = told === undefined ? [] : [`assistant ${JSON.stringify(told)}`];
    assert.deepEqual(await transcript(stage), [...SAID, ...note]);
    const shown = told === undefined ? [] : [`[Heartbeat]\n\n${told}`];
    assert.deepEqual(
      stage.events.map((event) => event.type === "session.message" ? event.text : event.type),
      shown,
    );
  });
}

Deno.test("a session that nobody has begun is not begun by a heartbeat", async () => {
  const stage = setStage();
  const { call, outcome } = await asked(stage);
  call?.text("The disk is full.").end();
  assert.deepEqual(await outcome, { status: "ok", text: "The disk is full." });
  assert.equal(await stage.sessions.get(DEFAULT_TENANT, MAIN), undefined);
  assert.deepEqual(stage.events, []);
});

Deno.test("while the main session is at work for someone else the agent is not asked", async () => {
  const stage = await begun();
  await send(stage, chat("busy"));
  const asking = stage.model.calls.length;
  const { outcome } = await asked(stage);
  assert.deepEqual(await outcome, { status: "busy", text: "" });
  assert.equal(stage.model.calls.length, asking);
  stage.model.calls.at(-1)?.text("done").end();
  await settle();
  const { call, outcome: next } = await asked(stage);
  call?.end();
  assert.equal((await next).status, "ok");
});

Deno.test("a fault of the model is told in its words, and nothing of the answer is kept", async () => {
  const table: readonly [name: string, fail: (call: ScriptedCall) => void, error: string][] = [
    [
      "a refusal",
      (call) => call.text("half").fail(new ModelError("no credit at example")),
      "no credit at example",
    ],
    ["a broken stream", (call) => call.text("half").breakOff(), "the model's answer broke off"],
    [
      "an endless answer",
      (call) => call.text("x".repeat(MAX_HEARTBEAT_CHARS), "y"),
      `the answer is longer than ${MAX_HEARTBEAT_CHARS} characters`,
    ],
  ];
  for (const [name, fail, error] of table) {
    const stage = await begun();
    const { call, outcome } = await asked(stage);
    assert.ok(call !== undefined);
    fail(call);
    assert.deepEqual(await outcome, { status: "error", text: "", error }, name);
    assert.deepEqual(await transcript(stage), SAID, name);
    assert.equal(call.returned, true, name);
  }
});

Deno.test("an answer as long as the bound is taken", async () => {
  const stage = await begun();
  const { call, outcome } = await asked(stage);
  call?.text("x".repeat(MAX_HEARTBEAT_CHARS)).end();
  assert.equal((await outcome).text.length, MAX_HEARTBEAT_CHARS);
});

Deno.test("an aborted turn fails, also where the model does not heed it and answers late", async () => {
  for (const deaf of [false, true]) {
    const stage = await begun();
    stage.model.deaf = deaf;
    const { call, outcome, abort } = await asked(stage);
    call?.text("The disk ");
    await settle();
    abort();
    if (deaf) call?.text("is full.").end();
    const error = "the model did not answer in time";
    assert.deepEqual(await outcome, { status: "error", text: "", error });
    assert.deepEqual(await transcript(stage), SAID);
  }
});

Deno.test("what neither the model nor the time caused is thrown, for its caller to log", async () => {
  const stage = await begun();
  stage.settings.agents = { defaults: {}, list: [{ id: "main", model: "nonsense" }] };
  const { outcome } = await asked(stage);
  await assert.rejects(
    outcome,
    (error) => error instanceof GatewayError && /^unknown model "nonsense"/.test(error.message),
  );
  const broken = await begun();
  const { call, outcome: second } = await asked(broken);
  call?.fail(new TypeError("x is not a function"));
  await assert.rejects(second, TypeError);
});
