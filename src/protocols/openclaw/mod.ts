/** The OpenClaw gateway wire: everything between a link and the services. */

import { grants, type Principal } from "../../core/access.ts";
import { createDispatch } from "../../core/dispatch.ts";
import { type CallScope, drive, type Schedule } from "../../core/driver.ts";
import { describeError, Disconnect, GatewayError } from "../../core/error.ts";
import { HandshakeGate } from "../../core/handshake_gate.ts";
import { checked, type ConnectionId, isConnectionId, type TenantId } from "../../core/id.ts";
import type { Link } from "../../core/link.ts";
import { Ring } from "../../core/ring.ts";
import type { Counter, Histogram, Metrics } from "../../core/metrics.ts";
import type { Peer } from "../../core/peer.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import type { Random } from "../../ports/random.ts";
import type { DomainEvent } from "../../services/domain_event.ts";
import type { Hub } from "../../services/hub.ts";
import type { PresentClient } from "../../services/presence_entry.ts";
import { type Admission, type AdmissionServices, admit } from "./admission.ts";
import { decodeFrame, encodeFrame, type ServerFrame } from "./codec.ts";
import type { OpenClawServices } from "./context.ts";
import { createRenderer, type Rendering } from "./events.ts";
import { helloOk, MAX_BUFFERED_BYTES, type ServerIdentity } from "./hello.ts";
import {
  MAX_HANDSHAKE_MESSAGE,
  type OpenClawCall,
  openClawMachine,
  type OpenClawTypes,
  type OpenClawValue,
} from "./machine.ts";
import { METHODS } from "./method_table.ts";
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

/** The wire, ready to serve links. */
export interface OpenClaw {
  /** Serves one connection until it closes. */
  accept(link: Link, peer: Peer): void;
  /** Connections that are open now, those in their handshake included. */
  readonly connections: number;
}

/** Puts the wire together. */
export function createOpenClaw(options: OpenClawOptions): OpenClaw {
  return new OpenClawWire(options);
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

/** What a client may send before it is admitted, in bytes: the largest `connect` and some early requests. */
const MAX_HANDSHAKE_BYTES = MAX_HANDSHAKE_MESSAGE + 16 * 1024;

/** Connections that one gateway serves at once; one more is turned away. */
const MAX_CONNECTIONS = 20_000;

/** The methods that a client is told of. */
const ADVERTISED = [...METHODS.values()].filter((entry) => entry.advertised).map((entry) =>
  entry.name
);

const dispatch = createDispatch(METHODS);

class OpenClawWire implements OpenClaw {
  readonly #options: OpenClawOptions;
  readonly #render: (event: DomainEvent) => Rendering = createRenderer();
  readonly #journal: ResumeJournal;
  readonly #gate = new HandshakeGate();
  readonly #schedule: Schedule;
  readonly #startedAt: number;
  readonly #calls: Histogram;
  readonly #failures: Counter;
  readonly #frames: Counter;
  #connections = 0;
  /** Whom access was taken from lately; see the check in the hello. */
  readonly #withdrawals = new Ring<Withdrawn>(MAX_WITHDRAWALS);

  constructor(options: OpenClawOptions) {
    const { clock, hub, metrics } = options;
    this.#options = options;
    this.#startedAt = clock.monotonic();
    this.#schedule = (delayMs, task) => clock.after(delayMs, task);
    this.#journal = new ResumeJournal(() => clock.now());
    hub.observe((tenant, event) => {
      if (withdraws(event)) this.#withdrawals.push({ tenant, event });
      this.#journal.record(tenant, event, this.#render(event));
    });
    this.#calls = metrics.histogram(
      "clawgate_openclaw_call_seconds",
      "Time from request to answer, by method.",
      "method",
    );
    this.#failures = metrics.counter(
      "clawgate_openclaw_refused_total",
      "Requests answered with an error, by code.",
      "code",
    );
    this.#frames = metrics.counter(
      "clawgate_openclaw_frames_total",
      "Frames received and sent.",
      "direction",
    );
    metrics.gauge(
      "clawgate_openclaw_connections",
      "Open connections.",
      () => this.#connections,
    );
    metrics.gauge(
      "clawgate_openclaw_handshakes",
      "Connections that have not been admitted yet.",
      () => this.#gate.pending,
    );
  }

  get connections(): number {
    return this.#connections;
  }

  accept(link: Link, peer: Peer): void {
    if (this.#connections >= MAX_CONNECTIONS) return link.close(1013, "too many connections");
    link.allow(MAX_HANDSHAKE_BYTES);
    const { clock, random, hub, log } = this.#options;
    const connection = checked(random.uuid(), isConnectionId);
    const nonce = random.uuid();
    let admission: Admission | undefined;
    let withdrawals = 0;
    this.#connections++;
    const leave = this.#gate.enter(peer.ip, () => {
      leave();
      link.terminate();
    });
    const caller: Caller = {
      connection,
      nonce,
      peer,
      admitted: (accepted, before) => {
        leave();
        link.allow(undefined);
        admission = accepted;
        withdrawals = before;
      },
      stale: (principal) => this.#withdrawnSince(withdrawals, principal),
    };
    drive<OpenClawTypes>({
      machine: openClawMachine({ nonce, issuedAt: clock.now(), render: this.#render }),
      decode: (data) => {
        this.#frames.add("in");
        return decodeFrame(data);
      },
      encode: (frame, sequence) => {
        this.#frames.add("out");
        if (frame.kind === "refusal") this.#failures.add(frame.error.code);
        return encodeFrame(frame, sequence);
      },
      delivery: deliveryOf,
      call: (call, scope) => this.#call(call, { ...caller, scope }),
      subscribe: (principal, listener) =>
        hub.subscribe(principal.tenant, principal.connection, listener),
      defect: (error) => log.write("error", "defect", { connection, error: describeError(error) }),
      ended: ({ sequence }) => {
        this.#connections--;
        leave();
        if (admission !== undefined) this.#departed(admission, sequence);
      },
    }, { link, schedule: this.#schedule, maxBufferedBytes: MAX_BUFFERED_BYTES });
  }

  #call(call: OpenClawCall, caller: CallOf): OpenClawValue | Promise<OpenClawValue> {
    switch (call.kind) {
      case "admit":
        return this.#admit(call, caller);
      case "hello":
        return this.#hello(call.admission, caller);
      case "request":
        return this.#request(call, caller);
    }
  }

  async #admit(
    call: Extract<OpenClawCall, { kind: "admit" }>,
    caller: CallOf,
  ): Promise<OpenClawValue> {
    const { services, clock } = this.#options;
    const { connection, nonce, peer } = caller;
    const request = { params: call.params, connection, nonce, peer, now: clock.now() };
    const withdrawals = this.#withdrawals.end;
    const admission = await admit(request, services);
    caller.admitted(admission, withdrawals);
    return { kind: "admitted", admission };
  }

  #hello(admission: Admission, caller: CallOf): OpenClawValue {
    const { services, server, clock, hub } = this.#options;
    const { principal } = admission;
    if (caller.stale(principal)) throw accessChanged();
    const versions = services.health.versions(principal.tenant);
    caller.scope.afterAnswer(() => {
      services.presence.connected(principal.tenant, presentClient(admission));
      const health = services.health.cached(principal.tenant);
      if (health === undefined || !grants(principal.scopes, "operator.read")) return;
      const event: DomainEvent = { type: "health", health, versions };
      hub.publish(principal.tenant, event, { connection: principal.connection });
    });
    const payload = helloOk({
      admission,
      server,
      methods: ADVERTISED,
      presence: services.presence.list(principal.tenant),
      health: services.health.cached(principal.tenant),
      versions,
      uptimeMs: Math.round(clock.monotonic() - this.#startedAt),
      tickIntervalMs: this.#options.tickIntervalMs,
      sessionDefaults: this.#options.sessionDefaults(),
      resume: admission.resume === undefined
        ? undefined
        : this.#journal.missed(principal, admission.resume),
    });
    return { kind: "payload", payload };
  }

  #request(
    call: Extract<OpenClawCall, { kind: "request" }>,
    caller: CallOf,
  ): OpenClawValue | Promise<OpenClawValue> {
    const { services, clock } = this.#options;
    const started = clock.monotonic();
    const { principal } = call;
    const scope = new RequestScope(caller.scope);
    const context = { ...services, principal, peer: caller.peer, call: scope };
    const answer = dispatch(call, context);
    const label = METHODS.has(call.method) ? call.method : "unknown";
    if (answer instanceof Promise) {
      return answer.then((payload): OpenClawValue => {
        this.#calls.observe(label, (clock.monotonic() - started) / 1000);
        return { kind: "payload", payload };
      });
    }
    this.#calls.observe(label, (clock.monotonic() - started) / 1000);
    return { kind: "payload", payload: answer };
  }

  #withdrawnSince(start: number, principal: Principal): boolean {
    if (start < this.#withdrawals.start) return true;
    for (let offset = start; offset < this.#withdrawals.end; offset++) {
      const entry = this.#withdrawals.at(offset);
      if (entry?.tenant !== principal.tenant) continue;
      if (withdrawal(entry.event, principal) !== undefined) return true;
    }
    return false;
  }

  #departed(admission: Admission, sequence: number): void {
    const { principal } = admission;
    this.#journal.depart(principal.connection, principal, sequence);
    this.#options.services.presence.disconnected(principal.tenant, principal.connection);
  }
}

/** The checks of a handshake may rest on what was withdrawn meanwhile; the client simply tries again. */
function accessChanged(): Disconnect {
  const message = "access rights changed during the handshake; connect again";
  const answer = new GatewayError("UNAVAILABLE", message, { retryable: true, retryAfterMs: 0 });
  return new Disconnect(1008, message, answer);
}

/** Who calls, as far as a connection knows before and after its handshake. */
interface Caller {
  readonly connection: ConnectionId;
  readonly nonce: string;
  readonly peer: Peer;
  /** Notes who came in, and how often access had been withdrawn when the checks began. */
  readonly admitted: (admission: Admission, withdrawals: number) => void;
  /** Whether its access was withdrawn since then, unheard as the connection did not listen yet. */
  readonly stale: (principal: Principal) => boolean;
}

interface CallOf extends Caller {
  readonly scope: CallScope<OpenClawValue>;
}

/** A handler's view of its call: payloads in place of this wire's values. */
class RequestScope implements CallScope {
  readonly #scope: CallScope<OpenClawValue>;

  constructor(scope: CallScope<OpenClawValue>) {
    this.#scope = scope;
  }

  get signal(): AbortSignal {
    return this.#scope.signal;
  }

  interim(payload: unknown): void {
    this.#scope.interim({ kind: "payload", payload });
  }

  afterAnswer(task: () => void): void {
    this.#scope.afterAnswer(task);
  }
}

/** How presence knows a client that came in. */
function presentClient({ principal, client }: Admission): PresentClient {
  const { connection, device: deviceId, role, scopes } = principal;
  const { instanceId, ip, version, platform, deviceFamily, modelIdentifier, mode } = client;
  return {
    connection,
    deviceId,
    instanceId,
    host: client.displayName ?? client.id,
    ip,
    version,
    platform,
    deviceFamily,
    modelIdentifier,
    mode,
    role,
    scopes,
  };
}

const ANSWER_DELIVERY = { sequenced: false, overflow: "hold" } as const;

function deliveryOf(frame: ServerFrame) {
  return frame.kind === "event"
    ? { sequenced: frame.sequenced, overflow: frame.overflow, key: frame.key ?? frame.event }
    : ANSWER_DELIVERY;
}
