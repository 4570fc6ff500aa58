/** The events of the control channel: what each says, and what becomes of it when a client is slow. */

import type { Overflow } from "../../core/outbox.ts";
import type { LogRecord } from "../../ports/log.ts";
import type { DomainEvent, Life } from "../../services/domain_event.ts";
import type { HeartbeatReport } from "../../services/heartbeat_report.ts";
import { type EventFrame, eventLine } from "./codec.ts";

/** One event of the wire. */
export interface EventDefinition {
  /** One sentence for the wire page. */
  readonly summary: string;
  /** What becomes of it when the connection is behind. */
  readonly overflow: Overflow;
}

/** Every event that this wire sends, by name; the wire page comes from here. */
export const EVENTS = {
  "gateway-status": {
    summary: "How the gateway is: `{state, pid?, reason?}`; the first line of every connection.",
    overflow: "disconnect",
  },
  heartbeat: {
    summary:
      "Outcome of an agent's heartbeat: `{ts, status, to?, preview?, hasMedia?, durationMs?, reason?}`.",
    overflow: "coalesce",
  },
  log: {
    summary:
      "A line of the gateway's log, `{ts, level, component, message, fields?}`; only with `control.log`.",
    overflow: "drop",
  },
} as const satisfies Readonly<Record<string, EventDefinition>>;

/** The name of an event of this wire. */
export type EventName = keyof typeof EVENTS;

/** How the gateway is. */
export interface GatewayStatus extends Life {
  readonly pid?: number;
}

/** What a connection can be told of. */
export type ControlEvent = DomainEvent | { readonly type: "log"; readonly record: LogRecord };

/** An event of the domain as this wire shows it; undefined where it does not. */
export type Render = (event: ControlEvent) => EventFrame | undefined;

/** Renders each event once, however many connections get it. */
export function createRenderer({ pid }: { readonly pid?: number }): Render {
  const rendered = new WeakMap<ControlEvent, EventFrame>();
  return (event) => {
    const known = rendered.get(event);
    if (known !== undefined) return known;
    const frame = render(event, pid);
    if (frame !== undefined) rendered.set(event, frame);
    return frame;
  };
}

/** The frame that says how the gateway is. */
export function statusFrame(status: GatewayStatus): EventFrame {
  return eventFrame("gateway-status", status);
}

/** The frame of a heartbeat. */
export function heartbeatFrame(report: HeartbeatReport): EventFrame {
  return eventFrame("heartbeat", olderHeartbeat(report));
}

/** A heartbeat's report as this wire has always shown it, without what later wires added. */
export function olderHeartbeat(report: HeartbeatReport): OlderHeartbeat {
  const { ts, status, to, preview, hasMedia, durationMs, reason } = report;
  const duration = durationMs === undefined ? undefined : Math.round(durationMs);
  return { ts, status, to, preview, hasMedia, durationMs: duration, reason };
}

/** The members that this wire knows. */
export type OlderHeartbeat = Pick<
  HeartbeatReport,
  "ts" | "status" | "to" | "preview" | "hasMedia" | "durationMs" | "reason"
>;

function render(event: ControlEvent, pid: number | undefined): EventFrame | undefined {
  switch (event.type) {
    case "heartbeat":
      return heartbeatFrame(event.report);
    case "lifecycle": {
      const { state, reason } = event.life;
      return statusFrame({ state, pid, reason });
    }
    case "shutdown": {
      const state = event.restartExpectedMs === null ? "stopped" : "restarting";
      return statusFrame({ state, pid, reason: event.reason });
    }
    case "log": {
      const { time: ts, level, component, message, fields } = event.record;
      const more = fields.length === 0 ? undefined : Object.fromEntries(fields);
      return eventFrame("log", { ts, level, component, message, fields: more });
    }
    default:
      return undefined;
  }
}

function eventFrame(event: EventName, payload: unknown): EventFrame {
  const { overflow } = EVENTS[event];
  // In one order with each other, although this wire writes no number.
  return {
    kind: "event",
    event,
    line: eventLine(event, payload),
    sequenced: true,
    overflow,
    key: event,
  };
}
