/** Stores how a run ended. */

import { invalidRequest } from "../core/error.ts";
import type { Log } from "../ports/log.ts";
import { keptRecord, type LiveRun } from "./live_run.ts";
import { modelName } from "./models.ts";
import type { Outcome } from "./run_execution.ts";
import type { RunRecords } from "./run_record.ts";
import type { Sessions } from "./sessions.ts";

/** What an ending is stored with. */
export interface EndingParts {
  readonly records: RunRecords;
  readonly sessions: Pick<Sessions, "append">;
  readonly log: Log;
}

/**
 * One commit: answer, session and record; of a session that was reset or deleted while the run went
 * on, the record alone. False when it failed; the log says why.
 */
export async function saveEnding(
  { records, sessions, log }: EndingParts,
  { run, outcome, endedAt }: { run: LiveRun; outcome: Outcome; endedAt: number },
): Promise<boolean> {
  const { tenant, runId, terms } = run;
  const record = keptRecord(run.endRecord(outcome, endedAt));
  let replaced = false;
  const save = async (): Promise<void> => {
    await sessions.append(tenant, terms.sessionKey, {
      messages: run.answerMessages(outcome, endedAt),
      change: (entry) => {
        replaced = entry.sessionId !== run.sessionId;
        if (replaced) {
          throw invalidRequest("the session was reset or deleted while the run went on");
        }
        return run.changeEntry(entry, outcome);
      },
      alongside: [records.put(tenant, runId, record)],
    });
  };
  try {
    await save().catch((error) => {
      if (!replaced) throw error;
      return records.save(tenant, runId, record);
    });
    return true;
  } catch (error) {
    log.write("error", "end of a run not stored", { runId, error: describeError(error) });
    return false;
  }
}

/** Writes to the log why a run failed; a defect with its stack, which its user is not shown. */
export function logFailure(log: Log, { run, outcome }: { run: LiveRun; outcome: Outcome }): void {
  if (outcome.kind !== "failed") return;
  const defect = outcome.defect !== undefined;
  log.write(defect ? "error" : "warn", "run failed", {
    runId: run.runId,
    session: run.terms.sessionKey,
    model: run.model === undefined ? undefined : modelName(run.model),
    message: outcome.message,
    error: defect ? describeError(outcome.defect) : undefined,
  });
}

/** A thrown value for the log. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
