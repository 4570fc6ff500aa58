/** The end of a conversation in a few lines. */

import { refuseAborted } from "../core/gate.ts";
import type { Store, StreamKey } from "../ports/store.ts";
import { cutText, type TranscriptMessage } from "./session_entry.ts";
import { messageSize, parseMessage } from "./transcript.ts";

/** Most sessions in one preview: a screen of them. */
export const MAX_PREVIEWED_SESSIONS = 64;

/** Most text that one preview shows of all its sessions, in bytes of UTF-8; older messages go first. */
export const MAX_PREVIEW_TEXT_BYTES = 1024 * 1024;

/**
 * How much of the messages' texts and pictures one preview loads in order to show their beginnings, in
 * characters. A session's share that is used up ends its preview after the page that did it.
 */
const MAX_PREVIEW_LOADED_CHARS = 16 * 1024 * 1024;

/** Messages loaded at once; the first page is one message and each next one as long as all before it. */
const MAX_PAGE_MESSAGES = 8;

/** Messages of each session unless the caller says how many, and the most that it may ask for. */
const PREVIEW_MESSAGES = { usual: 12, most: 50 } as const;

/** Characters of each message unless the caller says how many, and the most that it may ask for. */
const PREVIEW_CHARS = { usual: 240, most: 2_000 } as const;

/** How much to show; more than a preview's bounds counts as the bound. */
export interface PreviewBounds {
  /** Messages of each session. */
  readonly limit?: number;
  /** Characters of each message. */
  readonly maxChars?: number;
}

/** One message in a preview. */
export interface PreviewItem {
  readonly role: TranscriptMessage["role"];
  readonly text: string;
}

/** The end of one conversation, oldest first. `error`: the key cannot be one. */
export interface SessionPreview {
  readonly key: string;
  readonly status: "ok" | "empty" | "missing" | "error";
  readonly items: readonly PreviewItem[];
}

/**
 * What one preview may still show and load. Each session has an equal share of what those before it
 * left over, which at the most sessions still holds the longest shown message.
 */
export class PreviewBudget {
  readonly #limit: number;
  readonly #maxChars: number;
  #textBytes = MAX_PREVIEW_TEXT_BYTES;
  #loadedChars = MAX_PREVIEW_LOADED_CHARS;
  /** Sessions that are still to come. */
  #sessions: number;

  constructor(sessions: number, { limit, maxChars }: PreviewBounds) {
    this.#sessions = sessions;
    this.#limit = Math.min(limit ?? PREVIEW_MESSAGES.usual, PREVIEW_MESSAGES.most);
    this.#maxChars = Math.min(maxChars ?? PREVIEW_CHARS.usual, PREVIEW_CHARS.most);
  }

  /** The newest messages of one session, oldest first, without those that say nothing. */
  async read(
    store: Store,
    { stream, signal }: { readonly stream: StreamKey; readonly signal?: AbortSignal },
  ): Promise<readonly PreviewItem[]> {
    const share = 1 / Math.max(1, this.#sessions);
    const mayShow = this.#textBytes * share;
    const mayLoad = this.#loadedChars * share;
    const newestFirst: PreviewItem[] = [];
    let [seen, shown, loaded] = [0, 0, 0];
    let before: number | undefined;
    reading: while (seen < this.#limit && loaded < mayLoad) {
      refuseAborted(signal);
      const size = Math.min(MAX_PAGE_MESSAGES, Math.max(1, seen), this.#limit - seen);
      const page = await store.read(stream, { limit: size, keep: "newest", before });
      seen += page.length;
      for (const message of page.map(parseMessage).reverse()) {
        if (message === undefined) continue;
        loaded += messageSize(message);
        const text = cutText(message.text.trim(), this.#maxChars);
        if (text === "") continue;
        const bytes = new TextEncoder().encode(text).length;
        if (shown + bytes > mayShow) break reading;
        shown += bytes;
        newestFirst.push({ role: message.role, text });
      }
      before = page[0]?.sequence;
      if (before === undefined || page.length < size) break;
    }
    this.#textBytes -= shown;
    this.#loadedChars = Math.max(0, this.#loadedChars - loaded);
    return newestFirst.reverse();
  }

  /** Passes on to the next session: what this one left over is for those to come. */
  next(): void {
    this.#sessions--;
  }
}
