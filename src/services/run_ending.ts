/** Stores how a run ended. */

import { describeError, invalidRequest } from "../core/error.ts";
import type { Log } from "../ports/log.ts";
import { keptRecord, type LiveRun } from "./live_run.ts";
import { modelName } from "./models.ts";
import { type Outcome, unsavedOutcome } from "./run_execution.ts";
import type { StoreWrite } from "../ports/store.ts";
import type { RunRecords } from "./run_record.ts";
import type { Sessions } from "./sessions.ts";

/** What an ending is stored with. */
export interface EndingParts {
  readonly records: RunRecords;
  readonly sessions: Pick<Sessions, "append">;
  readonly log: Log;
}

/** Why a run of a conversation that was put away meanwhile has no answer. */
export const SESSION_REPLACED =
  "the session was reset or deleted while the run went on; send the message again with a new idempotency key";

/**
 * One commit: answer, session and record; returns what is to be told. Where the session was reset or
 * deleted while the run went on, its question was put away with the old conversation: nobody will read
 * the answer beside it, so the run fails and the record alone is stored. Where nothing can be stored,
 * the run fails too; the log says why.
 */
export async function saveEnding(
  { records, sessions, log }: EndingParts,
  { run, outcome, endedAt, last }: {
    readonly run: LiveRun;
    readonly outcome: Outcome;
    readonly endedAt: number;
    /** Whether no other run of its session is open; asked once the turn of this commit has come. */
    readonly last: () => boolean;
  },
): Promise<Outcome> {
  const { tenant, runId, terms } = run;
  const closing = (told: Outcome): readonly StoreWrite[] =>
    run.repeatable ? [records.put(tenant, runId, keptRecord(run.endRecord(told, endedAt)))] : [];
  const notSaved = (error: unknown): Outcome => {
    log.write("error", "end of a run not stored", { runId, error: describeError(error) });
    return unsavedOutcome(outcome);
  };
  let replaced = false;
  try {
    await sessions.append(tenant, terms.sessionKey, {
      messages: run.answerMessages(outcome, endedAt),
      change: (entry) => {
        replaced = entry.sessionId !== run.sessionId;
        if (replaced) throw invalidRequest(SESSION_REPLACED);
        return run.changeEntry(entry, outcome);
      },
      run: () => last() ? "closes" : undefined,
      owed: true,
      alongside: closing(outcome),
    });
    return outcome;
  } catch (error) {
    if (!replaced) return notSaved(error);
  }
  const told = unsavedOutcome(outcome, SESSION_REPLACED);
  try {
    await records.commit(closing(told));
    return told;
  } catch (error) {
    return notSaved(error);
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
    reason: outcome.message,
    error: defect ? describeError(outcome.defect) : undefined,
  });
}
