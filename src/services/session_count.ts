/** How many sessions a tenant has, and room for one more. */

import { GatewayError } from "../core/error.ts";
import type { TenantId } from "../core/id.ts";

/** Most sessions of one tenant: a hundred times what a household gathers; more are not made. */
export const MAX_SESSIONS = 100_000;

interface Tally {
  /** Sessions in the store, as far as this process knows: another process may make some too. */
  stored: number;
  /** Sessions that are being made. */
  pending: number;
}

/** Counts sessions in memory, so that making one asks the store only once, and at the bound. */
export class SessionCount {
  readonly #count: (tenant: TenantId) => Promise<number>;
  /** As many as there are tenants. */
  readonly #tallies = new Map<TenantId, Tally>();

  /** `count` asks the store. */
  constructor(count: (tenant: TenantId) => Promise<number>) {
    this.#count = count;
  }

  /**
   * Takes the place of a session that is about to be made, to be given back by {@linkcode settle}.
   * Throws `UNAVAILABLE` where there is none.
   */
  async reserve(tenant: TenantId): Promise<void> {
    let tally = this.#tallies.get(tenant);
    if (tally === undefined || tally.stored + tally.pending >= MAX_SESSIONS) {
      const stored = await this.#count(tenant);
      // Another call may have made it meanwhile.
      tally = this.#tallies.get(tenant) ?? { stored, pending: 0 };
      tally.stored = stored;
      this.#tallies.set(tenant, tally);
    }
    if (tally.stored + tally.pending >= MAX_SESSIONS) {
      throw new GatewayError(
        "UNAVAILABLE",
        `there are ${MAX_SESSIONS} sessions, which is the most; ` +
          "delete some that are no longer needed (sessions.list, sessions.delete), then try again",
      );
    }
    tally.pending++;
  }

  /** Gives a reserved place back: `made` tells whether a session is in it now. */
  settle(tenant: TenantId, { made }: { readonly made: boolean }): void {
    const tally = this.#tallies.get(tenant);
    if (tally === undefined) return;
    tally.pending--;
    if (made) tally.stored++;
  }

  /** A session was removed. */
  removed(tenant: TenantId): void {
    const tally = this.#tallies.get(tenant);
    if (tally !== undefined) tally.stored--;
  }
}
