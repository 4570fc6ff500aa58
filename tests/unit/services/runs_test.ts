import assert from "node:assert/strict";
import { GatewayError } from "../../../src/core/error.ts";
import { checked, DEFAULT_TENANT, isSessionKey } from "../../../src/core/id.ts";
import { ModelError } from "../../../src/ports/model.ts";
import {
  INTERRUPTED_SUMMARY,
  RUN_RECORD_KIND,
  RUN_RECORD_RETENTION_MS,
  SWEEP_EVERY_RUNS,
} from "../../../src/services/run_record.ts";
import { DEFAULT_RUN_TIMEOUT_MS, MAX_RUN_TIMEOUT_MS } from "../../../src/services/runs.ts";
import { settle } from "../../support/manual_clock.ts";
import {
  chat,
  MAIN,
  PRINCIPAL,
  send,
  setStage,
  type Stage,
  told,
  transcript,
} from "../../support/run_stage.ts";

const USAGE = { input: 10, output: 5, cacheRead: 1, cacheWrite: 2, total: 18 };
const OTHER = checked("agent:main:other", isSessionKey);

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `runs: ${name}`, sanitizeOps: true, sanitizeResources: true, fn });
}

/** The error that `work` throws; fails when it throws none of ours. */
async function refusal(work: Promise<unknown>): Promise<GatewayError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

test("a run tells its start, each part, its end, numbered from 1, all of them echoing the key", async () => {
  const stage = setStage();
  await send(stage, chat("r1"));
  stage.model.call().text("Hel", "lo ").end(USAGE);
  await settle();
  assert.deepEqual(told(stage), [
    "r1 1 start",
    'r1 2 text "Hel" shown',
    'r1 3 text "lo "',
    'r1 4 end "Hello"',
  ]);
  for (const event of stage.events) {
    assert.ok(event.type === "run");
    assert.equal(event.sessionKey, MAIN);
    assert.equal(event.requestedKey, "main");
  }
  const [last] = stage.events.slice(-1);
  assert.deepEqual(last?.type === "run" && last.step, {
    kind: "end",
    text: "Hello",
    stopReason: "stop",
    usage: USAGE,
  });
});

test("nothing happens before the caller says that its answer is on its way", async () => {
  const stage = setStage();
  const outcome = await stage.runs.start(PRINCIPAL, chat("r1"));
  await stage.clock.advance(60_000);
  assert.deepEqual(told(stage), []);
  assert.equal(stage.model.calls.length, 0);
  assert.ok(outcome.status === "accepted");
  outcome.begin();
  outcome.begin();
  await settle();
  assert.deepEqual(told(stage), ["r1 1 start"]);
  stage.model.call().end();
  await settle();
});

test("message, session and record are one commit before the answer; so are answer, session and record before the end", async () => {
  const stage = setStage();
  const outcome = await stage.runs.start(PRINCIPAL, chat("r1"));
  assert.deepEqual(stage.store.commits, [["session", "append", "run"]]);
  assert.deepEqual(await transcript(stage), ['user "message r1"']);
  assert.ok(outcome.status === "accepted");
  outcome.begin();
  await settle();
  let storedAtEnd: readonly string[][] = [];
  const push = stage.events.push.bind(stage.events);
  stage.events.push = (event) => {
    if (event.type === "run" && event.step.kind === "end") storedAtEnd = [...stage.store.commits];
    return push(event);
  };
  stage.model.call().text("yes").end(USAGE);
  await settle();
  assert.equal(told(stage).at(-1), 'r1 3 end "yes"');
  assert.deepEqual(storedAtEnd[1], ["session", "append", "run"]);
  assert.deepEqual(await transcript(stage), ['user "message r1"', 'assistant "yes"']);
  const entry = await stage.sessions.get(DEFAULT_TENANT, MAIN);
  assert.equal(entry?.model, "one");
  assert.equal(entry?.modelProvider, "fake");
  assert.equal(entry?.inputTokens, USAGE.input);
  assert.equal(entry?.outputTokens, USAGE.output);
  assert.equal(entry?.totalTokens, USAGE.total);
  assert.equal(entry?.abortedLastRun, false);
});

test("an answer without text ends well and leaves no message", async () => {
  const stage = setStage();
  await send(stage, chat("r1"));
  stage.model.call().text("  ").end();
  await settle();
  assert.equal(told(stage).at(-1), 'r1 3 end ""');
  assert.deepEqual(await transcript(stage), ['user "message r1"']);
});

test("the model is asked with the conversation, the agent's prompt and the live facts", async () => {
  const stage = setStage({ facts: () => ({ version: "1.2.3" }) });
  stage.settings.agents = {
    defaults: { model: "fake/two" },
    list: [{ id: "main", identity: { name: "Ada", theme: "dry wit" } }],
  };
  await send(stage, chat("r1", { thinking: "low", extraSystemPrompt: "Be brief." }));
  const { request } = stage.model.call();
  assert.equal(request.model, "fake/two");
  assert.equal(request.thinking, "low");
  assert.deepEqual(request.messages, [{ role: "user", text: "message r1" }]);
  assert.equal(
    request.system,
    "You are Ada, a helpful assistant.\nYour character: dry wit\nToday is 2025-06-15 (UTC).\nBe brief.",
  );
  assert.equal(request.facts?.version, "1.2.3");
  assert.equal(request.facts?.model, "fake/two");
  assert.equal(request.facts?.session, MAIN);
  assert.equal(request.facts?.runs, "1 running, 0 waiting");
  assert.equal(request.facts?.time, "2025-06-15 15:06 UTC");
  stage.model.call().end();
  await settle();
});

test("facts that fail are left out and the run goes on", async () => {
  const stage = setStage({ facts: () => Promise.reject(new Error("no facts")) });
  await send(stage, chat("r1"));
  assert.equal(stage.model.call().request.facts?.agent, "main");
  stage.model.call().text("ok").end();
  await settle();
  assert.equal(told(stage).at(-1), 'r1 3 end "ok"');
});

test("the session's model comes before the agent's, the agent's before the default", async () => {
  const stage = setStage();
  stage.settings.agents = { defaults: { model: "fake/one" }, list: [{ id: "main", model: "two" }] };
  const asked: string[] = [];
  for (const [key, override] of [["a", undefined], ["b", "one"]] as const) {
    if (override !== undefined) {
      await stage.sessions.append(DEFAULT_TENANT, MAIN, {
        messages: [],
        change: (entry) => ({ ...entry, providerOverride: "fake", modelOverride: override }),
      });
    }
    await send(stage, chat(key));
    asked.push(stage.model.call().request.model);
    stage.model.call().end();
    await settle();
  }
  stage.settings.agents = { defaults: { model: "fake/two" }, list: [] };
  await send(stage, chat("c", { sessionKey: OTHER }));
  asked.push(stage.model.call().request.model);
  stage.model.call().end();
  await settle();
  assert.deepEqual(asked, ["fake/two", "fake/one", "fake/two"]);
});

test("the same key again: the state of its run, in this process and after a restart", async () => {
  for (const ending of ["ok", "aborted", "failed"] as const) {
    const stage = setStage();
    const first = await stage.runs.start(PRINCIPAL, chat("r1"));
    assert.ok(first.status === "accepted");
    const again = () => stage.runs.start(PRINCIPAL, chat("r1"));
    assert.deepEqual(await again(), {
      status: "in_flight",
      runId: "r1",
      acceptedAt: first.acceptedAt,
    });
    first.begin();
    await settle();
    await stage.clock.advance(1_000);
    assert.equal((await again()).status, "in_flight");
    if (ending === "ok") stage.model.call().text("yes").end();
    if (ending === "failed") stage.model.call().fail(new ModelError("no credit"));
    if (ending === "aborted") await stage.runs.abort(DEFAULT_TENANT, { sessionKey: MAIN });
    await settle();
    const restarted = setStage({ store: stage.store, clock: stage.clock });
    for (const runs of [stage.runs, restarted.runs]) {
      const outcome = await runs.start(PRINCIPAL, chat("r1"));
      assert.ok(outcome.status === "ended", outcome.status);
      assert.equal(outcome.record.state, ending);
      assert.equal(outcome.record.error, ending === "failed" ? "no credit" : undefined);
      const reused = await refusal(runs.start(PRINCIPAL, chat("r1", { message: "other" })));
      assert.equal(reused.code, "INVALID_REQUEST");
      assert.equal(
        reused.message,
        'idempotency key "r1" was used with different parameters; use a new key',
      );
    }
    assert.equal(stage.model.calls.length, 1);
    assert.equal(restarted.model.calls.length, 0);
  }
});

test("the same key with other params is refused while its run goes on", async () => {
  const stage = setStage();
  await send(stage, chat("r1"));
  const error = await refusal(stage.runs.start(PRINCIPAL, chat("r1", { message: "other" })));
  assert.equal(error.code, "INVALID_REQUEST");
  const kind = await refusal(stage.runs.start(PRINCIPAL, { ...chat("r1"), kind: "agent" }));
  assert.equal(kind.code, "INVALID_REQUEST");
  stage.model.call().end();
  await settle();
});

test("the same request sent many times at once is done once", async () => {
  const stage = setStage();
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () => stage.runs.start(PRINCIPAL, chat("r1"))),
  );
  assert.equal(outcomes.filter(({ status }) => status === "accepted").length, 1);
  assert.equal(outcomes.filter(({ status }) => status === "in_flight").length, 19);
  assert.deepEqual(await transcript(stage), ['user "message r1"']);
  await stage.runs.abort(DEFAULT_TENANT, { sessionKey: MAIN });
});

test("a key is free again after a day", async () => {
  const stage = setStage();
  await send(stage, chat("r1"));
  stage.model.call().end();
  await settle();
  await stage.clock.advance(24 * 60 * 60_000 + 1);
  await send(stage, chat("r1", { message: "another day" }));
  assert.equal(stage.model.calls.length, 2);
  stage.model.call().end();
  await settle();
});

test("what cannot be asked is refused before anything is stored", async () => {
  const stage = setStage();
  const cases = [
    [chat("r1", { message: " " }), "message or attachment required"],
    [chat("a\nb"), "idempotencyKey"],
    [chat("x".repeat(257)), "idempotencyKey"],
    [chat("r1", { message: "x".repeat(512 * 1024 + 1) }), "message has 524289 characters"],
    [chat("r1", { thinking: "loud" }), 'thinking "loud" is not a level'],
    [chat("r1", { extraSystemPrompt: "x".repeat(65_537) }), "extraSystemPrompt has 65537"],
  ] as const;
  for (const [request, begins] of cases) {
    const error = await refusal(stage.runs.start(PRINCIPAL, request));
    assert.equal(error.code, "INVALID_REQUEST");
    assert.ok(error.message.startsWith(begins), error.message);
  }
  assert.deepEqual(stage.store.commits, []);
});

test("a session that denies sending stores nothing, and the key stays free", async () => {
  const stage = setStage();
  const policy = (sendPolicy: "deny" | "allow") =>
    stage.sessions.append(DEFAULT_TENANT, MAIN, {
      messages: [],
      change: (entry) => ({ ...entry, sendPolicy }),
    });
  await policy("deny");
  for (const message of ["hello", "/status"]) {
    const error = await refusal(stage.runs.start(PRINCIPAL, chat("r1", { message })));
    assert.equal(error.code, "INVALID_REQUEST");
    assert.equal(error.message, "send blocked by session policy");
  }
  assert.deepEqual(await transcript(stage), []);
  assert.deepEqual(stage.runs.counts, { running: 0, waiting: 0 });
  await policy("allow");
  await send(stage, chat("r1"));
  stage.model.call().end();
  await settle();
});

test("a commit that fails at the start acknowledges nothing and leaves nothing", async () => {
  const stage = setStage();
  stage.store.trips = () => true;
  for (const message of ["hello", "/status"]) {
    const error = await refusal(stage.runs.start(PRINCIPAL, chat("r1", { message })));
    assert.equal(error.code, "UNAVAILABLE");
    assert.equal(error.extras.retryable, true);
    assert.ok(!error.message.includes("disk"));
  }
  stage.store.trips = () => false;
  assert.deepEqual(await transcript(stage), []);
  assert.deepEqual(stage.runs.counts, { running: 0, waiting: 0 });
  await send(stage, chat("r1"));
  stage.model.call().text("yes").end();
  await settle();
  assert.deepEqual(await transcript(stage), ['user "message r1"', 'assistant "yes"']);
});

test("an answer that cannot be stored is told as a failure; its message stays, its record is recovered", async () => {
  const stage = setStage();
  const { ended } = await send(stage, chat("r1"));
  stage.store.trips = () => true;
  stage.model.call().text("yes").end();
  await settle();
  assert.equal(
    told(stage).at(-1),
    "r1 3 failed the answer could not be stored; send the message again with a new idempotency key",
  );
  assert.equal((await ended).state, "failed");
  stage.store.trips = () => false;
  assert.deepEqual(await transcript(stage), ['user "message r1"']);
  const outcome = await stage.runs.start(PRINCIPAL, chat("r1"));
  assert.ok(outcome.status === "ended" && outcome.record.state === "failed");
  const restarted = setStage({ store: stage.store, clock: stage.clock });
  assert.equal(await restarted.runs.recover(DEFAULT_TENANT), 1);
});

test("an abort that cannot be stored still ends the run", async () => {
  const stage = setStage();
  await send(stage, chat("r1"));
  stage.model.call().text("so far");
  await settle();
  stage.store.trips = () => true;
  assert.deepEqual(await stage.runs.abort(DEFAULT_TENANT, { sessionKey: MAIN }), {
    aborted: true,
    runIds: ["r1"],
  });
  assert.equal(told(stage).at(-1), 'r1 3 aborted rpc "so far"');
  assert.deepEqual(stage.runs.counts, { running: 0, waiting: 0 });
});

test("runs of a session go one after the other; each knows the answers before it, not the messages behind it", async () => {
  const stage = setStage();
  for (const key of ["a", "b", "c"]) await send(stage, chat(key));
  assert.deepEqual(stage.runs.counts, { running: 1, waiting: 2 });
  assert.deepEqual(stage.runs.active(DEFAULT_TENANT).map(({ runId }) => runId), ["a", "b", "c"]);
  const asked: (readonly string[])[] = [];
  for (const at of [0, 1, 2]) {
    assert.equal(stage.model.calls.length, at + 1);
    const call = stage.model.call(at);
    asked.push(call.request.messages.map(({ text }) => text));
    call.text(`answer ${at}`).end();
    await settle();
  }
  assert.deepEqual(asked, [
    ["message a"],
    ["message a", "answer 0", "message b"],
    ["message a", "answer 0", "message b", "answer 1", "message c"],
  ]);
  assert.deepEqual(told(stage).filter((line) => !line.includes("text")), [
    "a 1 start",
    'a 3 end "answer 0"',
    "b 1 start",
    'b 3 end "answer 1"',
    "c 1 start",
    'c 3 end "answer 2"',
  ]);
});

test("messages sent at once are taken in the order in which they came, however large the first is", async () => {
  const stage = setStage();
  const params = { padding: "x".repeat(4_000_000) };
  const outcomes = await Promise.all([
    stage.runs.start(PRINCIPAL, { ...chat("a"), params }),
    stage.runs.start(PRINCIPAL, chat("b")),
    stage.runs.start(PRINCIPAL, chat("c")),
  ]);
  assert.deepEqual(await transcript(stage), [
    'user "message a"',
    'user "message b"',
    'user "message c"',
  ]);
  for (const outcome of outcomes.toReversed()) {
    assert.ok(outcome.status === "accepted");
    outcome.begin();
  }
  await settle();
  assert.deepEqual(told(stage), ["a 1 start"]);
  await stage.runs.stop();
});

test("sessions run beside each other up to the limit, which is read live", async () => {
  const stage = setStage();
  for (let at = 0; at < 6; at++) {
    const sessionKey = checked(`agent:main:s${at}`, isSessionKey);
    await send(stage, chat(`r${at}`, { sessionKey }));
  }
  assert.deepEqual(stage.runs.counts, { running: 4, waiting: 2 });
  stage.settings.runs = { maxConcurrent: 5 };
  stage.model.call(0).end();
  await settle();
  assert.deepEqual(stage.runs.counts, { running: 5, waiting: 0 });
  await stage.runs.stop();
});

test("a session with too many waiting messages refuses the next, to be tried again", async () => {
  const stage = setStage();
  for (let at = 0; at < 33; at++) await send(stage, chat(`r${at}`));
  const error = await refusal(stage.runs.start(PRINCIPAL, chat("one more")));
  assert.equal(error.code, "UNAVAILABLE");
  assert.equal(error.extras.retryable, true);
  assert.ok(error.message.includes("32 messages waiting"), error.message);
  assert.equal((await transcript(stage)).length, 33);
  await stage.runs.stop();
});

test("an abort while the model speaks keeps what was said and says no more", async () => {
  for (const deaf of [false, true]) {
    const stage = setStage();
    stage.model.deaf = deaf;
    await send(stage, chat("r1"));
    const call = stage.model.call().text("so ", "far");
    await settle();
    assert.deepEqual(await stage.runs.abort(DEFAULT_TENANT, { sessionKey: MAIN, runId: "r1" }), {
      aborted: true,
      runIds: ["r1"],
    });
    assert.ok(call.signal.aborted);
    call.text("never").end();
    await settle();
    assert.deepEqual(told(stage), [
      "r1 1 start",
      'r1 2 text "so " shown',
      'r1 3 text "far"',
      'r1 4 aborted rpc "so far"',
    ]);
    assert.deepEqual(await transcript(stage), [
      'user "message r1"',
      'assistant "so far" aborted',
    ]);
    assert.equal((await stage.sessions.get(DEFAULT_TENANT, MAIN))?.abortedLastRun, true);
  }
});

const PHASES: readonly {
  phase: string;
  begin: (stage: Stage) => Promise<unknown>;
  aborted: boolean;
  events: readonly string[];
}[] = [
  {
    phase: "before its answer is out",
    begin: (stage) => stage.runs.start(PRINCIPAL, chat("r1")),
    aborted: true,
    events: ['r1 1 aborted rpc ""'],
  },
  {
    phase: "while its message is being stored",
    begin: (stage) => {
      void stage.runs.start(PRINCIPAL, chat("r1"));
      return Promise.resolve();
    },
    aborted: true,
    events: ['r1 1 aborted rpc ""'],
  },
  {
    phase: "before the model speaks",
    begin: (stage) => send(stage, chat("r1")),
    aborted: true,
    events: ["r1 1 start", 'r1 2 aborted rpc ""'],
  },
  {
    phase: "while the conversation is read",
    begin: async (stage) => {
      const outcome = await stage.runs.start(PRINCIPAL, chat("r1"));
      if (outcome.status === "accepted") outcome.begin();
    },
    aborted: true,
    events: ["r1 1 start", 'r1 2 aborted rpc ""'],
  },
  {
    phase: "after its end",
    begin: async (stage) => {
      await send(stage, chat("r1"));
      stage.model.call().end();
      await settle();
    },
    aborted: false,
    events: ["r1 1 start", 'r1 2 end ""'],
  },
];

for (const { phase, begin, aborted, events } of PHASES) {
  test(`an abort ${phase} ${aborted ? "ends the run" : "finds nothing to end"}`, async () => {
    const stage = setStage();
    await begin(stage);
    const outcome = await stage.runs.abort(DEFAULT_TENANT, { sessionKey: MAIN });
    assert.deepEqual(outcome, { aborted, runIds: aborted ? ["r1"] : [] });
    await settle();
    assert.deepEqual(told(stage), events);
    await stage.runs.stop();
  });
}

test("an abort of a session ends what waits as well, and none of it starts", async () => {
  const stage = setStage();
  for (const key of ["a", "b", "c"]) await send(stage, chat(key));
  const elsewhere = await send(stage, chat("d", { sessionKey: OTHER }));
  const outcome = await stage.runs.abort(DEFAULT_TENANT, { sessionKey: MAIN });
  assert.deepEqual(outcome, { aborted: true, runIds: ["a", "b", "c"] });
  assert.equal(stage.model.calls.length, 2);
  assert.deepEqual(told(stage).filter((line) => line.includes("aborted")).sort(), [
    'a 2 aborted rpc ""',
    'b 1 aborted rpc ""',
    'c 1 aborted rpc ""',
  ]);
  assert.deepEqual(stage.runs.active(DEFAULT_TENANT).map(({ runId }) => runId), ["d"]);
  stage.model.call().end();
  assert.equal((await elsewhere.ended).state, "ok");
});

test("an abort of a waiting run leaves the one before it alone", async () => {
  const stage = setStage();
  for (const key of ["a", "b", "c"]) await send(stage, chat(key));
  await stage.runs.abort(DEFAULT_TENANT, { sessionKey: MAIN, runId: "b" });
  stage.model.call().text("one").end();
  await settle();
  assert.deepEqual(stage.model.call().request.messages.map(({ text }) => text), [
    "message a",
    "one",
    "message b",
    "[no answer]",
    "message c",
  ]);
  stage.model.call().end();
  await settle();
});

test("a run is aborted through its own session only; an unknown one is not an error", async () => {
  const stage = setStage();
  await send(stage, chat("r1"));
  const error = await refusal(
    stage.runs.abort(DEFAULT_TENANT, { sessionKey: OTHER, runId: "r1" }),
  );
  assert.equal(error.code, "INVALID_REQUEST");
  assert.equal(error.message, "runId does not match sessionKey");
  assert.deepEqual(
    await stage.runs.abort(DEFAULT_TENANT, { sessionKey: MAIN, runId: "no such" }),
    { aborted: false, runIds: [] },
  );
  stage.model.call().end();
  await settle();
});

test("a run that takes too long is aborted: by its own limit, the configured one, the default, the greatest", async () => {
  const cases = [
    { asked: 1_000, configured: 5_000, limit: 1_000 },
    { asked: undefined, configured: 5_000, limit: 5_000 },
    { asked: undefined, configured: undefined, limit: DEFAULT_RUN_TIMEOUT_MS },
    { asked: 0, configured: 5_000, limit: MAX_RUN_TIMEOUT_MS },
    { asked: 2 ** 40, configured: undefined, limit: MAX_RUN_TIMEOUT_MS },
  ];
  for (const { asked, configured, limit } of cases) {
    const stage = setStage();
    stage.settings.runs = { timeoutMs: configured };
    const { ended } = await send(stage, chat("r1", { timeoutMs: asked }));
    stage.model.call().text("so far");
    await stage.clock.advance(limit - 1);
    assert.equal(stage.runs.counts.running, 1);
    await stage.clock.advance(1);
    assert.equal(told(stage).at(-1), 'r1 3 aborted timeout "so far"');
    assert.equal((await ended).stopReason, "timeout");
    assert.equal(stage.clock.waiting, 0);
  }
});

test("what the model says of its failure is told; what a defect says is not", async () => {
  const cases = [
    [new ModelError("no credit left", { status: 402 }), "no credit left"],
    [
      new TypeError("secret of the inside"),
      "the model failed unexpectedly; see the gateway's log",
    ],
  ] as const;
  for (const [thrown, message] of cases) {
    const stage = setStage();
    await send(stage, chat("r1"));
    stage.model.call().text("so far").fail(thrown);
    await settle();
    assert.equal(told(stage).at(-1), `r1 3 failed ${message}`);
    assert.deepEqual(await transcript(stage), [
      'user "message r1"',
      `assistant "so far"  ${message}`,
    ]);
    assert.equal(stage.log.lines.at(-1)?.message, "run failed");
    assert.equal(stage.clock.waiting, 0);
  }
});

test("a model that is not there fails the run with its name", async () => {
  const stage = setStage();
  stage.settings.agents = { defaults: {}, list: [{ id: "main", model: "nope" }] };
  await send(stage, chat("r1"));
  assert.equal(
    told(stage).at(-1),
    'r1 2 failed unknown model "nope"; use one of "fake/one", "fake/two"',
  );
});

test("a run whose session is reset is aborted, and nothing of it reaches the new conversation", async () => {
  const stage = setStage();
  await send(stage, chat("a"));
  await send(stage, chat("b"));
  stage.model.call().text("old");
  await settle();
  await stage.sessions.reset(DEFAULT_TENANT, MAIN);
  await settle();
  assert.deepEqual(await transcript(stage), []);
  assert.deepEqual(stage.runs.counts, { running: 0, waiting: 0 });
});

test("an answer whose session another process has reset is told but stored nowhere", async () => {
  const stage = setStage();
  await send(stage, chat("r1"));
  stage.model.call().text("old");
  await settle();
  const other = setStage({ store: stage.store, clock: stage.clock });
  await other.sessions.reset(DEFAULT_TENANT, MAIN);
  await send(stage, chat("r2"));
  stage.model.call().end();
  await settle();
  assert.equal(told(stage)[2], 'r1 3 end "old"');
  assert.equal((await other.runs.wait(DEFAULT_TENANT, { runId: "r1" })).status, "ok");
  assert.deepEqual(stage.model.call().request.messages.map(({ text }) => text), ["message r2"]);
  stage.model.call().end();
  await settle();
  assert.deepEqual(await transcript(stage), ['user "message r2"']);
});

test("a run whose session another process has reset before its turn fails", async () => {
  const stage = setStage();
  const outcome = await stage.runs.start(PRINCIPAL, chat("r1"));
  const other = setStage({ store: stage.store, clock: stage.clock });
  await other.sessions.reset(DEFAULT_TENANT, MAIN);
  assert.ok(outcome.status === "accepted");
  outcome.begin();
  await settle();
  assert.deepEqual(
    told(stage).at(-1),
    "r1 2 failed the session was reset or deleted before the run began; send the message again",
  );
  assert.deepEqual(await transcript(stage), []);
});

test("a key that another process takes at the same time is answered from its record", async () => {
  const stage = setStage();
  const other = setStage({ store: stage.store, clock: stage.clock });
  const outcomes = await Promise.all([
    stage.runs.start(PRINCIPAL, chat("r1")),
    other.runs.start(PRINCIPAL, chat("r1")),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["accepted", "ended"]);
  assert.deepEqual(await transcript(stage), ['user "message r1"']);
  await stage.runs.stop();
  await other.runs.stop();
});

test("an abort waits for a run that is just being stored, and does not count it", async () => {
  const stage = setStage();
  await send(stage, chat("r1"));
  const { promise, resolve } = Promise.withResolvers<void>();
  const commit = stage.store.commit.bind(stage.store);
  stage.store.commit = async (writes) => {
    await promise;
    return await commit(writes);
  };
  stage.model.call().text("yes").end();
  await settle();
  let done = false;
  const aborting = stage.runs.abort(DEFAULT_TENANT, { sessionKey: MAIN });
  void aborting.then(() => done = true);
  await settle();
  assert.equal(done, false);
  resolve();
  assert.deepEqual(await aborting, { aborted: false, runIds: [] });
  assert.deepEqual(await transcript(stage), ['user "message r1"', 'assistant "yes"']);
});

test("/stop as the whole message aborts the session's runs; with more text it is text", async () => {
  const stage = setStage();
  await send(stage, chat("a"));
  await send(stage, chat("b"));
  const outcome = await stage.runs.start(PRINCIPAL, chat("c", { message: " /stop\n" }));
  assert.deepEqual(outcome, { status: "stopped", aborted: true, runIds: ["a", "b"] });
  assert.deepEqual(told(stage).filter((line) => line.includes("aborted")).sort(), [
    'a 2 aborted stop ""',
    'b 1 aborted stop ""',
  ]);
  assert.deepEqual(await stage.runs.start(PRINCIPAL, chat("c", { message: "/stop" })), {
    status: "stopped",
    aborted: false,
    runIds: [],
  });
  await send(stage, chat("d", { message: "/stop it" }));
  assert.equal(stage.model.call().request.messages.at(-1)?.text, "/stop it");
  stage.model.call().end();
  await settle();
});

test("/status is answered by the gateway itself, once, after the caller's answer", async () => {
  const stage = setStage({ facts: () => ({ version: "1.2.3" }) });
  const request = chat("r1", { message: "/status" });
  const outcome = await stage.runs.start(PRINCIPAL, request);
  assert.ok(outcome.status === "accepted");
  assert.equal(stage.events.length, 0);
  outcome.begin();
  await settle();
  assert.equal(stage.model.calls.length, 0);
  const [event] = stage.events;
  assert.ok(event?.type === "session.message");
  assert.equal(event.runId, "r1");
  assert.equal(event.sequence, 1);
  assert.equal(event.requestedKey, "main");
  assert.match(event.text, /^Status of the gateway\n- version: 1\.2\.3\n- agent: main\n/);
  assert.equal((await transcript(stage)).length, 2);
  const again = await stage.runs.start(PRINCIPAL, request);
  assert.ok(again.status === "ended" && again.record.state === "ok");
  assert.equal(stage.events.length, 1);
});

test("other commands are text, and so are all of them in an agent's message", async () => {
  const stage = setStage();
  const texts = ["/approve abc allow-always", "/config set gateway.auth.mode none", "/model x"];
  for (const [at, message] of texts.entries()) {
    await send(stage, chat(`r${at}`, { message }));
    assert.equal(stage.model.call().request.messages.at(-1)?.text, message);
    stage.model.call().end();
    await settle();
  }
  for (const message of ["/stop", "/status"]) {
    await send(stage, { ...chat(`a${message}`, { message }), kind: "agent" });
    assert.equal(stage.model.call().request.messages.at(-1)?.text, message);
    stage.model.call().end();
    await settle();
  }
});

test("waiting for a run tells how it ended, whenever it ended", async () => {
  const stage = setStage();
  const at = stage.clock.now();
  const early = stage.runs.wait(DEFAULT_TENANT, { runId: "r1" });
  await send(stage, chat("r1"));
  const during = stage.runs.wait(DEFAULT_TENANT, { runId: "r1" });
  await stage.clock.advance(500);
  stage.model.call().text("x").end();
  await settle();
  const report = { runId: "r1", status: "ok", startedAt: at, endedAt: at + 500 };
  assert.deepEqual(await early, report);
  assert.deepEqual(await during, report);
  assert.deepEqual(await stage.runs.wait(DEFAULT_TENANT, { runId: "r1" }), report);
  const restarted = setStage({ store: stage.store, clock: stage.clock });
  assert.deepEqual(await restarted.runs.wait(DEFAULT_TENANT, { runId: "r1" }), report);
  assert.equal(stage.clock.waiting, 0);
});

test("waiting for a run that failed, was aborted, or took too long", async () => {
  const stage = setStage();
  const report = async (runId: string) => {
    const { status, error } = await stage.runs.wait(DEFAULT_TENANT, { runId });
    return [status, error];
  };
  await send(stage, chat("failed"));
  stage.model.call().fail(new ModelError("no credit"));
  await settle();
  await send(stage, chat("aborted"));
  await stage.runs.abort(DEFAULT_TENANT, { sessionKey: MAIN });
  await send(stage, chat("late", { timeoutMs: 10 }));
  await stage.clock.advance(10);
  assert.deepEqual(await report("failed"), ["error", "no credit"]);
  assert.deepEqual(await report("aborted"), ["ok", undefined]);
  assert.deepEqual(await report("late"), [
    "timeout",
    "the run reached its time limit and was aborted; ask for less or allow it more time",
  ]);
});

test("a wait ends with its time, at once with none, and with its caller", async () => {
  const stage = setStage();
  const waiting = stage.runs.wait(DEFAULT_TENANT, { runId: "nobody" });
  await stage.clock.advance(29_999);
  let done = false;
  void waiting.then(() => done = true);
  await settle();
  assert.equal(done, false);
  await stage.clock.advance(1);
  assert.deepEqual(await waiting, { runId: "nobody", status: "timeout" });
  const timeout = { runId: "x\u0000y", status: "timeout" };
  assert.deepEqual(
    await stage.runs.wait(DEFAULT_TENANT, { runId: "x\u0000y", timeoutMs: 0 }),
    timeout,
  );
  const control = new AbortController();
  const gone = stage.runs.wait(DEFAULT_TENANT, { runId: "nobody", signal: control.signal });
  await settle();
  control.abort();
  assert.equal((await gone).status, "timeout");
  assert.equal(stage.clock.waiting, 0);
});

test("what a killed process left open is closed at the next start; its messages stay", async () => {
  const killed = setStage();
  await send(killed, chat("r1"));
  killed.model.call().text("lost");
  await send(killed, chat("r2"));
  await settle();
  const stage = setStage({ store: killed.store, clock: killed.clock });
  const before = await stage.runs.start(PRINCIPAL, chat("r1"));
  assert.ok(before.status === "ended" && before.record.error === INTERRUPTED_SUMMARY);
  await send(stage, chat("r3"));
  assert.equal(await stage.runs.recover(DEFAULT_TENANT), 2);
  assert.equal(await stage.runs.recover(DEFAULT_TENANT), 0);
  const entry = await stage.sessions.get(DEFAULT_TENANT, MAIN);
  assert.equal(entry?.abortedLastRun, true);
  assert.deepEqual((await transcript(stage)).slice(0, 2), [
    'user "message r1"',
    'user "message r2"',
  ]);
  const report = await stage.runs.wait(DEFAULT_TENANT, { runId: "r2" });
  assert.deepEqual([report.status, report.error], ["error", INTERRUPTED_SUMMARY]);
  assert.equal(stage.runs.counts.running, 1);
  stage.model.call().text("fine").end();
  await settle();
  assert.equal(told(stage).at(-1), 'r3 3 end "fine"');
});

test("recovery of a run whose session is gone makes no session", async () => {
  const killed = setStage();
  await send(killed, chat("r1", { sessionKey: OTHER }));
  const stage = setStage({ store: killed.store, clock: killed.clock });
  await stage.sessions.remove(DEFAULT_TENANT, OTHER);
  assert.equal(await stage.runs.recover(DEFAULT_TENANT), 1);
  assert.equal(await stage.sessions.get(DEFAULT_TENANT, OTHER), undefined);
});

test("a stop aborts what runs and waits, stores it, and takes nothing new", async () => {
  const stage = setStage();
  await send(stage, chat("a"));
  await send(stage, chat("b"));
  stage.model.call().text("so far");
  await settle();
  await stage.runs.stop();
  assert.deepEqual(told(stage).filter((line) => line.includes("aborted")).sort(), [
    'a 3 aborted shutdown "so far"',
    'b 1 aborted shutdown ""',
  ]);
  assert.deepEqual((await transcript(stage)).at(-1), 'assistant "so far" aborted');
  const error = await refusal(stage.runs.start(PRINCIPAL, chat("c")));
  assert.equal(error.code, "UNAVAILABLE");
  assert.equal(error.extras.retryable, true);
  assert.equal(stage.clock.waiting, 0);
  const restarted = setStage({ store: stage.store, clock: stage.clock });
  assert.equal(await restarted.runs.recover(DEFAULT_TENANT), 0);
});

test("a stop does not wait for a store that does not answer", async () => {
  const stage = setStage();
  await send(stage, chat("a"));
  const commit = stage.store.commit.bind(stage.store);
  stage.store.commit = () => new Promise(() => {});
  let stopped = false;
  const stopping = stage.runs.stop().then(() => stopped = true);
  await stage.clock.advance(4_999);
  assert.equal(stopped, false);
  await stage.clock.advance(1);
  await stopping;
  stage.store.commit = commit;
});

test("a defect in a listener does not hold up the run", async () => {
  const stage = setStage();
  stage.events.push = () => {
    throw new Error("listener");
  };
  const { ended } = await send(stage, chat("r1"));
  stage.model.call().text("fine").end();
  assert.equal((await ended).state, "ok");
});

test("records of old runs go away while new ones come", async () => {
  const stage = setStage();
  const count = () => stage.store.count({ tenant: DEFAULT_TENANT, kind: RUN_RECORD_KIND });
  const status = (key: string) => stage.runs.start(PRINCIPAL, chat(key, { message: "/status" }));
  for (let at = 0; at < 10; at++) await status(`old${at}`);
  await stage.clock.advance(RUN_RECORD_RETENTION_MS + 1);
  for (let at = 0; at < SWEEP_EVERY_RUNS; at++) await status(`new${at}`);
  await settle();
  assert.equal(await count(), SWEEP_EVERY_RUNS);
});

test("what was spawned is stored with its session", async () => {
  const stage = setStage();
  await send(stage, chat("r1", { spawnedBy: "agent:main:parent" }));
  assert.equal((await stage.sessions.get(DEFAULT_TENANT, MAIN))?.spawnedBy, "agent:main:parent");
  stage.model.call().end();
  await settle();
});
