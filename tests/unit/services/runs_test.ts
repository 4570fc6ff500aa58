import assert from "node:assert/strict";
import { checked, DEFAULT_TENANT, isSessionKey } from "../../../src/core/id.ts";
import { ModelError } from "../../../src/ports/model.ts";
import { StoreConflict } from "../../../src/ports/store.ts";
import { MAX_UPDATE_ATTEMPTS } from "../../../src/services/collection.ts";
import { MAX_MESSAGE_TEXT_CHARS } from "../../../src/services/session_entry.ts";
import { settle } from "../../support/manual_clock.ts";
import {
  chat,
  MAIN,
  OTHER,
  PRINCIPAL,
  refusal,
  runTest,
  send,
  setStage,
  told,
  transcript,
} from "../../support/run_stage.ts";

const USAGE = { input: 10, output: 5, cacheRead: 1, cacheWrite: 2, total: 18 };

runTest(
  "a run tells its start, each part, its end, numbered from 1, all of them echoing the key",
  async () => {
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
  },
);

runTest("nothing happens before the caller says that its answer is on its way", async () => {
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

runTest(
  "message, session and record are one commit before the answer; so are answer, session and record before the end",
  async () => {
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
  },
);

runTest("an answer without text ends well and leaves no message", async () => {
  const stage = setStage();
  await send(stage, chat("r1"));
  stage.model.call().text("  ").end();
  await settle();
  assert.equal(told(stage).at(-1), 'r1 3 end ""');
  assert.deepEqual(await transcript(stage), ['user "message r1"']);
});

runTest(
  "the model is asked with the conversation, the agent's prompt and the live facts",
  async () => {
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
  },
);

runTest("facts that fail are left out and the run goes on", async () => {
  const stage = setStage({ facts: () => Promise.reject(new Error("no facts")) });
  await send(stage, chat("r1"));
  assert.equal(stage.model.call().request.facts?.agent, "main");
  stage.model.call().text("ok").end();
  await settle();
  assert.equal(told(stage).at(-1), 'r1 3 end "ok"');
});

runTest(
  "the session's model comes before the agent's, the agent's before the default",
  async () => {
    const stage = setStage();
    stage.settings.agents = {
      defaults: { model: "fake/one" },
      list: [{ id: "main", model: "two" }],
    };
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
  },
);

runTest(
  "the same key again: the state of its run, in this process and after a restart",
  async () => {
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
  },
);

runTest("the same key with other params is refused while its run goes on", async () => {
  const stage = setStage();
  await send(stage, chat("r1"));
  const error = await refusal(stage.runs.start(PRINCIPAL, chat("r1", { message: "other" })));
  assert.equal(error.code, "INVALID_REQUEST");
  const kind = await refusal(stage.runs.start(PRINCIPAL, { ...chat("r1"), kind: "agent" }));
  assert.equal(kind.code, "INVALID_REQUEST");
  stage.model.call().end();
  await settle();
});

runTest("the same request sent many times at once is done once", async () => {
  const stage = setStage();
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () => stage.runs.start(PRINCIPAL, chat("r1"))),
  );
  assert.equal(outcomes.filter(({ status }) => status === "accepted").length, 1);
  assert.equal(outcomes.filter(({ status }) => status === "in_flight").length, 19);
  assert.deepEqual(await transcript(stage), ['user "message r1"']);
  await stage.runs.abort(DEFAULT_TENANT, { sessionKey: MAIN });
});

runTest("a key is free again after a day", async () => {
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

runTest("what cannot be asked is refused before anything is stored", async () => {
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

runTest("a session that denies sending stores nothing, and the key stays free", async () => {
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

runTest(
  "runs of a session go one after the other; each knows the answers before it, not the messages behind it",
  async () => {
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
  },
);

runTest(
  "messages sent at once are taken in the order in which they came, however large the first is",
  async () => {
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
  },
);

runTest("sessions run beside each other up to the limit, which is read live", async () => {
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

runTest(
  "a session with too many waiting messages refuses the next, to be tried again",
  async () => {
    const stage = setStage();
    for (let at = 0; at < 33; at++) await send(stage, chat(`r${at}`));
    const error = await refusal(stage.runs.start(PRINCIPAL, chat("one more")));
    assert.equal(error.code, "UNAVAILABLE");
    assert.equal(error.extras.retryable, true);
    assert.ok(error.message.includes("32 messages waiting"), error.message);
    assert.equal((await transcript(stage)).length, 33);
    await stage.runs.stop();
  },
);

runTest("a model that is not there fails the run with its name", async () => {
  const stage = setStage();
  stage.settings.agents = { defaults: {}, list: [{ id: "main", model: "nope" }] };
  await send(stage, chat("r1"));
  assert.equal(
    told(stage).at(-1),
    'r1 2 failed unknown model "nope"; use one of "fake/one", "fake/two"',
  );
});

runTest("/status is answered by the gateway itself, once, after the caller's answer", async () => {
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

runTest("other commands are text, and so are all of them in an agent's message", async () => {
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

runTest("a defect in a listener does not hold up the run", async () => {
  const stage = setStage();
  stage.events.push = () => {
    throw new Error("listener");
  };
  const { ended } = await send(stage, chat("r1"));
  stage.model.call().text("fine").end();
  assert.equal((await ended).state, "ok");
});

runTest(
  "a run that makes its session stores whom it works for, a later one changes nothing of it",
  async () => {
    const stage = setStage();
    const parent = async () => (await stage.sessions.get(DEFAULT_TENANT, MAIN))?.spawnedBy;
    await send(stage, chat("r1", { spawnedBy: OTHER }));
    assert.equal(await parent(), OTHER);
    const another = checked("agent:main:another", isSessionKey);
    await send(stage, chat("r2", { spawnedBy: another }));
    assert.equal(await parent(), OTHER);
    await stage.sessions.patch(DEFAULT_TENANT, MAIN, { spawnedBy: null });
    await send(stage, chat("r3", { spawnedBy: another }));
    assert.equal(await parent(), undefined);
    await stage.runs.stop();
  },
);

runTest(
  "a key whose record others keep changing is refused in the end, to be tried again",
  async () => {
    const stage = setStage();
    let commits = 0;
    stage.store.commit = () => {
      // The bound is what is tested; without it this would go on for ever.
      if (++commits > 100) throw new Error("it never ends");
      return Promise.reject(new StoreConflict({ tenant: DEFAULT_TENANT, kind: "run", id: "r1" }));
    };
    const error = await refusal(stage.runs.start(PRINCIPAL, chat("r1")));
    assert.equal(error.code, "UNAVAILABLE");
    assert.equal(error.extras.retryable, true);
    assert.equal(commits, MAX_UPDATE_ATTEMPTS);
    assert.deepEqual(stage.runs.counts, { running: 0, waiting: 0 });
  },
);

runTest(
  "an end tells no more text than its session keeps; the record of the run has all",
  async () => {
    const stage = setStage();
    const { ended } = await send(stage, chat("r1"));
    stage.model.call().text("x".repeat(MAX_MESSAGE_TEXT_CHARS + 10)).end();
    assert.equal((await ended).text?.length, MAX_MESSAGE_TEXT_CHARS + 10);
    const lengths = stage.events.map((event) =>
      event.type === "run" && "text" in event.step ? event.step.text.length : 0
    );
    assert.deepEqual(lengths, [0, MAX_MESSAGE_TEXT_CHARS, MAX_MESSAGE_TEXT_CHARS]);
  },
);
