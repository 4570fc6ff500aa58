/** Counts the changes of what clients keep a picture of, so that they can tell an older picture from a newer one. */

import type { TenantId } from "../core/id.ts";
import type { StateVersions } from "./domain_event.ts";

const NONE: StateVersions = { presence: 0, health: 0 };

/** The {@linkcode StateVersions} of every tenant; 0 before the first change, rising while the gateway runs. */
export class VersionCounters {
  readonly #tenants = new Map<TenantId, StateVersions>();

  of(tenant: TenantId): StateVersions {
    return this.#tenants.get(tenant) ?? NONE;
  }

  /** Counts one change of a part of the tenant's state. */
  raise(tenant: TenantId, part: keyof StateVersions): void {
    const versions = this.of(tenant);
    this.#tenants.set(tenant, { ...versions, [part]: versions[part] + 1 });
  }
}
