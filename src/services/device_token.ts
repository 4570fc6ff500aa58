/**
 * Device tokens. A token is not stored: it is derived from the keyring's secret, the tenant, the device,
 * the role and a random salt that is stored. A copy of the database gives no access, the same token can
 * be told again at each connect, and a new salt makes the old token worthless. A new keyring secret ends
 * all of them.
 */

import { covers, type Role, type Scope } from "../core/access.ts";
import { type GatewayError, invalidRequest } from "../core/error.ts";
import type { TenantId } from "../core/id.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import {
  described,
  type DeviceAsk,
  type DeviceRecord,
  type StoredToken,
  withStored,
} from "./device_record.ts";
import { knownScopes } from "./scope_grant.ts";
import { derivationKey, derive } from "./secret_digest.ts";

/** How exactly `lastUsedAtMs` is kept, in milliseconds: a device that reconnects at once costs no write. */
export const LAST_USED_RESOLUTION_MS = 60_000;

/** Fewest characters of a keyring's secret: 128 bits as hex. */
export const MIN_KEYRING_CHARS = 32;

const TOKEN_BYTES = 16;
const SALT_BYTES = 16;

/** The gateway's own secret that tokens are derived from; kept beside the store, not in it. */
export interface Keyring {
  readonly secret: string;
}

/** A token as it is told to its device. */
export interface DeviceToken {
  /** 32 hex digits. */
  readonly token: string;
  readonly role: Role;
  /** Sorted. */
  readonly scopes: readonly Scope[];
  readonly issuedAtMs: number;
}

/** Makes tokens and their stored forms; writes nothing. */
export class DeviceTokens {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #key: Promise<CryptoKey>;

  /** Throws a RangeError when the keyring's secret is shorter than {@linkcode MIN_KEYRING_CHARS}. */
  constructor(
    parts: { readonly clock: Clock; readonly random: Random; readonly keyring: Keyring },
  ) {
    if (parts.keyring.secret.length < MIN_KEYRING_CHARS) {
      throw new RangeError(`a keyring's secret has at least ${MIN_KEYRING_CHARS} characters`);
    }
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#key = derivationKey(parts.keyring.secret);
  }

  /**
   * The record with a live token that covers what is asked, its use noted. The same record when there
   * is nothing to change.
   */
  ready(record: DeviceRecord, ask: DeviceAsk): DeviceRecord {
    const { role, scopes } = ask;
    const now = this.#clock.now();
    const stored = record.tokens[role];
    const alive = stored !== undefined && stored.revokedAtMs === undefined ? stored : undefined;
    if (alive !== undefined && covers(alive.scopes, scopes)) {
      const idle = now - (alive.lastUsedAtMs ?? 0);
      if (idle >= 0 && idle < LAST_USED_RESOLUTION_MS) return record;
      return withStored(described(record, ask), { ...alive, lastUsedAtMs: now });
    }
    // What the token had stays, so that two programs of one device do not take it from each other.
    const union = knownScopes([...alive?.scopes ?? [], ...scopes]);
    const fresh = this.renewed(stored, { role, scopes: union });
    return withStored(described(record, ask), { ...fresh, lastUsedAtMs: now });
  }

  /** A token in place of `previous`, alive even if that was revoked. */
  renewed(
    previous: StoredToken | undefined,
    grant: { readonly role: Role; readonly scopes: readonly Scope[] },
  ): StoredToken {
    const now = this.#clock.now();
    return {
      ...grant,
      salt: this.#random.hex(SALT_BYTES),
      createdAtMs: previous?.createdAtMs ?? now,
      rotatedAtMs: previous === undefined ? undefined : now,
      lastUsedAtMs: previous?.lastUsedAtMs,
    };
  }

  /** The token of a role. Throws {@linkcode unknownToken} when the record has none. */
  async reveal(
    record: DeviceRecord,
    name: { readonly tenant: TenantId; readonly role: Role },
  ): Promise<DeviceToken> {
    const { tenant, role } = name;
    const stored = record.tokens[role];
    if (stored === undefined) throw unknownToken();
    const parts = ["device token", tenant, record.deviceId, role, stored.salt];
    return {
      token: await derive(await this.#key, parts, TOKEN_BYTES),
      role,
      scopes: stored.scopes,
      issuedAtMs: stored.rotatedAtMs ?? stored.createdAtMs,
    };
  }
}

/** There is no such device, or it has no such role or token. */
export function unknownToken(): GatewayError {
  return invalidRequest("unknown deviceId/role");
}
