/** What is known of runs that have ended: from memory for a while, from the store for longer. */

import { ExpiringMap } from "../core/expiring_map.ts";
import { type TenantId, tenantKey } from "../core/id.ts";
import type { Clock } from "../ports/clock.ts";
import type { RunId } from "./domain_event.ts";
import { keptRecord } from "./live_run.ts";
import { interrupted, type RunRecord, type RunRecords } from "./run_record.ts";

/** How long the end of a run is remembered in memory, in milliseconds. */
const RESULT_TTL_MS = 10 * 60_000;

/** Ends of runs remembered in memory; the oldest gives way and is read from the store again. */
const MAX_RESULTS = 1_000;

/** What a look-up found; `revision` is what the run's record must be replaced at, 0 for none. */
export interface Finding {
  readonly known?: RunRecord;
  readonly revision: number;
}

/** Remembers how runs ended. Memory comes first: it also knows of ends that could not be stored. */
export class EndedRuns {
  readonly #records: RunRecords;
  readonly #results: ExpiringMap<string, RunRecord>;

  constructor({ records, clock }: { records: RunRecords; clock: Clock }) {
    this.#records = records;
    this.#results = new ExpiringMap({
      now: () => clock.monotonic(),
      ttlMs: RESULT_TTL_MS,
      capacity: MAX_RESULTS,
    });
  }

  /** Keeps how a run ended, its text within the bound of a record. */
  remember(tenant: TenantId, runId: RunId, record: RunRecord): void {
    this.#results.set(tenantKey(tenant, runId), keptRecord(record));
  }

  /** What memory knows. */
  recall(tenant: TenantId, runId: RunId): RunRecord | undefined {
    return this.#results.get(tenantKey(tenant, runId));
  }

  /**
   * What memory or the store knows of a run that this process does not run. A record that is open there
   * was left by a process that died, so it counts as failed; one past its time as none.
   */
  async lookUp(tenant: TenantId, runId: RunId): Promise<Finding> {
    const item = this.recall(tenant, runId) === undefined
      ? await this.#records.get(tenant, runId)
      : undefined;
    // The run may have ended while the store was asked.
    const known = this.recall(tenant, runId);
    if (known !== undefined) return { known, revision: 0 };
    if (item === undefined) return { revision: 0 };
    const { value, revision } = item;
    if (this.#records.expired(value)) return { revision };
    return { known: value.state === "open" ? interrupted(value) : value, revision };
  }
}
