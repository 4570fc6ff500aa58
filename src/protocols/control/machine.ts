/** The control channel from the server's side: greets, answers, and tells what happens. */

import { GatewayError, invalidRequest } from "../../core/error.ts";
import type { Effect, Input, Machine, Outcome, Step, WireTypes } from "../../core/machine.ts";
import type { HeartbeatReport } from "../../services/heartbeat_report.ts";
import type { ClientFrame, RequestId, ServerFrame } from "./codec.ts";
import { type ControlEvent, heartbeatFrame, type Render, statusFrame } from "./events.ts";

/** Requests of one connection that may run at once; one more is refused until some are answered. */
export const MAX_CALLS_IN_FLIGHT = 64;

/** What the machine asks to be done. */
export type ControlCall =
  /** Find the last heartbeat. */
  | { readonly kind: "greet" }
  | {
    readonly kind: "request";
    readonly id: RequestId;
    readonly method: string;
    readonly params: unknown;
  };

/** What those calls answer with. */
export type ControlValue =
  | { readonly kind: "heartbeat"; readonly report: HeartbeatReport | null }
  | { readonly kind: "payload"; readonly payload: unknown };

/** All that is remembered of a connection. */
export type ControlState =
  | {
    readonly phase: "open";
    /** It has been shown a heartbeat, or that there is none. */
    readonly greeted: boolean;
    readonly inFlight: number;
  }
  | { readonly phase: "over" };

/** The types of this wire. */
export interface ControlTypes extends WireTypes {
  readonly State: ControlState;
  readonly Frame: ClientFrame;
  readonly Out: ServerFrame;
  readonly Call: ControlCall;
  readonly Value: ControlValue;
  readonly Topic: "gateway";
  readonly Event: ControlEvent;
}

type Next = Step<ControlTypes>;
type Act = Effect<ControlTypes>;
type Open = Extract<ControlState, { phase: "open" }>;

const NOTHING: readonly Act[] = [];
const OVER: ControlState = { phase: "over" };

/** The machine of one connection. Subscribed first, greeted second, so that no heartbeat falls between. */
export function controlMachine(
  { render, pid }: { readonly render: Render; readonly pid?: number },
): Machine<ControlTypes> {
  return {
    open: () => [{ phase: "open", greeted: false, inFlight: 0 }, [
      { type: "send", frame: statusFrame({ state: "running", pid }) },
      { type: "subscribe", topic: "gateway" },
      { type: "call", call: { kind: "greet" } },
    ]],
    step: (state, input) => state.phase === "over" ? [state, NOTHING] : step(state, input, render),
  };
}

function step(state: Open, input: Input<ControlTypes>, render: Render): Next {
  switch (input.type) {
    case "frame":
      return receive(state, input.frame);
    case "result":
      return conclude(state, input);
    case "event":
      return notify(state, input.event, render);
    case "timer":
      return [state, NOTHING];
    case "close":
      return [OVER, [{ type: "cancel" }, { type: "unsubscribe" }]];
  }
}

function receive(state: Open, frame: ClientFrame): Next {
  if (frame.kind === "malformed") {
    return [state, [refusal(frame.id, invalidRequest(frame.message))]];
  }
  const { id, method, params } = frame;
  if (state.inFlight >= MAX_CALLS_IN_FLIGHT) {
    const error = new GatewayError(
      "UNAVAILABLE",
      `more than ${MAX_CALLS_IN_FLIGHT} requests are running on this connection; wait for answers`,
    );
    return [state, [refusal(id, error)]];
  }
  return [{ ...state, inFlight: state.inFlight + 1 }, [
    { type: "call", call: { kind: "request", id, method, params } },
  ]];
}

function conclude(
  state: Open,
  { call, outcome }: Extract<Input<ControlTypes>, { type: "result" }>,
): Next {
  if (call.kind === "greet") return greet(state, outcome);
  return [{ ...state, inFlight: state.inFlight - 1 }, answer(call.id, outcome)];
}

/** A heartbeat that came meanwhile is newer than the one that was found. */
function greet(state: Open, outcome: Outcome<ControlValue>): Next {
  const report = outcome.ok && outcome.value.kind === "heartbeat" ? outcome.value.report : null;
  const shown = state.greeted || report === null
    ? NOTHING
    : [{ type: "send", frame: heartbeatFrame(report) } as const];
  return [{ ...state, greeted: true }, shown];
}

function answer(id: RequestId, outcome: Outcome<ControlValue>): readonly Act[] {
  if (outcome.ok) {
    const { value } = outcome;
    const payload = value.kind === "payload" ? value.payload : undefined;
    return [{ type: "send", frame: { kind: "answer", id, payload } }];
  }
  const effects: Act[] = [];
  if (outcome.error !== undefined) effects.push(refusal(id, outcome.error));
  if (outcome.close !== undefined) effects.push({ type: "close", ...outcome.close });
  return effects;
}

function notify(state: Open, event: ControlEvent, render: Render): Next {
  const frame = render(event);
  if (frame === undefined) return [state, NOTHING];
  const send: Act = { type: "send", frame };
  if (event.type === "shutdown") {
    return [OVER, [send, { type: "close", code: 1012, reason: "service restart" }]];
  }
  return [event.type === "heartbeat" ? { ...state, greeted: true } : state, [send]];
}

function refusal(id: RequestId, error: GatewayError): Act {
  return { type: "send", frame: { kind: "refusal", id, error } };
}
