import assert from "node:assert/strict";
import { DEFAULT_TENANT } from "../../../src/core/id.ts";
import { ModelError } from "../../../src/ports/model.ts";
import { MAX_WAITING_PER_KEY } from "../../../src/services/keyed_mutex.ts";
import { SESSION_REPLACED } from "../../../src/services/run_ending.ts";
import { DEFAULT_RUN_TIMEOUT_MS, MAX_RUN_TIMEOUT_MS } from "../../../src/services/runs.ts";
import { settle } from "../../support/manual_clock.ts";
import {
  abortMain,
  chat,
  finish,
  MAIN,
  OTHER,
  PRINCIPAL,
  refusal,
  runTest,
  secondProcess,
  send,
  setStage,
  speakingStage,
  type Stage,
  told,
  toldAborts,
  transcript,
} from "../../support/run_stage.ts";

runTest("an abort that cannot be stored still ends the run", async () => {
  const stage = await speakingStage(["so far"]);
  stage.store.trips = () => true;
  assert.deepEqual(await abortMain(stage), {
    aborted: true,
    runIds: ["r1"],
  });
  assert.equal(told(stage).at(-1), 'r1 3 aborted rpc "so far"');
  assert.deepEqual(stage.runs.counts, { running: 0, waiting: 0 });
});

runTest("an abort while the model speaks keeps what was said and says no more", async () => {
  for (const deaf of [false, true]) {
    const stage = await speakingStage(["so ", "far"], { deaf });
    const call = stage.model.call();
    assert.deepEqual(await abortMain(stage, "r1"), {
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
      await finish(stage);
    },
    aborted: false,
    events: ["r1 1 start", 'r1 2 end ""'],
  },
];

for (const { phase, begin, aborted, events } of PHASES) {
  runTest(`an abort ${phase} ${aborted ? "ends the run" : "finds nothing to end"}`, async () => {
    const stage = setStage();
    await begin(stage);
    const outcome = await abortMain(stage);
    assert.deepEqual(outcome, { aborted, runIds: aborted ? ["r1"] : [] });
    await settle();
    assert.deepEqual(told(stage), events);
    await stage.runs.stop();
  });
}

runTest("an abort of a session ends what waits as well, and none of it starts", async () => {
  const stage = setStage();
  for (const key of ["a", "b", "c"]) await send(stage, chat(key));
  const elsewhere = await send(stage, chat("d", { sessionKey: OTHER }));
  const outcome = await abortMain(stage);
  assert.deepEqual(outcome, { aborted: true, runIds: ["a", "b", "c"] });
  assert.equal(stage.model.calls.length, 2);
  assert.deepEqual(toldAborts(stage), [
    'a 2 aborted rpc ""',
    'b 1 aborted rpc ""',
    'c 1 aborted rpc ""',
  ]);
  assert.deepEqual(stage.runs.active(DEFAULT_TENANT).map(({ runId }) => runId), ["d"]);
  stage.model.call().end();
  assert.equal((await elsewhere.ended).state, "ok");
});

runTest("an abort of a waiting run leaves the one before it alone", async () => {
  const stage = setStage();
  for (const key of ["a", "b", "c"]) await send(stage, chat(key));
  await abortMain(stage, "b");
  await finish(stage, "one");
  assert.deepEqual(stage.model.call().request.messages.map(({ text }) => text), [
    "message a",
    "one",
    "message b",
    "[no answer]",
    "message c",
  ]);
  await finish(stage);
});

runTest(
  "a run is aborted through its own session only; an unknown one is not an error",
  async () => {
    const stage = setStage();
    await send(stage, chat("r1"));
    const error = await refusal(
      stage.runs.abort(DEFAULT_TENANT, { sessionKey: OTHER, runId: "r1" }),
    );
    assert.equal(error.code, "INVALID_REQUEST");
    assert.equal(error.message, "runId does not match sessionKey");
    assert.deepEqual(
      await abortMain(stage, "no such"),
      { aborted: false, runIds: [] },
    );
    await finish(stage);
  },
);

runTest(
  "a run that takes too long is aborted: by its own limit, the configured one, the default, the greatest",
  async () => {
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
  },
);

runTest("what the model says of its failure is told; what a defect says is not", async () => {
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
    const line = stage.log.lines.at(-1);
    assert.equal(line?.message, "run failed");
    assert.equal(line?.fields.reason, message);
    assert.ok(!("message" in line.fields));
    assert.equal(stage.clock.waiting, 0);
  }
});

runTest(
  "a run whose session is reset is aborted, and nothing of it reaches the new conversation",
  async () => {
    const stage = setStage();
    await send(stage, chat("a"));
    await send(stage, chat("b"));
    stage.model.call().text("old");
    await settle();
    await stage.sessions.reset(DEFAULT_TENANT, MAIN);
    await settle();
    assert.deepEqual(await transcript(stage), []);
    assert.deepEqual(stage.runs.counts, { running: 0, waiting: 0 });
  },
);

runTest(
  "an answer whose session another process has reset fails and is stored nowhere",
  async () => {
    const stage = await speakingStage(["old"]);
    const other = secondProcess(stage);
    await other.sessions.reset(DEFAULT_TENANT, MAIN);
    await send(stage, chat("r2"));
    await finish(stage);
    assert.equal(told(stage)[2], `r1 3 failed ${SESSION_REPLACED}`);
    const { status, error } = await other.runs.wait(PRINCIPAL, { runId: "r1" });
    assert.deepEqual([status, error], ["error", SESSION_REPLACED]);
    assert.deepEqual(stage.model.call().request.messages.map(({ text }) => text), ["message r2"]);
    await finish(stage);
    assert.deepEqual(await transcript(stage), ['user "message r2"']);
  },
);

for (const asked of [false, true]) {
  const when = asked ? "while its model answers" : "before it begins";
  runTest(
    `a message accepted between the abort and the reset of its session is put away with it, and its run fails: reset ${when}`,
    async () => {
      const stage = setStage();
      await send(stage, chat("old"));
      const ending = Promise.withResolvers<void>();
      const reset = Promise.withResolvers<void>();
      stage.store.holds = (writes) => {
        const kinds = writes.map((write) => "key" in write ? write.key.kind : "");
        if (kinds.includes("session.archive")) return reset.promise;
        return stage.events.at(-1)?.type === "run" ? ending.promise : undefined;
      };
      const resetting = stage.sessions.reset(DEFAULT_TENANT, MAIN);
      // The abort waits for the old run to be stored; the new message gets in line meanwhile.
      const inLine = Promise.withResolvers<void>();
      const append = stage.sessions.append.bind(stage.sessions);
      stage.sessions.append = (...given) => {
        const adding = append(...given);
        if (given[2].messages.some(({ role }) => role === "user")) inLine.resolve();
        return adding;
      };
      const starting = stage.runs.start(PRINCIPAL, chat("new"));
      await inLine.promise;
      ending.resolve();
      const outcome = await starting;
      assert.ok(outcome.status === "accepted");
      if (asked) {
        outcome.begin();
        await settle();
        stage.model.call().text("hi");
        await settle();
      }
      reset.resolve();
      await resetting;
      outcome.begin();
      await settle();
      if (asked) await finish(stage);
      assert.equal(
        told(stage).at(-1),
        asked
          ? `new 3 failed ${SESSION_REPLACED}`
          : "new 2 failed the session was reset or deleted before the run began; send the message again",
      );
      assert.deepEqual(await transcript(stage), []);
      assert.deepEqual(stage.runs.counts, { running: 0, waiting: 0 });
    },
  );
}

runTest("a run whose session another process has reset before its turn fails", async () => {
  const stage = setStage();
  const outcome = await stage.runs.start(PRINCIPAL, chat("r1"));
  const other = secondProcess(stage);
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

runTest("an abort waits for a run that is just being stored, and does not count it", async () => {
  const stage = setStage();
  await send(stage, chat("r1"));
  const { promise, resolve } = Promise.withResolvers<void>();
  stage.store.holds = () => promise;
  await finish(stage, "yes");
  let done = false;
  const aborting = abortMain(stage);
  void aborting.then(() => done = true);
  await settle();
  assert.equal(done, false);
  resolve();
  assert.deepEqual(await aborting, { aborted: false, runIds: [] });
  assert.deepEqual(await transcript(stage), ['user "message r1"', 'assistant "yes"']);
});

runTest(
  "/stop as the whole message aborts the session's runs; with more text it is text",
  async () => {
    const stage = setStage();
    await send(stage, chat("a"));
    await send(stage, chat("b"));
    const outcome = await stage.runs.start(PRINCIPAL, chat("c", { message: " /stop\n" }));
    assert.deepEqual(outcome, { status: "stopped", aborted: true, runIds: ["a", "b"] });
    assert.deepEqual(toldAborts(stage), [
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
    await finish(stage);
  },
);

runTest("waiting for a run that failed, was aborted, or took too long", async () => {
  const stage = setStage();
  const report = async (runId: string) => {
    const { status, error } = await stage.runs.wait(PRINCIPAL, { runId });
    return [status, error];
  };
  await send(stage, chat("failed"));
  stage.model.call().fail(new ModelError("no credit"));
  await settle();
  await send(stage, chat("aborted"));
  await abortMain(stage);
  await send(stage, chat("late", { timeoutMs: 10 }));
  await stage.clock.advance(10);
  assert.deepEqual(await report("failed"), ["error", "no credit"]);
  assert.deepEqual(await report("aborted"), ["ok", undefined]);
  assert.deepEqual(await report("late"), [
    "timeout",
    "the run reached its time limit and was aborted; ask for less or allow it more time",
  ]);
});

runTest(
  "an abort of a session starts none of what waited behind a message not yet answered",
  async () => {
    const stage = setStage();
    await stage.runs.start(PRINCIPAL, chat("a"));
    await send(stage, chat("b"));
    await abortMain(stage);
    assert.deepEqual(told(stage).sort(), ['a 1 aborted rpc ""', 'b 1 aborted rpc ""']);
  },
);

runTest("an answer is stored however many changes of its session wait", async () => {
  const stage = await speakingStage(["hello"]);
  const gate = Promise.withResolvers<void>();
  stage.store.holds = () => gate.promise;
  const changes = Array.from(
    { length: MAX_WAITING_PER_KEY },
    () => stage.sessions.patch(DEFAULT_TENANT, MAIN, { thinkingLevel: "low" }),
  );
  await settle();
  await refusal(stage.sessions.patch(DEFAULT_TENANT, MAIN, { thinkingLevel: "low" }));
  stage.model.call().end();
  await settle();
  gate.resolve();
  await Promise.all(changes);
  await settle();
  assert.deepEqual(await transcript(stage), ['user "message r1"', 'assistant "hello"']);
  assert.equal(told(stage).at(-1), 'r1 3 end "hello"');
});
