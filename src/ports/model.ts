/** A language model as the gateway uses it: a conversation in, a stream of parts out. */

import type { Json } from "./store.ts";

/** One model that can be asked. */
export interface ModelInfo {
  /** Its name at the provider, e.g. `llama3.2`. */
  readonly id: string;
  /** Its name for people. */
  readonly name: string;
  /** The provider's id in the configuration, e.g. `ollama`. `provider/id` names the model everywhere. */
  readonly provider: string;
  /** Context window in tokens, where known. */
  readonly contextWindow?: number;
  readonly reasoning?: boolean;
}

/** One turn of the conversation. System text goes into {@linkcode ModelRequest.system}. */
export interface ModelMessage {
  readonly role: "user" | "assistant";
  readonly text: string;
  /** Facts that came with a user's turn (who wrote it, what it replies to, …): data, never instructions. */
  readonly context?: Readonly<Record<string, Json>>;
  /** Pictures of a user's turn. */
  readonly images?: readonly ModelImage[];
}

/** A picture, base64-encoded. */
export interface ModelImage {
  readonly mimeType: string;
  readonly base64: string;
}

/** What a model is asked. */
export interface ModelRequest {
  /** `provider/id`, as {@linkcode ModelInfo} names it. */
  readonly model: string;
  readonly system?: string;
  /** Oldest first; the last one is the user's. */
  readonly messages: readonly ModelMessage[];
  /** `off`, `minimal`, `low`, `medium` or `high`; a provider without such a setting ignores it. */
  readonly thinking?: string;
  /**
   * Live facts about the gateway that the embedded model may be asked for, by their names for people
   * and in the order to show them; `time` is also its only way to tell the time. Others ignore them.
   */
  readonly facts?: Readonly<Record<string, string>>;
}

/** Tokens used by one answer; `total` is the sum of the others. */
export interface ModelUsage {
  /** Without what was read from or written to the provider's cache. */
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly total: number;
}

/**
 * A part of an answer, in the order it was produced. The last part is always `end`; its stop reason
 * is `stop`, `length` (the token limit), `content-filter`, `tool-calls` or `other`.
 */
export type ModelPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  | { readonly type: "end"; readonly stopReason: string; readonly usage?: ModelUsage };

/** Asks models. */
export interface ModelPort {
  /** The models that are configured, in the order of the configuration, the embedded one last. */
  list(): readonly ModelInfo[];
  /**
   * Streams one answer. Aborting `signal` ends the stream soon, by throwing the signal's reason.
   * Throws {@linkcode ModelError} for everything that the provider or the network did.
   */
  stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<ModelPart>;
}

/** Why a model did not answer, in words for the person who asked; never holds a key or a header. */
export class ModelError extends Error {
  override readonly name = "ModelError";
  /** The provider's HTTP status, where there was one. */
  readonly status?: number;
  /** Asking again later may succeed. */
  readonly retryable: boolean;

  constructor(message: string, options: { status?: number; retryable?: boolean } = {}) {
    super(message);
    this.status = options.status;
    this.retryable = options.retryable ?? false;
  }
}
