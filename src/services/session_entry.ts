/** What is stored of a session and of a message in it. */

import * as v from "valibot";
import { isJsonObject } from "../core/json.ts";
import type { ModelImage, ModelUsage } from "../ports/model.ts";
import type { Json, WritableJson } from "../ports/store.ts";

/** Longest text in an entry, in characters: names and titles for lists; longer ones are cut when stored. */
export const MAX_ENTRY_TEXT_CHARS = 512;

/**
 * Longest text of one message, in characters: as much as the largest frame can carry. What a client
 * sends is shorter by then; a longer answer of a model is cut, and says so at its end.
 */
export const MAX_MESSAGE_TEXT_CHARS = 512 * 1024;

/** Length of a title that is derived from the first thing a user said, in characters. */
export const DERIVED_TITLE_CHARS = 60;

/** Length of the beginning of the newest message that lists show, in characters. */
export const LAST_MESSAGE_PREVIEW_CHARS = 160;

const time = v.number();
const text = v.optional(v.string());
const flag = v.optional(v.boolean());
const tokens = v.optional(v.number());

/** The stored form of a session; see {@linkcode SessionEntry}. */
export const SessionEntrySchema = v.object({
  sessionId: v.string(),
  createdAt: time,
  updatedAt: time,
  label: text,
  displayName: text,
  derivedTitle: text,
  lastMessagePreview: text,
  channel: text,
  subject: text,
  groupChannel: text,
  space: text,
  chatType: text,
  systemSent: flag,
  abortedLastRun: flag,
  openIn: text,
  thinkingLevel: text,
  verboseLevel: text,
  reasoningLevel: text,
  elevatedLevel: text,
  responseUsage: v.optional(v.picklist(["on", "off", "tokens", "full"])),
  sendPolicy: v.optional(v.picklist(["allow", "deny"])),
  groupActivation: v.optional(v.picklist(["mention", "always"])),
  execHost: text,
  execSecurity: text,
  execAsk: text,
  execNode: text,
  spawnedBy: text,
  providerOverride: text,
  modelOverride: text,
  modelProvider: text,
  model: text,
  contextTokens: tokens,
  inputTokens: tokens,
  outputTokens: tokens,
  totalTokens: tokens,
  lastChannel: text,
  lastTo: text,
  lastAccountId: text,
});

/**
 * A session's state besides its messages. Times are milliseconds since the Unix epoch. `sessionId`
 * names the transcript and changes when the session is reset. `providerOverride` and `modelOverride`
 * are the model that was chosen for this session (both or neither); `modelProvider` and `model` the one
 * that answered last. `derivedTitle` is the beginning of the first user message, `lastMessagePreview`
 * that of the newest message. The token counts are those of the last run. `openIn` names the life of the gateway
 * in which a run began that has not ended and has no record of its own.
 */
export type SessionEntry = Readonly<v.InferOutput<typeof SessionEntrySchema>>;

const usageSchema = v.object({
  input: v.number(),
  output: v.number(),
  cacheRead: v.number(),
  cacheWrite: v.number(),
  total: v.number(),
});

/** The stored form of a message; see {@linkcode TranscriptMessage}. */
export const TranscriptMessageSchema = v.object({
  id: v.string(),
  role: v.picklist(["user", "assistant", "system"]),
  text: v.string(),
  at: time,
  runId: text,
  images: v.optional(
    v.pipe(v.array(v.object({ mimeType: v.string(), base64: v.string() })), v.readonly()),
  ),
  /** Facts that came with it, apart from what was said; no `record`, which leaves members of some names out. */
  context: v.optional(v.custom<Readonly<Record<string, Json>>>(isJsonObject)),
  model: text,
  provider: text,
  usage: v.optional(usageSchema),
  stopReason: text,
  label: text,
  aborted: flag,
  error: text,
});

/**
 * One message of a transcript. `id` is 8 hex digits, `at` milliseconds since the Unix epoch. `text` is
 * what was said and nothing else: `label` heads an injected note and is not part of it. `aborted` marks
 * an answer that was cut short, `error` why one failed. `context` is JSON that came with the message and is
 * data: who wrote it on its channel, what it replies to.
 */
export type TranscriptMessage = Readonly<v.InferOutput<typeof TranscriptMessageSchema>>;

/** A message that has no id yet. */
export type NewMessage = Omit<TranscriptMessage, "id">;

/**
 * The entry as JSON, its texts cut to {@linkcode MAX_ENTRY_TEXT_CHARS} and without counts that are no
 * numbers, as a provider that counts wrongly may report them.
 */
export function entryToJson(entry: SessionEntry): WritableJson {
  if (charsOfEntry(entry) !== undefined) return entry;
  const json: Record<string, Json> = {};
  for (const [name, value] of Object.entries(entry)) {
    if (value === undefined || typeof value === "number" && !Number.isFinite(value)) continue;
    json[name] = typeof value === "string" ? cutText(value, MAX_ENTRY_TEXT_CHARS) : value;
  }
  return json;
}

/** Characters of the entry's texts; undefined where {@linkcode entryToJson} leaves something of it out. */
export function charsOfEntry(entry: SessionEntry): number | undefined {
  let chars = 0;
  for (const value of Object.values(entry)) {
    if (typeof value === "string") {
      if (value.length > MAX_ENTRY_TEXT_CHARS) return undefined;
      chars += value.length;
    } else if (typeof value === "number" && !Number.isFinite(value)) return undefined;
  }
  return chars;
}

/** The message as JSON. */
export function messageToJson(message: TranscriptMessage): WritableJson {
  const { usage, images } = message;
  if (usage === undefined && images === undefined) return message;
  return { ...message, usage: usage && usageToJson(usage), images: images?.map(imageToJson) };
}

/** What a provider gave besides is not stored. */
function usageToJson({ input, output, cacheRead, cacheWrite, total }: ModelUsage): Json {
  return { input, output, cacheRead, cacheWrite, total };
}

function imageToJson({ mimeType, base64 }: ModelImage): Json {
  return { mimeType, base64 };
}

/** At most `limit` characters, no character split; what was cut is marked by `…`, which counts. */
export function cutText(text: string, limit: number): string {
  if (text.length <= limit) return text;
  return `${wholeCharacters(text.slice(0, limit - 1))}…`;
}

/** The beginning of a text on one line: white space collapsed, at most `limit` characters. */
export function firstWords(text: string, limit: number): string {
  // Looking at a piece of the text bounds the work; white space can only shorten it.
  const piece = wholeCharacters(text.slice(0, limit * 8));
  return cutText(piece.replace(/\s+/g, " ").trim(), limit);
}

/** Without the half of a character that a cut left at the end. */
function wholeCharacters(text: string): string {
  return /[\uD800-\uDBFF]$/.test(text) ? text.slice(0, -1) : text;
}
