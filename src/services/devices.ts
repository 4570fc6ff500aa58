/**
 * Devices: which are paired, which ask to be, and the tokens that they hold. The store is the only
 * truth, so another process on the same store (the command line) may approve or revoke as well.
 */

import { covers, isRole, type Role, type Scope } from "../core/access.ts";
import { invalidRequest } from "../core/error.ts";
import { type DeviceId, isDeviceId, type TenantId } from "../core/id.ts";
import { Collection, type Item } from "./collection.ts";
import {
  type DeviceClaim,
  type IdentityCheck,
  type IdentityVerdict,
  verifyDevice,
} from "./device_identity.ts";
import {
  type DeviceAsk,
  type DeviceRecord,
  DeviceRecordSchema,
  deviceToJson,
  isPairedFor,
  lastSeen,
  type PairedDevice,
  pairedDevice,
  type PendingDevice,
  type StoredToken,
  withPairing,
  withStored,
} from "./device_record.ts";
import { type DeviceToken, DeviceTokens, type Keyring, unknownToken } from "./device_token.ts";
import { type PendingDeviceParts, PendingDevices } from "./pending_devices.ts";
import { commitUnlessConflict, retryConflict } from "./retry_conflict.ts";
import { beyond, cutScopes, knownScopes } from "./scope_grant.ts";
import { sameSecret } from "./secret_digest.ts";

export type {
  DeviceAbout,
  DeviceAsk,
  PairedDevice,
  PairingDecision,
  PendingDevice,
  TokenFacts,
} from "./device_record.ts";
export type { DeviceToken, Keyring } from "./device_token.ts";

/** Devices that may be paired at once; when one more comes, the one not heard of for longest is forgotten. */
export const MAX_PAIRED_DEVICES = 1_000;

/** How a device that showed the shared secret stands. */
export type Enrolment =
  | { readonly status: "paired"; readonly token: DeviceToken }
  | { readonly status: "pending"; readonly request: PendingDevice };

/** What a presented device token is worth. `unknown`: no such token; `scopes`: it is good, but not for so much. */
export type TokenVerdict =
  | { readonly ok: true; readonly token: DeviceToken; readonly scopes: readonly Scope[] }
  | { readonly ok: false; readonly reason: "unknown" | "scopes" };

/** A token that a device presents in place of the shared secret. */
export interface PresentedToken {
  readonly token: string;
  readonly ask: DeviceAsk;
  /** The client named no scopes, so what it wants is cut to what the token has instead of refused. */
  readonly flexible: boolean;
}

/** Who decides about a device. */
export interface Approver {
  /** Nobody gives more than this, nor takes a token that holds more from another device. */
  readonly scopes: readonly string[];
  /** The approver's own device, whose tokens it may replace and revoke whatever they hold. */
  readonly device?: DeviceId;
  /**
   * Runs a task once the approver has its answer; absent: at once. For a device that changes its own
   * token, whose connection ends with the announcement.
   */
  readonly defer?: (task: () => void) => void;
}

/** Names a token. */
export interface TokenName {
  readonly deviceId: string;
  readonly role: string;
}

/** What the registry is made of. */
export interface DeviceParts extends PendingDeviceParts {
  /** Derives the tokens. */
  readonly keyring: Keyring;
}

/** The registry of devices. Whatever it answers is committed first, and announced after that. */
export class Devices {
  readonly #parts: DeviceParts;
  readonly #tokens: DeviceTokens;
  readonly #pending: PendingDevices;
  readonly #paired: Collection<DeviceRecord>;

  /** Throws a RangeError when the keyring's secret is too short. */
  constructor(parts: DeviceParts) {
    this.#parts = parts;
    this.#tokens = new DeviceTokens(parts);
    this.#pending = new PendingDevices(parts);
    this.#paired = new Collection<DeviceRecord>(parts.store, {
      kind: "device",
      schema: DeviceRecordSchema,
      toJson: deviceToJson,
      order: lastSeen,
    });
  }

  /** Whether a client holds the key of the device that it claims to be; see {@linkcode verifyDevice}. */
  prove(claim: DeviceClaim, check: IdentityCheck): Promise<IdentityVerdict> {
    return verifyDevice(claim, check);
  }

  /** The requests that wait, the newest first, and the paired devices, the last approved first. */
  async list(tenant: TenantId): Promise<{
    readonly pending: readonly PendingDevice[];
    readonly paired: readonly PairedDevice[];
  }> {
    const [pending, items] = await Promise.all([
      this.#pending.list(tenant),
      this.#paired.list(tenant),
    ]);
    const paired = items.map((item) => pairedDevice(item.value));
    return { pending, paired: paired.toSorted((a, b) => b.approvedAtMs - a.approvedAtMs) };
  }

  /** One paired device. */
  async get(tenant: TenantId, deviceId: DeviceId): Promise<PairedDevice | undefined> {
    const item = await this.#paired.get(tenant, deviceId);
    return item === undefined ? undefined : pairedDevice(item.value);
  }

  /**
   * Takes in a device that showed the shared secret. Paired for the role and all scopes that it asks
   * for: its token, the same as before while that covers what is asked, else a new one. Not so: paired
   * at once when `silent`, else a request that waits; asking again gives the same request, asking for
   * more replaces it.
   */
  async enrol(
    tenant: TenantId,
    ask: DeviceAsk,
    options: { readonly silent: boolean },
  ): Promise<Enrolment> {
    const { deviceId, role } = ask;
    const outcome = await retryConflict(async () => {
      const item = await this.#paired.get(tenant, deviceId);
      if (item !== undefined && isPairedFor(item.value, ask)) {
        return { record: await this.#use(tenant, item, ask), created: false };
      }
      return options.silent ? await this.#pairSilently(tenant, item, ask) : { record: item?.value };
    });
    const { record, created } = outcome;
    if (created === undefined || record === undefined) {
      const repair = record !== undefined;
      return { status: "pending", request: await this.#pending.request(tenant, ask, { repair }) };
    }
    if (created) await this.#boundPaired(tenant);
    return { status: "paired", token: await this.#tokens.reveal(record, { tenant, role }) };
  }

  /** Checks a device token and notes its use. The scopes of the verdict are those to grant. */
  async verifyToken(tenant: TenantId, presented: PresentedToken): Promise<TokenVerdict> {
    const { ask, token } = presented;
    const { deviceId, role } = ask;
    return await retryConflict<TokenVerdict>(async () => {
      const item = await this.#paired.get(tenant, deviceId);
      const stored = item?.value.tokens[role];
      if (item === undefined || stored === undefined || stored.revokedAtMs !== undefined) {
        return { ok: false, reason: "unknown" };
      }
      const revealed = await this.#tokens.reveal(item.value, { tenant, role });
      if (!await sameSecret(revealed.token, token)) return { ok: false, reason: "unknown" };
      const scopes = presented.flexible ? cutScopes(ask.scopes, stored.scopes) : ask.scopes;
      if (!covers(stored.scopes, scopes)) return { ok: false, reason: "scopes" };
      await this.#use(tenant, item, { ...ask, scopes });
      return { ok: true, token: revealed, scopes };
    });
  }

  /**
   * Pairs the device of a request. Throws `INVALID_REQUEST`: `unknown requestId`, or `missing scope: …`
   * when the request asks for more than the approver has.
   */
  async approve(
    tenant: TenantId,
    requestId: string,
    approver: Approver,
  ): Promise<{ readonly requestId: string; readonly device: PairedDevice }> {
    const { device, created } = await retryConflict(async () => {
      const request = await this.#pending.named(tenant, requestId);
      const { deviceId, scopes } = request.value;
      refuseBeyond(scopes, approver);
      const item = await this.#paired.get(tenant, deviceId);
      const ask: DeviceAsk = { ...request.value, about: request.value };
      const paired = withPairing(item?.value, { ask, now: this.#parts.clock.now() });
      await this.#parts.store.commit([
        this.#paired.put(tenant, deviceId, paired, item?.revision ?? 0),
        this.#pending.removal(tenant, request),
      ]);
      return { device: paired, created: item === undefined };
    });
    const { deviceId } = device;
    this.#pending.resolved(tenant, { requestId, deviceId, decision: "approved" });
    if (created) await this.#boundPaired(tenant);
    return { requestId, device: pairedDevice(device) };
  }

  /** Turns a request down. Throws `INVALID_REQUEST` `unknown requestId`. */
  async reject(
    tenant: TenantId,
    requestId: string,
  ): Promise<{ readonly requestId: string; readonly deviceId: DeviceId }> {
    const deviceId = await retryConflict(async () => {
      const request = await this.#pending.named(tenant, requestId);
      await this.#parts.store.commit([this.#pending.removal(tenant, request)]);
      return request.value.deviceId;
    });
    this.#pending.resolved(tenant, { requestId, deviceId, decision: "rejected" });
    return { requestId, deviceId };
  }

  /**
   * Replaces a token; the old one and the connections of the device in that role end. `scopes` absent:
   * as before. As the answer holds the token, it is for the device itself or for an admin. Throws
   * `INVALID_REQUEST`: `unknown deviceId/role`, `missing scope: …` for more than the approver has, for
   * another device that has more than the approver, or for one of which the approver is no admin, or a
   * text that says so for more than the device was approved for. A retryable `UNAVAILABLE`: others
   * changed the device at the same time.
   */
  async rotateToken(
    tenant: TenantId,
    wanted: TokenName & { readonly scopes?: readonly string[] },
    approver: Approver,
  ): Promise<DeviceToken & { readonly deviceId: DeviceId }> {
    const { record, role } = await this.#change(tenant, wanted, ({ record, role, stored }) => {
      const approved = role === "operator" ? record.scopes : [];
      const scopes = wanted.scopes === undefined
        ? stored?.scopes ?? cutScopes(approved, approver.scopes)
        : knownScopes(wanted.scopes);
      refuseUnapproved(scopes, approved);
      refuseBeyond(scopes, approver);
      refuseStronger(record, stored, approver);
      if (approver.device !== record.deviceId) refuseBeyond(["operator.admin"], approver);
      return this.#tokens.renewed(stored, { role, scopes });
    });
    const { deviceId } = record;
    this.#revoked(tenant, { deviceId, role }, approver);
    return { deviceId, ...await this.#tokens.reveal(record, { tenant, role }) };
  }

  /**
   * Takes a token away; the connections of the device in that role end. The device may get a new one
   * with the shared secret. Doing it again changes and announces nothing. Throws `INVALID_REQUEST`:
   * `unknown deviceId/role`, or `missing scope: …` for another device that has more than the approver.
   * A retryable `UNAVAILABLE`: others changed the device at the same time.
   */
  async revokeToken(
    tenant: TenantId,
    name: TokenName,
    approver: Approver,
  ): Promise<{ readonly deviceId: DeviceId; readonly role: Role; readonly revokedAtMs: number }> {
    const now = this.#parts.clock.now();
    const { record, role, changed } = await this.#change(tenant, name, ({ record, stored }) => {
      if (stored === undefined) throw unknownToken();
      refuseStronger(record, stored, approver);
      return stored.revokedAtMs === undefined ? { ...stored, revokedAtMs: now } : stored;
    });
    const { deviceId } = record;
    if (changed) this.#revoked(tenant, { deviceId, role }, approver);
    return { deviceId, role, revokedAtMs: record.tokens[role]?.revokedAtMs ?? now };
  }

  /** Pairs on the word of the shared secret alone, together with the device's first token. */
  async #pairSilently(tenant: TenantId, item: Item<DeviceRecord> | undefined, ask: DeviceAsk) {
    const { deviceId } = ask;
    const waiting = await this.#pending.of(tenant, ask);
    const answered = waiting !== undefined && covers(ask.scopes, waiting.value.scopes)
      ? waiting
      : undefined;
    const paired = withPairing(item?.value, { ask, now: this.#parts.clock.now() });
    const record = this.#tokens.ready(paired, ask);
    await this.#parts.store.commit([
      this.#paired.put(tenant, deviceId, record, item?.revision ?? 0),
      ...(answered === undefined ? [] : [this.#pending.removal(tenant, answered)]),
    ]);
    const requestId = answered?.value.requestId ?? this.#parts.random.uuid();
    this.#pending.resolved(tenant, { requestId, deviceId, decision: "approved" });
    return { record, created: item === undefined };
  }

  /** The record with a token for what is asked; written only if something changed. */
  async #use(tenant: TenantId, item: Item<DeviceRecord>, ask: DeviceAsk): Promise<DeviceRecord> {
    const next = this.#tokens.ready(item.value, ask);
    if (next === item.value) return next;
    await this.#parts.store.commit([this.#paired.put(tenant, item.id, next, item.revision)]);
    return next;
  }

  /** Changes a token; one that `change` returns as it was is not written. */
  async #change(
    tenant: TenantId,
    name: TokenName,
    change: (current: {
      readonly record: DeviceRecord;
      readonly role: Role;
      readonly stored: StoredToken | undefined;
    }) => StoredToken,
  ): Promise<{ readonly record: DeviceRecord; readonly role: Role; readonly changed: boolean }> {
    const { deviceId, role } = name;
    if (!isDeviceId(deviceId) || !isRole(role)) throw unknownToken();
    return await retryConflict(async () => {
      const item = await this.#paired.get(tenant, deviceId);
      if (item === undefined || !item.value.roles.includes(role)) throw unknownToken();
      const stored = item.value.tokens[role];
      const token = change({ record: item.value, role, stored });
      if (token === stored) return { record: item.value, role, changed: false };
      const record = withStored(item.value, token);
      await this.#parts.store.commit([this.#paired.put(tenant, deviceId, record, item.revision)]);
      return { record, role, changed: true };
    });
  }

  #revoked(
    tenant: TenantId,
    what: { readonly deviceId: DeviceId; readonly role: Role },
    approver: Approver,
  ): void {
    const announce = () => this.#parts.hub.publish(tenant, { type: "access.revoked", ...what });
    if (approver.defer === undefined) announce();
    else approver.defer(announce);
  }

  async #boundPaired(tenant: TenantId): Promise<void> {
    const excess = await this.#paired.count(tenant) - MAX_PAIRED_DEVICES;
    if (excess <= 0) return;
    for (const { id, revision, value } of await this.#paired.list(tenant, { limit: excess })) {
      const removal = this.#paired.remove(tenant, id, revision);
      if (!await commitUnlessConflict(this.#parts.store, removal)) continue;
      this.#parts.hub.publish(tenant, { type: "access.revoked", deviceId: value.deviceId });
    }
  }
}

function refuseUnapproved(scopes: readonly Scope[], approved: readonly Scope[]): void {
  const missing = beyond(scopes, approved);
  if (missing.length === 0) return;
  throw invalidRequest(
    `the device was not approved for ${missing.join(", ")}; let it ask for that and approve it`,
    { details: { missing } },
  );
}

/**
 * Who has less than a device neither takes its token nor ends its connections. What the device was
 * approved for counts besides what its token holds, as it may have that again at its next connect.
 */
function refuseStronger(
  record: DeviceRecord,
  stored: StoredToken | undefined,
  approver: Approver,
): void {
  if (approver.device === record.deviceId) return;
  refuseBeyond(knownScopes([...stored?.scopes ?? [], ...record.scopes]), approver);
}

function refuseBeyond(scopes: readonly Scope[], approver: Approver): void {
  const missing = beyond(scopes, approver.scopes);
  if (missing.length === 0) return;
  throw invalidRequest(`missing scope: ${missing[0]}`, { details: { missing } });
}
