/** What the connections of the OpenClaw wire share. */

import { HandshakeGate } from "../../core/handshake_gate.ts";
import type { TenantId } from "../../core/id.ts";
import type { Counter, Histogram, Metrics } from "../../core/metrics.ts";
import { Ring } from "../../core/ring.ts";
import type { Principal } from "../../core/access.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import type { Random } from "../../ports/random.ts";
import type { DomainEvent } from "../../services/domain_event.ts";
import type { Hub } from "../../services/hub.ts";
import type { AdmissionServices } from "./admission.ts";
import type { OpenClawServices } from "./context.ts";
import { createRenderer, type Rendering } from "./events.ts";
import type { ServerIdentity } from "./hello.ts";
import { ResumeJournal } from "./resume.ts";
import { withdrawal, withdraws } from "./withdrawal.ts";

/** What the wire needs from the rest of the gateway. */
export interface OpenClawOptions {
  readonly services: OpenClawServices & AdmissionServices;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly server: ServerIdentity;
  /** Time between two `tick` events, in milliseconds. */
  readonly tickIntervalMs: number;
  /** Session keys and agent that a client should start with; asked at each hello. */
  readonly sessionDefaults: () => {
    readonly defaultAgentId: string;
    readonly mainKey: string;
    readonly mainSessionKey: string;
    readonly scope: string;
  };
}

/**
 * Withdrawals of access remembered for handshakes that run meanwhile. When there are more during one
 * handshake, that one starts anew.
 */
const MAX_WITHDRAWALS = 256;

interface Withdrawn {
  readonly tenant: TenantId;
  readonly event: DomainEvent;
}

/** The wire's memory beyond single connections, and its figures. */
export class ConnectionHouse {
  readonly options: OpenClawOptions;
  readonly render: (event: DomainEvent) => Rendering = createRenderer();
  readonly journal: ResumeJournal;
  /** Bounds the connections in their handshake. */
  readonly gate: HandshakeGate = new HandshakeGate();
  readonly calls: Histogram;
  readonly failures: Counter;
  readonly frames: Counter;
  /** Open connections, those in their handshake included. */
  connections = 0;
  readonly #startedAt: number;
  /** Whom access was taken from lately. */
  readonly #withdrawals = new Ring<Withdrawn>(MAX_WITHDRAWALS);

  constructor(options: OpenClawOptions) {
    const { clock, hub, metrics } = options;
    this.options = options;
    this.#startedAt = clock.monotonic();
    this.journal = new ResumeJournal(() => clock.now());
    hub.observe((tenant, event) => {
      if (withdraws(event)) this.#withdrawals.push({ tenant, event });
      // What nobody saw, nobody can have missed.
      if (this.connections > 0 || this.journal.awaits) {
        this.journal.record(tenant, event, this.render(event));
      }
    });
    this.calls = metrics.histogram(
      "clawgate_openclaw_call_seconds",
      "Time from request to answer, by method.",
      "method",
    );
    this.failures = metrics.counter(
      "clawgate_openclaw_refused_total",
      "Requests answered with an error, by code.",
      "code",
    );
    this.frames = metrics.counter(
      "clawgate_openclaw_frames_total",
      "Frames received and sent.",
      "direction",
    );
    metrics.gauge(
      "clawgate_openclaw_connections",
      "Open connections.",
      () => this.connections,
    );
    metrics.gauge(
      "clawgate_openclaw_handshakes",
      "Connections that have not been admitted yet.",
      () => this.gate.pending,
    );
  }

  /** How long the wire has been there, in milliseconds. */
  get uptimeMs(): number {
    return Math.round(this.options.clock.monotonic() - this.#startedAt);
  }

  /** How often access has been withdrawn so far. */
  get withdrawals(): number {
    return this.#withdrawals.end;
  }

  /** Whether a party's access was withdrawn since there were `start` withdrawals; too many to know count as yes. */
  withdrawnSince(start: number, principal: Principal): boolean {
    if (start < this.#withdrawals.start) return true;
    for (let offset = start; offset < this.#withdrawals.end; offset++) {
      const entry = this.#withdrawals.at(offset);
      if (entry?.tenant !== principal.tenant) continue;
      if (withdrawal(entry.event, principal) !== undefined) return true;
    }
    return false;
  }
}
