/** What is stored of a paired device and of one that asks to be paired. */

import * as v from "valibot";
import { covers, type Role, ROLES, type Scope, SCOPES } from "../core/access.ts";
import { type DeviceId, isDeviceId } from "../core/id.ts";
import type { Json } from "../ports/store.ts";
import { knownScopes } from "./scope_grant.ts";

const text = v.optional(v.string());
const time = v.number();
const scopes = v.pipe(v.array(v.picklist(SCOPES)), v.readonly());
const deviceId = v.custom<DeviceId>((value) => typeof value === "string" && isDeviceId(value));

/** What a client says of itself: for people to read, never identity. Escaped and cut before it gets here. */
const about = {
  displayName: text,
  platform: text,
  clientId: text,
  clientMode: text,
  remoteIp: text,
};

const DeviceTokenSchema = v.object({
  role: v.picklist(ROLES),
  scopes,
  /** Random hex; with the keyring's secret it gives the token, without it nothing. */
  salt: v.string(),
  createdAtMs: time,
  rotatedAtMs: v.optional(time),
  revokedAtMs: v.optional(time),
  lastUsedAtMs: v.optional(time),
});

/** The stored form of a device; see {@linkcode DeviceRecord}. */
export const DeviceRecordSchema = v.object({
  deviceId,
  publicKey: v.string(),
  ...about,
  roles: v.pipe(v.array(v.picklist(ROLES)), v.readonly()),
  scopes,
  tokens: v.object({
    operator: v.optional(DeviceTokenSchema),
    node: v.optional(DeviceTokenSchema),
  }),
  createdAtMs: time,
  approvedAtMs: time,
});

/** The stored form of a request; see {@linkcode PendingDevice}. */
export const PendingDeviceSchema = v.object({
  requestId: v.string(),
  deviceId,
  publicKey: v.string(),
  ...about,
  role: v.picklist(ROLES),
  roles: v.pipe(v.array(v.picklist(ROLES)), v.readonly()),
  scopes,
  silent: v.optional(v.boolean()),
  isRepair: v.optional(v.boolean()),
  ts: time,
});

/**
 * A paired device. `scopes` is what it was approved for as an operator; its tokens never hold more. At
 * most one token for each role. Times are milliseconds since the Unix epoch.
 */
export type DeviceRecord = Readonly<v.InferOutput<typeof DeviceRecordSchema>>;

/** A device's token for one role, without the token itself: that is derived when it is needed. */
export type StoredToken = Readonly<v.InferOutput<typeof DeviceTokenSchema>>;

/** What may be told of a token. */
export type TokenFacts = Omit<StoredToken, "salt">;

/** What may be told of a paired device. `role` is the one that was added last. */
export interface PairedDevice extends Omit<DeviceRecord, "tokens"> {
  readonly role?: Role;
  readonly tokens: readonly TokenFacts[];
}

/**
 * A device that waits to be approved for one role; the document's `DevicePairingPendingRequest`.
 * `isRepair`: it is paired already and asks for more. `ts` is when it asked.
 */
export type PendingDevice = Readonly<v.InferOutput<typeof PendingDeviceSchema>>;

/** How a request ended. */
export type PairingDecision = "approved" | "rejected";

/** What a client says of itself; see the stored forms. */
export interface DeviceAbout {
  readonly displayName?: string;
  readonly platform?: string;
  readonly clientId?: string;
  readonly clientMode?: string;
  readonly remoteIp?: string;
}

/** A device whose key was proven, and what it wants to be. */
export interface DeviceAsk {
  readonly deviceId: DeviceId;
  /** base64url of the raw key. */
  readonly publicKey: string;
  readonly role: Role;
  /** Empty for a node. */
  readonly scopes: readonly Scope[];
  readonly about: DeviceAbout;
}

/** The record as JSON. */
export function deviceToJson(record: DeviceRecord): Json {
  const { operator, node } = record.tokens;
  return withoutUndefined({
    ...record,
    tokens: withoutUndefined({
      operator: operator === undefined ? undefined : withoutUndefined({ ...operator }),
      node: node === undefined ? undefined : withoutUndefined({ ...node }),
    }),
  });
}

/** The request as JSON. */
export function pendingToJson(request: PendingDevice): Json {
  return withoutUndefined({ ...request });
}

/** When the device was last heard of, in milliseconds since the epoch; by this the least used gives way. */
export function lastSeen(record: DeviceRecord): number {
  const { operator, node } = record.tokens;
  return Math.max(record.approvedAtMs, operator?.lastUsedAtMs ?? 0, node?.lastUsedAtMs ?? 0);
}

function withoutUndefined(members: Readonly<Record<string, Json | undefined>>): Json {
  const kept: Record<string, Json> = {};
  for (const [name, value] of Object.entries(members)) if (value !== undefined) kept[name] = value;
  return kept;
}

/** What may be told of the record: everything but the salts. */
export function pairedDevice(record: DeviceRecord): PairedDevice {
  const { tokens, ...rest } = record;
  const stored = [tokens.operator, tokens.node].filter((token) => token !== undefined);
  return {
    ...rest,
    role: record.roles.at(-1),
    tokens: stored.map(({ salt: _salt, ...facts }) => facts),
  };
}

/** Whether a device is paired for the role and for all scopes that it asks for. */
export function isPairedFor(record: DeviceRecord, ask: DeviceAsk): boolean {
  return record.roles.includes(ask.role) && covers(record.scopes, ask.scopes);
}

/** The record after an approval: what it had and what is asked. */
export function withPairing(
  record: DeviceRecord | undefined,
  approval: { readonly ask: DeviceAsk; readonly now: number },
): DeviceRecord {
  const { ask, now } = approval;
  const base: DeviceRecord = record ?? {
    deviceId: ask.deviceId,
    publicKey: ask.publicKey,
    roles: [],
    scopes: [],
    tokens: {},
    createdAtMs: now,
    approvedAtMs: now,
  };
  return {
    ...described(base, ask),
    roles: base.roles.includes(ask.role) ? base.roles : [...base.roles, ask.role],
    scopes: knownScopes([...base.scopes, ...ask.scopes]),
    approvedAtMs: now,
  };
}

/** The record with what its client now says of itself. */
export function described(record: DeviceRecord, ask: DeviceAsk): DeviceRecord {
  const { displayName, platform, clientId, clientMode, remoteIp } = ask.about;
  return {
    ...record,
    displayName: displayName ?? record.displayName,
    platform: platform ?? record.platform,
    clientId: clientId ?? record.clientId,
    clientMode: clientMode ?? record.clientMode,
    remoteIp: remoteIp ?? record.remoteIp,
  };
}

/** The record with this token in the place of the one of its role. */
export function withStored(record: DeviceRecord, token: StoredToken): DeviceRecord {
  return { ...record, tokens: { ...record.tokens, [token.role]: token } };
}
