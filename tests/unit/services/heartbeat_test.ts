import assert from "node:assert/strict";
import { createMemoryStore } from "../../../src/adapters/memory_store.ts";
import { invalidRequest } from "../../../src/core/error.ts";
import { DEFAULT_TENANT } from "../../../src/core/id.ts";
import type { Store } from "../../../src/ports/store.ts";
import { type AgentOptions, Agents } from "../../../src/services/agents.ts";
import {
  DEFAULT_HEARTBEAT_PROMPT,
  Heartbeat,
  type HeartbeatOptions,
  type HeartbeatOutcome,
  type HeartbeatReport,
  type HeartbeatTurn,
  MAX_BEAT_MS,
  MIN_HEARTBEAT_INTERVAL_MS,
} from "../../../src/services/heartbeat.ts";
import { readAnswer } from "../../../src/services/heartbeat_report.ts";
import { Hub } from "../../../src/services/hub.ts";
import { ManualClock, settle } from "../../support/manual_clock.ts";
import { MemoryLog } from "../../support/memory_log.ts";

const TENANT = DEFAULT_TENANT;
const MINUTE = 60_000;

function setUp(start: { agents?: AgentOptions; store?: Store } = {}) {
  const clock = new ManualClock();
  const hub = new Hub();
  const log = new MemoryLog();
  const store = start.store ?? createMemoryStore();
  const live: {
    agents: AgentOptions;
    options: HeartbeatOptions;
    turn: (turn: HeartbeatTurn) => Promise<HeartbeatOutcome>;
  } = {
    agents: start.agents ?? { defaults: {}, list: [{ id: "main" }] },
    options: { prompt: () => "Look around." },
    turn: () => Promise.resolve({ status: "ok", text: "HEARTBEAT_OK" }),
  };
  const turns: HeartbeatTurn[] = [];
  const reports: HeartbeatReport[] = [];
  hub.observe((_tenant, event) => {
    if (event.type === "heartbeat") reports.push(event.report);
  });
  const heartbeat = new Heartbeat({
    clock,
    hub,
    log,
    store,
    agents: new Agents({ options: () => live.agents }),
    options: () => live.options,
    runTurn: (_tenant, turn) => {
      turns.push(turn);
      return live.turn(turn);
    },
    tenants: () => [TENANT],
  });
  return { clock, hub, log, store, live, turns, reports, heartbeat };
}

Deno.test("the first beat comes one interval after the start, then one each interval", async () => {
  const { clock, heartbeat, turns } = setUp();
  await heartbeat.start();
  await clock.advance(30 * MINUTE - 1);
  assert.equal(turns.length, 0);
  await clock.advance(1);
  assert.equal(turns.length, 1);
  assert.equal(turns[0]?.prompt, "Look around.");
  assert.equal(turns[0]?.agentId, "main");
  await clock.advance(60 * MINUTE);
  assert.equal(turns.length, 3);
  await heartbeat.stop();
  assert.equal(clock.waiting, 0);
});

Deno.test("each agent beats at its own interval", async () => {
  const { clock, heartbeat, turns } = setUp({
    agents: {
      defaults: { heartbeatEvery: "20m" },
      list: [{ id: "a" }, { id: "b", heartbeatEvery: "1h" }, { id: "c", heartbeatEvery: "0m" }],
    },
  });
  await heartbeat.start();
  await clock.advance(60 * MINUTE);
  assert.deepEqual(turns.map(({ agentId }) => agentId).sort(), ["a", "a", "a", "b"]);
  await heartbeat.stop();
});

Deno.test("an interval is read as people write it; nonsense switches off and is told", async () => {
  const cases: readonly (readonly [string | undefined, number | null])[] = [
    [undefined, 30 * MINUTE],
    ["45", 45 * MINUTE],
    ["1h30m", 90 * MINUTE],
    ["90s", 90_000],
    ["0m", null],
    ["0", null],
    ["1ms", MIN_HEARTBEAT_INTERVAL_MS],
    ["1000d", 2 ** 31 - 1],
    ["often", null],
    ["-5m", null],
    ["", null],
  ];
  for (const [every, everyMs] of cases) {
    const { heartbeat, clock, log } = setUp({
      agents: { defaults: {}, list: [{ id: "main", heartbeatEvery: every }] },
    });
    await heartbeat.start();
    const [status] = await heartbeat.describe(TENANT);
    assert.equal(status?.everyMs, everyMs, String(every));
    assert.equal(status?.enabled, everyMs !== null, String(every));
    assert.equal(status?.every, everyMs === null ? "disabled" : every ?? "30m");
    assert.equal(clock.waiting, everyMs === null ? 0 : 1, String(every));
    const nonsense = every === "often" || every === "-5m" || every === "";
    assert.equal(log.lines.length, nonsense ? 1 : 0, String(every));
    await heartbeat.stop();
  }
});

Deno.test("answers become reports", async () => {
  const long = "attention ".repeat(100);
  const cases: readonly (readonly [HeartbeatOutcome, Partial<HeartbeatReport>])[] = [
    [{ status: "ok", text: "HEARTBEAT_OK" }, {
      status: "ok-token",
      silent: true,
      indicatorType: "ok",
    }],
    [{ status: "ok", text: "  \n" }, { status: "ok-empty", silent: true, indicatorType: "ok" }],
    [{ status: "ok", text: "The oven\nis on." }, {
      status: "sent",
      preview: "The oven is on.",
      hasMedia: false,
      indicatorType: "alert",
    }],
    [{ status: "ok", text: long }, {
      status: "sent",
      preview: `${long.slice(0, 200)}…`,
      hasMedia: false,
      indicatorType: "alert",
    }],
    [{ status: "error", text: "", error: "no \x1bmodel" }, {
      status: "failed",
      reason: "no \\u{1b}model",
      indicatorType: "error",
    }],
    [{ status: "busy", text: "" }, { status: "skipped", reason: "busy" }],
  ];
  for (const [outcome, expected] of cases) {
    const { clock, heartbeat, live, reports } = setUp();
    live.turn = () => Promise.resolve(outcome);
    await heartbeat.start();
    await clock.advance(30 * MINUTE);
    assert.deepEqual(reports, [{ ts: clock.now(), durationMs: 0, ...expected }]);
    assert.deepEqual(await heartbeat.last(TENANT), reports[0]);
    await heartbeat.stop();
  }
});

Deno.test("the token counts at either end, with little beside it", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["HEARTBEAT_OK", "ok-token"],
    ["**HEARTBEAT_OK**", "ok-token"],
    ["HEARTBEAT_OK.", "ok-token"],
    ["All quiet.\nHEARTBEAT_OK", "ok-token"],
    ["HEARTBEAT_OK all quiet", "ok-token"],
    [`HEARTBEAT_OK ${"x".repeat(300)}`, "ok-token"],
    [`HEARTBEAT_OK ${"x".repeat(301)}`, "sent"],
    ["I should say HEARTBEAT_OK but the oven is on", "sent"],
    ["HEARTBEAT_OKAY", "sent"],
    ["NOT_HEARTBEAT_OK", "sent"],
    ["", "ok-empty"],
  ];
  for (const [text, status] of cases) assert.equal(readAnswer(text).status, status, text);
});

Deno.test("without a prompt or tasks a beat costs nothing and says so", async () => {
  const { clock, heartbeat, live, turns, reports } = setUp();
  live.options = {};
  await heartbeat.start();
  await clock.advance(30 * MINUTE);
  assert.equal(turns.length, 0);
  assert.deepEqual(reports.map(({ status, reason }) => [status, reason]), [[
    "skipped",
    "no-tasks",
  ]]);
  live.options = { hasTasks: (agentId) => agentId === "main" };
  await clock.advance(30 * MINUTE);
  assert.equal(turns[0]?.prompt, DEFAULT_HEARTBEAT_PROMPT);
  live.options = { hasTasks: () => false };
  await clock.advance(30 * MINUTE);
  assert.equal(turns.length, 1);
  await heartbeat.stop();
});

Deno.test("a beat that comes while one runs is skipped; the running one is reported when it ends", async () => {
  const { clock, heartbeat, live, turns, reports } = setUp({
    agents: { defaults: { heartbeatEvery: "5m" }, list: [] },
  });
  const answer = Promise.withResolvers<HeartbeatOutcome>();
  live.turn = () => answer.promise;
  await heartbeat.start();
  await clock.advance(9 * MINUTE + 59_999);
  assert.equal(turns.length, 1);
  await clock.advance(1);
  assert.deepEqual(reports.map(({ reason }) => reason), ["busy"]);
  answer.resolve({ status: "ok", text: "done" });
  await settle();
  assert.deepEqual(reports.at(-1), {
    ts: clock.now(),
    status: "sent",
    preview: "done",
    durationMs: 5 * MINUTE,
    hasMedia: false,
    indicatorType: "alert",
  });
  await heartbeat.stop();
});

Deno.test("a turn that does not end is stopped, and the next beat asks again", async () => {
  const { clock, heartbeat, live, turns, reports } = setUp();
  live.turn = () => new Promise(() => {});
  await heartbeat.start();
  await clock.advance(30 * MINUTE + MAX_BEAT_MS);
  assert.equal(turns[0]?.signal.aborted, true);
  assert.deepEqual(reports.map(({ status, durationMs }) => [status, durationMs]), [
    ["failed", MAX_BEAT_MS],
  ]);
  await clock.advance(30 * MINUTE);
  assert.equal(turns.length, 2);
  await heartbeat.stop();
});

Deno.test("a turn that throws has failed: a refusal with its text, a defect without", async () => {
  const cases: readonly (readonly [Error, RegExp])[] = [
    [invalidRequest("unknown model"), /^unknown model$/],
    [new Error("at /secret/path"), /^internal error/],
  ];
  for (const [error, reason] of cases) {
    const { clock, heartbeat, live, reports, log } = setUp();
    live.turn = () => Promise.reject(error);
    await heartbeat.start();
    await clock.advance(30 * MINUTE);
    assert.equal(reports[0]?.status, "failed");
    assert.match(reports[0]?.reason ?? "", reason);
    assert.equal(log.lines.length, 1);
    await heartbeat.stop();
  }
});

Deno.test("switching off stops at once and survives a restart; switching on counts from then", async () => {
  const store = createMemoryStore();
  const first = setUp({ store });
  await first.heartbeat.start();
  await first.clock.advance(30 * MINUTE);
  await first.heartbeat.setEnabled(TENANT, false);
  assert.equal(first.clock.waiting, 0);
  assert.deepEqual((await first.heartbeat.describe(TENANT)).map(({ enabled }) => enabled), [false]);
  await first.heartbeat.stop();

  const second = setUp({ store });
  await second.heartbeat.start();
  assert.equal(second.clock.waiting, 0);
  assert.equal((await second.heartbeat.last(TENANT))?.status, "ok-token");
  await second.heartbeat.setEnabled(TENANT, true);
  await second.clock.advance(30 * MINUTE);
  assert.equal(second.turns.length, 1);
  await second.heartbeat.stop();
});

Deno.test("there is no last heartbeat before the first", async () => {
  const { heartbeat } = setUp();
  assert.equal(await heartbeat.last(TENANT), null);
});

Deno.test("a changed interval is armed anew on reload, an unchanged one goes on", async () => {
  const { clock, heartbeat, live, turns } = setUp({
    agents: { defaults: {}, list: [{ id: "a" }, { id: "b" }] },
  });
  const told: string[] = [];
  heartbeat.onChange((tenant) => told.push(tenant));
  await heartbeat.start();
  told.length = 0;
  await clock.advance(20 * MINUTE);
  live.agents = { defaults: {}, list: [{ id: "a" }, { id: "b", heartbeatEvery: "15m" }] };
  heartbeat.reload();
  assert.deepEqual(told, [TENANT]);
  await clock.advance(10 * MINUTE);
  assert.deepEqual(turns.map(({ agentId }) => agentId), ["a"]);
  await clock.advance(5 * MINUTE);
  assert.deepEqual(turns.map(({ agentId }) => agentId), ["a", "b"]);
  live.agents = { defaults: { heartbeatEvery: "0m" }, list: [{ id: "a" }] };
  heartbeat.reload();
  assert.equal(clock.waiting, 0);
  await heartbeat.stop();
});

Deno.test("stop ends a running turn without a report", async () => {
  const { clock, heartbeat, live, turns, reports } = setUp();
  live.turn = () => new Promise(() => {});
  await heartbeat.start();
  await clock.advance(30 * MINUTE);
  await heartbeat.stop();
  assert.equal(turns[0]?.signal.aborted, true);
  assert.equal(reports.length, 0);
  assert.equal(clock.waiting, 0);
});

Deno.test("a store that fails: no beats when unread, a report all the same when unwritten", async () => {
  const { clock, heartbeat, store, reports, log } = setUp();
  await heartbeat.start();
  await store.close();
  await clock.advance(30 * MINUTE);
  assert.equal(reports.length, 1);
  assert.equal(log.lines.length, 1);
  assert.deepEqual(await heartbeat.last(TENANT), reports[0]);
  await heartbeat.stop();

  const unread = setUp({ store });
  await unread.heartbeat.start();
  assert.equal(unread.clock.waiting, 0);
  assert.equal(unread.log.lines.length, 1);
});
