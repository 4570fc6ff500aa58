/** The end of a conversation in a few lines. */

import { GatewayError } from "../core/error.ts";
import { cutText, type SessionEntry, type TranscriptMessage } from "./session_entry.ts";

/** Most sessions in one preview: a screen of them. */
export const MAX_PREVIEWED_SESSIONS = 64;

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

/** The end of one conversation, oldest first. `error`: the key cannot be one. */
export interface SessionPreview {
  readonly key: string;
  readonly status: "ok" | "empty" | "missing" | "error";
  readonly items: readonly { readonly role: TranscriptMessage["role"]; readonly text: string }[];
}

/** Where the messages come from, the newest `limit` of them; and how much to show. */
export interface PreviewSource {
  readonly read: (limit: number) => Promise<{
    readonly entry: SessionEntry | undefined;
    readonly messages: readonly TranscriptMessage[];
  }>;
  readonly bounds: PreviewBounds;
}

/** The preview of the session that a client calls `key`. A refusal by `read` becomes its status. */
export async function previewSession(
  key: string,
  { read, bounds }: PreviewSource,
): Promise<SessionPreview> {
  const limit = Math.min(bounds.limit ?? PREVIEW_MESSAGES.usual, PREVIEW_MESSAGES.most);
  const maxChars = Math.min(bounds.maxChars ?? PREVIEW_CHARS.usual, PREVIEW_CHARS.most);
  try {
    const { entry, messages } = await read(limit);
    if (entry === undefined) return { key, status: "missing", items: [] };
    const items = messages
      .map(({ role, text }) => ({ role, text: cutText(text.trim(), maxChars) }))
      .filter(({ text }) => text !== "");
    return { key, status: items.length === 0 ? "empty" : "ok", items };
  } catch (error) {
    if (error instanceof GatewayError) return { key, status: "error", items: [] };
    throw error;
  }
}
