/** The OpenClaw protocol, version 3, from the server's side: handshake, then requests and events. */

import type { Principal } from "../../core/access.ts";
import { isRole } from "../../core/access.ts";
import {
  type GatewayError,
  invalidRequest,
  toGatewayError,
  tooManyRequests,
} from "../../core/error.ts";
import {
  catchUp,
  type Effect,
  ending,
  failing,
  type Machine,
  machineOf,
  type Outcome,
  type Reactions,
  type Result,
  type Step,
  type WireTypes,
} from "../../core/machine.ts";
import { cutToBytes } from "../../core/quote.ts";
import type { DomainEvent } from "../../services/domain_event.ts";
import type { Admission } from "./admission.ts";
import type { ClientFrame, ServerFrame } from "./codec.ts";
import { type ConnectParams, parseConnectParams } from "./connect_params.ts";
import { eventFrame, mayReceive, type Rendering } from "./events.ts";
import { withdrawal } from "./withdrawal.ts";

/** The version of the protocol that this machine speaks. */
export const PROTOCOL_VERSION = 3;

/** How long a client has to send `connect`. Source: the reference gateway. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Largest message before the handshake is over, in characters or bytes: a connect with all lists full fits. */
export const MAX_HANDSHAKE_MESSAGE = 64 * 1024;

/** Requests that may wait behind `connect`; one more ends the connection. */
export const MAX_EARLY_REQUESTS = 32;

/** Requests of one connection that may run at once; one more is refused until some are answered. */
export const MAX_CALLS_IN_FLIGHT = 256;

/**
 * How long a connection outlives its access, in milliseconds, so that a caller who withdrew it from
 * itself gets its answer. Nothing is done for the connection meanwhile.
 */
const LEAVE_DELAY_MS = 100;

/** Longest reason of a close that reports a failed handshake, in bytes. Source: the reference gateway. */
const MAX_REASON_BYTES = 120;

/** What the machine asks to be done. */
export type OpenClawCall =
  /** Decide whether this client may come in. */
  | { readonly kind: "admit"; readonly id: string; readonly params: ConnectParams }
  /** Describe the gateway to a client that came in and is subscribed by now. */
  | { readonly kind: "hello"; readonly id: string; readonly admission: Admission }
  | {
    readonly kind: "request";
    readonly id: string;
    readonly method: string;
    readonly params: unknown;
    readonly principal: Principal;
  };

/** What those calls answer with. */
export type OpenClawValue =
  | { readonly kind: "admitted"; readonly admission: Admission }
  | { readonly kind: "payload"; readonly payload: unknown };

/** A request that waits for the handshake to finish. */
type EarlyRequest = Extract<ClientFrame, { kind: "request" }>;

/** All that is remembered of a connection. */
export type OpenClawState =
  | { readonly phase: "waiting" }
  | { readonly phase: "admitting"; readonly early: readonly EarlyRequest[] }
  | {
    readonly phase: "welcoming";
    readonly admission: Admission;
    readonly early: readonly EarlyRequest[];
  }
  | {
    readonly phase: "open";
    readonly principal: Principal;
    readonly inFlight: number;
    /** Why the connection is about to end, once its access was withdrawn. */
    readonly leaving?: string;
  };

/** The types of this wire. */
export interface OpenClawTypes extends WireTypes {
  readonly State: OpenClawState;
  readonly Frame: ClientFrame;
  readonly Out: ServerFrame;
  readonly Call: OpenClawCall;
  readonly Value: OpenClawValue;
  readonly Topic: Principal;
  readonly Event: DomainEvent;
}

type Next = Step<OpenClawTypes>;
type Act = Effect<OpenClawTypes>;

const NOTHING: readonly Act[] = [];

/** What one connection's machine is told at its birth. */
export interface Greeting {
  readonly nonce: string;
  /** When the challenge was made, in milliseconds since the epoch. */
  readonly issuedAt: number;
  readonly render: (event: DomainEvent) => Rendering;
}

/** The machine of one connection. */
export function openClawMachine(greeting: Greeting): Machine<OpenClawTypes> {
  return machineOf(new OpenClawReactions(greeting));
}

/** A class, as there is one for each connection and closures of its own would take several times its room. */
class OpenClawReactions implements Reactions<OpenClawTypes> {
  readonly #greeting: Greeting;

  constructor(greeting: Greeting) {
    this.#greeting = greeting;
  }

  open(): Next {
    const challenge = { nonce: this.#greeting.nonce, ts: this.#greeting.issuedAt };
    return [{ phase: "waiting" }, [
      { type: "send", frame: eventFrame("connect.challenge", challenge) },
      { type: "arm", timer: "handshake", delayMs: HANDSHAKE_TIMEOUT_MS },
    ]];
  }

  frame(state: OpenClawState, frame: ClientFrame): Next {
    return receive(state, frame);
  }

  result(state: OpenClawState, result: Result<OpenClawTypes>): Next {
    return conclude(state, result);
  }

  event(state: OpenClawState, event: DomainEvent): Next {
    return notify(state, event, this.#greeting.render);
  }

  timer(state: OpenClawState): Next {
    return expire(state);
  }
}

/** The handshake took too long, or it is time to leave. */
function expire(state: OpenClawState): Next {
  if (state.phase !== "open") return [state, [closing(1000, "")]];
  return [state, state.leaving === undefined ? NOTHING : [closing(1008, state.leaving)]];
}

function receive(state: OpenClawState, frame: ClientFrame): Next {
  switch (state.phase) {
    case "waiting":
      return begin(state, frame);
    case "admitting":
    case "welcoming":
      return wait(state, frame);
    case "open":
      return serve(state, frame);
  }
}

/** The first frame: `connect`, or the end. */
function begin(state: OpenClawState, frame: ClientFrame): Next {
  if (frame.size > MAX_HANDSHAKE_MESSAGE) return [state, [closing(1009, "")]];
  if (frame.kind === "noise") return [state, [closing(1000, "")]];
  if (frame.kind === "malformed") return [state, [closing(1008, "invalid request frame")]];
  if (frame.method !== "connect") {
    const error = invalidRequest("invalid handshake: first request must be connect");
    return [state, refuse(frame.id, error)];
  }
  let params: ConnectParams;
  try {
    params = parseConnectParams(frame.params);
  } catch (thrown) {
    return [state, refuse(frame.id, toGatewayError(thrown))];
  }
  if (params.minProtocol > PROTOCOL_VERSION || params.maxProtocol < PROTOCOL_VERSION) {
    const details = { expectedProtocol: PROTOCOL_VERSION };
    return [state, refuse(frame.id, invalidRequest("protocol mismatch", { details }), 1002)];
  }
  if (!isRole(params.role ?? "operator")) {
    return [state, refuse(frame.id, invalidRequest("invalid role"))];
  }
  return [{ phase: "admitting", early: [] }, [
    { type: "call", call: { kind: "admit", id: frame.id, params } },
  ]];
}

/** Requests behind `connect` wait their turn; everything else is answered as if connected. */
function wait(
  state: Extract<OpenClawState, { phase: "admitting" | "welcoming" }>,
  frame: ClientFrame,
): Next {
  if (frame.size > MAX_HANDSHAKE_MESSAGE) return [state, [closing(1009, "")]];
  if (frame.kind === "noise") return [state, NOTHING];
  if (frame.kind === "malformed") return [state, [closing(1008, "invalid request frame")]];
  if (state.early.length >= MAX_EARLY_REQUESTS) {
    return [state, [closing(1008, "too many requests before hello-ok")]];
  }
  return [{ ...state, early: [...state.early, frame] }, NOTHING];
}

function serve(state: Extract<OpenClawState, { phase: "open" }>, frame: ClientFrame): Next {
  if (frame.kind === "noise") return [state, NOTHING];
  if (frame.kind === "malformed") {
    return [state, [refusal(frame.id, invalidRequest(frame.message))]];
  }
  if (frame.method === "connect") {
    const error = invalidRequest("connect is only valid as the first request");
    return [state, [refusal(frame.id, error)]];
  }
  if (state.inFlight >= MAX_CALLS_IN_FLIGHT) {
    return [state, [refusal(frame.id, tooManyRequests(MAX_CALLS_IN_FLIGHT))]];
  }
  if (state.leaving !== undefined) {
    return [state, [refusal(frame.id, invalidRequest(`unauthorized: ${state.leaving}`))]];
  }
  const { id, method, params } = frame;
  const { principal } = state;
  return [{ ...state, inFlight: state.inFlight + 1 }, [
    { type: "call", call: { kind: "request", id, method, params, principal } },
  ]];
}

function conclude(state: OpenClawState, { call, outcome, last }: Result<OpenClawTypes>): Next {
  switch (call.kind) {
    case "admit":
      return admitted(state, call.id, outcome);
    case "hello":
      return welcomed(state, call.id, outcome);
    case "request": {
      if (state.phase !== "open") return [state, NOTHING];
      const next = last ? { ...state, inFlight: state.inFlight - 1 } : state;
      return [next, answer(call.id, outcome)];
    }
  }
}

/** Subscribed first, described second, so that no event falls between the picture and the stream. */
function admitted(state: OpenClawState, id: string, outcome: Outcome<OpenClawValue>): Next {
  if (state.phase !== "admitting") return [state, NOTHING];
  if (!outcome.ok) return [state, answer(id, ending(outcome))];
  if (outcome.value.kind !== "admitted") return [state, NOTHING];
  const { admission } = outcome.value;
  return [{ phase: "welcoming", admission, early: state.early }, [
    { type: "subscribe", topic: admission.principal },
    { type: "call", call: { kind: "hello", id, admission } },
  ]];
}

function welcomed(state: OpenClawState, id: string, outcome: Outcome<OpenClawValue>): Next {
  if (state.phase !== "welcoming") return [state, NOTHING];
  if (!outcome.ok) return [state, answer(id, ending(outcome))];
  const { admission: { principal }, early } = state;
  const effects: readonly Act[] = [
    { type: "disarm", timer: "handshake" },
    ...answer(id, outcome),
  ];
  // What else was learnt at the handshake has been used, and would only take room.
  return catchUp([{ phase: "open", principal, inFlight: 0 }, effects], { frames: early, receive });
}

function answer(id: string, outcome: Outcome<OpenClawValue>): readonly Act[] {
  if (!outcome.ok) return failing<OpenClawTypes>(outcome, (error) => refusal(id, error));
  const { value } = outcome;
  const payload = value.kind === "payload" ? value.payload : undefined;
  return [{ type: "send", frame: { kind: "answer", id, payload } }];
}

function notify(
  state: OpenClawState,
  event: DomainEvent,
  render: (event: DomainEvent) => Rendering,
): Next {
  if (state.phase !== "open") return [state, NOTHING];
  const { principal } = state;
  const reason = withdrawal(event, principal);
  if (reason !== undefined) {
    // The one who caused it is answered first.
    const arm: Act = { type: "arm", timer: "leave", delayMs: LEAVE_DELAY_MS };
    return [{ ...state, leaving: reason }, [arm]];
  }
  if (state.leaving !== undefined) return [state, NOTHING];
  const effects: Act[] = [];
  for (const rendered of render(event)) {
    if (mayReceive(rendered, principal)) effects.push({ type: "send", frame: rendered.frame });
  }
  if (event.type === "shutdown") effects.push(closing(1012, "service restart"));
  return [state, effects];
}

function refusal(id: unknown, error: GatewayError): Act {
  return { type: "send", frame: { kind: "refusal", id, error } };
}

function closing(code: number, reason: string): Act {
  return { type: "close", code, reason };
}

/** What a client that may not come in is told. */
function refuse(id: string, error: GatewayError, code: number = 1008): readonly Act[] {
  return [refusal(id, error), closing(code, cutToBytes(error.message, MAX_REASON_BYTES))];
}
