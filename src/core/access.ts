/** Who may do what: roles, scopes, and the one rule that compares them. */

import type { ConnectionId, DeviceId, TenantId } from "./id.ts";

/** What a connection is: a person or program that operates the gateway, or a device that serves it. */
export const ROLES = ["operator", "node"] as const;

/** One of {@linkcode ROLES}. */
export type Role = typeof ROLES[number];

/** What an operator may be granted. `operator.admin` includes all others, `operator.write` includes read. */
export const SCOPES = [
  "operator.read",
  "operator.write",
  "operator.approvals",
  "operator.pairing",
  "operator.admin",
] as const;

/** One of {@linkcode SCOPES}. */
export type Scope = typeof SCOPES[number];

/** Who may call a method or receive an event. Absent `scope`: everyone of that role. */
export interface Access {
  readonly role: Role;
  readonly scope?: Scope;
}

/** The authenticated party behind a connection: the only source of identity. */
export interface Principal {
  readonly tenant: TenantId;
  readonly role: Role;
  /** Granted scopes as the wire names them, sorted; unknown ones grant nothing. */
  readonly scopes: readonly string[];
  readonly connection: ConnectionId;
  /** Set when the connection proved possession of a device key. */
  readonly device?: DeviceId;
  /** What it proved itself with: the gateway's shared token or password, or a token issued to its device. */
  readonly credential: "shared" | "device";
  /** Stable name for what belongs to this party across reconnects: its device, else its credential. */
  readonly subject: string;
  /** The peer runs on the gateway's own host and no proxy stands between. */
  readonly local: boolean;
}

/** Narrows text to a {@linkcode Role}. */
export function isRole(text: string): text is Role {
  return ROLES.some((role) => role === text);
}

/** Narrows text to a {@linkcode Scope}. */
export function isScope(text: string): text is Scope {
  return SCOPES.some((scope) => scope === text);
}

/** Whether granted scopes include `needed`, directly or through a wider one. */
export function grants(scopes: readonly string[], needed: Scope): boolean {
  if (scopes.includes(needed) || scopes.includes("operator.admin")) return true;
  return needed === "operator.read" && scopes.includes("operator.write");
}

/** Whether every scope of `wanted` is among what `held` grants. */
export function covers(held: readonly string[], wanted: readonly string[]): boolean {
  return wanted.every((scope) => isScope(scope) ? grants(held, scope) : held.includes(scope));
}

/** Whether a party of this role and these scopes has access. */
export function permits(access: Access, party: Pick<Principal, "role" | "scopes">): boolean {
  if (access.role !== party.role) return false;
  return access.scope === undefined || grants(party.scopes, access.scope);
}
