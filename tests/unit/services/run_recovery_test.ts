import assert from "node:assert/strict";
import { DEFAULT_TENANT } from "../../../src/core/id.ts";
import { StoreFull, StoreUnavailable } from "../../../src/ports/store.ts";
import {
  INTERRUPTED_SUMMARY,
  RUN_RECORD_KIND,
  RUN_RECORD_RETENTION_MS,
  SWEEP_EVERY_RUNS,
} from "../../../src/services/run_record.ts";
import { settle } from "../../support/manual_clock.ts";
import {
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
  type Stage,
  told,
  toldAborts,
  transcript,
} from "../../support/run_stage.ts";

runTest("a commit that fails at the start acknowledges nothing and leaves nothing", async () => {
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
  await finish(stage, "yes");
  assert.deepEqual(await transcript(stage), ['user "message r1"', 'assistant "yes"']);
});

runTest(
  "a message for which there is no room is refused as that, not to be sent again",
  async () => {
    const stage = setStage();
    stage.store.trips = () => true;
    stage.store.failure = new StoreFull('cannot write to the database "/home/me/clawgate.db"');
    const error = await refusal(stage.runs.start(PRINCIPAL, chat("r1")));
    assert.equal(error.code, "UNAVAILABLE");
    assert.equal(error.extras.retryable, undefined);
    assert.match(error.message, /was not accepted: the gateway has no room .* sessions\.delete/);
    assert.ok(!error.message.includes("clawgate.db"));
  },
);

runTest(
  "an answer that cannot be stored is told as a failure; its message stays, its record is recovered",
  async () => {
    const stage = setStage();
    const { ended } = await send(stage, chat("r1"));
    stage.store.trips = () => true;
    await finish(stage, "yes");
    assert.equal(
      told(stage).at(-1),
      "r1 3 failed the answer could not be stored; send the message again with a new idempotency key",
    );
    assert.equal((await ended).state, "failed");
    stage.store.trips = () => false;
    assert.deepEqual(await transcript(stage), ['user "message r1"']);
    const outcome = await stage.runs.start(PRINCIPAL, chat("r1"));
    assert.ok(outcome.status === "ended" && outcome.record.state === "failed");
    const restarted = secondProcess(stage);
    assert.equal(await restarted.runs.recover(DEFAULT_TENANT), 1);
  },
);

runTest(
  "a key that another process takes at the same time is answered from its record",
  async () => {
    const stage = setStage();
    const other = secondProcess(stage);
    const outcomes = await Promise.all([
      stage.runs.start(PRINCIPAL, chat("r1")),
      other.runs.start(PRINCIPAL, chat("r1")),
    ]);
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["accepted", "ended"]);
    assert.deepEqual(await transcript(stage), ['user "message r1"']);
    await stage.runs.stop();
    await other.runs.stop();
  },
);

runTest("waiting for a run tells how it ended, whenever it ended", async () => {
  const stage = setStage();
  const at = stage.clock.now();
  const early = stage.runs.wait(PRINCIPAL, { runId: "r1" });
  await send(stage, chat("r1"));
  const during = stage.runs.wait(PRINCIPAL, { runId: "r1" });
  await stage.clock.advance(500);
  await finish(stage, "x");
  const report = { runId: "r1", status: "ok", startedAt: at, endedAt: at + 500 };
  assert.deepEqual(await early, report);
  assert.deepEqual(await during, report);
  assert.deepEqual(await stage.runs.wait(PRINCIPAL, { runId: "r1" }), report);
  const restarted = secondProcess(stage);
  assert.deepEqual(await restarted.runs.wait(PRINCIPAL, { runId: "r1" }), report);
  assert.equal(stage.clock.waiting, 0);
});

runTest("a wait ends with its time, at once with none, and with its caller", async () => {
  const stage = setStage();
  const waiting = stage.runs.wait(PRINCIPAL, { runId: "nobody" });
  await stage.clock.advance(29_999);
  let done = false;
  void waiting.then(() => done = true);
  await settle();
  assert.equal(done, false);
  await stage.clock.advance(1);
  assert.deepEqual(await waiting, { runId: "nobody", status: "timeout" });
  const timeout = { runId: "x\u0000y", status: "timeout" };
  assert.deepEqual(
    await stage.runs.wait(PRINCIPAL, { runId: "x\u0000y", timeoutMs: 0 }),
    timeout,
  );
  const control = new AbortController();
  const gone = stage.runs.wait(PRINCIPAL, { runId: "nobody", signal: control.signal });
  await settle();
  control.abort();
  assert.equal((await gone).status, "timeout");
  assert.equal(stage.clock.waiting, 0);
});

runTest(
  "what a killed process left open is closed at the next start; its messages stay",
  async () => {
    const killed = setStage();
    await send(killed, chat("r1"));
    killed.model.call().text("lost");
    await send(killed, chat("r2"));
    await settle();
    const stage = secondProcess(killed);
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
    const report = await stage.runs.wait(PRINCIPAL, { runId: "r2" });
    assert.deepEqual([report.status, report.error], ["error", INTERRUPTED_SUMMARY]);
    assert.equal(stage.runs.counts.running, 1);
    await finish(stage, "fine");
    assert.equal(told(stage).at(-1), 'r3 3 end "fine"');
  },
);

runTest("recovery of a run whose session is gone makes no session", async () => {
  const killed = setStage();
  await send(killed, chat("r1", { sessionKey: OTHER }));
  const stage = secondProcess(killed);
  await stage.sessions.remove(DEFAULT_TENANT, OTHER);
  assert.equal(await stage.runs.recover(DEFAULT_TENANT), 1);
  assert.equal(await stage.sessions.get(DEFAULT_TENANT, OTHER), undefined);
});

runTest("a stop aborts what runs and waits, stores it, and takes nothing new", async () => {
  const stage = setStage();
  await send(stage, chat("a"));
  await send(stage, chat("b"));
  stage.model.call().text("so far");
  await settle();
  await stage.runs.stop();
  assert.deepEqual(toldAborts(stage), [
    'a 3 aborted shutdown "so far"',
    'b 1 aborted shutdown ""',
  ]);
  assert.deepEqual((await transcript(stage)).at(-1), 'assistant "so far" aborted');
  const error = await refusal(stage.runs.start(PRINCIPAL, chat("c")));
  assert.equal(error.code, "UNAVAILABLE");
  assert.equal(error.extras.retryable, true);
  assert.equal(stage.clock.waiting, 0);
  const restarted = secondProcess(stage);
  assert.equal(await restarted.runs.recover(DEFAULT_TENANT), 0);
});

runTest("a stop does not wait for a store that does not answer", async () => {
  const stage = setStage();
  await send(stage, chat("a"));
  stage.store.holds = () => new Promise(() => {});
  let stopped = false;
  const stopping = stage.runs.stop().then(() => stopped = true);
  await stage.clock.advance(4_999);
  assert.equal(stopped, false);
  await stage.clock.advance(1);
  await stopping;
});

runTest("records of old runs go away while new ones come", async () => {
  const stage = setStage();
  const count = () => stage.store.count({ tenant: DEFAULT_TENANT, kind: RUN_RECORD_KIND });
  const status = (key: string) => stage.runs.start(PRINCIPAL, chat(key, { message: "/status" }));
  for (let at = 0; at < 10; at++) await status(`old${at}`);
  await stage.clock.advance(RUN_RECORD_RETENTION_MS + 1);
  for (let at = 0; at < SWEEP_EVERY_RUNS; at++) await status(`new${at}`);
  await settle();
  assert.equal(await count(), SWEEP_EVERY_RUNS);
});

runTest(
  "a wait that looked for a run just before it began is not told that it was interrupted",
  async () => {
    const stage = setStage();
    const { promise, resolve } = Promise.withResolvers<void>();
    const get = stage.store.get;
    stage.store.get = async (key) => {
      stage.store.get = get;
      await promise;
      return await get(key);
    };
    const waiting = stage.runs.wait(PRINCIPAL, { runId: "r1" });
    await send(stage, chat("r1"));
    resolve();
    await settle();
    stage.model.call().end();
    assert.equal((await waiting).status, "ok");
  },
);

/** A message whose key nobody can send again. */
const once = (key: string) => chat(key, { kind: "channel", params: undefined });

runTest(
  "a run that cannot be asked for again leaves no record, whether it ends or waits",
  async () => {
    const stage = setStage();
    await send(stage, once("r1"));
    await send(stage, once("r2"));
    stage.model.call().text("one").end();
    await settle();
    stage.model.call().text("two").end();
    await settle();
    assert.equal(await stage.store.count({ tenant: DEFAULT_TENANT, kind: "run" }), 0);
    assert.deepEqual(stage.store.commits.flat().filter((kind) => kind === "run"), []);
    const reported = await stage.runs.wait(PRINCIPAL, { runId: "r1", timeoutMs: 0 });
    assert.equal(reported.status, "ok");
  },
);

runTest(
  "a session whose last such run did not live to its end counts as aborted from then on",
  async () => {
    const stage = setStage();
    await send(stage, once("r1"));
    await send(stage, once("r2"));
    const aborted = async ({ sessions }: Stage) =>
      (await sessions.get(DEFAULT_TENANT, MAIN))?.abortedLastRun ?? false;
    assert.equal(await aborted(stage), false);
    stage.model.call().text("one").end();
    await settle();
    // The second one waits still.
    assert.equal(await aborted(stage), false);
    await stage.clock.advance(1);
    const next = secondProcess(stage);
    assert.equal(await aborted(next), true);
    assert.deepEqual(await transcript(next), [
      'user "message r1"',
      'user "message r2"',
      'assistant "one"',
    ]);
    await send(next, once("r3"));
    assert.equal(await aborted(next), true);
    next.model.call().text("three").end();
    await settle();
    assert.equal(await aborted(next), false);
    await stage.clock.advance(1);
    assert.equal(await aborted(secondProcess(stage)), false);
    await stage.runs.stop();
  },
);

/** Has the next commit wait until the gate opens. */
function holdNext(stage: Stage): PromiseWithResolvers<void> {
  const gate = Promise.withResolvers<void>();
  let held = false;
  stage.store.holds = () => {
    if (held) return undefined;
    held = true;
    return gate.promise;
  };
  return gate;
}

for (const end of ["was given up", "was not taken in"] as const) {
  runTest(`a run that ends well while another ${end} leaves nothing open`, async () => {
    const stage = setStage();
    await send(stage, once("r1"));
    if (end === "was given up") await send(stage, once("r2"));
    const gate = holdNext(stage);
    const meanwhile = end === "was given up"
      ? stage.runs.abort(DEFAULT_TENANT, { sessionKey: MAIN, runId: "r2" })
      : refusal(stage.runs.start(PRINCIPAL, once("r2")));
    await settle();
    stage.model.call().text("one").end();
    await settle();
    if (end === "was given up") gate.resolve();
    else gate.reject(new StoreUnavailable("the disk is full"));
    await meanwhile;
    await settle();
    await stage.clock.advance(1);
    const next = secondProcess(stage);
    assert.equal((await next.sessions.get(DEFAULT_TENANT, MAIN))?.abortedLastRun, false);
    await stage.runs.stop();
  });
}

runTest(
  "a run that ends behind a message that was just taken in leaves that one open",
  async () => {
    const stage = setStage();
    await send(stage, once("r1"));
    const gate = holdNext(stage);
    const second = stage.runs.start(PRINCIPAL, once("r2"));
    await settle();
    stage.model.call().text("one").end();
    await settle();
    gate.resolve();
    assert.equal((await second).status, "accepted");
    await settle();
    assert.deepEqual(await transcript(stage), [
      'user "message r1"',
      'user "message r2"',
      'assistant "one"',
    ]);
    await stage.clock.advance(1);
    const next = secondProcess(stage);
    assert.equal((await next.sessions.get(DEFAULT_TENANT, MAIN))?.abortedLastRun, true);
    await stage.runs.stop();
  },
);
