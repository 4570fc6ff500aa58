import assert from "node:assert/strict";
import * as v from "valibot";
import {
  type AgentId,
  checked,
  DEFAULT_TENANT,
  isAgentId,
  isSessionKey,
} from "../../../src/core/id.ts";
import { HealthResult, StatusResult } from "../../../src/protocols/openclaw/methods/system.ts";
import type { DomainEvent, RunEvent, RunId } from "../../../src/services/domain_event.ts";
import { Agents } from "../../../src/services/agents.ts";
import {
  HEALTH_BROADCAST_INTERVAL_MS,
  HEALTH_MAX_AGE_MS,
  HealthMonitor,
  type HealthParts,
} from "../../../src/services/health.ts";
import type { HeartbeatStatus } from "../../../src/services/heartbeat.ts";
import { Hub } from "../../../src/services/hub.ts";
import type { KeyedEntry } from "../../../src/services/session_records.ts";
import { VersionCounters } from "../../../src/services/state_versions.ts";
import { ManualClock, settle } from "../../support/manual_clock.ts";
import { MemoryLog } from "../../support/memory_log.ts";

const TENANT = DEFAULT_TENANT;
const MAIN = checked("main", isAgentId);
const SIDE = checked("side", isAgentId);
const KEY = checked("agent:main:main", isSessionKey);

function setUp() {
  const clock = new ManualClock();
  const hub = new Hub();
  const log = new MemoryLog();
  const agents = new Agents({
    options: () => ({ defaults: {}, list: [{ id: "main" }, { id: "side" }] }),
  });
  const reads = { count: 0, fail: false, gate: Promise.resolve() };
  const entries: KeyedEntry[] = [{
    key: KEY,
    entry: {
      sessionId: "s1",
      createdAt: clock.now() - 10_000,
      updatedAt: clock.now() - 4_000,
      thinkingLevel: "high",
      abortedLastRun: true,
      totalTokens: 250,
      contextTokens: 1_000,
      model: "echo",
    },
  }];
  const sessions = {
    path: "clawgate.db",
    defaults: () => ({ modelProvider: "local", model: "echo", contextTokens: 8_000 }),
    count: async (_tenant: typeof TENANT, { agentId }: { agentId?: AgentId } = {}) => {
      if (agentId === undefined) reads.count++;
      await reads.gate;
      if (reads.fail) throw new Error("the store is away");
      return agentId === SIDE ? 0 : entries.length;
    },
    recent: (_tenant: typeof TENANT, { agentId }: { agentId?: AgentId }) =>
      Promise.resolve(agentId === SIDE ? [] : entries),
  };
  const listeners = new Set<(tenant: typeof TENANT) => void>();
  const beats = { everyMs: 1_800_000 as number | null };
  const beat = (agentId: AgentId): HeartbeatStatus => ({
    agentId,
    enabled: beats.everyMs !== null,
    every: beats.everyMs === null ? "disabled" : "30m",
    everyMs: beats.everyMs,
    prompt: "look",
    target: "last",
    ackMaxChars: 300,
  });
  const heartbeat = {
    describe: () => Promise.resolve([beat(MAIN), beat(SIDE)]),
    onChange: (listener: (tenant: typeof TENANT) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const versions = new VersionCounters();
  type Told = ReturnType<NonNullable<HealthParts["settings"]>>;
  const told: { -readonly [Name in keyof Told]: Told[Name] } = { refusal: undefined, disabled: {} };
  const health = new HealthMonitor({
    clock,
    hub,
    log,
    agents,
    sessions,
    heartbeat,
    versions,
    settings: () => told,
  });
  const events: Extract<DomainEvent, { type: "health" }>[] = [];
  hub.observe((_tenant, event) => {
    if (event.type === "health") events.push(event);
  });
  return { clock, hub, log, health, reads, beats, listeners, events, told };
}

Deno.test("the summary has the document's shape", async () => {
  const { health, clock } = setUp();
  const summary = await health.summary(TENANT);
  assert.ok(v.is(HealthResult, summary));
  const sessions = {
    path: "clawgate.db",
    count: 1,
    recent: [{ key: KEY, updatedAt: clock.now() - 4_000, age: 4_000 }],
  };
  const heartbeat = {
    enabled: true,
    every: "30m",
    everyMs: 1_800_000,
    prompt: "look",
    target: "last",
    ackMaxChars: 300,
  };
  assert.deepEqual(summary, {
    ok: true,
    ts: clock.now(),
    durationMs: 0,
    channels: {},
    channelOrder: [],
    channelLabels: {},
    heartbeatSeconds: 1_800,
    defaultAgentId: "main",
    agents: [
      { agentId: "main", isDefault: true, heartbeat, sessions },
      {
        agentId: "side",
        isDefault: false,
        heartbeat,
        sessions: { path: "clawgate.db", count: 0, recent: [] },
      },
    ],
    sessions,
  });
  health.stop();
});

Deno.test("heartbeatSeconds is 0 when the default agent does not beat", async () => {
  const { health, beats } = setUp();
  beats.everyMs = null;
  assert.equal((await health.summary(TENANT)).heartbeatSeconds, 0);
  health.stop();
});

Deno.test("while nothing changes, the summary is answered at once, the same frozen object", async () => {
  const { health, reads, clock } = setUp();
  assert.equal(health.cached(TENANT), undefined);
  const first = await health.summary(TENANT);
  await clock.advance(HEALTH_MAX_AGE_MS);
  for (let call = 0; call < 10; call++) assert.equal(health.summary(TENANT), first);
  assert.ok(Object.isFrozen(first));
  assert.equal(reads.count, 1);
  await clock.advance(1);
  const second = health.summary(TENANT);
  assert.ok(second instanceof Promise);
  assert.notEqual(await second, first);
  health.stop();
});

Deno.test("after a change the next call has a new summary, and all that wait share one read", async () => {
  const { health, reads } = setUp();
  const first = await health.summary(TENANT);
  health.invalidate(TENANT);
  health.invalidate(TENANT);
  const waiting = [health.summary(TENANT), health.summary(TENANT)];
  assert.equal(reads.count, 2);
  const [second, third] = await Promise.all(waiting);
  assert.notEqual(second, first);
  assert.equal(second, third);
  assert.equal(health.summary(TENANT), second);
  assert.equal(reads.count, 2);
  health.stop();
});

Deno.test("a read that began before a change does not answer a call that came after it", async () => {
  const { health, reads } = setUp();
  const gate = Promise.withResolvers<void>();
  reads.gate = gate.promise;
  const early = health.summary(TENANT);
  health.invalidate(TENANT);
  const late = [health.summary(TENANT), health.summary(TENANT)];
  assert.equal(reads.count, 1);
  gate.resolve();
  const [old, one, two] = await Promise.all([early, ...late]);
  assert.equal(reads.count, 2);
  assert.notEqual(one, old);
  assert.equal(one, two);
  assert.equal(health.summary(TENANT), one);
  health.stop();
});

Deno.test("what changes while a summary is read makes it stale", async () => {
  const { health, reads } = setUp();
  const gate = Promise.withResolvers<void>();
  reads.gate = gate.promise;
  const early = health.summary(TENANT);
  health.invalidate(TENANT);
  gate.resolve();
  const old = await early;
  assert.notEqual(await health.summary(TENANT), old);
  assert.equal(reads.count, 2);
  health.stop();
});

Deno.test("a probe is made after the call, and all probes during a refresh share one", async () => {
  const { health, reads } = setUp();
  const gate = Promise.withResolvers<void>();
  reads.gate = gate.promise;
  const running = health.summary(TENANT);
  const probes = [health.summary(TENANT, { probe: true }), health.summary(TENANT, { probe: true })];
  assert.equal(reads.count, 1);
  gate.resolve();
  const [first, one, two] = await Promise.all([running, ...probes]);
  assert.equal(reads.count, 2);
  assert.notEqual(one, first);
  assert.equal(one, two);
  assert.notEqual(await health.summary(TENANT, { probe: true }), one);
  health.stop();
});

Deno.test("refreshes are broadcast at most once a second, with both versions", async () => {
  const { health, clock, events } = setUp();
  for (let count = 0; count < 5; count++) await health.summary(TENANT, { probe: true });
  assert.equal(events.length, 1);
  await clock.advance(HEALTH_BROADCAST_INTERVAL_MS);
  assert.equal(events.length, 2);
  assert.equal(events[1]?.health, health.cached(TENANT));
  assert.deepEqual(events[1]?.versions, { presence: 0, health: 5 });
  assert.deepEqual(health.versions(TENANT), { presence: 0, health: 5 });
  await clock.advance(10 * HEALTH_BROADCAST_INTERVAL_MS);
  assert.equal(events.length, 2);
  assert.equal(clock.waiting, 0);
});

Deno.test("a refresh that fails keeps the old summary and is tried again", async () => {
  const { health, reads, clock, log, events } = setUp();
  const first = await health.summary(TENANT);
  reads.fail = true;
  health.refresh(TENANT);
  await settle();
  assert.equal(log.lines.length, 1);
  assert.equal(health.cached(TENANT), first);
  assert.equal(events.length, 1);
  await assert.rejects(async () => await health.summary(TENANT, { probe: true }), /store is away/);
  await clock.advance(HEALTH_MAX_AGE_MS + 1);
  await assert.rejects(async () => await health.summary(TENANT));
  reads.fail = false;
  assert.notEqual(await health.summary(TENANT), first);
  health.stop();
});

Deno.test("runs that begin or end and heartbeat settings make the summary stale, text does not", async () => {
  const { health, hub, reads, listeners } = setUp();
  await health.summary(TENANT);
  health.start();
  const run = (step: RunEvent["step"]): void =>
    hub.publish(TENANT, {
      type: "run",
      runId: checked("r", (text): text is RunId => text !== ""),
      sessionKey: KEY,
      requestedKey: "main",
      sequence: 1,
      at: 0,
      step,
    });
  const refreshes = async (): Promise<boolean> => {
    const before = reads.count;
    await health.summary(TENANT);
    return reads.count > before;
  };
  run({ kind: "text", delta: "a", text: "a", partial: true });
  assert.equal(await refreshes(), false);
  run({ kind: "start" });
  assert.equal(await refreshes(), true);
  run({ kind: "end", text: "a", stopReason: "stop" });
  assert.equal(await refreshes(), true);
  for (const listener of listeners) listener(TENANT);
  assert.equal(await refreshes(), true);
  health.stop();
  assert.equal(listeners.size, 0);
  run({ kind: "start" });
  assert.equal(await refreshes(), false);
  health.stop();
});

Deno.test("the status has the document's shape", async () => {
  const { health } = setUp();
  const status = await health.status(TENANT);
  assert.ok(v.is(StatusResult, status));
  assert.deepEqual(status.heartbeat, {
    defaultAgentId: "main",
    agents: [
      { agentId: "main", enabled: true, every: "30m", everyMs: 1_800_000 },
      { agentId: "side", enabled: true, every: "30m", everyMs: 1_800_000 },
    ],
  });
  assert.deepEqual(status.sessions.defaults, { model: "echo", contextTokens: 8_000 });
  assert.deepEqual(status.sessions.byAgent.map(({ agentId, count }) => [agentId, count]), [
    ["main", 1],
    ["side", 0],
  ]);
  const [session] = status.sessions.recent;
  assert.deepEqual(
    [session?.kind, session?.age, session?.remainingTokens, session?.percentUsed, session?.flags],
    ["direct", 4_000, 750, 25, ["think:high", "aborted"]],
  );
});

Deno.test("the status tells what of the settings is not in effect, within bounds", async () => {
  const { health, told } = setUp();
  const settings = async () => {
    const status = await health.status(TENANT);
    assert.ok(v.is(StatusResult, status));
    return status.settings;
  };
  assert.deepEqual(await settings(), { disabledProviders: [] });
  const issue = { path: "gateway.port", message: "must be a whole number" };
  told.refusal = { at: 5, issues: Array.from({ length: 100 }, () => issue) };
  told.disabled = { p: ["A", "B"] };
  assert.deepEqual(await settings(), {
    refused: { at: 5, issues: Array.from({ length: 5 }, () => issue) },
    disabledProviders: [{ provider: "p", variables: ["A", "B"] }],
  });
});
