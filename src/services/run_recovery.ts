/** Closes the runs that a killed process left open. */

import type { TenantId } from "../core/id.ts";
import type { Clock } from "../ports/clock.ts";
import { StoreConflict } from "../ports/store.ts";
import type { Item } from "./collection.ts";
import type { RunId } from "./domain_event.ts";
import { interrupted, isRunId, type RunRecord, type RunRecords } from "./run_record.ts";
import type { Sessions } from "./sessions.ts";

/** Records that are read at once. */
const RECOVERY_PAGE = 100;

/** What a recovery works with. */
export interface RecoveryParts {
  readonly records: RunRecords;
  readonly sessions: Pick<Sessions, "get" | "append">;
  readonly clock: Clock;
  /** Whether a run belongs to this process. */
  readonly isLive: (runId: RunId) => boolean;
}

/** Marks each open run of no living process as failed and its session as aborted. Returns how many. */
export async function recoverRuns(parts: RecoveryParts, tenant: TenantId): Promise<number> {
  let recovered = 0;
  let after: { order: number; id: string } | undefined;
  for (;;) {
    const page = await parts.records.open(tenant, { limit: RECOVERY_PAGE, after });
    for (const item of page) {
      if (!isRunId(item.id) || parts.isLive(item.id)) continue;
      if (await close(parts, tenant, { runId: item.id, item })) recovered++;
    }
    const last = page.at(-1);
    if (last === undefined) return recovered;
    after = { order: last.value.acceptedAt, id: last.id };
  }
}

/** False when the record was closed meanwhile. */
async function close(
  { records, sessions, clock }: RecoveryParts,
  tenant: TenantId,
  { runId, item }: { runId: RunId; item: Item<RunRecord> },
): Promise<boolean> {
  const record = { ...interrupted(item.value), endedAt: clock.now() };
  const { sessionKey } = record;
  try {
    if (await sessions.get(tenant, sessionKey) === undefined) {
      await records.commit([records.put(tenant, runId, record, item.revision)]);
    } else {
      await sessions.append(tenant, sessionKey, {
        messages: [],
        change: (entry) => ({ ...entry, abortedLastRun: true }),
        alongside: [records.put(tenant, runId, record, item.revision)],
      });
    }
    return true;
  } catch (error) {
    if (error instanceof StoreConflict) return false;
    throw error;
  }
}
