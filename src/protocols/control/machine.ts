/** The control channel from the server's side: greets, answers, and tells what happens. */

import { type GatewayError, invalidRequest, tooManyRequests } from "../../core/error.ts";
import {
  type Effect,
  failing,
  type Machine,
  machineOf,
  type Outcome,
  type Result,
  type Step,
  type WireTypes,
} from "../../core/machine.ts";
import type { Life } from "../../services/domain_event.ts";
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
export interface ControlState {
  /** It has been shown a heartbeat, or that there is none. */
  readonly greeted: boolean;
  readonly inFlight: number;
}

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

const NOTHING: readonly Act[] = [];

/** How a connection begins, once it was told where the gateway is. */
const JOIN: readonly Act[] = [
  { type: "subscribe", topic: "gateway" },
  { type: "call", call: { kind: "greet" } },
];

/** How a connection ends with the gateway. */
const LEAVE: Act = { type: "close", code: 1012, reason: "service restart" };

/**
 * The machine of one connection; `life` is where the gateway is when it opens. Subscribed first, greeted second,
 * so that no heartbeat falls between. Who comes after the end was told is told of it alone.
 */
export function controlMachine(
  { render, life: { state, reason }, pid }: {
    readonly render: Render;
    readonly life: Life;
    readonly pid?: number;
  },
): Machine<ControlTypes> {
  const over = state === "stopped" || state === "restarting";
  return machineOf<ControlTypes>({
    open: () => [{ greeted: false, inFlight: 0 }, [
      { type: "send", frame: statusFrame({ state, pid, reason }) },
      ...over ? [LEAVE] : JOIN,
    ]],
    frame: receive,
    result: conclude,
    event: (state, event) => notify(state, event, render),
  });
}

function receive(state: ControlState, frame: ClientFrame): Next {
  if (frame.kind === "malformed") {
    return [state, [refusal(frame.id, invalidRequest(frame.message))]];
  }
  const { id, method, params } = frame;
  if (state.inFlight >= MAX_CALLS_IN_FLIGHT) {
    return [state, [refusal(id, tooManyRequests(MAX_CALLS_IN_FLIGHT))]];
  }
  return [{ ...state, inFlight: state.inFlight + 1 }, [
    { type: "call", call: { kind: "request", id, method, params } },
  ]];
}

function conclude(state: ControlState, { call, outcome }: Result<ControlTypes>): Next {
  if (call.kind === "greet") return greet(state, outcome);
  return [{ ...state, inFlight: state.inFlight - 1 }, answer(call.id, outcome)];
}

/** A heartbeat that came meanwhile is newer than the one that was found. */
function greet(state: ControlState, outcome: Outcome<ControlValue>): Next {
  const report = outcome.ok && outcome.value.kind === "heartbeat" ? outcome.value.report : null;
  const shown = state.greeted || report === null
    ? NOTHING
    : [{ type: "send", frame: heartbeatFrame(report) } as const];
  return [{ ...state, greeted: true }, shown];
}

function answer(id: RequestId, outcome: Outcome<ControlValue>): readonly Act[] {
  if (!outcome.ok) return failing<ControlTypes>(outcome, (error) => refusal(id, error));
  const { value } = outcome;
  const payload = value.kind === "payload" ? value.payload : undefined;
  return [{ type: "send", frame: { kind: "answer", id, payload } }];
}

function notify(state: ControlState, event: ControlEvent, render: Render): Next {
  const frame = render(event);
  if (frame === undefined) return [state, NOTHING];
  const send: Act = { type: "send", frame };
  if (event.type === "shutdown") {
    return [state, [send, LEAVE]];
  }
  return [event.type === "heartbeat" ? { ...state, greeted: true } : state, [send]];
}

function refusal(id: RequestId, error: GatewayError): Act {
  return { type: "send", frame: { kind: "refusal", id, error } };
}
