/** Devices that wait for somebody's decision. */

import { covers, type Role } from "../core/access.ts";
import { invalidRequest } from "../core/error.ts";
import type { DeviceId, TenantId } from "../core/id.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import type { Store, StoreWrite } from "../ports/store.ts";
import { Collection, type Item } from "./collection.ts";
import {
  type DeviceAsk,
  type PairingDecision,
  type PendingDevice,
  PendingDeviceSchema,
  pendingToJson,
} from "./device_record.ts";
import type { Hub } from "./hub.ts";
import { commitUnlessConflict, retryConflict } from "./retry_conflict.ts";

/** How long a request waits for a decision, in milliseconds. Source: the reference gateway. */
export const PENDING_TTL_MS = 300_000;

/** Requests that may wait at once; when one more comes, the oldest is rejected. */
export const MAX_PENDING_DEVICES = 100;

/** How a request ended, to be announced. */
export interface Resolution {
  readonly requestId: string;
  readonly deviceId: DeviceId;
  readonly decision: PairingDecision;
}

/** What the requests are made of. */
export interface PendingDeviceParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly hub: Hub;
}

/** The requests that wait: at most one for each role of a device, each for {@linkcode PENDING_TTL_MS}. */
export class PendingDevices {
  readonly #parts: PendingDeviceParts;
  readonly #requests: Collection<PendingDevice>;

  constructor(parts: PendingDeviceParts) {
    this.#parts = parts;
    this.#requests = new Collection<PendingDevice>(parts.store, {
      kind: "device.pending",
      schema: PendingDeviceSchema,
      toJson: pendingToJson,
      order: (request) => request.ts,
      tag: (request) => request.requestId,
    });
  }

  /** The newest first. */
  async list(tenant: TenantId): Promise<readonly PendingDevice[]> {
    const items = await this.#requests.list(tenant, {
      minOrder: this.#oldest(),
      newestFirst: true,
    });
    return items.map((item) => item.value);
  }

  /** The request of that name. Throws `INVALID_REQUEST` `unknown requestId`. */
  async named(tenant: TenantId, requestId: string): Promise<Item<PendingDevice>> {
    const [item] = /^[\w-]{1,64}$/.test(requestId)
      ? await this.#requests.list(tenant, { tag: requestId, minOrder: this.#oldest(), limit: 1 })
      : [];
    if (item === undefined) throw invalidRequest("unknown requestId");
    return item;
  }

  /** The request of a device for a role, expired or not. */
  of(
    tenant: TenantId,
    name: { readonly deviceId: DeviceId; readonly role: Role },
  ): Promise<Item<PendingDevice> | undefined> {
    return this.#requests.get(tenant, requestKey(name));
  }

  /** The write that takes a decided request away, if nobody decided it meanwhile. */
  removal(tenant: TenantId, item: Item<PendingDevice>): StoreWrite {
    return this.#requests.remove(tenant, item.id, item.revision);
  }

  /**
   * The request of this device for this role, announced when it is new. What an approver has seen must
   * be what is approved, so one that asks for more takes the place of the former under another name.
   */
  async request(
    tenant: TenantId,
    ask: DeviceAsk,
    options: { readonly repair: boolean },
  ): Promise<PendingDevice> {
    const { deviceId, role, scopes, publicKey, about } = ask;
    const fresh: PendingDevice = {
      ...about,
      requestId: this.#parts.random.uuid(),
      deviceId,
      publicKey,
      role,
      roles: [role],
      scopes,
      silent: false,
      ...(options.repair ? { isRepair: true } : {}),
      ts: this.#parts.clock.now(),
    };
    const replaced: PendingDevice[] = [];
    const current = await retryConflict(async () => {
      const item = await this.of(tenant, ask);
      const live = item !== undefined && item.value.ts >= this.#oldest() ? [item.value] : [];
      const same = live.find((request) => covers(request.scopes, scopes));
      if (same !== undefined) return same;
      replaced.splice(0, replaced.length, ...live);
      const write = this.#requests.put(tenant, requestKey(ask), fresh, item?.revision ?? 0);
      await this.#parts.store.commit([write]);
      return fresh;
    });
    if (current !== fresh) return current;
    for (const { requestId } of replaced) {
      this.resolved(tenant, { requestId, deviceId, decision: "rejected" });
    }
    this.#parts.hub.publish(tenant, { type: "device.requested", request: fresh });
    await this.#bound(tenant);
    return fresh;
  }

  /** Announces how a request ended; called once that is committed. */
  resolved(tenant: TenantId, resolution: Resolution): void {
    const at = this.#parts.clock.now();
    this.#parts.hub.publish(tenant, { type: "device.resolved", ...resolution, at });
  }

  /** Requests made before this have expired. */
  #oldest(): number {
    return this.#parts.clock.now() - PENDING_TTL_MS + 1;
  }

  /** Removes what has expired, and the oldest requests beyond the bound. */
  async #bound(tenant: TenantId): Promise<void> {
    const items = await this.#requests.list(tenant);
    const live = items.filter((item) => item.value.ts >= this.#oldest());
    const kept = new Set(live.slice(-MAX_PENDING_DEVICES));
    for (const item of items) {
      if (kept.has(item)) continue;
      const gone = await commitUnlessConflict(this.#parts.store, this.removal(tenant, item));
      if (!gone || !live.includes(item)) continue;
      const { requestId, deviceId } = item.value;
      this.resolved(tenant, { requestId, deviceId, decision: "rejected" });
    }
  }
}

/** One request for each role: a phone that is operator and node asks for both at once. */
function requestKey(name: { readonly deviceId: DeviceId; readonly role: Role }): string {
  return `${name.deviceId}:${name.role}`;
}
