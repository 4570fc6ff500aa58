/** A run that has not ended, as this process knows it. */

import { type TenantId, tenantKey } from "../core/id.ts";
import type { ModelInfo } from "../ports/model.ts";
import type { AbortReason, RunId, RunStep } from "./domain_event.ts";
import type { Outcome } from "./run_execution.ts";
import type { Place } from "./run_queue.ts";
import { MAX_RECORD_TEXT_CHARS, type RunRecord } from "./run_record.ts";
import { type RunRequest, TIMEOUT_SUMMARY } from "./run_request.ts";
import { beginning } from "./run_text.ts";
import { MAX_MESSAGE_TEXT_CHARS, type NewMessage, type SessionEntry } from "./session_entry.ts";

/** What a run keeps of its request; message and pictures are in the transcript by then. */
export type RunTerms = Pick<
  RunRequest,
  "kind" | "sessionKey" | "requestedKey" | "thinking" | "timeoutMs" | "extraSystemPrompt"
>;

/**
 * Where a run stands: `claiming` until its message is stored, `waiting` for its turn, `running`,
 * `saving` once nothing can change how it ends.
 */
export type RunPhase = "claiming" | "waiting" | "running" | "saving";

/** One run's life; `runs.ts` moves it on. */
export class LiveRun {
  readonly tenant: TenantId;
  readonly runId: RunId;
  /** What tells it from all others, of other tenants as well. */
  readonly name: string;
  /** The same of its session. */
  readonly session: string;
  readonly terms: RunTerms;
  readonly acceptedAt: number;
  /** Who asked, as `partyOf` of `run_party.ts` names them. */
  readonly party: string;
  /** Whether the message was stored; never rejects. */
  readonly claimed: PromiseWithResolvers<boolean> = Promise.withResolvers();
  /** How the run ended, with all of its text; never rejects. */
  readonly ended: PromiseWithResolvers<RunRecord> = Promise.withResolvers();
  readonly #control = new AbortController();
  phase: RunPhase = "claiming";
  /** Its end goes to the store; ends of its session that go there later come behind it. */
  closed = false;
  /** Whether the same request may come again, so that its record is kept. */
  readonly repeatable: boolean;
  /** Known once it is claimed; empty for one that is not repeatable. */
  fingerprint = "";
  place: Place | undefined;
  abortReason: AbortReason | undefined;
  startedAt: number | undefined;
  sessionId: string | undefined;
  model: ModelInfo | undefined;
  #sequence = 0;

  constructor(
    identity: { tenant: TenantId; runId: RunId; acceptedAt: number; party: string },
    terms: RunTerms & Pick<RunRequest, "params">,
  ) {
    this.tenant = identity.tenant;
    this.runId = identity.runId;
    this.name = tenantKey(identity.tenant, identity.runId);
    this.session = tenantKey(identity.tenant, terms.sessionKey);
    this.acceptedAt = identity.acceptedAt;
    this.party = identity.party;
    const { kind, sessionKey, requestedKey, thinking, timeoutMs, extraSystemPrompt } = terms;
    this.repeatable = terms.params !== undefined;
    this.terms = { kind, sessionKey, requestedKey, thinking, timeoutMs, extraSystemPrompt };
  }

  /** Aborted with the run. */
  get signal(): AbortSignal {
    return this.#control.signal;
  }

  /** The number of the next event, from 1. */
  nextSequence(): number {
    return ++this.#sequence;
  }

  /** Gives the run up for this reason. False when it has ended, or was given up before. */
  abort(reason: AbortReason): boolean {
    if (this.abortReason !== undefined || this.phase === "saving") return false;
    this.abortReason = reason;
    this.#control.abort();
    return true;
  }

  /** The record of a run that has not ended. */
  openRecord(): RunRecord {
    const { kind, sessionKey } = this.terms;
    const { fingerprint, acceptedAt } = this;
    return { kind, sessionKey, fingerprint, state: "open", acceptedAt };
  }

  /** The record of a run that ended so, with all of its text. */
  endRecord(outcome: Outcome, endedAt: number): RunRecord {
    return {
      ...this.openRecord(),
      state: outcome.kind,
      startedAt: this.startedAt,
      endedAt,
      error: this.#errorOf(outcome),
      stopReason: this.#stopReason(outcome),
      text: outcome.text,
      sessionId: this.sessionId,
      provider: this.model?.provider,
      model: this.model?.id,
      usage: outcome.kind === "ok" ? outcome.usage : undefined,
    };
  }

  /** What the transcript shall hold of the question. */
  questionMessage(
    { message, images, context }: Pick<RunRequest, "message" | "images" | "context">,
  ): NewMessage {
    const { runId, acceptedAt: at } = this;
    const pictures = images?.length ? images : undefined;
    return { role: "user", text: message, at, runId, images: pictures, context };
  }

  /** What the transcript shall hold of the answer: nothing where nothing was said. */
  answerMessages(outcome: Outcome, at: number): readonly NewMessage[] {
    if (outcome.text === "" && outcome.kind !== "failed") return [];
    return [{
      role: "assistant",
      text: outcome.text,
      at,
      runId: this.runId,
      model: this.model?.id,
      provider: this.model?.provider,
      usage: outcome.kind === "ok" ? outcome.usage : undefined,
      stopReason: this.#stopReason(outcome),
      aborted: outcome.kind === "aborted" ? true : undefined,
      error: outcome.kind === "failed" ? outcome.message : undefined,
    }];
  }

  /** The session's entry after a run that ended so. */
  changeEntry(entry: SessionEntry, outcome: Outcome): SessionEntry {
    const usage = outcome.kind === "ok" ? outcome.usage : undefined;
    return {
      ...entry,
      abortedLastRun: outcome.kind === "aborted",
      modelProvider: this.model?.provider ?? entry.modelProvider,
      model: this.model?.id ?? entry.model,
      contextTokens: this.model?.contextWindow ?? entry.contextTokens,
      inputTokens: usage?.input ?? entry.inputTokens,
      outputTokens: usage?.output ?? entry.outputTokens,
      totalTokens: usage?.total ?? entry.totalTokens,
    };
  }

  /** The last step that is told of a run that ended so; its text is no longer than a session keeps. */
  endStep(outcome: Outcome): RunStep {
    const text = beginning(outcome.text, MAX_MESSAGE_TEXT_CHARS);
    switch (outcome.kind) {
      case "ok":
        return { kind: "end", text, stopReason: outcome.stopReason, usage: outcome.usage };
      case "aborted":
        return { kind: "aborted", text, stopReason: this.abortReason ?? "rpc" };
      case "failed":
        return { kind: "failed", message: outcome.message };
    }
  }

  #errorOf(outcome: Outcome): string | undefined {
    if (outcome.kind === "failed") return outcome.message;
    const late = outcome.kind === "aborted" && this.abortReason === "timeout";
    return late ? TIMEOUT_SUMMARY : undefined;
  }

  #stopReason(outcome: Outcome): string | undefined {
    switch (outcome.kind) {
      case "ok":
        return outcome.stopReason;
      case "aborted":
        return this.abortReason;
      case "failed":
        return "error";
    }
  }
}

/** A record as it is kept: an answer is in its session alone, an agent's here as well, cut to its bound. */
export function keptRecord(record: RunRecord): RunRecord {
  const { text = "" } = record;
  if (record.kind !== "agent") return { ...record, text: undefined };
  if (text.length <= MAX_RECORD_TEXT_CHARS) return record;
  return { ...record, text: beginning(text, MAX_RECORD_TEXT_CHARS), textCut: true };
}
