/** The runs of this process that have not ended, by name and by session. */

import { type SessionKey, type TenantId, tenantKey } from "../core/id.ts";
import type { LiveRun } from "./live_run.ts";

/** Keeps them in the order in which they came; how many there may be is the queue's to bound. */
export class LiveRuns {
  readonly #byName = new Map<string, LiveRun>();
  readonly #bySession = new Map<string, Set<LiveRun>>();

  /** All of them, of every tenant, oldest first. */
  all(): IterableIterator<LiveRun> {
    return this.#byName.values();
  }

  get(tenant: TenantId, runId: string): LiveRun | undefined {
    return this.#byName.get(tenantKey(tenant, runId));
  }

  /** Those of one session, oldest first. */
  ofSession(tenant: TenantId, key: SessionKey): readonly LiveRun[] {
    return [...this.#bySession.get(tenantKey(tenant, key)) ?? []];
  }

  /** Those of the same session, itself included, oldest first. */
  ofSameSession(run: LiveRun): Iterable<LiveRun> {
    return this.#bySession.get(run.session) ?? [];
  }

  add(run: LiveRun): void {
    this.#byName.set(run.name, run);
    const others = this.#bySession.get(run.session);
    if (others === undefined) this.#bySession.set(run.session, new Set([run]));
    else others.add(run);
  }

  delete(run: LiveRun): void {
    this.#byName.delete(run.name);
    const others = this.#bySession.get(run.session);
    others?.delete(run);
    if (others?.size === 0) this.#bySession.delete(run.session);
  }
}
