/** Messages of a transcript as this wire shows them. */

import * as v from "valibot";
import type { ErrorExtras } from "../../core/error.ts";
import type { TranscriptMessage } from "../../services/session_entry.ts";

/** Tokens of one answer, under the names that clients read. */
export const WireUsage = v.object({
  input: v.number(),
  output: v.number(),
  cacheRead: v.number(),
  cacheWrite: v.number(),
  totalTokens: v.number(),
});

/** One message of `chat.history`. */
export const WireMessage = v.object({
  role: v.picklist(["user", "assistant", "system"]),
  content: v.array(v.object({ type: v.literal("text"), text: v.string() })),
  /** Milliseconds since the Unix epoch. */
  timestamp: v.number(),
  provider: v.optional(v.string()),
  model: v.optional(v.string()),
  usage: v.optional(WireUsage),
  stopReason: v.optional(v.string()),
  /** Why the answer failed, where it did. */
  errorMessage: v.optional(v.string()),
});

/** The type of {@linkcode WireMessage}. */
export type WireMessage = v.InferOutput<typeof WireMessage>;

/** The message on the wire: a label stands above its text, pictures are left out. */
export function toWireMessage(message: TranscriptMessage): WireMessage {
  const { role, text, at, label, provider, model, usage, aborted, error } = message;
  const shown = label === undefined || label === "" ? text : `[${label}]\n\n${text}`;
  return {
    role,
    content: [{ type: "text", text: shown }],
    timestamp: at,
    provider,
    model,
    usage: usage && toWireUsage(usage),
    stopReason: message.stopReason ?? (aborted === true ? "aborted" : undefined),
    errorMessage: error,
  };
}

/**
 * What the error of a run that failed says besides: the document's last answer of `agent`, as its
 * payload, and again as details for clients that drop the payload of a refusal.
 */
export function failedRun(runId: string, summary: string): ErrorExtras {
  const answer = { runId, status: "error", summary };
  return { payload: answer, details: answer };
}

/** The token counts on the wire. */
export function toWireUsage(
  { input, output, cacheRead, cacheWrite, total }: NonNullable<TranscriptMessage["usage"]>,
): v.InferOutput<typeof WireUsage> {
  return { input, output, cacheRead, cacheWrite, totalTokens: total };
}
