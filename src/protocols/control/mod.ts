/** The control channel: lines of JSON between a program on this machine and the services. Deprecated. */

import { createDispatch } from "../../core/dispatch.ts";
import { drive, type Schedule, type Wire } from "../../core/driver.ts";
import { describeError } from "../../core/error.ts";
import { checked, isConnectionId } from "../../core/id.ts";
import type { Link } from "../../core/link.ts";
import type { Metrics } from "../../core/metrics.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log, LogFeed } from "../../ports/log.ts";
import type { Random } from "../../ports/random.ts";
import type { Life } from "../../services/domain_event.ts";
import type { Hub } from "../../services/hub.ts";
import { decodeFrame, deliveryOf, encodeFrame, NO_ID, refusalLine } from "./codec.ts";
import type { ControlContext } from "./context.ts";
import { type ControlEvent, createRenderer, type Render } from "./events.ts";
import {
  type ControlCall,
  controlMachine,
  type ControlTypes,
  type ControlValue,
} from "./machine.ts";
import { METHODS } from "./methods.ts";

/** Bytes of events that may wait for a client before it is closed as too slow. */
export const MAX_BUFFERED_BYTES = 1024 * 1024;

/** What the wire needs from the rest of the gateway. */
export interface ControlOptions {
  readonly services: Omit<ControlContext, "clock">;
  readonly hub: Hub;
  /** Where the gateway is; asked at each connection, and told of by the hub. */
  readonly life: () => Life;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly pid?: number;
  /** The log that clients are shown; absent: none. Asked at each connection. */
  readonly logs?: () => LogFeed | undefined;
}

/** The wire, ready to serve links whose messages are lines. */
export interface Control {
  /** Serves one connection until it closes. Who can reach the link may use every method. */
  accept(link: Link): void;
}

/** Puts the wire together. */
export function createControl(options: ControlOptions): Control {
  return new ControlWire(options);
}

/** The line that tells a client why its connection is closed; undefined where it knows or would not understand it. */
export function lastWord(code: number, reason: string): string | undefined {
  return code === 1009 || code === 1011 ? refusalLine(NO_ID, reason) : undefined;
}

/** Who speaks on this channel is on this machine and may do what its owner may; nothing a frame says changes that. */
const CALLER = { role: "operator", scopes: ["operator.admin"] } as const;

const dispatch = createDispatch(METHODS);

class ControlWire implements Control {
  readonly #options: ControlOptions;
  readonly #context: ControlContext;
  readonly #render: Render;
  readonly #schedule: Schedule;
  #connections = 0;

  constructor(options: ControlOptions) {
    const { clock, services, metrics, pid } = options;
    this.#options = options;
    this.#context = { ...services, clock };
    this.#render = createRenderer({ pid });
    this.#schedule = (delayMs, task) => clock.after(delayMs, task);
    metrics.gauge(
      "clawgate_control_connections",
      "Open connections of the control channel.",
      () => this.#connections,
    );
  }

  accept(link: Link): void {
    this.#connections++;
    const { pid, life } = this.#options;
    const wire: Wire<ControlTypes> = {
      machine: controlMachine({ render: this.#render, life: life(), pid }),
      decode: decodeFrame,
      encode: encodeFrame,
      delivery: deliveryOf,
      call: (call) => this.#call(call),
      subscribe: (_topic, listener) => this.#subscribe(listener),
      defect: (error) =>
        this.#options.log.write("error", "defect", { error: describeError(error) }),
      ended: () => this.#connections--,
    };
    drive(wire, { link, schedule: this.#schedule, maxBufferedBytes: MAX_BUFFERED_BYTES });
  }

  #call(call: ControlCall): ControlValue | Promise<ControlValue> {
    const { heartbeat, tenant } = this.#context;
    if (call.kind === "greet") {
      return heartbeat.last(tenant).then((report) => ({ kind: "heartbeat", report }));
    }
    const { method, params } = call;
    const answer = dispatch({ method, params, principal: CALLER }, this.#context);
    return answer instanceof Promise
      ? answer.then((payload) => ({ kind: "payload", payload }))
      : { kind: "payload", payload: answer };
  }

  #subscribe(listener: (event: ControlEvent) => void): () => void {
    const { hub, random, logs } = this.#options;
    const connection = checked(random.uuid(), isConnectionId);
    const leaveHub = hub.subscribe(this.#context.tenant, connection, listener);
    const leaveLog = logs?.()?.follow((record) => listener({ type: "log", record }));
    return () => {
      leaveHub();
      leaveLog?.();
    };
  }
}
