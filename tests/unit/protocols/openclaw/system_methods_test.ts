import assert from "node:assert/strict";
import * as v from "valibot";
import { createMemoryStore } from "../../../../src/adapters/memory_store.ts";
import { createDispatch } from "../../../../src/core/dispatch.ts";
import { GatewayError } from "../../../../src/core/error.ts";
import { methodTable } from "../../../../src/core/method.ts";
import { checked, DEFAULT_TENANT, isConnectionId } from "../../../../src/core/id.ts";
import type { LogTailRequest } from "../../../../src/ports/log.ts";
import type { OpenClawContext } from "../../../../src/protocols/openclaw/context.ts";
import { systemMethods } from "../../../../src/protocols/openclaw/methods/system.ts";
import { Agents } from "../../../../src/services/agents.ts";
import { HealthMonitor } from "../../../../src/services/health.ts";
import { Heartbeat } from "../../../../src/services/heartbeat.ts";
import { Hub } from "../../../../src/services/hub.ts";
import { Presence } from "../../../../src/services/presence.ts";
import { Sessions } from "../../../../src/services/sessions.ts";
import { VersionCounters } from "../../../../src/services/state_versions.ts";
import { CountingRandom } from "../../../support/counting_random.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { MemoryLog } from "../../../support/memory_log.ts";

const table = methodTable([systemMethods]);
const dispatch = createDispatch(table);

function setUp() {
  const clock = new ManualClock();
  const hub = new Hub();
  const store = createMemoryStore();
  const versions = new VersionCounters();
  const log = new MemoryLog();
  const agents = new Agents({ options: () => ({ defaults: {}, list: [] }) });
  const options = () => ({ mainKey: "main", scope: "per-sender" } as const);
  const sessions = new Sessions({ store, clock, random: new CountingRandom(), agents, options });
  const heartbeat = new Heartbeat({
    clock,
    hub,
    log,
    store,
    agents,
    options: () => ({ prompt: () => "look" }),
    runTurn: () => Promise.resolve({ status: "ok", text: "HEARTBEAT_OK" }),
    tenants: () => [DEFAULT_TENANT],
  });
  const health = new HealthMonitor({ clock, hub, log, agents, sessions, heartbeat, versions });
  const self = { host: "box", version: "2026.2.9", platform: "linux" };
  const presence = new Presence({ clock, hub, self, versions });
  const tails: LogTailRequest[] = [];
  const logs = {
    tail: (request: LogTailRequest) => {
      tails.push(request);
      const found = { file: "a.log", cursor: 4, size: 4, lines: ["one"] };
      return Promise.resolve({ ...found, truncated: false, reset: false });
    },
  };
  const answer = (
    method: string,
    params?: unknown,
    scopes: readonly string[] = ["operator.admin"],
  ): unknown => {
    const principal = {
      tenant: DEFAULT_TENANT,
      role: "operator",
      scopes,
      connection: checked("c", isConnectionId),
      credential: "shared",
      subject: "tester",
      local: true,
    } as const;
    const services = { health, heartbeat, presence, logs, principal };
    const context: OpenClawContext = Object.assign(Object.create(null), services);
    return dispatch({ method, params, principal }, context);
  };
  /** Calls a method and checks that the answer, as JSON, has the promised shape and nothing else. */
  const call = async (method: string, params?: unknown): Promise<unknown> => {
    const value: unknown = JSON.parse(JSON.stringify(await answer(method, params)));
    const schema = table.get(method)?.result;
    assert.ok(schema !== undefined);
    assert.deepEqual(v.parse(schema, value), value);
    return value;
  };
  return { clock, heartbeat, health, presence, tails, answer, call };
}

Deno.test("every method answers in the document's shape to the fewest parameters", async () => {
  const { call, clock, heartbeat, health, presence } = setUp();
  await heartbeat.start();
  for (const { name } of systemMethods) {
    const params = name === "system-event"
      ? { text: "hello" }
      : name === "set-heartbeats"
      ? { enabled: true }
      : undefined;
    assert.notEqual(await call(name, params), undefined, name);
  }
  assert.equal(await call("last-heartbeat"), null);
  await clock.advance(30 * 60_000);
  assert.deepEqual(await call("last-heartbeat"), {
    ts: clock.now(),
    status: "ok-token",
    durationMs: 0,
    silent: true,
    indicatorType: "ok",
  });
  await heartbeat.stop();
  health.stop();
  presence.stop();
});

Deno.test("members that nobody knows are ignored, but not by logs.tail", async () => {
  const { call, presence, health, tails } = setUp();
  for (const { name } of systemMethods) {
    if (name === "logs.tail") continue;
    await call(name, { text: "hello", enabled: false, surplus: 1 });
  }
  await assert.rejects(async () => await call("logs.tail", { surplus: 1 }), {
    message: "invalid logs.tail params: at root: unexpected property 'surplus'",
  });
  assert.equal(tails.length, 0);
  presence.stop();
  health.stop();
});

Deno.test("wrong parameters are refused in the wire's words", async () => {
  const cases: readonly (readonly [string, unknown, string])[] = [
    ["set-heartbeats", {}, "invalid set-heartbeats params: enabled (boolean) required"],
    [
      "set-heartbeats",
      { enabled: "yes" },
      "invalid set-heartbeats params: enabled (boolean) required",
    ],
    ["system-event", {}, "text required"],
    ["system-event", { text: "  " }, "text required"],
    ["system-event", { text: 7 }, "text required"],
    ["logs.tail", { cursor: -1 }, "invalid logs.tail params: at /cursor: must be >= 0"],
    ["logs.tail", { limit: 0 }, "invalid logs.tail params: at /limit: must be >= 1"],
    ["logs.tail", { limit: 5_001 }, "invalid logs.tail params: at /limit: must be <= 5000"],
    [
      "logs.tail",
      { maxBytes: 1_000_001 },
      "invalid logs.tail params: at /maxBytes: must be <= 1000000",
    ],
    ["logs.tail", { cursor: "4" }, "invalid logs.tail params: at /cursor: must be integer"],
    ["health", "probe", "invalid health params: must be object"],
  ];
  for (const [method, params, message] of cases) {
    const { answer } = setUp();
    await assert.rejects(
      async () => await answer(method, params),
      (error) =>
        error instanceof GatewayError && error.code === "INVALID_REQUEST" &&
        error.message === message,
      `${method} ${JSON.stringify(params)}`,
    );
  }
});

Deno.test("health is answered at once from the cache; probe true alone makes a new one", async () => {
  const { answer, health } = setUp();
  const first = await answer("health", { probe: true });
  assert.equal(answer("health"), first);
  assert.equal(answer("health", { probe: "true" }), first);
  assert.notEqual(await answer("health", { probe: true }), first);
  health.stop();
});

Deno.test("a system event appears in the presence list, its odd members left out", async () => {
  const { call, presence } = setUp();
  const event = {
    text: "Node: lamp",
    host: "lamp",
    mode: "node",
    lastInputSeconds: "4",
    tags: ["a", 7],
    roles: "node",
    ip: 5,
  };
  assert.deepEqual(await call("system-event", event), { ok: true });
  const list = await call("system-presence");
  assert.ok(Array.isArray(list));
  assert.equal(list[0].reason, "self");
  const { ts: _ts, ...entry } = list[1];
  assert.deepEqual(entry, { host: "lamp", mode: "node", tags: ["a"], text: "Node: lamp" });
  presence.stop();
});

Deno.test("switched off, heartbeats show as disabled in health and status", async () => {
  const { call, health } = setUp();
  assert.deepEqual(await call("set-heartbeats", { enabled: false }), { ok: true, enabled: false });
  const summary = await health.summary(DEFAULT_TENANT, { probe: true });
  assert.equal(summary.heartbeatSeconds, 0);
  const status = await health.status(DEFAULT_TENANT);
  assert.deepEqual(status.heartbeat.agents, [
    { agentId: "main", enabled: false, every: "disabled", everyMs: null },
  ]);
  health.stop();
});

Deno.test("logs.tail reads 500 lines of 250,000 bytes unless told otherwise", async () => {
  const { call, tails } = setUp();
  assert.deepEqual(await call("logs.tail"), {
    file: "a.log",
    cursor: 4,
    size: 4,
    lines: ["one"],
    truncated: false,
    reset: false,
  });
  await call("logs.tail", { cursor: 4, limit: 1, maxBytes: 2 });
  assert.deepEqual(tails, [
    { cursor: undefined, limit: 500, maxBytes: 250_000 },
    { cursor: 4, limit: 1, maxBytes: 2 },
  ]);
});

Deno.test("reading takes operator.read, changing takes operator.admin", () => {
  const needed = Object.fromEntries(systemMethods.map(({ name, access }) => [name, access]));
  const read = { role: "operator", scope: "operator.read" };
  const admin = { role: "operator", scope: "operator.admin" };
  assert.deepEqual(needed, {
    health: read,
    status: read,
    "system-presence": read,
    "system-event": admin,
    "last-heartbeat": read,
    "set-heartbeats": admin,
    "logs.tail": read,
  });
});
