/** One connection of the OpenClaw wire: its machine, its codec, and what its calls do. */

import { grants, type Principal } from "../../core/access.ts";
import { createDispatch } from "../../core/dispatch.ts";
import type { CallScope, Wire } from "../../core/driver.ts";
import { describeError, Disconnect, GatewayError } from "../../core/error.ts";
import { WaitingLink } from "../../core/handshake_gate.ts";
import { checked, type ConnectionId, isConnectionId } from "../../core/id.ts";
import type { Link, Outgoing } from "../../core/link.ts";
import type { Machine } from "../../core/machine.ts";
import type { Delivery } from "../../core/outbox.ts";
import type { Peer } from "../../core/peer.ts";
import type { DomainEvent } from "../../services/domain_event.ts";
import type { PresentClient } from "../../services/presence_entry.ts";
import { type Admission, admit } from "./admission.ts";
import {
  type ClientFrame,
  decodeFrame,
  deliveryOf,
  encodeFrame,
  type ServerFrame,
} from "./codec.ts";
import type { ConnectionHouse } from "./connection_house.ts";
import { helloOk } from "./hello.ts";
import {
  MAX_HANDSHAKE_MESSAGE,
  type OpenClawCall,
  openClawMachine,
  type OpenClawTypes,
  type OpenClawValue,
} from "./machine.ts";
import { METHODS } from "./method_table.ts";

/** What a client may send before it is admitted, in bytes: the largest `connect` and some early requests. */
export const MAX_HANDSHAKE_BYTES: number = MAX_HANDSHAKE_MESSAGE + 16 * 1024;

/** The methods that a client is told of. */
const ADVERTISED = [...METHODS.values()].filter((entry) => entry.advertised).map((entry) =>
  entry.name
);

const dispatch = createDispatch(METHODS);

/** A connection from its acceptance to its end. */
export class Connection implements Wire<OpenClawTypes> {
  readonly machine: Machine<OpenClawTypes>;
  readonly #house: ConnectionHouse;
  readonly #id: ConnectionId;
  readonly #nonce: string;
  readonly #peer: Peer;
  readonly #waiting: WaitingLink;
  /** Who came in. */
  #principal: Principal | undefined;
  /** How often access had been withdrawn when the checks of the handshake began. */
  #withdrawals = 0;

  constructor(
    house: ConnectionHouse,
    { link, peer }: { readonly link: Link; readonly peer: Peer },
  ) {
    const { clock, random } = house.options;
    this.#house = house;
    this.#peer = peer;
    this.#id = checked(random.uuid(), isConnectionId);
    this.#nonce = random.uuid();
    this.machine = openClawMachine({
      nonce: this.#nonce,
      issuedAt: clock.now(),
      render: house.render,
    });
    house.connections++;
    const { gate } = house;
    const rules = { gate, address: peer.ip, maxBytes: MAX_HANDSHAKE_BYTES };
    this.#waiting = new WaitingLink(link, rules);
  }

  decode(data: string | Uint8Array): ClientFrame {
    this.#house.frames.add("in");
    return decodeFrame(data);
  }

  encode(frame: ServerFrame, sequence: number): Outgoing {
    const { frames, failures } = this.#house;
    frames.add("out");
    if (frame.kind === "refusal") failures.add(frame.error.code);
    return encodeFrame(frame, sequence);
  }

  delivery(frame: ServerFrame): Delivery {
    return deliveryOf(frame);
  }

  call(
    call: OpenClawCall,
    scope: CallScope<OpenClawValue>,
  ): OpenClawValue | Promise<OpenClawValue> {
    switch (call.kind) {
      case "admit":
        return this.#admit(call);
      case "hello":
        return this.#hello(call.admission, scope);
      case "request":
        return this.#request(call, scope);
    }
  }

  subscribe(principal: Principal, listener: (event: DomainEvent) => void): () => void {
    const { hub } = this.#house.options;
    return hub.subscribe(principal.tenant, principal.connection, listener);
  }

  defect(error: unknown): void {
    const { log } = this.#house.options;
    log.write("error", "defect", { connection: this.#id, error: describeError(error) });
  }

  ended({ sequence }: { readonly sequence: number }): void {
    this.#house.connections--;
    this.#waiting.leave();
    const principal = this.#principal;
    if (principal === undefined) return;
    this.#house.journal.depart(principal.connection, principal, sequence);
    this.#house.options.services.presence.disconnected(principal.tenant, principal.connection);
  }

  async #admit(call: Extract<OpenClawCall, { kind: "admit" }>): Promise<OpenClawValue> {
    const { services, clock } = this.#house.options;
    const request = {
      params: call.params,
      connection: this.#id,
      nonce: this.#nonce,
      peer: this.#peer,
      now: clock.now(),
    };
    const withdrawals = this.#house.withdrawals;
    const admission = await admit(request, services);
    this.#waiting.pass();
    this.#principal = admission.principal;
    this.#withdrawals = withdrawals;
    return { kind: "admitted", admission };
  }

  #hello(admission: Admission, scope: CallScope<OpenClawValue>): OpenClawValue {
    const { options, uptimeMs, journal } = this.#house;
    const { services, server, hub } = options;
    const { principal } = admission;
    if (this.#house.withdrawnSince(this.#withdrawals, principal)) throw accessChanged();
    const versions = services.health.versions(principal.tenant);
    scope.afterAnswer(() => {
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
      uptimeMs,
      tickIntervalMs: options.tickIntervalMs,
      sessionDefaults: options.sessionDefaults(),
      resume: admission.resume === undefined
        ? undefined
        : journal.missed(principal, admission.resume),
    });
    return { kind: "payload", payload };
  }

  #request(
    call: Extract<OpenClawCall, { kind: "request" }>,
    scope: CallScope<OpenClawValue>,
  ): OpenClawValue | Promise<OpenClawValue> {
    const { options, calls } = this.#house;
    const { services, clock } = options;
    const started = clock.monotonic();
    const { principal } = call;
    const context = { ...services, principal, peer: this.#peer, call: new RequestScope(scope) };
    const answer = dispatch(call, context);
    const label = METHODS.has(call.method) ? call.method : "unknown";
    if (answer instanceof Promise) {
      return answer.then((payload): OpenClawValue => {
        calls.observe(label, (clock.monotonic() - started) / 1000);
        return { kind: "payload", payload };
      });
    }
    calls.observe(label, (clock.monotonic() - started) / 1000);
    return { kind: "payload", payload: answer };
  }
}

/** The checks of a handshake may rest on what was withdrawn meanwhile; the client simply tries again. */
function accessChanged(): Disconnect {
  const message = "access rights changed during the handshake; connect again";
  const answer = new GatewayError("UNAVAILABLE", message, { retryable: true, retryAfterMs: 0 });
  return new Disconnect(1008, message, answer);
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
