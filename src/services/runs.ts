/** Runs: a message goes into a session, a model answers, everyone who watches sees it happen. */

import type { Principal } from "../core/access.ts";
import { describeError, invalidRequest } from "../core/error.ts";
import { type SessionKey, type TenantId, tenantKey } from "../core/id.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Store } from "../ports/store.ts";
import type { Agents } from "./agents.ts";
import { MAX_UPDATE_ATTEMPTS } from "./collection.ts";
import type { AbortReason, RunId, RunStep } from "./domain_event.ts";
import { EndedRuns } from "./ended_runs.ts";
import type { Hub } from "./hub.ts";
import { LiveRun } from "./live_run.ts";
import { LiveRuns } from "./live_runs.ts";
import type { Models } from "./models.ts";
import { answer, type Facts } from "./run_answer.ts";
import { logFailure, saveEnding } from "./run_ending.ts";
import { type Outcome, settledOutcome } from "./run_execution.ts";
import { gatherFacts } from "./run_facts.ts";
import { RunIntake } from "./run_intake.ts";
import { partyOf, type RunParty } from "./run_party.ts";
import { RunQueue } from "./run_queue.ts";
import { isRunId, type RunRecord, RunRecords, SWEEP_EVERY_RUNS, toRunId } from "./run_record.ts";
import { recoverRuns } from "./run_recovery.ts";
import {
  type AbortOutcome,
  checkRequest,
  directiveOf,
  fingerprintOfRequest,
  keyReused,
  reportOf,
  type RunReport,
  type RunRequest,
  type StartOutcome,
  unavailable,
} from "./run_request.ts";
import { RunWaiters } from "./run_waiters.ts";
import type { SessionEntry } from "./session_entry.ts";
import { injectNote, type Note } from "./session_note.ts";
import type { Sessions } from "./sessions.ts";

/** Runs at once where the configuration does not say. */
const DEFAULT_MAX_CONCURRENT = 4;

/** A run's time limit where neither the client nor the configuration says, in milliseconds. */
export const DEFAULT_RUN_TIMEOUT_MS = 600_000;

/** The longest that a run may take, in milliseconds, whatever was asked. */
export const MAX_RUN_TIMEOUT_MS = 24 * 60 * 60_000;

/** How long a wait for a run lasts unless the client says, in milliseconds. */
export const DEFAULT_WAIT_MS = 30_000;

/** How long a stop waits for runs to be stored, in milliseconds; the rest is recovered at the next start. */
export const STOP_DEADLINE_MS = 5_000;

/** The part of the configuration that runs read, at every use. */
export interface RunOptions {
  readonly maxConcurrent?: number;
  /** Milliseconds. */
  readonly timeoutMs?: number;
}

/** What runs are made of. */
export interface RunParts {
  readonly store: Store;
  readonly sessions: Pick<Sessions, "get" | "history" | "append">;
  readonly agents: Agents;
  readonly models: Models;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly log: Log;
  readonly options: () => RunOptions;
  /** Live facts about the gateway, by name, for `/status` and the embedded model. */
  readonly facts?: (tenant: TenantId) => Facts | Promise<Facts>;
}

/** A run that has not ended. */
export interface ActiveRun {
  readonly runId: RunId;
  readonly sessionKey: SessionKey;
  readonly acceptedAt: number;
  /** Absent while it waits for its turn. */
  readonly startedAt?: number;
}

/**
 * Starts, follows, ends and remembers runs. A message is stored before {@linkcode Runs.start} resolves,
 * an answer before its `end` event is published. Runs of one session go one after the other. No client's
 * connection is needed for a run to go on.
 */
export class Runs {
  readonly #parts: RunParts;
  readonly #records: RunRecords;
  readonly #queue: RunQueue;
  readonly #waiters: RunWaiters;
  readonly #live = new LiveRuns();
  readonly #ended: EndedRuns;
  readonly #intake: RunIntake;
  #started = 0;

  constructor(parts: RunParts) {
    const { clock, store, options } = parts;
    this.#parts = parts;
    this.#records = new RunRecords({ store, clock });
    this.#queue = new RunQueue({
      maxConcurrent: () => options().maxConcurrent ?? DEFAULT_MAX_CONCURRENT,
    });
    this.#waiters = new RunWaiters({ clock });
    this.#ended = new EndedRuns({ records: this.#records, clock });
    this.#intake = new RunIntake({
      ...parts,
      records: this.#records,
      queue: this.#queue,
      live: this.#live,
      ended: this.#ended,
      waiters: this.#waiters,
      facts: (run, entry) => this.#facts(run, entry),
      execute: (run, done) => this.#execute(run, done),
    });
  }

  /** How many runs run and wait, over all tenants. */
  get counts(): { readonly running: number; readonly waiting: number } {
    return { running: this.#queue.running, waiting: this.#queue.waiting };
  }

  /** The tenant's runs that have not ended, oldest first. */
  active(tenant: TenantId): readonly ActiveRun[] {
    return [...this.#live.all()]
      .filter((run) => run.tenant === tenant && run.phase !== "claiming")
      .map(({ runId, terms, acceptedAt, startedAt }) => ({
        runId,
        sessionKey: terms.sessionKey,
        acceptedAt,
        startedAt,
      }));
  }

  /**
   * Takes a message into its session, once for each idempotency key; see {@linkcode StartOutcome}.
   * Throws `INVALID_REQUEST` for a key that came with other params before, for what cannot be asked and
   * where the session's policy forbids it; `UNAVAILABLE` (retryable) when too much waits, the store
   * fails or another process keeps changing the same key, in which case nothing was stored.
   */
  async start(principal: RunParty, request: RunRequest): Promise<StartOutcome> {
    const { tenant } = principal;
    const runId = toRunId(request.idempotencyKey);
    checkRequest(request);
    const directive = directiveOf(request);
    if (directive === "stop") {
      const { sessionKey } = request;
      const outcome = await this.abort(tenant, { sessionKey, reason: "stop" });
      return { status: "stopped", ...outcome };
    }
    const party = partyOf(principal);
    for (let attempt = 1; attempt <= MAX_UPDATE_ATTEMPTS; attempt++) {
      const live = this.#live.get(tenant, runId);
      if (live === undefined) {
        const acceptedAt = this.#parts.clock.now();
        const run = new LiveRun({ tenant, runId, acceptedAt, party }, request);
        const outcome = await this.#intake.take(run, { request, directive });
        if (outcome?.status === "accepted") this.#countStart(tenant);
        if (outcome !== undefined) return outcome;
      } else if (await live.claimed.promise) {
        if (live.fingerprint !== await fingerprintOfRequest(request)) throw keyReused(runId);
        return { status: "in_flight", runId, acceptedAt: live.acceptedAt };
      }
    }
    throw unavailable(
      "the message was not accepted, as others are changing the same idempotency key; send it again",
    );
  }

  /**
   * Ends one run of a session, or all of them, those that wait included. When it resolves, what was said
   * so far is stored, by runs that were just ending as well. Throws `INVALID_REQUEST` when the run belongs to another session.
   */
  async abort(
    tenant: TenantId,
    { sessionKey, runId, reason = "rpc" }: {
      sessionKey: SessionKey;
      runId?: string;
      reason?: AbortReason;
    },
  ): Promise<AbortOutcome> {
    const named = runId === undefined ? undefined : this.#live.get(tenant, runId);
    if (named !== undefined && named.terms.sessionKey !== sessionKey) {
      throw invalidRequest("runId does not match sessionKey");
    }
    const runs = runId === undefined
      ? this.#live.ofSession(tenant, sessionKey)
      : [named].filter((run) => run !== undefined);
    const aborted = await this.#abortAll(runs, reason);
    await allEnded(runs);
    return { aborted: aborted.length > 0, runIds: aborted.map((run) => run.runId) };
  }

  /**
   * Waits for a run to end, even for one that has not begun. Absent `timeoutMs`:
   * {@linkcode DEFAULT_WAIT_MS}. Bounds and refusals: {@linkcode RunWaiters.wait}.
   */
  async wait(
    principal: Principal,
    { runId, timeoutMs = DEFAULT_WAIT_MS, signal }: {
      runId: string;
      timeoutMs?: number;
      signal?: AbortSignal;
    },
  ): Promise<RunReport> {
    const { tenant } = principal;
    const name = tenantKey(tenant, runId);
    const known = isRunId(runId) ? await this.#endOf(tenant, runId) : undefined;
    if (known !== undefined) return reportOf(runId, known);
    const party = partyOf(principal);
    const record = await this.#waiters.wait(name, { party, timeoutMs, signal });
    return record === undefined ? { runId, status: "timeout" } : reportOf(runId, record);
  }

  /** Puts a note into a session; see {@linkcode injectNote}. */
  inject(tenant: TenantId, note: Note): Promise<{ readonly messageId: string }> {
    return injectNote(this.#parts, { tenant, note });
  }

  /**
   * Closes the records of runs that an earlier process left open, and marks their sessions. Returns how
   * many there were. Runs of this process stay untouched, so it may run beside them.
   */
  async recover(tenant: TenantId): Promise<number> {
    const recovered = await recoverRuns({
      ...this.#parts,
      records: this.#records,
      isLive: (runId) => this.#live.get(tenant, runId) !== undefined,
    }, tenant);
    if (recovered > 0) this.#parts.log.write("info", "interrupted runs closed", { recovered });
    await this.#records.sweep(tenant);
    return recovered;
  }

  /** Aborts every run and waits until what they said is stored, at most {@linkcode STOP_DEADLINE_MS}. */
  async stop(): Promise<void> {
    this.#intake.close();
    const runs = [...this.#live.all()];
    const ended = this.#abortAll(runs, "shutdown").then(() => allEnded(runs));
    const deadline = Promise.withResolvers<void>();
    const cancel = this.#parts.clock.after(STOP_DEADLINE_MS, () => deadline.resolve());
    await Promise.race([ended, deadline.promise]);
    cancel();
  }

  /** The end of a run; undefined while it goes on, and for one that nobody asked for. */
  async #endOf(tenant: TenantId, runId: RunId): Promise<RunRecord | undefined> {
    for (let attempt = 1; attempt <= MAX_UPDATE_ATTEMPTS; attempt++) {
      const live = this.#live.get(tenant, runId);
      if (live === undefined) {
        const { known } = await this.#ended.lookUp(tenant, runId);
        // A run that began meanwhile has an open record that does not mean an interruption.
        if (known === undefined || this.#live.get(tenant, runId) === undefined) return known;
      } else if (await live.claimed.promise) {
        return this.#ended.recall(tenant, runId);
      }
    }
    // Whatever becomes of it, those who wait are told.
    return undefined;
  }

  // Running.

  /** `done` is called once the model is: while the answer is stored, another run may have the turn. */
  async #execute(run: LiveRun, done: () => void): Promise<void> {
    const { clock } = this.#parts;
    run.phase = "running";
    run.startedAt = clock.now();
    this.#publish(run, { kind: "start" });
    const limitMs = run.terms.timeoutMs ?? this.#parts.options().timeoutMs ??
      DEFAULT_RUN_TIMEOUT_MS;
    const cancel = clock.after(
      limitMs === 0 ? MAX_RUN_TIMEOUT_MS : Math.min(limitMs, MAX_RUN_TIMEOUT_MS),
      () => run.abort("timeout"),
    );
    const outcome = await answer(run, {
      ...this.#parts,
      waiting: () => this.#waitingBehind(run),
      facts: (entry) => this.#facts(run, entry),
      onText: (step) => this.#publish(run, { kind: "text", ...step }),
    });
    cancel();
    const finished = this.#finish(run, outcome);
    done();
    await finished;
  }

  /** The runs of its session whose messages are stored but were not said yet. */
  #waitingBehind(run: LiveRun): ReadonlySet<string> {
    const waiting = new Set<string>();
    for (const { runId, phase } of this.#live.ofSameSession(run)) {
      if (phase === "waiting" || phase === "claiming") waiting.add(runId);
    }
    return waiting;
  }

  /**
   * Whether, with this end, no run of its session is open. Asked when it is stored: what is stored behind it, such as
   * a message that is taken in now, speaks for itself.
   */
  #isLast(run: LiveRun): boolean {
    run.closed = true;
    for (const { closed, phase } of this.#live.ofSameSession(run)) {
      if (!closed && phase !== "claiming") return false;
    }
    return true;
  }

  /** Stores how a run ended, then tells it. Never rejects. */
  async #finish(run: LiveRun, reached: Outcome): Promise<void> {
    // An abort that came after the last part still counts: its caller was told so.
    const outcome = settledOutcome(reached, { aborted: run.abortReason !== undefined });
    run.phase = "saving";
    const { clock, log, sessions } = this.#parts;
    const endedAt = clock.now();
    logFailure(log, { run, outcome });
    const parts = { sessions, log, records: this.#records };
    const last = (): boolean => this.#isLast(run);
    const told = await saveEnding(parts, { run, outcome, endedAt, last });
    const record = run.endRecord(told, endedAt);
    this.#live.delete(run);
    this.#ended.remember(run.tenant, run.runId, record);
    this.#publish(run, run.endStep(told));
    this.#waiters.notify(run.name, record);
    run.ended.resolve(record);
  }

  // Ending.

  /** Aborts those that can be, the newest first, so that none starts because an older one ended. */
  async #abortAll(runs: readonly LiveRun[], reason: AbortReason): Promise<readonly LiveRun[]> {
    await Promise.all(runs.map((run) => run.claimed.promise));
    return runs.toReversed().filter((run) => this.#abort(run, reason)).reverse();
  }

  #abort(run: LiveRun, reason: AbortReason): boolean {
    if (run.phase === "claiming" || !run.abort(reason)) return false;
    if (run.phase === "waiting") {
      run.place?.leave();
      void this.#finish(run, { kind: "aborted", text: "" });
    }
    return true;
  }

  // Telling.

  #publish(run: LiveRun, step: RunStep): void {
    const { hub, clock, log } = this.#parts;
    const { runId, terms: { sessionKey, requestedKey } } = run;
    const sequence = run.nextSequence();
    try {
      hub.publish(run.tenant, {
        type: "run",
        runId,
        sessionKey,
        requestedKey,
        sequence,
        at: clock.now(),
        step,
      });
    } catch (error) {
      log.write("error", "defect in a listener", { runId, error: describeError(error) });
    }
  }

  #facts({ tenant, terms }: LiveRun, entry: SessionEntry | undefined): Promise<Facts> {
    const { sessionKey } = terms;
    const parts = { ...this.#parts, counts: this.counts, now: this.#parts.clock.now() };
    return gatherFacts(parts, { tenant, sessionKey, entry });
  }

  #countStart(tenant: TenantId): void {
    this.#started++;
    if (this.#started % SWEEP_EVERY_RUNS !== 0) return;
    this.#records.sweep(tenant).catch((error) => {
      this.#parts.log.write("warn", "old runs not removed", { error: describeError(error) });
    });
  }
}

/** Waits for runs to end; those whose message was not accepted have none to wait for. */
async function allEnded(runs: readonly LiveRun[]): Promise<void> {
  const accepted = runs.filter((run) => run.phase !== "claiming");
  await Promise.all(accepted.map((run) => run.ended.promise));
}
