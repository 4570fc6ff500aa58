/**
 * Decides who comes in: the part of the handshake that has to wait, behind the machine. What a client
 * says of itself is shown to people and decides nothing, except which advice and which Origin rule it
 * gets.
 */

import { isRole, type Principal, type Role } from "../../core/access.ts";
import { originAllowed } from "../../core/host.ts";
import type { ConnectionId, TenantId } from "../../core/id.ts";
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
 * lock-out, device required, device's proof, device token, shared secret, pairing.
 */
export async function admit(
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<Admission> {
  const { params, peer } = request;
  const role = params.role ?? "operator";
  if (!isRole(role)) throw refusal("invalid role");
  checkOrigin(request, services);
  refuseLocked(peer, services);
  const shared = await services.auth.check(params.auth ?? {});
  refuseLocked(peer, services);
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

/** Asked again after every wait, as attempts that ran at the same time may have locked the source. */
function refuseLocked(peer: Peer, services: AdmissionServices): void {
  const locked = services.auth.lockedFor(peer);
  if (locked > 0) throw lockedOut(locked);
}

/** A client without a device: the shared secret is all it has. */
function admitProgram(candidate: Candidate, services: AdmissionServices): Admission {
  const { params, peer, role, shared } = candidate;
  if (params.client.id === CONTROL_UI) {
    throw refusal("control ui requires HTTPS or localhost (secure context)");
  }
  if (shared !== "ok") {
    if (!presents(params)) throw notPaired("device identity required");
    throw refuseSecret(candidate, services, { guessed: true });
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
  if (!proof.ok) throw unproven(proof.fault);
  const { deviceId, publicKey } = proof;
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
    const enrolment = await devices.enrol(tenant, ask, { silent: peer.local });
    if (enrolment.status === "pending") {
      const { requestId } = enrolment.request;
      throw notPaired("pairing required", { details: { requestId } });
    }
    const grant = { ...device, scopes: ask.scopes, credential: "shared" } as const;
    return { ...admission(candidate, grant), auth: helloAuth(enrolment.token) };
  }
  if (token.trim() === "") throw refuseSecret(candidate, services, { guessed: presents(params) });
  const flexible = (params.scopes ?? []).length === 0;
  const verdict = await devices.verifyToken(tenant, { token, ask, flexible });
  if (!verdict.ok) {
    throw refuseSecret(candidate, services, { guessed: verdict.reason === "unknown" });
  }
  refuseLocked(peer, services);
  const grant = { ...device, scopes: verdict.scopes, credential: "device" } as const;
  return { ...admission(candidate, grant), auth: helloAuth(verdict.token) };
}

/** The refusal of a wrong secret; a guess is counted, and none is told anything once the source is locked. */
function refuseSecret(
  candidate: Candidate,
  services: AdmissionServices,
  options: { readonly guessed: boolean },
): Error {
  const { params, peer, shared } = candidate;
  const { auth } = services;
  const locked = auth.lockedFor(peer);
  if (locked > 0) return lockedOut(locked);
  if (options.guessed) auth.failed(peer);
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
