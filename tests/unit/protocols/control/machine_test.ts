import assert from "node:assert/strict";
import { GatewayError, invalidRequest } from "../../../../src/core/error.ts";
import type { Effect, Input } from "../../../../src/core/machine.ts";
import { encodeFrame } from "../../../../src/protocols/control/codec.ts";
import { createRenderer } from "../../../../src/protocols/control/events.ts";
import {
  type ControlCall,
  controlMachine,
  type ControlTypes,
  MAX_CALLS_IN_FLIGHT,
} from "../../../../src/protocols/control/machine.ts";
import type { HeartbeatReport } from "../../../../src/services/heartbeat_report.ts";
import type { Life } from "../../../../src/services/domain_event.ts";

/** A machine and what it asked for, frames as the lines that they become. */
function stage(pid?: number, life: Life = { state: "running" }) {
  const machine = controlMachine({ render: createRenderer({ pid }), life, pid });
  let [state, effects] = machine.open();
  const shown = (all: readonly Effect<ControlTypes>[]) =>
    all.map((effect) => {
      if (effect.type !== "send") return effect;
      return JSON.parse(String(encodeFrame(effect.frame)));
    });
  return {
    opened: shown(effects),
    step(input: Input<ControlTypes>) {
      [state, effects] = machine.step(state, input);
      return shown(effects);
    },
  };
}

const GREET: ControlCall = { kind: "greet" };
const report: HeartbeatReport = {
  ts: 5,
  status: "sent",
  preview: "look",
  hasMedia: false,
  durationMs: 12.6,
  channel: "x",
  silent: false,
  indicatorType: "alert",
};
/** What this wire shows of it. */
const shownReport = { ts: 5, status: "sent", preview: "look", hasMedia: false, durationMs: 13 };

const heartbeat = (payload: unknown) => ({ type: "event", event: "heartbeat", payload });
const greeted = (found: HeartbeatReport | null): Input<ControlTypes> => ({
  type: "result",
  call: GREET,
  outcome: { ok: true, value: { kind: "heartbeat", report: found } },
  last: true,
});
const asks = (id: string | number, method: string = "ping"): Input<ControlTypes> => ({
  type: "frame",
  frame: { kind: "request", id, method, params: undefined },
});
const request = (id: string | number): ControlCall => ({
  kind: "request",
  id,
  method: "ping",
  params: undefined,
});

Deno.test("a connection begins with the state, then subscribes, then looks for the last heartbeat", () => {
  assert.deepEqual(stage(42).opened, [
    { type: "event", event: "gateway-status", payload: { state: "running", pid: 42 } },
    { type: "subscribe", topic: "gateway" },
    { type: "call", call: GREET },
  ]);
  assert.deepEqual(stage().opened[0].payload, { state: "running" });
});

const status = (payload: unknown) => ({ type: "event", event: "gateway-status", payload });

Deno.test("who comes before the gateway runs is told that it starts, then what became of it", () => {
  const outcomes: readonly Life[] = [{ state: "running" }, { state: "failed", reason: "no store" }];
  for (const life of outcomes) {
    const { opened, step } = stage(42, { state: "starting" });
    assert.deepEqual(opened, [
      status({ state: "starting", pid: 42 }),
      { type: "subscribe", topic: "gateway" },
      { type: "call", call: GREET },
    ]);
    const told = step({ type: "event", event: { type: "lifecycle", life } });
    assert.deepEqual(told, [status({ ...life, pid: 42 })]);
  }
});

Deno.test("who comes after the end was told hears of it and is let go", () => {
  for (const state of ["stopped", "restarting"] as const) {
    assert.deepEqual(stage(42, { state, reason: "bye" }).opened, [
      status({ state, pid: 42, reason: "bye" }),
      { type: "close", code: 1012, reason: "service restart" },
    ]);
  }
});

Deno.test("the last heartbeat is shown once, in this wire's shape; none is not shown", () => {
  assert.deepEqual(stage().step(greeted(report)), [heartbeat(shownReport)]);
  assert.deepEqual(stage().step(greeted(null)), []);
});

Deno.test("a heartbeat that comes before the last one was found stands for it", () => {
  const { step } = stage();
  const newer = { ts: 9, status: "skipped", reason: "no-tasks" } as const;
  const event = { type: "heartbeat", report: newer } as const;
  assert.deepEqual(step({ type: "event", event }), [heartbeat(newer)]);
  assert.deepEqual(step(greeted(report)), []);
});

Deno.test("a last heartbeat that cannot be read is none", () => {
  const error = new GatewayError("UNAVAILABLE", "no store");
  const outcome = { ok: false, error } as const;
  assert.deepEqual(stage().step({ type: "result", call: GREET, outcome, last: true }), []);
});

Deno.test("requests run at once and are answered in the order of their results", () => {
  const { step } = stage();
  assert.deepEqual(step(asks("1")), [{ type: "call", call: request("1") }]);
  assert.deepEqual(step(asks(2)), [{ type: "call", call: request(2) }]);
  const ok = { ok: true, value: { kind: "payload", payload: { a: 1 } } } as const;
  assert.deepEqual(step({ type: "result", call: request(2), outcome: ok, last: true }), [
    { type: "response", id: 2, ok: true, payload: { a: 1 } },
  ]);
  const error = invalidRequest("unknown method: x");
  assert.deepEqual(
    step({ type: "result", call: request("1"), outcome: { ok: false, error }, last: true }),
    [{ type: "response", id: "1", ok: false, error: "unknown method: x" }],
  );
});

Deno.test("what is no request is refused with its id", () => {
  const frame = { kind: "malformed", id: 4, message: "unsupported frame" } as const;
  assert.deepEqual(stage().step({ type: "frame", frame }), [
    { type: "response", id: 4, ok: false, error: "unsupported frame" },
  ]);
});

Deno.test("requests at once are bounded, and an answer makes room", () => {
  const { step } = stage();
  for (let id = 0; id < MAX_CALLS_IN_FLIGHT; id++) assert.equal(step(asks(id))[0].type, "call");
  const [refused] = step(asks("more"));
  assert.equal(refused.ok, false);
  assert.match(refused.error, /more than 64 requests are running/);
  const outcome = { ok: true, value: { kind: "payload", payload: 1 } } as const;
  step({ type: "result", call: request(0), outcome, last: true });
  assert.equal(step(asks("more"))[0].type, "call");
});

const ENDS = [
  { restartExpectedMs: null, state: "stopped" },
  { restartExpectedMs: 1_000, state: "restarting" },
] as const;

for (const { restartExpectedMs, state } of ENDS) {
  Deno.test(`the end of the gateway is told and closes the connection: ${state}`, () => {
    const stopped = stage(42);
    const event = { type: "shutdown", reason: "bye", restartExpectedMs } as const;
    assert.deepEqual(stopped.step({ type: "event", event }), [
      { type: "event", event: "gateway-status", payload: { state, pid: 42, reason: "bye" } },
      { type: "close", code: 1012, reason: "service restart" },
    ]);
  });
}

Deno.test("a line of the log is shown as it is; what other wires show is not", () => {
  const { step } = stage();
  const record = {
    time: 7,
    level: "info",
    component: "runs",
    message: "started",
    fields: [["run", "a"], ["count", 2]],
  } as const;
  assert.deepEqual(step({ type: "event", event: { type: "log", record } }), [{
    type: "event",
    event: "log",
    payload: {
      ts: 7,
      level: "info",
      component: "runs",
      message: "started",
      fields: { run: "a", count: 2 },
    },
  }]);
  assert.deepEqual(step({ type: "event", event: { type: "tick", at: 1 } }), []);
  assert.deepEqual(step({ type: "event", event: { type: "secret.changed" } }), []);
});
