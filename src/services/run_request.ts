/** What a run is asked for, and what the one who asks is told. */

import { GatewayError, invalidRequest, PortFailure } from "../core/error.ts";
import type { SessionKey } from "../core/id.ts";
import { quote } from "../core/quote.ts";
import type { ModelImage } from "../ports/model.ts";
import type { Json } from "../ports/store.ts";
import { type ChatDirective, chatDirective } from "./chat_directive.ts";
import type { RunId } from "./domain_event.ts";
import { fingerprintOf, type RunKind, type RunRecord } from "./run_record.ts";
import { MAX_MESSAGE_TEXT_CHARS, type SessionEntry } from "./session_entry.ts";
import { SETTING_CHOICES } from "./session_patch.ts";

/** Longest extra system prompt, in characters; it is sent to the model with every message. */
const MAX_EXTRA_PROMPT_CHARS = 64 * 1024;

/** Longest JSON of a message's context, in characters; a longer one is refused. */
export const MAX_CONTEXT_CHARS = 64 * 1024;

/** A message that a model shall answer. */
export interface RunRequest {
  /**
   * `chat`: a message of {@linkcode chatDirective} is a directive; `agent`: all is text; `channel`: all is
   * text and comes from one who is no operator, so that the answer holds no facts about the gateway.
   */
  readonly kind: RunKind;
  readonly sessionKey: SessionKey;
  /** The session key as the client wrote it, trimmed; the run's events echo it. */
  readonly requestedKey: string;
  /** Becomes the run's id. */
  readonly idempotencyKey: string;
  /**
   * All that the client asked, as JSON: the same key with other params is refused. Absent: the key was made for this
   * message, so that nobody can send it again, and nothing is stored of the run beyond its end.
   */
  readonly params?: unknown;
  readonly message: string;
  readonly images?: readonly ModelImage[];
  /** One of `off`, `minimal`, `low`, `medium`, `high`; absent or empty: the session's. */
  readonly thinking?: string;
  /** Milliseconds from the run's start; 0: as long as a run may take at all; absent: the configured limit. */
  readonly timeoutMs?: number;
  readonly extraSystemPrompt?: string;
  /** The session that this one works for; stored where the run makes its session. */
  readonly spawnedBy?: SessionKey;
  /** Facts that came with the message: kept beside its text and given to the model as data. */
  readonly context?: Readonly<Record<string, Json>>;
  /** Where the message comes from; stored in the session's entry. */
  readonly origin?: SessionOrigin;
}

/** Where a session's newest message came from, in the entry's own terms. */
export type SessionOrigin = Pick<
  SessionEntry,
  "channel" | "chatType" | "displayName" | "subject" | "lastChannel" | "lastTo" | "lastAccountId"
>;

/** What became of a request to run. */
export type StartOutcome =
  /**
   * The message is stored. The run waits until `begin` is called, which the caller does once its answer
   * is on its way. `ended` never rejects; its record has the whole text.
   */
  | {
    readonly status: "accepted";
    readonly runId: RunId;
    readonly acceptedAt: number;
    readonly begin: () => void;
    readonly ended: Promise<RunRecord>;
  }
  /** The same request came before, and its run has not ended. */
  | { readonly status: "in_flight"; readonly runId: RunId; readonly acceptedAt: number }
  /** The same request came before, and its run has ended. */
  | { readonly status: "ended"; readonly runId: RunId; readonly record: RunRecord }
  /** The message was a directive that stops the session's runs. */
  | { readonly status: "stopped" } & AbortOutcome;

/** Which runs an abort ended. */
export interface AbortOutcome {
  readonly aborted: boolean;
  readonly runIds: readonly RunId[];
}

/** How a run ended, for one who waited. `timeout`: the wait ended first, or the run by its time limit. */
export interface RunReport {
  readonly runId: string;
  readonly status: "ok" | "error" | "timeout";
  readonly startedAt?: number;
  readonly endedAt?: number;
  readonly error?: string;
}

/** Throws `INVALID_REQUEST` for what no run can be asked. */
export function checkRequest(request: RunRequest): void {
  const { message, images = [], thinking, extraSystemPrompt = "", context } = request;
  if (message.trim() === "" && images.length === 0) {
    throw invalidRequest("message or attachment required");
  }
  if (message.length > MAX_MESSAGE_TEXT_CHARS) {
    throw invalidRequest(
      `message has ${message.length} characters; at most ${MAX_MESSAGE_TEXT_CHARS} are accepted`,
    );
  }
  if (extraSystemPrompt.length > MAX_EXTRA_PROMPT_CHARS) {
    throw invalidRequest(
      `extraSystemPrompt has ${extraSystemPrompt.length} characters; at most ${MAX_EXTRA_PROMPT_CHARS} are accepted`,
    );
  }
  const contextChars = context === undefined ? 0 : JSON.stringify(context).length;
  if (contextChars > MAX_CONTEXT_CHARS) {
    throw invalidRequest(
      `the data beside the message has ${contextChars} characters; at most ${MAX_CONTEXT_CHARS} are accepted`,
    );
  }
  const levels = SETTING_CHOICES.thinkingLevel;
  if (thinking && !levels.some((level) => level === thinking)) {
    throw invalidRequest(
      `thinking ${quote(thinking, 40)} is not a level; use ${levels.join("|")}`,
    );
  }
}

/** The directive that a request is; an agent's message and one with pictures are never one. */
export function directiveOf({ kind, message, images = [] }: RunRequest): ChatDirective | undefined {
  return kind === "chat" && images.length === 0 ? chatDirective(message) : undefined;
}

/** The refusal of a key that came with other parameters before. */
export function keyReused(runId: RunId): GatewayError {
  return invalidRequest(
    `idempotency key ${quote(runId, 80)} was used with different parameters; use a new key`,
  );
}

/** What makes two requests the same: their kind and all that the client sent. */
export function fingerprintOfRequest({ kind, params }: RunRequest): Promise<string> {
  return fingerprintOf([kind, params]);
}

/** The entry, unless its policy forbids to send to it. */
export function allowed(entry: SessionEntry): SessionEntry {
  if (entry.sendPolicy === "deny") throw invalidRequest("send blocked by session policy");
  return entry;
}

/** The refusal of a message that `cause` kept from being stored; says so, and what may help. */
export function notStored(cause: unknown): GatewayError {
  const what = "the message could not be stored and was not accepted";
  if (!(cause instanceof PortFailure) || cause.told.retryable) {
    return unavailable(`${what}; send it again`);
  }
  return new GatewayError("UNAVAILABLE", `${what}: ${cause.told.message}`);
}

/** The refusal of what may succeed when it is sent again. */
export function unavailable(message: string): GatewayError {
  return new GatewayError("UNAVAILABLE", message, { retryable: true });
}

/** Says how a run ended; one that was aborted by its user ended well. */
export function reportOf(runId: string, record: RunRecord): RunReport {
  const { state, stopReason, startedAt, endedAt, error } = record;
  if (state === "aborted" && stopReason === "timeout") {
    return { runId, status: "timeout", startedAt, endedAt, error };
  }
  return state === "failed"
    ? { runId, status: "error", startedAt, endedAt, error: error ?? "the run failed" }
    : { runId, status: "ok", startedAt, endedAt };
}

/** Why a run that took too long has no complete answer, and what helps. */
export const TIMEOUT_SUMMARY =
  "the run reached its time limit and was aborted; ask for less or allow it more time";
