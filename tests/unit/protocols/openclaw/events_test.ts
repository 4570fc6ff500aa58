import assert from "node:assert/strict";
import type { Role, Scope } from "../../../../src/core/access.ts";
import { LINK_HIGH_WATER_BYTES, Outbox, type Overflow } from "../../../../src/core/outbox.ts";
import { isJsonObject } from "../../../../src/core/json.ts";
import { checked, isDeviceId, isSessionKey } from "../../../../src/core/id.ts";
import {
  encodeFrame,
  type EventFrame,
  eventOpening,
} from "../../../../src/protocols/openclaw/codec.ts";
import {
  createRenderer,
  eventFrame,
  type EventName,
  EVENTS,
  mayReceive,
} from "../../../../src/protocols/openclaw/events.ts";
import type { DomainEvent, RunEvent, RunStep } from "../../../../src/services/domain_event.ts";
import { isRunId } from "../../../../src/services/run_record.ts";
import { MemoryLink } from "../../../support/memory_link.ts";

const AT = 1_750_000_000_000;
const SESSION = checked("agent:main:main", isSessionKey);
const DEVICE = checked("d".repeat(64), isDeviceId);

/** The payload of an event's frame. */
function payloadOf(frame: EventFrame): Readonly<Record<string, unknown>> {
  const { payload } = JSON.parse(String(encodeFrame(frame, 0)));
  assert.ok(isJsonObject(payload));
  return payload;
}

/** A step of a run that its client started in the session it calls `main`. */
function run(sequence: number, step: RunStep): RunEvent {
  return {
    type: "run",
    runId: checked("r-1", isRunId),
    sessionKey: SESSION,
    requestedKey: "main",
    sequence,
    at: AT,
    step,
  };
}

/** The payload of an `agent` event of that run. */
function agent(seq: number, stream: string, data: unknown): unknown {
  return { runId: "r-1", seq, stream, ts: AT, data, sessionKey: "main" };
}

/** The payload of a `chat` event of that run. */
function chat(seq: number, state: string, rest: Record<string, unknown>): unknown {
  return { runId: "r-1", sessionKey: "main", seq, state, ...rest };
}

/** A message as chat events carry it. */
function message(text: string): Record<string, unknown> {
  return { role: "assistant", content: [{ type: "text", text }], timestamp: AT };
}

const VERSIONS = { presence: 3, health: 4 };
const USAGE = { input: 1, output: 2, cacheRead: 3, cacheWrite: 4, total: 10 };
const WIRE_USAGE = { input: 1, output: 2, cacheRead: 3, cacheWrite: 4, totalTokens: 10 };
const NO_USAGE = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, totalTokens: 0 };

const HEALTH = {
  ok: true,
  ts: AT,
  durationMs: 2,
  channels: {},
  channelOrder: [],
  channelLabels: {},
  heartbeatSeconds: 0,
  defaultAgentId: "main",
  agents: [],
  sessions: { path: "store", count: 0, recent: [] },
} as const;

const PENDING = {
  requestId: "q-1",
  deviceId: DEVICE,
  publicKey: "key",
  displayName: "Phone",
  platform: "ios",
  clientId: "app",
  clientMode: "ui",
  role: "operator",
  roles: ["operator"],
  scopes: ["operator.read"],
  remoteIp: "192.0.2.7",
  silent: false,
  isRepair: true,
  ts: AT,
} as const;

interface EventRow {
  readonly name: string;
  readonly event: DomainEvent;
  /** Name and payload of each frame, in order. */
  readonly frames: readonly (readonly [EventName, unknown])[];
  readonly stateVersion?: typeof VERSIONS;
}

const ROWS: readonly EventRow[] = [
  {
    name: "the start of a run as its first agent event",
    event: run(1, { kind: "start" }),
    frames: [["agent", agent(1, "lifecycle", { phase: "start", startedAt: AT })]],
  },
  {
    name: "text between two displays as an agent event alone",
    event: run(2, { kind: "text", delta: "lo", text: "hello", partial: false }),
    frames: [["agent", agent(2, "assistant", { text: "hello", delta: "lo" })]],
  },
  {
    name: "text to be displayed as agent event, then chat delta with all text so far",
    event: run(3, { kind: "text", delta: "!", text: "hello!", partial: true }),
    frames: [
      ["agent", agent(3, "assistant", { text: "hello!", delta: "!" })],
      ["chat", chat(3, "delta", { message: message("hello!") })],
    ],
  },
  {
    name: "the end of a run as agent event, then chat final with text and tokens",
    event: run(4, { kind: "end", text: "hello!", stopReason: "stop", usage: USAGE }),
    frames: [
      ["agent", agent(4, "lifecycle", { phase: "end", endedAt: AT })],
      [
        "chat",
        chat(4, "final", {
          message: message("hello!"),
          usage: WIRE_USAGE,
          stopReason: "stop",
        }),
      ],
    ],
  },
  {
    name: "an empty answer as final without message and tokens",
    event: run(2, { kind: "end", text: "", stopReason: "stop" }),
    frames: [
      ["agent", agent(2, "lifecycle", { phase: "end", endedAt: AT })],
      ["chat", chat(2, "final", { stopReason: "stop" })],
    ],
  },
  {
    name: "an abort amid the text as chat event alone, with what there was",
    event: run(5, { kind: "aborted", text: "hel", stopReason: "rpc" }),
    frames: [["chat", chat(5, "aborted", { message: message("hel"), stopReason: "rpc" })]],
  },
  {
    name: "an abort before any text as chat event without message",
    event: run(1, { kind: "aborted", text: "", stopReason: "stop" }),
    frames: [["chat", chat(1, "aborted", { stopReason: "stop" })]],
  },
  {
    name: "a failed run as agent event, then chat error in the same words",
    event: run(6, { kind: "failed", message: "no credit" }),
    frames: [
      ["agent", agent(6, "lifecycle", { phase: "error", error: "no credit", endedAt: AT })],
      ["chat", chat(6, "error", { errorMessage: "no credit" })],
    ],
  },
  {
    name: "a message without a run as chat final, injected, that cost nothing",
    event: {
      type: "session.message",
      runId: "inject-00000001",
      sessionKey: SESSION,
      requestedKey: "main",
      sequence: 0,
      at: AT,
      text: "[Note]\n\nhello",
    },
    frames: [["chat", {
      runId: "inject-00000001",
      sessionKey: "main",
      seq: 0,
      state: "final",
      message: { ...message("[Note]\n\nhello"), stopReason: "injected", usage: NO_USAGE },
    }]],
  },
  {
    name: "presence as the whole list, with the versions",
    event: { type: "presence", presence: [{ host: "h", ts: AT }], versions: VERSIONS },
    frames: [["presence", { presence: [{ host: "h", ts: AT }] }]],
    stateVersion: VERSIONS,
  },
  {
    name: "health as the summary itself, with the versions",
    event: { type: "health", health: HEALTH, versions: VERSIONS },
    frames: [["health", HEALTH]],
    stateVersion: VERSIONS,
  },
  {
    name: "a heartbeat as its report",
    event: { type: "heartbeat", report: { ts: AT, status: "sent", preview: "p", durationMs: 1 } },
    frames: [["heartbeat", { ts: AT, status: "sent", preview: "p", durationMs: 1 }]],
  },
  {
    name: "a tick as its time",
    event: { type: "tick", at: AT },
    frames: [["tick", { ts: AT }]],
  },
  {
    name: "the end of the gateway",
    event: { type: "shutdown", reason: "gateway stopping", restartExpectedMs: null },
    frames: [["shutdown", { reason: "gateway stopping", restartExpectedMs: null }]],
  },
  {
    name: "a restart of the gateway with the time that it takes",
    event: { type: "shutdown", reason: "gateway restarting", restartExpectedMs: 1_500 },
    frames: [["shutdown", { reason: "gateway restarting", restartExpectedMs: 1_500 }]],
  },
  {
    name: "a device's request as it waits",
    event: { type: "device.requested", request: PENDING },
    frames: [["device.pair.requested", PENDING]],
  },
  {
    name: "a decision about a device",
    event: {
      type: "device.resolved",
      requestId: "q-1",
      deviceId: DEVICE,
      decision: "rejected",
      at: AT,
    },
    frames: [["device.pair.resolved", {
      requestId: "q-1",
      deviceId: DEVICE,
      decision: "rejected",
      ts: AT,
    }]],
  },
  {
    name: "no lost access to anybody",
    event: { type: "access.revoked", deviceId: DEVICE, role: "operator" },
    frames: [],
  },
  { name: "no changed secret to anybody", event: { type: "secret.changed" }, frames: [] },
];

for (const { name, event, frames, stateVersion } of ROWS) {
  Deno.test(`the wire shows ${name}`, () => {
    const rendered = createRenderer()(event);
    assert.deepEqual(rendered.map(({ frame }) => [frame.event, payloadOf(frame)]), frames);
    for (const { frame } of rendered) {
      assert.deepEqual(frame.stateVersion, stateVersion);
      assert.equal(frame.sequenced, true);
    }
  });
}

/** Everyone whose view of the events differs. */
const PARTIES: Readonly<
  Record<string, { readonly role: Role; readonly scopes: readonly Scope[] }>
> = {
  reader: { role: "operator", scopes: ["operator.read"] },
  writer: { role: "operator", scopes: ["operator.write"] },
  approver: { role: "operator", scopes: ["operator.approvals"] },
  pairer: { role: "operator", scopes: ["operator.pairing"] },
  admin: { role: "operator", scopes: ["operator.admin"] },
  nobody: { role: "operator", scopes: [] },
  node: { role: "node", scopes: [] },
  // A node is granted no scope; should it ever hold one, it is still no operator.
  "node with scopes": { role: "node", scopes: ["operator.admin"] },
};

const READERS = ["reader", "writer", "admin"];
const PAIRERS = ["pairer", "admin"];
const EVERYONE = Object.keys(PARTIES);

interface DeliveryRow {
  readonly to: readonly string[];
  readonly overflow: Overflow;
}

const DELIVERY: Readonly<Record<Exclude<EventName, "connect.challenge">, DeliveryRow>> = {
  agent: { to: READERS, overflow: "disconnect" },
  chat: { to: READERS, overflow: "disconnect" },
  presence: { to: READERS, overflow: "coalesce" },
  tick: { to: EVERYONE, overflow: "drop" },
  shutdown: { to: EVERYONE, overflow: "disconnect" },
  health: { to: READERS, overflow: "coalesce" },
  heartbeat: { to: READERS, overflow: "coalesce" },
  "device.pair.requested": { to: PAIRERS, overflow: "disconnect" },
  "device.pair.resolved": { to: PAIRERS, overflow: "disconnect" },
};

for (const [name, { to, overflow }] of Object.entries(DELIVERY)) {
  Deno.test(`${name} goes to ${to === EVERYONE ? "everyone" : to.join(", ")}; behind: ${overflow}`, () => {
    const rendered = ROWS.flatMap(({ event }) => createRenderer()(event))
      .filter(({ frame }) => frame.event === name);
    assert.ok(rendered.length > 0, "no domain event becomes this one");
    for (const one of rendered) {
      // A newer text of a run makes an older one superfluous, whatever holds for the rest.
      const { state, stream } = payloadOf(one.frame);
      const isText = state === "delta" || stream === "assistant";
      assert.equal(one.frame.overflow, isText ? "coalesce" : overflow);
      const receivers = EVERYONE.filter((party) => mayReceive(one, PARTIES[party]!));
      assert.deepEqual(receivers, EVERYONE.filter((party) => to.includes(party)));
    }
  });
}

Deno.test("every event but the challenge comes from a domain event", () => {
  assert.deepEqual(
    Object.keys(EVENTS).sort(),
    ["connect.challenge", ...Object.keys(DELIVERY)].sort(),
  );
});

Deno.test("the challenge stands outside the numbered stream and is never left out", () => {
  assert.deepEqual(eventFrame("connect.challenge", { nonce: "n", ts: 1 }), {
    kind: "event",
    event: "connect.challenge",
    key: "connect.challenge",
    opening: eventOpening("connect.challenge", { nonce: "n", ts: 1 }),
    stateVersion: undefined,
    overflow: "disconnect",
    sequenced: false,
  });
});

Deno.test("text steps of a run replace each other where a client is behind, its other events do not", () => {
  const step = (sequence: number, id: string, text: string): RunEvent => ({
    ...run(sequence, { kind: "text", delta: "x", text, partial: true }),
    runId: checked(id, isRunId),
  });
  const link = new MemoryLink();
  link.buffered = LINK_HIGH_WATER_BYTES + 1;
  const outbox = new Outbox<EventFrame>(link, {
    owner: { encode: encodeFrame, overflowed: () => assert.fail("too much waits") },
    maxBytes: 1_000_000,
  });
  const render = createRenderer();
  const events = [run(1, { kind: "start" }), step(2, "other", "o")];
  for (let at = 2; at < 1_000; at++) events.push(step(at, "r-1", "x".repeat(at)));
  events.push(run(1_000, { kind: "end", text: "all", stopReason: "stop" }));
  for (const event of events) {
    for (const { frame } of render(event)) outbox.send(frame, frame);
  }
  link.buffered = 0;
  outbox.drain();
  const told = link.sent.map((text) => JSON.parse(String(text)));
  assert.deepEqual(told.map(({ seq }) => seq), told.map((_, at) => at + 1));
  assert.deepEqual(
    told.map(({ event, payload }) => [event, payload.runId, payload.seq]),
    [
      ["agent", "r-1", 1],
      ["agent", "other", 2],
      ["chat", "other", 2],
      ["agent", "r-1", 999],
      ["chat", "r-1", 999],
      ["agent", "r-1", 1_000],
      ["chat", "r-1", 1_000],
    ],
  );
  assert.equal(told[3].payload.data.text.length, 999);
});

Deno.test("an event is rendered once, however many connections get it", () => {
  const render = createRenderer();
  const [tick, same] = [{ type: "tick", at: AT }, { type: "tick", at: AT }] as const;
  assert.equal(render(tick), render(tick));
  assert.notEqual(render(tick), render(same));
  assert.notEqual(render(tick), createRenderer()(tick));
});
