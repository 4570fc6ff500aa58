import assert from "node:assert/strict";
import type { Principal } from "../../../../src/core/access.ts";
import { GatewayError } from "../../../../src/core/error.ts";
import { checked, DEFAULT_TENANT, isConnectionId, isDeviceId } from "../../../../src/core/id.ts";
import type { Input } from "../../../../src/core/machine.ts";
import { decodeFrame, encodeFrame } from "../../../../src/protocols/openclaw/codec.ts";
import { createRenderer } from "../../../../src/protocols/openclaw/events.ts";
import {
  MAX_CALLS_IN_FLIGHT,
  MAX_EARLY_REQUESTS,
  MAX_HANDSHAKE_MESSAGE,
  openClawMachine,
  type OpenClawState,
  type OpenClawTypes,
} from "../../../../src/protocols/openclaw/machine.ts";

const MACHINE = openClawMachine({ nonce: "n1", issuedAt: 5, render: createRenderer() });
const DEVICE = checked("a".repeat(64), isDeviceId);

const PRINCIPAL: Principal = {
  tenant: DEFAULT_TENANT,
  role: "operator",
  scopes: ["operator.read"],
  connection: checked("c1", isConnectionId),
  device: DEVICE,
  credential: "device",
  subject: "s",
  local: true,
};

const CONNECT = {
  minProtocol: 3,
  maxProtocol: 3,
  client: { id: "test", version: "1", platform: "linux", mode: "test" },
};

type Inputs = Input<OpenClawTypes>;

function request(id: string, method: string, params?: unknown): Inputs {
  return frame(JSON.stringify({ type: "req", id, method, params }));
}

function frame(text: string): Inputs {
  return { type: "frame", frame: decodeFrame(text) };
}

/** Effects in a form that reads well in a table. */
function play(from: OpenClawState, ...inputs: readonly Inputs[]) {
  let state = from;
  const done: unknown[] = [];
  for (const input of inputs) {
    const [next, effects] = MACHINE.step(state, input);
    state = next;
    for (const effect of effects) {
      if (effect.type === "send") {
        const { type: _type, ...rest } = JSON.parse(String(encodeFrame(effect.frame, 0)));
        done.push(rest);
      } else if (effect.type === "call") {
        const { call } = effect;
        done.push(
          call.kind === "request"
            ? `call ${call.id} ${call.method}`
            : `call ${call.id} ${call.kind}`,
        );
      } else if (effect.type === "close") done.push(`close ${effect.code} ${effect.reason}`.trim());
      else done.push(effect.type);
    }
  }
  return { state, done };
}

const WAITING: OpenClawState = { phase: "waiting" };
const ADMISSION = { principal: PRINCIPAL, client: { ...CONNECT.client, caps: [], commands: [] } };

function open(principal: Principal = PRINCIPAL): OpenClawState {
  return { phase: "open", principal, inFlight: 0 };
}

function refused(
  id: string,
  message: string,
  code: string | undefined = undefined,
  details: unknown = undefined,
) {
  return {
    id,
    ok: false,
    error: {
      code: code ?? "INVALID_REQUEST",
      message,
      ...(details === undefined ? {} : { details }),
    },
  };
}

Deno.test("a connection begins with the challenge and a deadline", () => {
  const [state, effects] = MACHINE.open();
  assert.deepEqual(state, WAITING);
  assert.deepEqual(effects.map((effect) => effect.type), ["send", "arm"]);
});

const client = "invalid handshake: first request must be connect";
const FIRST: readonly { name: string; given: Inputs; expect: readonly unknown[] }[] = [
  { name: "no JSON", given: frame("hello"), expect: ["close 1000"] },
  { name: "empty text", given: frame(""), expect: ["close 1000"] },
  { name: "an array", given: frame("[]"), expect: ["close 1008 invalid request frame"] },
  {
    name: "an event",
    given: frame('{"type":"event","event":"x"}'),
    expect: ["close 1008 invalid request frame"],
  },
  {
    name: "a numeric id",
    given: frame('{"type":"req","id":1,"method":"connect"}'),
    expect: ["close 1008 invalid request frame"],
  },
  {
    name: "another method",
    given: request("1", "health"),
    expect: [refused("1", client), `close 1008 ${client}`],
  },
  {
    name: "too much text",
    given: frame(`"${"x".repeat(MAX_HANDSHAKE_MESSAGE)}"`),
    expect: ["close 1009"],
  },
  {
    name: "an older protocol",
    given: request("1", "connect", { ...CONNECT, minProtocol: 1, maxProtocol: 2 }),
    expect: [
      refused("1", "protocol mismatch", "INVALID_REQUEST", { expectedProtocol: 3 }),
      "close 1002 protocol mismatch",
    ],
  },
  {
    name: "a newer protocol",
    given: request("1", "connect", { ...CONNECT, minProtocol: 4, maxProtocol: 4 }),
    expect: [
      refused("1", "protocol mismatch", "INVALID_REQUEST", { expectedProtocol: 3 }),
      "close 1002 protocol mismatch",
    ],
  },
  {
    name: "a range that includes ours",
    given: request("1", "connect", { ...CONNECT, maxProtocol: 4 }),
    expect: ["call 1 admit"],
  },
  {
    name: "an unknown role",
    given: request("1", "connect", { ...CONNECT, role: "king" }),
    expect: [refused("1", "invalid role"), "close 1008 invalid role"],
  },
  {
    name: "protocol zero",
    given: request("1", "connect", { ...CONNECT, minProtocol: 0 }),
    expect: [
      refused("1", "invalid connect params: at /minProtocol: must be >= 1"),
      "close 1008 invalid connect params: at /minProtocol: must be >= 1",
    ],
  },
  { name: "all well", given: request("1", "connect", CONNECT), expect: ["call 1 admit"] },
  { name: "nothing in time", given: { type: "timer", timer: "handshake" }, expect: ["close 1000"] },
];

Deno.test("the first frame is connect, or the end", () => {
  for (const { name, given, expect } of FIRST) {
    assert.deepEqual(play(WAITING, given).done, expect, name);
  }
});

Deno.test("the reason of a close that reports bad params is cut to 120 bytes", () => {
  const { done } = play(WAITING, request("1", "connect", {}));
  const message =
    "invalid connect params: must have required property 'minProtocol'; must have required property 'maxProtocol'; must have required property 'client'";
  assert.deepEqual(done, [refused("1", message), `close 1008 ${message.slice(0, 120)}`.trim()]);
});

function admitted(): Inputs {
  return {
    type: "result",
    call: { kind: "admit", id: "1", params: CONNECT },
    outcome: { ok: true, value: { kind: "admitted", admission: ADMISSION } },
    last: true,
  };
}

function welcomed(): Inputs {
  return {
    type: "result",
    call: { kind: "hello", id: "1", admission: ADMISSION },
    outcome: { ok: true, value: { kind: "payload", payload: "hello-ok" } },
    last: true,
  };
}

Deno.test("subscribed first, described second; what came early is served after hello-ok, in order", () => {
  const { state, done } = play(
    WAITING,
    request("1", "connect", CONNECT),
    request("2", "health"),
    frame("noise"),
    admitted(),
    request("3", "status"),
    welcomed(),
  );
  assert.deepEqual(done, [
    "call 1 admit",
    "subscribe",
    "call 1 hello",
    "disarm",
    { id: "1", ok: true, payload: "hello-ok" },
    "call 2 health",
    "call 3 status",
  ]);
  assert.ok(state.phase === "open" && state.inFlight === 2);
});

Deno.test("requests behind connect are bounded", () => {
  const early = Array.from(
    { length: MAX_EARLY_REQUESTS + 1 },
    (_, at) => request(`e${at}`, "health"),
  );
  const { done } = play(WAITING, request("1", "connect", CONNECT), ...early);
  assert.deepEqual(done, ["call 1 admit", "close 1008 too many requests before hello-ok"]);
});

Deno.test("a refused connect is answered and ends the connection", () => {
  const { done } = play(WAITING, request("1", "connect", CONNECT), {
    type: "result",
    call: { kind: "admit", id: "1", params: CONNECT },
    outcome: {
      ok: false,
      error: new GatewayError("NOT_PAIRED", "pairing required", { details: { requestId: "r" } }),
      close: { code: 1008, reason: "pairing required" },
    },
    last: true,
  });
  assert.deepEqual(done, [
    "call 1 admit",
    refused("1", "pairing required", "NOT_PAIRED", { requestId: "r" }),
    "close 1008 pairing required",
  ]);
});

Deno.test("a connect that fails for another reason is answered and ends the connection too", () => {
  const { done } = play(WAITING, request("1", "connect", CONNECT), {
    type: "result",
    call: { kind: "admit", id: "1", params: CONNECT },
    outcome: { ok: false, error: new GatewayError("UNAVAILABLE", "no store") },
    last: true,
  });
  assert.deepEqual(done, [
    "call 1 admit",
    refused("1", "no store", "UNAVAILABLE"),
    "close 1011 internal error",
  ]);
});

Deno.test("a malformed frame is answered and the connection goes on", () => {
  const { state, done } = play(
    open(),
    frame("noise"),
    frame("[]"),
    frame('{"type":"req","id":7,"method":"x"}'),
    request("9", "connect", CONNECT),
  );
  assert.deepEqual(done, [
    refused("invalid", "invalid request frame: must be object"),
    { ...refused("", "invalid request frame: at /id: must be string"), id: 7 },
    refused("9", "connect is only valid as the first request"),
  ]);
  assert.deepEqual(state, open());
});

Deno.test("one id twice in flight is answered twice, an interim answer does not count as the last", () => {
  const call = {
    kind: "request",
    id: "1",
    method: "agent",
    params: {},
    principal: PRINCIPAL,
  } as const;
  const result = (payload: string, last: boolean): Inputs => ({
    type: "result",
    call,
    outcome: { ok: true, value: { kind: "payload", payload } },
    last,
  });
  const { state, done } = play(
    open(),
    request("1", "agent"),
    request("1", "agent"),
    result("accepted", false),
    result("done", true),
    result("done too", true),
  );
  assert.deepEqual(done.slice(2), [
    { id: "1", ok: true, payload: "accepted" },
    { id: "1", ok: true, payload: "done" },
    { id: "1", ok: true, payload: "done too" },
  ]);
  assert.deepEqual(state, open());
});

Deno.test("requests in flight are bounded and the next is told so", () => {
  const many = Array.from(
    { length: MAX_CALLS_IN_FLIGHT + 1 },
    (_, at) => request(`r${at}`, "agent.wait"),
  );
  const { state, done } = play(open(), ...many);
  assert.equal(
    done.filter((effect) => String(effect).startsWith("call")).length,
    MAX_CALLS_IN_FLIGHT,
  );
  const last = done.at(-1);
  assert.ok(
    typeof last === "object" && last !== null && JSON.stringify(last).includes("UNAVAILABLE"),
  );
  assert.ok(state.phase === "open" && state.inFlight === MAX_CALLS_IN_FLIGHT);
});

Deno.test("events reach those whose scopes allow it", () => {
  const tick: Inputs = { type: "event", event: { type: "tick", at: 1 } };
  const pairing: Inputs = {
    type: "event",
    event: {
      type: "device.resolved",
      requestId: "r",
      deviceId: DEVICE,
      decision: "approved",
      at: 2,
    },
  };
  const rows: readonly {
    role: "operator" | "node";
    scopes: readonly string[];
    names: readonly string[];
  }[] = [
    { role: "operator", scopes: ["operator.read"], names: ["tick"] },
    { role: "operator", scopes: ["operator.pairing"], names: ["tick", "device.pair.resolved"] },
    { role: "operator", scopes: ["operator.admin"], names: ["tick", "device.pair.resolved"] },
    { role: "operator", scopes: ["operator.approvals"], names: ["tick"] },
    { role: "node", scopes: [], names: ["tick"] },
  ];
  for (const { role, scopes, names } of rows) {
    const { done } = play(open({ ...PRINCIPAL, role, scopes }), tick, pairing);
    const seen = done.map((effect) =>
      typeof effect === "object" && effect !== null && "event" in effect ? effect.event : effect
    );
    assert.deepEqual(seen, names, `${role} ${scopes}`);
  }
});

Deno.test("a revoked device and a changed secret end exactly the connections that they concern", () => {
  const revoked = (role?: string): Inputs => ({
    type: "event",
    event: { type: "access.revoked", deviceId: DEVICE, role },
  });
  const changed: Inputs = { type: "event", event: { type: "secret.changed" } };
  const leave: Inputs = { type: "timer", timer: "leave" };
  const other = checked("b".repeat(64), isDeviceId);
  const gone = ["arm", "close 1008 device access was revoked"];
  assert.deepEqual(play(open(), revoked(), leave).done, gone);
  assert.deepEqual(play(open(), revoked("operator"), leave).done, gone);
  assert.deepEqual(play(open(), revoked("node"), leave).done, []);
  assert.deepEqual(play(open({ ...PRINCIPAL, device: other }), revoked(), leave).done, []);
  assert.deepEqual(play(open(), changed, leave).done, []);
  assert.deepEqual(play(open({ ...PRINCIPAL, credential: "shared" }), changed, leave).done, [
    "arm",
    "close 1008 the gateway's token or password was changed",
  ]);
});

Deno.test("between the withdrawal and the end, calls that run are answered and new ones refused", () => {
  const call = {
    kind: "request",
    id: "1",
    method: "config.set",
    params: {},
    principal: PRINCIPAL,
  } as const;
  const { done } = play(
    open(),
    request("1", "config.set"),
    { type: "event", event: { type: "access.revoked", deviceId: DEVICE } },
    {
      type: "result",
      call,
      outcome: { ok: true, value: { kind: "payload", payload: "set" } },
      last: true,
    },
    request("2", "sessions.list"),
    { type: "event", event: { type: "tick", at: 1 } },
    { type: "timer", timer: "leave" },
  );
  assert.deepEqual(done, [
    "call 1 config.set",
    "arm",
    { id: "1", ok: true, payload: "set" },
    refused("2", "unauthorized: device access was revoked"),
    "close 1008 device access was revoked",
  ]);
});

Deno.test("a shutdown is announced, then the connection closes for a restart", () => {
  const { done } = play(open(), {
    type: "event",
    event: { type: "shutdown", reason: "gateway stopping", restartExpectedMs: null },
  });
  assert.deepEqual(done, [
    { event: "shutdown", payload: { reason: "gateway stopping", restartExpectedMs: null }, seq: 0 },
    "close 1012 service restart",
  ]);
});
