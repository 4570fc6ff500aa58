/**
 * Decides who comes in: the part of the handshake that has to wait, behind the machine. What a client
 * says of itself is shown to people and decides nothing, except which advice and which Origin rule it
 * gets.
 */

import { isRole, type Principal, type Role } from "../../core/access.ts";
import { originAllowed } from "../../core/host.ts";
import { type ConnectionId, type DeviceId, isDeviceId, type TenantId } from "../../core/id.ts";
import type { Peer } from "../../core/peer.ts";
import { escapeText } from "../../core/quote.ts";
import type { Authenticator, SecretVerdict } from "../../services/auth.ts";
import type { DeviceAsk, Devices, DeviceToken } from "../../services/devices.ts";
import type { ConnectParams } from "./connect_params.ts";
import {
  CONTROL_UI,
  isPage,
  lockedOut,
  notPaired,
  refusal,
  unauthorized,
  unproven,
} from "./refusal.ts";

/** A `connect` whose shape, protocol range and role are in order. */
export interface AdmissionRequest {
  readonly params: ConnectParams;
  /** The nonce that this connection was challenged with. */
  readonly nonce: string;
  readonly peer: Peer;
  readonly connection: ConnectionId;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What the decision needs of the gateway. */
export interface AdmissionServices {
  /** Whose devices these are. */
  readonly tenant: TenantId;
  readonly auth: Authenticator;
  readonly devices: Devices;
  /** Origins besides the gateway's own, as the settings name them now. */
  readonly allowedOrigins: () => readonly string[];
}

/** What a client says of itself; every text one escaped line of at most 256 characters. */
export interface ClientInfo {
  readonly id: string;
  readonly mode: string;
  readonly version: string;
  readonly platform: string;
  readonly displayName?: string;
  readonly deviceFamily?: string;
  readonly modelIdentifier?: string;
  readonly instanceId?: string;
  readonly caps: readonly string[];
  readonly commands: readonly string[];
  readonly locale?: string;
  readonly userAgent?: string;
  /** Where it comes from; absent for a client on the gateway's own host. */
  readonly ip?: string;
}

/** A client that came in. */
export interface Admission {
  readonly principal: Principal;
  /** The `auth` of hello-ok; absent for a client without a device. */
  readonly auth?: {
    readonly deviceToken: string;
    readonly role: string;
    readonly scopes: readonly string[];
    readonly issuedAtMs: number;
  };
  readonly client: ClientInfo;
  readonly resume?: { readonly connId: string; readonly seq: number };
}

/** A request on its way through the checks. */
interface Candidate extends AdmissionRequest {
  readonly role: Role;
  readonly client: ClientInfo;
  readonly shared: SecretVerdict;
}

/**
 * Admits a client or throws a `Disconnect` with its answer. The order of the checks: role, Origin,
 * lock-out, device required, device's proof, device token, shared secret, pairing. A paired device that
 * proves its key is not refused for what others tried from its address.
 */
export async function admit(
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<Admission> {
  const { params, peer } = request;
  const role = params.role ?? "operator";
  if (!isRole(role)) throw refusal("invalid role");
  checkOrigin(request, services);
  const barred = services.auth.barredFor(peer);
  if (barred > 0 && !await isPaired(params.device?.id, services)) throw lockedOut(barred);
  const shared = await services.auth.check(params.auth ?? {});
  const candidate = { ...request, role, shared, client: clientInfo(params, peer) };
  return params.device === undefined
    ? admitProgram(candidate, services)
    : await admitDevice(candidate, params.device, services);
}

/** A page needs an Origin, and one that is allowed; anything else may come without, but not with a foreign one. */
function checkOrigin(request: AdmissionRequest, services: AdmissionServices): void {
  const { params, peer } = request;
  const { origin, host } = peer;
  const allowed = origin === undefined
    ? !isPage(params.client)
    : originAllowed(origin, { host, allowedOrigins: services.allowedOrigins() });
  if (allowed) return;
  throw refusal(
    "origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)",
  );
}

/** Whether a device of that id is paired; whether this client is it takes its proof. */
async function isPaired(
  deviceId: string | undefined,
  { devices, tenant }: AdmissionServices,
): Promise<boolean> {
  return deviceId !== undefined && isDeviceId(deviceId) &&
    await devices.get(tenant, deviceId) !== undefined;
}

/** A client without a device: the shared secret is all it has. */
function admitProgram(candidate: Candidate, services: AdmissionServices): Admission {
  const { params, peer, role, shared } = candidate;
  // Attempts that were compared at the same time may have locked the source meanwhile.
  const barred = services.auth.barredFor(peer);
  if (barred > 0) throw lockedOut(barred);
  if (params.client.id === CONTROL_UI) {
    throw refusal("control ui requires HTTPS or localhost (secure context)");
  }
  if (shared !== "ok") {
    if (!presents(params)) throw notPaired("device identity required");
    throw refuseSecret(candidate, services);
  }
  // A node is its device; without one only a program on this host is believed to be a node.
  if (role === "node" && !peer.local) throw notPaired("device identity required");
  const scopes = services.auth.granted({ role, scopes: params.scopes }, peer.local);
  return admission(candidate, {
    tenant: services.tenant,
    scopes,
    credential: "shared",
    subject: "shared",
  });
}

/** A client with a device: proof of its key first, then its token or the shared secret, then pairing. */
async function admitDevice(
  candidate: Candidate,
  claim: NonNullable<ConnectParams["device"]>,
  services: AdmissionServices,
): Promise<Admission> {
  const { params, peer, role, shared, client } = candidate;
  const { tenant, devices, auth } = services;
  const token = params.auth?.token ?? "";
  const proof = await devices.prove(claim, {
    signed: {
      clientId: params.client.id,
      clientMode: params.client.mode,
      role,
      scopes: params.scopes ?? [],
      token,
      platform: params.client.platform,
      deviceFamily: params.client.deviceFamily ?? "",
    },
    challenge: candidate.nonce,
    local: peer.local,
    now: candidate.now,
  });
  const barred = auth.barredFor(peer);
  if (!proof.ok) throw barred > 0 ? lockedOut(barred) : unproven(proof.fault);
  const { deviceId, publicKey } = proof;
  if (barred > 0 && !await isPaired(deviceId, services)) throw lockedOut(barred);
  const ask: DeviceAsk = {
    deviceId,
    publicKey,
    role,
    scopes: auth.wanted({ role, scopes: params.scopes }),
    about: {
      displayName: client.displayName,
      platform: client.platform,
      clientId: client.id,
      clientMode: client.mode,
      remoteIp: client.ip,
    },
  };
  const device = { tenant, device: deviceId, subject: `device:${deviceId}` };
  if (shared === "ok") {
    const held = auth.deviceBarredFor(deviceId);
    if (held > 0) throw lockedOut(held, "device");
    const enrolment = await devices.enrol(tenant, ask, { silent: peer.local });
    if (enrolment.status === "pending") {
      const { requestId } = enrolment.request;
      throw notPaired("pairing required", { details: { requestId } });
    }
    const grant = { ...device, scopes: ask.scopes, credential: "shared" } as const;
    return { ...admission(candidate, grant), auth: helloAuth(enrolment.token) };
  }
  if (token.trim() === "") {
    throw await refuseDevice(candidate, services, { deviceId, guessed: presents(params) });
  }
  const flexible = (params.scopes ?? []).length === 0;
  const verdict = await devices.verifyToken(tenant, { token, ask, flexible });
  if (!verdict.ok) {
    const guessed = verdict.reason === "unknown";
    throw await refuseDevice(candidate, services, { deviceId, guessed });
  }
  const grant = { ...device, scopes: verdict.scopes, credential: "device" } as const;
  return { ...admission(candidate, grant), auth: helloAuth(verdict.token) };
}

/** The refusal of a wrong secret; it is counted, and none is told anything once the source is locked. */
function refuseSecret(candidate: Candidate, { auth }: AdmissionServices): Error {
  const locked = auth.lockedFor(candidate.peer);
  if (locked > 0) return lockedOut(locked);
  auth.failed(candidate.peer);
  return wrongSecret(candidate, auth);
}

/**
 * The refusal of a device that proved its key. A paired one that comes with an old token is no guesser
 * at its address: its failures are its own. Any other device costs nothing to make, so its address counts.
 */
async function refuseDevice(
  candidate: Candidate,
  services: AdmissionServices,
  failure: { readonly deviceId: DeviceId; readonly guessed: boolean },
): Promise<Error> {
  const { deviceId, guessed } = failure;
  const { auth } = services;
  if (!await isPaired(deviceId, services)) {
    const locked = auth.lockedFor(candidate.peer);
    if (locked > 0) return lockedOut(locked);
    if (guessed) auth.failed(candidate.peer);
    return wrongSecret(candidate, auth);
  }
  const locked = auth.deviceLockedFor(deviceId);
  if (locked > 0) return lockedOut(locked, "device");
  if (guessed) auth.deviceFailed(deviceId);
  return wrongSecret(candidate, auth);
}

function wrongSecret({ params, shared }: Candidate, auth: Authenticator): Error {
  const verdict = shared === "ok" ? "mismatch" : shared;
  return unauthorized(verdict, { mode: auth.options.mode, client: params.client });
}

/** Whether the client shows any secret at all. */
function presents(params: ConnectParams): boolean {
  const { token = "", password = "" } = params.auth ?? {};
  return token.trim() !== "" || password.trim() !== "";
}

function admission(
  candidate: Candidate,
  grant: Pick<Principal, "tenant" | "scopes" | "credential" | "subject" | "device">,
): Admission {
  const { role, connection, peer, client, params } = candidate;
  const principal = { ...grant, role, connection, local: peer.local };
  return { principal, client, resume: params.resume };
}

function helloAuth(token: DeviceToken): Admission["auth"] {
  const { role, scopes, issuedAtMs } = token;
  return { deviceToken: token.token, role, scopes, issuedAtMs };
}

function clientInfo(params: ConnectParams, peer: Peer): ClientInfo {
  const { client } = params;
  return {
    id: client.id,
    mode: client.mode,
    version: escapeText(client.version),
    platform: escapeText(client.platform),
    displayName: escaped(client.displayName),
    deviceFamily: escaped(client.deviceFamily),
    modelIdentifier: escaped(client.modelIdentifier),
    instanceId: escaped(client.instanceId),
    caps: (params.caps ?? []).map((cap) => escapeText(cap)),
    commands: (params.commands ?? []).map((command) => escapeText(command)),
    locale: escaped(params.locale),
    userAgent: escaped(params.userAgent ?? peer.userAgent),
    ip: peer.local ? undefined : escapeText(peer.ip),
  };
}

function escaped(text: string | undefined): string | undefined {
  return text === undefined ? undefined : escapeText(text);
}
