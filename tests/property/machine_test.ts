import assert from "node:assert/strict";
import fc from "fast-check";
import type { Principal } from "../../src/core/access.ts";
import { Disconnect, GatewayError } from "../../src/core/error.ts";
import { checked, DEFAULT_TENANT, isConnectionId, isDeviceId } from "../../src/core/id.ts";
import type { Effect, Input, Outcome } from "../../src/core/machine.ts";
import { decodeFrame } from "../../src/protocols/openclaw/codec.ts";
import { createRenderer } from "../../src/protocols/openclaw/events.ts";
import {
  MAX_CALLS_IN_FLIGHT,
  type OpenClawCall,
  openClawMachine,
  type OpenClawState,
  type OpenClawTypes,
  type OpenClawValue,
} from "../../src/protocols/openclaw/machine.ts";
import type { DomainEvent } from "../../src/services/domain_event.ts";

const DEVICE = checked("d".repeat(64), isDeviceId);

function principal(role: "operator" | "node", credential: "shared" | "device"): Principal {
  return {
    tenant: DEFAULT_TENANT,
    role,
    scopes: role === "operator" ? ["operator.admin"] : [],
    connection: checked("c1", isConnectionId),
    device: DEVICE,
    credential,
    subject: "s",
    local: true,
  };
}

const CLIENT = { id: "test", version: "1", platform: "linux", mode: "test" };

/** What happens next; a result is given to one of the calls that wait, by index. */
type Action =
  | { readonly kind: "message"; readonly text: string }
  | { readonly kind: "request"; readonly method: string }
  | { readonly kind: "result"; readonly index: number; readonly how: "ok" | "error" | "end" }
  | { readonly kind: "interim"; readonly index: number }
  | { readonly kind: "event"; readonly event: DomainEvent }
  | { readonly kind: "timer" }
  | { readonly kind: "close" };

const CONNECT = JSON.stringify({
  type: "req",
  id: "connect",
  method: "connect",
  params: { minProtocol: 3, maxProtocol: 3, client: CLIENT },
});

const texts = fc.oneof(
  fc.constantFrom(
    "noise",
    "{",
    "null",
    "[]",
    '{"type":"req","id":"","method":"x"}',
    "x".repeat(70_000),
  ),
  fc.json(),
);

const events = fc.constantFrom<DomainEvent[]>(
  { type: "tick", at: 1 },
  { type: "shutdown", reason: "test", restartExpectedMs: null },
  { type: "access.revoked", deviceId: DEVICE },
  { type: "access.revoked", deviceId: DEVICE, role: "node" },
  { type: "access.revoked", deviceId: checked("e".repeat(64), isDeviceId) },
  { type: "secret.changed" },
  { type: "presence", presence: [], versions: { presence: 1, health: 1 } },
);

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 2, arbitrary: texts.map((text) => ({ kind: "message" as const, text })) },
  {
    weight: 6,
    arbitrary: fc.constantFrom("health", "agent", "connect", "no.such").map((method) => ({
      kind: "request" as const,
      method,
    })),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("result" as const),
      index: fc.nat(),
      how: fc.constantFrom(
        "ok" as const,
        "ok" as const,
        "ok" as const,
        "error" as const,
        "end" as const,
      ),
    }),
  },
  { weight: 2, arbitrary: fc.nat().map((index) => ({ kind: "interim" as const, index })) },
  { weight: 2, arbitrary: events.map((event) => ({ kind: "event" as const, event })) },
  fc.constant({ kind: "timer" as const }),
  fc.constant({ kind: "close" as const }),
);

/** Plays the driver's part and checks, after every step, what must always hold. */
class Play {
  readonly #machine = openClawMachine({ nonce: "n", issuedAt: 0, render: createRenderer() });
  readonly #principal: Principal;
  #state: OpenClawState;
  #waiting: OpenClawCall[] = [];
  #over = false;
  #ids = 0;
  /** Frames that are owed an answer, by the id that it names. */
  readonly owed = new Map<string, number>();
  readonly answered = new Map<string, number>();

  constructor(who: Principal) {
    this.#principal = who;
    const [state, effects] = this.#machine.open();
    this.#state = state;
    this.#perform(effects);
  }

  get over(): boolean {
    return this.#over;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  act(what: Action): void {
    switch (what.kind) {
      case "message":
        return this.#message(what.text);
      case "request": {
        const id = `r${++this.#ids}`;
        return this.#message(JSON.stringify({ type: "req", id, method: what.method, params: {} }));
      }
      case "result":
        return this.#result(what.index, what.how);
      case "interim": {
        const call = this.#waiting[what.index % Math.max(1, this.#waiting.length)];
        if (call?.kind !== "request") return;
        const value: OpenClawValue = { kind: "payload", payload: "interim" };
        return this.#feed({ type: "result", call, outcome: { ok: true, value }, last: false });
      }
      case "event":
        return this.#feed({ type: "event", event: what.event });
      case "timer":
        return this.#feed({ type: "timer", timer: "handshake" });
      case "close":
        this.#over = true;
    }
  }

  /** Everything that still waits is answered well. */
  settle(): void {
    while (this.#waiting.length > 0) this.#result(0, "ok");
  }

  #message(text: string): void {
    const frame = decodeFrame(text);
    if (frame.kind !== "noise" && typeof frame.id === "string" && !this.#over) {
      this.owed.set(frame.id, (this.owed.get(frame.id) ?? 0) + 1);
    }
    this.#feed({ type: "frame", frame });
  }

  #result(index: number, how: "ok" | "error" | "end"): void {
    const at = index % Math.max(1, this.#waiting.length);
    const [call] = this.#waiting.splice(at, 1);
    if (call === undefined) return;
    this.#feed({ type: "result", call, outcome: this.#outcome(call, how), last: true });
  }

  #outcome(call: OpenClawCall, how: "ok" | "error" | "end"): Outcome<OpenClawValue> {
    if (how === "ok") {
      const admission = {
        principal: this.#principal,
        client: { ...CLIENT, caps: [], commands: [] },
      };
      return {
        ok: true,
        value: call.kind === "admit"
          ? { kind: "admitted", admission }
          : { kind: "payload", payload: {} },
      };
    }
    const error = new GatewayError("UNAVAILABLE", "no");
    // Only the driver's own calls end a connection; a refused admission always does.
    if (how === "error" && call.kind !== "admit") return { ok: false, error };
    const { code, reason } = new Disconnect(1008, "no", error);
    return { ok: false, error, close: { code, reason } };
  }

  #feed(input: Input<OpenClawTypes>): void {
    // A driver whose link is closing tells the machine nothing.
    if (this.#over) return;
    const [state, effects] = this.#machine.step(this.#state, input);
    this.#state = state;
    this.#perform(effects);
    if (state.phase === "open") {
      const running = this.#waiting.filter(({ kind }) => kind === "request").length;
      assert.ok(state.inFlight >= 0 && state.inFlight <= MAX_CALLS_IN_FLIGHT);
      assert.equal(state.inFlight, running, "in flight is what waits");
    }
  }

  #perform(effects: readonly Effect<OpenClawTypes>[]): void {
    for (const effect of effects) {
      if (effect.type === "send") {
        assert.ok(!this.#over, "nothing is sent after the close");
        if (effect.frame.kind !== "event") this.#count(effect.frame);
      } else if (effect.type === "call") {
        assert.ok(!this.#over, "nothing is asked after the close");
        this.#waiting.push(effect.call);
      } else if (effect.type === "close") {
        assert.ok(!this.#over, "closed once");
        assert.ok(effect.code >= 1000 && effect.code < 5000);
        assert.ok(new TextEncoder().encode(effect.reason).length <= 123);
        this.#over = true;
      }
    }
  }

  #count(frame: { readonly kind: string; readonly id: unknown; readonly payload?: unknown }): void {
    if (frame.payload === "interim" || typeof frame.id !== "string") return;
    this.answered.set(frame.id, (this.answered.get(frame.id) ?? 0) + 1);
  }
}

const who = fc.tuple(fc.constantFrom("operator", "node"), fc.constantFrom("shared", "device"))
  .map(([role, credential]) =>
    principal(role === "node" ? "node" : "operator", credential === "device" ? "device" : "shared")
  );

Deno.test("no sequence of inputs breaks the machine, and every request gets one answer or the end", () => {
  const script = fc.oneof(
    fc.array(action, { maxLength: 60 }),
    // Most ends are in the handshake, so most plays come in first.
    fc.array(action, { maxLength: 60 }).map((rest): Action[] => [
      { kind: "message", text: CONNECT },
      { kind: "result", index: 0, how: "ok" },
      { kind: "result", index: 0, how: "ok" },
      ...rest,
    ]),
  );
  fc.assert(
    fc.property(who, script, (one, actions) => {
      const play = new Play(one);
      for (const what of actions) play.act(what);
      play.settle();
      assert.ok(play.over || play.waiting === 0);
      for (const [id, count] of play.answered) {
        assert.ok(count <= (play.owed.get(id) ?? 0), `${id} was answered ${count} times`);
      }
      if (play.over) return;
      for (const [id, count] of play.owed) assert.equal(play.answered.get(id), count, id);
    }),
    { numRuns: 1_500 },
  );
});

Deno.test("a connection that has too much in flight is told so for each request beyond the bound", () => {
  const play = new Play(principal("operator", "shared"));
  play.act({ kind: "message", text: CONNECT });
  play.act({ kind: "result", index: 0, how: "ok" });
  play.act({ kind: "result", index: 0, how: "ok" });
  for (let at = 0; at < MAX_CALLS_IN_FLIGHT + 10; at++) play.act({ kind: "request", method: "x" });
  assert.equal(play.waiting, MAX_CALLS_IN_FLIGHT);
  play.settle();
  assert.equal(
    [...play.answered.values()].reduce((sum, count) => sum + count, 0),
    1 + MAX_CALLS_IN_FLIGHT + 10,
  );
});
