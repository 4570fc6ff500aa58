/** The messages of sessions in the store: appended, read from the newest end, put away. */

import * as v from "valibot";
import { refuseAborted } from "../core/gate.ts";
import type { TenantId } from "../core/id.ts";
import type { Store, StoreWrite, StreamEntry, StreamKey } from "../ports/store.ts";
import {
  cutText,
  DERIVED_TITLE_CHARS,
  firstWords,
  LAST_MESSAGE_PREVIEW_CHARS,
  MAX_ENTRY_TEXT_CHARS,
  MAX_MESSAGE_TEXT_CHARS,
  messageToJson,
  type SessionEntry,
  type TranscriptMessage,
  TranscriptMessageSchema,
} from "./session_entry.ts";

/** Most messages that one reading returns. Source: the bound of `chat.history`. */
export const MAX_HISTORY_MESSAGES = 1_000;

/** Most text that one reading returns, in bytes of UTF-8; older messages are left out first. */
export const MAX_HISTORY_TEXT_BYTES = 6 * 1024 * 1024;

/** Most pictures that one reading returns, in base64 characters; older messages lose theirs first. */
export const MAX_HISTORY_IMAGE_CHARS = 8 * 1024 * 1024;

/** Messages read from the store at once: what bounds the memory that a reading may use beyond its answer. */
const PAGE_MESSAGES = 32;

/** What a text that was cut ends with. */
const CUT_MARK = `\n[cut at ${MAX_MESSAGE_TEXT_CHARS} characters]`;

/** The stream of a session's messages. */
export function transcriptStream(tenant: TenantId, sessionId: string): StreamKey {
  return { tenant, kind: "transcript", id: sessionId };
}

/** The stream of messages that were put away. */
export function archiveStream(tenant: TenantId, name: string): StreamKey {
  return { tenant, kind: "transcript.archive", id: name };
}

/**
 * The message as it will be stored: its texts within their bounds, and without a usage that is no
 * number, as a provider that counts wrongly may report it.
 */
export function bounded(message: TranscriptMessage): TranscriptMessage {
  const { text, label, error, usage } = message;
  const countable = usage !== undefined && Object.values(usage).every(Number.isFinite);
  if (
    text.length <= MAX_MESSAGE_TEXT_CHARS && label === undefined && error === undefined &&
    (usage === undefined || countable)
  ) return message;
  return {
    ...message,
    text: text.length <= MAX_MESSAGE_TEXT_CHARS
      ? text
      : cutText(text, MAX_MESSAGE_TEXT_CHARS - CUT_MARK.length) + CUT_MARK,
    label: label === undefined ? undefined : cutText(label, MAX_ENTRY_TEXT_CHARS),
    error: error === undefined ? undefined : cutText(error, MAX_ENTRY_TEXT_CHARS),
    usage: countable ? usage : undefined,
  };
}

/** The texts of an entry that lists show of its messages, so that a list reads no transcript. */
export function summaryOf(
  entry: Pick<SessionEntry, "derivedTitle" | "lastMessagePreview">,
  messages: readonly TranscriptMessage[],
): Pick<SessionEntry, "derivedTitle" | "lastMessagePreview"> {
  const spoken = messages.filter(({ text }) => text.trim() !== "");
  const first = spoken.find(({ role }) => role === "user")?.text;
  const newest = spoken.findLast(({ role }) => role !== "system")?.text;
  return {
    derivedTitle: entry.derivedTitle ?? (first && firstWords(first, DERIVED_TITLE_CHARS)),
    lastMessagePreview: newest === undefined
      ? entry.lastMessagePreview
      : firstWords(newest, LAST_MESSAGE_PREVIEW_CHARS),
  };
}

/** The writes that append messages. */
export function appendWrites(
  stream: StreamKey,
  messages: readonly TranscriptMessage[],
): readonly StoreWrite[] {
  return messages.map((message) => ({ op: "append", stream, value: messageToJson(message) }));
}

/**
 * The newest messages, at most `limit` and {@linkcode MAX_HISTORY_MESSAGES}, within
 * {@linkcode MAX_HISTORY_TEXT_BYTES} unless the newest alone is longer, oldest first. Throws `UNAVAILABLE`
 * between two pages when the signal is aborted.
 */
export async function readNewest(
  store: Store,
  { stream, limit, signal }: {
    readonly stream: StreamKey;
    readonly limit: number;
    readonly signal?: AbortSignal;
  },
): Promise<readonly TranscriptMessage[]> {
  const wanted = Math.min(limit, MAX_HISTORY_MESSAGES);
  const budget = new Budget();
  const newestFirst: TranscriptMessage[] = [];
  let before: number | undefined;
  while (newestFirst.length < wanted) {
    refuseAborted(signal);
    const size = Math.min(PAGE_MESSAGES, wanted - newestFirst.length);
    const page = await store.read(stream, { limit: size, keep: "newest", before });
    for (const message of page.map(parseMessage).reverse()) {
      if (message === undefined) continue;
      if (!budget.takesText(message.text)) return newestFirst.reverse();
      newestFirst.push(budget.takesImages(message) ? message : { ...message, images: undefined });
    }
    before = page[0]?.sequence;
    if (before === undefined || page.length < size) break;
  }
  return newestFirst.reverse();
}

/** The sequence of the newest entry that must go for `keep` to stay, or undefined when all may stay. */
export async function cutPoint(
  store: Store,
  { stream, keep }: { readonly stream: StreamKey; readonly keep: number },
): Promise<number | undefined> {
  const length = await store.length(stream);
  if (length <= keep) return undefined;
  // Entries only ever leave at the old end, so the sequences that are left have no gap.
  const [oldest] = await store.read(stream, { limit: 1 });
  return oldest === undefined ? undefined : oldest.sequence + (length - keep) - 1;
}

/** What of a reading's bounds is left. */
class Budget {
  #textBytes = MAX_HISTORY_TEXT_BYTES;
  #imageChars = MAX_HISTORY_IMAGE_CHARS;
  #first = true;

  takesText(text: string): boolean {
    this.#textBytes -= new TextEncoder().encode(text).length;
    const taken = this.#first || this.#textBytes >= 0;
    this.#first = false;
    return taken;
  }

  takesImages({ images }: TranscriptMessage): boolean {
    this.#imageChars -= imageChars(images);
    return this.#imageChars >= 0;
  }
}

/** How much memory a message's text and pictures take, in characters. */
export function messageSize({ text, images }: TranscriptMessage): number {
  return text.length + imageChars(images);
}

function imageChars(images: TranscriptMessage["images"] = []): number {
  return images.reduce((sum, image) => sum + image.base64.length, 0);
}

/** A stored message; one that does not fit the schema is left out rather than the reading fail. */
export function parseMessage({ value }: StreamEntry): TranscriptMessage | undefined {
  const parsed = v.safeParse(TranscriptMessageSchema, value);
  return parsed.success ? parsed.output : undefined;
}
