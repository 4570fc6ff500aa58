/** What a connect meets at the gateway's door, for tests: the services, the peers, signed and plain connects. */

import assert from "node:assert/strict";
import { createMemoryStore } from "../../src/adapters/memory_store.ts";
import { type Scope, SCOPES } from "../../src/core/access.ts";
import { Disconnect, type GatewayError } from "../../src/core/error.ts";
import { checked, type ConnectionId, DEFAULT_TENANT, isConnectionId } from "../../src/core/id.ts";
import type { Peer } from "../../src/core/peer.ts";
import {
  type Admission,
  type AdmissionRequest,
  type AdmissionServices,
  admit,
} from "../../src/protocols/openclaw/admission.ts";
import {
  type ConnectParams,
  parseConnectParams,
} from "../../src/protocols/openclaw/connect_params.ts";
import { Authenticator, type AuthOptions } from "../../src/services/auth.ts";
import { Devices } from "../../src/services/devices.ts";
import type { DomainEvent } from "../../src/services/domain_event.ts";
import { Hub } from "../../src/services/hub.ts";
import { CountingRandom } from "./counting_random.ts";
import { type Signing, TestDevice } from "./device_key.ts";
import { ManualClock } from "./manual_clock.ts";

/** The gateway's shared token. */
export const TOKEN = "a-long-shared-token";
/** What the connection's challenge said. */
export const NONCE = "nonce-of-this-connection";
/** A program on the gateway's own host. */
export const LOCAL: Peer = { ip: "127.0.0.1", local: true, host: "127.0.0.1:18789" };
/** A loopback address behind which a proxy speaks for somebody else. */
export const REMOTE: Peer = { ip: "127.0.0.1", local: false, host: "127.0.0.1:18789" };
/** A page that the gateway itself served. */
export const PAGE: Peer = { ...LOCAL, origin: "http://127.0.0.1:18789" };
/** The connection that every connect of these tests opens. */
export const CONNECTION: ConnectionId = checked("connection-1", isConnectionId);
/** The client id of the dashboard. */
export const UI = "openclaw-control-ui";
/** How a page of another site is refused. */
export const ORIGIN_REFUSED =
  "origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)";
/** What is granted to who asks for nothing. */
export const READ_WRITE: readonly string[] = ["operator.read", "operator.write"];
/** Every operator scope, sorted. */
export const ALL: readonly string[] = [...SCOPES].sort();

/** A gateway that admits connects. */
export interface Gateway {
  readonly clock: ManualClock;
  readonly hub: Hub;
  readonly events: readonly DomainEvent[];
  readonly services: AdmissionServices;
  readonly admitting: (
    params: ConnectParams,
    change?: Partial<AdmissionRequest>,
  ) => Promise<Admission>;
}

/** A gateway in token mode, unless `options` say otherwise. */
export function gateway(options: Partial<AuthOptions> = {}): Gateway {
  const clock = new ManualClock();
  const hub = new Hub();
  const events: DomainEvent[] = [];
  hub.observe((_tenant, event) => events.push(event));
  const settings: AuthOptions = { mode: "token", token: TOKEN, ...options };
  const services: AdmissionServices = {
    tenant: DEFAULT_TENANT,
    auth: new Authenticator({ clock, options: () => settings }),
    devices: new Devices({
      store: createMemoryStore(),
      clock,
      random: new CountingRandom(),
      hub,
      keyring: { secret: "k".repeat(64) },
    }),
    allowedOrigins: () => ["https://chat.example.org"],
  };
  const admitting: Gateway["admitting"] = (params, change = {}) =>
    admit(
      { params, nonce: NONCE, peer: LOCAL, connection: CONNECTION, now: clock.now(), ...change },
      services,
    );
  return { clock, hub, events, services, admitting };
}

/** What a connect asks for and proves itself with. */
export interface Wish {
  readonly id?: string;
  readonly mode?: string;
  readonly role?: string;
  readonly scopes?: readonly string[];
  readonly token?: string;
  readonly password?: string;
  readonly extra?: Record<string, unknown>;
}

/** A connect without a device. */
export function connect(wish: Wish = {}): ConnectParams {
  const { id = "test", mode = "test", role, scopes, token, password, extra } = wish;
  return parseConnectParams({
    minProtocol: 3,
    maxProtocol: 3,
    client: { id, mode, version: "1", platform: "Linux", deviceFamily: "PC" },
    ...(role === undefined ? {} : { role }),
    ...(scopes === undefined ? {} : { scopes }),
    ...(token === undefined && password === undefined ? {} : { auth: { token, password } }),
    ...extra,
  });
}

/** A connect that the device signed at the time `at`; `signing` changes what it signed. */
export async function signed(
  device: TestDevice,
  wish: Wish & { readonly at: number; readonly signing?: Partial<Signing> },
): Promise<ConnectParams> {
  const claim = await device.claim({
    clientId: wish.id ?? "test",
    clientMode: wish.mode ?? "test",
    role: wish.role ?? "operator",
    scopes: wish.scopes ?? [],
    token: wish.token ?? "",
    platform: "linux",
    deviceFamily: "pc",
    signedAt: wish.at,
    nonce: NONCE,
    ...wish.signing,
  });
  return { ...connect(wish), device: claim };
}

/** The token that the gateway gives a device which connects from here with the shared one. */
export async function deviceToken(
  g: Gateway,
  device: TestDevice,
  scopes: readonly Scope[],
): Promise<string> {
  const params = await signed(device, { token: TOKEN, scopes, at: g.clock.now() });
  const { auth } = await g.admitting(params);
  assert.ok(auth !== undefined);
  return auth.deviceToken;
}

/** How a connect was refused; fails where it was not. */
export async function refusalOf(admission: Promise<Admission>): Promise<{
  readonly close: readonly [number, string];
  readonly answer: GatewayError;
}> {
  const thrown = await admission.then(() => undefined, (error: unknown) => error);
  assert.ok(thrown instanceof Disconnect, String(thrown));
  assert.ok(thrown.answer !== undefined);
  return { close: [thrown.code, thrown.reason], answer: thrown.answer };
}

/** A connect that is refused, and how. */
export interface RefusalRow {
  readonly name: string;
  readonly code?: "INVALID_REQUEST" | "NOT_PAIRED";
  readonly message: string;
  readonly details?: unknown;
  readonly options?: Partial<AuthOptions>;
  readonly peer?: Peer;
  readonly connect: (g: Gateway, device: TestDevice) => ConnectParams | Promise<ConnectParams>;
}

/** Makes one test of each row. */
export function testRefusals(rows: readonly RefusalRow[]): void {
  for (const row of rows) {
    Deno.test(`refused: ${row.name}`, async () => {
      const g = gateway(row.options);
      const params = await row.connect(g, await TestDevice.create());
      const { answer, close } = await refusalOf(g.admitting(params, { peer: row.peer ?? LOCAL }));
      assert.equal(answer.code, row.code ?? "INVALID_REQUEST");
      assert.equal(answer.message, row.message);
      assert.deepEqual(answer.extras.details, row.details);
      assert.deepEqual(close, [1008, row.message.slice(0, 120)]);
    });
  }
}
