/** Takes messages in as runs: each one once, stored before anyone is told, those of a session in their order. */

import { describeError, GatewayError } from "../core/error.ts";
import type { Log } from "../ports/log.ts";
import { StoreConflict } from "../ports/store.ts";
import { statusText } from "./chat_directive.ts";
import type { EndedRuns } from "./ended_runs.ts";
import type { Hub } from "./hub.ts";
import { KeyedMutex } from "./keyed_mutex.ts";
import { keptRecord, type LiveRun } from "./live_run.ts";
import type { LiveRuns } from "./live_runs.ts";
import type { Facts } from "./run_answer.ts";
import type { Outcome } from "./run_execution.ts";
import type { Place, RunQueue } from "./run_queue.ts";
import { RUN_RECORD_KIND, type RunRecords } from "./run_record.ts";
import {
  allowed,
  fingerprintOfRequest,
  keyReused,
  notStored,
  type RunRequest,
  type StartOutcome,
  unavailable,
} from "./run_request.ts";
import type { RunWaiters } from "./run_waiters.ts";
import type { SessionEntry } from "./session_entry.ts";
import type { Sessions } from "./sessions.ts";

/** What messages are taken in with. */
export interface IntakeParts {
  readonly sessions: Pick<Sessions, "get" | "append">;
  readonly records: RunRecords;
  readonly queue: RunQueue;
  readonly live: LiveRuns;
  readonly ended: EndedRuns;
  readonly waiters: RunWaiters;
  readonly hub: Hub;
  readonly log: Log;
  readonly facts: (run: LiveRun, entry: SessionEntry | undefined) => Promise<Facts>;
  /** Answers a run whose turn has come; `done` as of {@linkcode RunQueue}. */
  readonly execute: (run: LiveRun, done: () => void) => Promise<void>;
}

/** The way of a message to its place in the queue. */
export class RunIntake {
  readonly #parts: IntakeParts;
  readonly #turns = new KeyedMutex();
  #closed = false;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** Takes no more in. */
  close(): void {
    this.#closed = true;
  }

  /**
   * Stores the message of a run, unless its key is known. Undefined: another process was faster. The run
   * is live from the first moment, so that an abort right behind the message finds it; messages of one
   * session are stored in the order of the calls.
   */
  async take(
    run: LiveRun,
    { request, directive }: { request: RunRequest; directive: "status" | undefined },
  ): Promise<StartOutcome | undefined> {
    const { live, log } = this.#parts;
    const { runId, terms } = run;
    live.add(run);
    try {
      return await this.#turns.run(run.session, {
        name: terms.requestedKey,
        work: () => this.#admit(run, { request, directive }),
      });
    } catch (error) {
      run.place?.leave();
      if (error instanceof StoreConflict && error.key.kind === RUN_RECORD_KIND) return undefined;
      if (error instanceof GatewayError) throw error;
      log.write("error", "message not stored", { runId, error: describeError(error) });
      throw notStored(error);
    } finally {
      const accepted = run.phase !== "claiming";
      if (!accepted) live.delete(run);
      run.claimed.resolve(accepted);
    }
  }

  async #admit(
    run: LiveRun,
    { request, directive }: { request: RunRequest; directive: "status" | undefined },
  ): Promise<StartOutcome> {
    const { ended } = this.#parts;
    const { tenant, runId } = run;
    let revision: number | undefined;
    if (run.repeatable) {
      run.fingerprint = await fingerprintOfRequest(request);
      const found = await ended.lookUp(tenant, runId);
      if (found.known !== undefined) {
        if (found.known.fingerprint !== run.fingerprint) throw keyReused(runId);
        return { status: "ended", runId, record: found.known };
      }
      revision = found.revision;
    }
    if (this.#closed) throw unavailable("the gateway is stopping; send it again in a moment");
    return directive === "status"
      ? await this.#acceptStatus(run, { request, revision })
      : await this.#accept(run, { request, revision });
  }

  async #accept(
    run: LiveRun,
    { request, revision }: { request: RunRequest; revision: number | undefined },
  ): Promise<StartOutcome> {
    const { sessions, records } = this.#parts;
    const { tenant, runId, acceptedAt, terms } = run;
    const place = this.#reserve(run);
    await sessions.append(tenant, terms.sessionKey, {
      messages: [run.questionMessage(request)],
      // To change whom an existing session belongs to takes more than the right to write into it.
      change: (before, { isNew }) => ({
        ...(isNew ? { ...before, spawnedBy: request.spawnedBy } : allowed(before)),
        ...request.origin,
      }),
      // Whatever ends in this session from now on is not the last of it.
      stored: ({ entry }) => {
        run.sessionId = entry.sessionId;
        run.phase = "waiting";
      },
      ...(run.repeatable
        ? { alongside: [records.put(tenant, runId, run.openRecord(), revision)] }
        : { run: "opens" }),
    });
    const { begin } = place;
    return { status: "accepted", runId, acceptedAt, begin, ended: run.ended.promise };
  }

  /**
   * Takes the run's place. Apart from what knows the request: a function that is kept as long as a run waits keeps
   * all that its neighbours use, pictures included.
   */
  #reserve(run: LiveRun): Place {
    const { queue, execute } = this.#parts;
    const { party, session, terms: { requestedKey: label } } = run;
    const work = (done: () => void) => execute(run, done);
    const place = queue.reserve(session, { work, party, label });
    run.place = place;
    return place;
  }

  /** Answers `/status` itself: message and answer are stored together, the run is over before it begins. */
  async #acceptStatus(
    run: LiveRun,
    { request, revision }: { request: RunRequest; revision: number | undefined },
  ): Promise<StartOutcome> {
    const { tenant, runId, acceptedAt } = run;
    const { sessionKey, requestedKey } = run.terms;
    const { hub, sessions, records, ended, waiters, facts } = this.#parts;
    const entry = await sessions.get(tenant, sessionKey);
    const text = statusText(await facts(run, entry));
    const outcome: Outcome = { kind: "ok", text, stopReason: "injected" };
    run.startedAt = acceptedAt;
    const record = keptRecord(run.endRecord(outcome, acceptedAt));
    await sessions.append(tenant, sessionKey, {
      messages: [run.questionMessage(request), ...run.answerMessages(outcome, acceptedAt)],
      change: allowed,
      alongside: [records.put(tenant, runId, record, revision)],
    });
    ended.remember(tenant, runId, record);
    const begin = (): void => {
      const at = acceptedAt;
      const event = {
        type: "session.message",
        sequence: 1,
        runId,
        sessionKey,
        requestedKey,
      } as const;
      hub.publish(tenant, { ...event, at, text });
      waiters.notify(run.name, record);
    };
    return { status: "accepted", runId, acceptedAt, begin, ended: Promise.resolve(record) };
  }
}
