/** How heartbeats are set, what an answer to one means, and the report that is made of it. */

import * as v from "valibot";
import type { AgentId } from "../core/id.ts";
import { escapeText } from "../core/quote.ts";

/** Length of a report's preview, in characters. */
export const PREVIEW_CHARS = 200;

/** Longest reason in a report, in characters. */
const MAX_REASON_CHARS = 256;

/** What an agent answers when nothing needs attention. Source: the reference gateway. */
export const HEARTBEAT_TOKEN = "HEARTBEAT_OK";

/** Text beside the token up to this many characters changes nothing. Source: the reference gateway. */
export const ACK_MAX_CHARS = 300;

/** The stored form of a report; see {@linkcode HeartbeatReport}. */
export const HeartbeatReportSchema = v.object({
  ts: v.number(),
  status: v.picklist(["sent", "ok-empty", "ok-token", "skipped", "failed"]),
  to: v.optional(v.string()),
  preview: v.optional(v.string()),
  durationMs: v.optional(v.number()),
  hasMedia: v.optional(v.boolean()),
  reason: v.optional(v.string()),
  channel: v.optional(v.string()),
  silent: v.optional(v.boolean()),
  indicatorType: v.optional(v.picklist(["ok", "alert", "error"])),
});

/**
 * How one beat went. `sent`: the agent has something to say, of which `preview` is the beginning;
 * `ok-token`, `ok-empty`: nothing needs attention (`silent`: nobody was told); `skipped` and `failed`
 * say why in `reason`.
 */
export type HeartbeatReport = Readonly<v.InferOutput<typeof HeartbeatReportSchema>>;

/** The heartbeat of one agent as it is set now. */
export interface HeartbeatStatus {
  readonly agentId: AgentId;
  readonly enabled: boolean;
  /** The interval as the configuration writes it. */
  readonly every: string;
  /** Null when the agent does not beat. */
  readonly everyMs: number | null;
  readonly prompt: string;
  readonly target: string;
  readonly ackMaxChars: number;
}

/** What an answer means, and its text without the token. */
export interface HeartbeatAnswer {
  readonly status: "sent" | "ok-empty" | "ok-token";
  readonly text: string;
}

/**
 * Reads an agent's answer. Nothing needs attention when it is empty, or begins or ends with
 * {@linkcode HEARTBEAT_TOKEN} (bold, quoted or followed by a full stop as well) and has at most
 * {@linkcode ACK_MAX_CHARS} characters beside it.
 */
export function readAnswer(answer: string): HeartbeatAnswer {
  const text = answer.trim();
  if (text === "") return { status: "ok-empty", text };
  const rest = text.replace(TOKEN_AT_START, "").replace(TOKEN_AT_END, "").trim();
  if (rest === text) return { status: "sent", text };
  return { status: rest.length <= ACK_MAX_CHARS ? "ok-token" : "sent", text: rest };
}

const TOKEN_AT_START = new RegExp(
  `^[*_` + "`" + `"']{0,3}${HEARTBEAT_TOKEN}(?!\\w)[*_` + "`" + `"'.!]{0,4}`,
);
const TOKEN_AT_END = new RegExp(
  `(?<!\\w)[*_` + "`" + `"']{0,3}${HEARTBEAT_TOKEN}[*_` + "`" + `"'.!]{0,4}$`,
);

/** The report of a beat whose agent answered. */
export function answered(
  answer: string,
  time: { ts: number; durationMs: number },
): HeartbeatReport {
  const { status, text } = readAnswer(answer);
  if (status !== "sent") return { ...time, status, silent: true, indicatorType: "ok" };
  // White space may shrink to a blank, so more than the preview's length is looked at.
  const words = text.slice(0, PREVIEW_CHARS * 8).replaceAll(/\s+/g, " ");
  const preview = escapeText(words, PREVIEW_CHARS);
  return { ...time, status, preview, hasMedia: false, indicatorType: "alert" };
}

/** The report of a beat that went wrong. */
export function failed(reason: string, time: { ts: number; durationMs: number }): HeartbeatReport {
  const told = escapeText(reason, MAX_REASON_CHARS);
  return { ...time, status: "failed", reason: told, indicatorType: "error" };
}

/** The report of a beat that did not ask its agent. */
export function skipped(reason: string, time: { ts: number; durationMs: number }): HeartbeatReport {
  return { ...time, status: "skipped", reason };
}
