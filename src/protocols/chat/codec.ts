/** Frames of the chat channel: text to frame, frame to text. */

import * as v from "valibot";
import { isJsonObject, parseJson } from "../../core/json.ts";
import type { Delivery } from "../../core/outbox.ts";
import type { Json } from "../../ports/store.ts";
import type { RunId } from "../../services/domain_event.ts";

/** Longest message of a client, in bytes; a longer one closes the connection with 1009. */
export const MAX_CHAT_MESSAGE_BYTES = 1024 * 1024;

/** Longest id and name in a message, in characters. */
export const MAX_FIELD_CHARS = 256;

/** Longest quoted message, in characters. */
export const MAX_QUOTE_CHARS = 16 * 1024;

/** Longest `customData`, in characters of its JSON. */
export const MAX_CUSTOM_CHARS = 16 * 1024;

/** Most files in `mediaPaths`; `mediaPath` is one more. */
export const MAX_MEDIA = 8;

/** Longest path of a file, in characters. */
const MAX_PATH_CHARS = 1_024;

/** What a client says, as the document names it; absent members are undefined. */
export interface ChatMessage {
  readonly content: string;
  readonly messageId?: string;
  readonly senderId?: string;
  readonly senderName?: string;
  readonly chatType: "direct" | "group";
  readonly groupId?: string;
  readonly groupSubject?: string;
  readonly replyToMessageId?: string;
  readonly replyToBody?: string;
  /** `mediaPath` first, then those of `mediaPaths`, each with its type where one is given. */
  readonly media: readonly { readonly path: string; readonly type?: string }[];
  readonly customData?: Readonly<Record<string, Json>>;
}

/** What a message from a client turned out to be. */
export type ClientFrame =
  | {
    readonly kind: "send";
    readonly message: ChatMessage;
    /** What answers it comes with: its own `messageId`, or one made up. */
    readonly messageId: string;
    readonly size: number;
  }
  /** JSON of another shape; `messageId` is what its refusal names, where it can be read. */
  | { readonly kind: "malformed"; readonly messageId?: string; readonly size: number }
  /** No JSON, or JSON that is refused unseen. */
  | { readonly kind: "noise"; readonly size: number };

/** What is sent to a client. `final`: a whole answer or a block of one. */
export type ServerFrame =
  | { readonly kind: "greeting" }
  | { readonly kind: "typing"; readonly messageId: string }
  | {
    readonly kind: "stream";
    /** Whose answer it is; not written: in a group two members may give their messages one id. */
    readonly runId: RunId;
    readonly messageId: string;
    readonly content: string;
    /** `content` is all so far, so that a later frame replaces this one. */
    readonly cumulative: boolean;
  }
  | { readonly kind: "final"; readonly messageId: string; readonly content: string }
  | { readonly kind: "error"; readonly messageId?: string; readonly error: string };

/** What the greeting says. Source: the reference plugin. */
export const GREETING = "Connected to WebSocket chat server";

const field = v.nullish(v.pipe(v.string(), v.maxLength(MAX_FIELD_CHARS)));
const path = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_PATH_CHARS));
const paths = v.nullish(v.pipe(v.array(path), v.maxLength(MAX_MEDIA)));
const types = v.nullish(
  v.pipe(v.array(v.pipe(v.string(), v.maxLength(MAX_FIELD_CHARS))), v.maxLength(MAX_MEDIA)),
);

/** The document's `chat.send`; other members are not looked at, `null` counts as absent. */
export const ChatSend = v.object({
  type: v.literal("chat.send"),
  content: v.pipe(v.string(), v.regex(/\S/)),
  messageId: field,
  senderId: field,
  senderName: field,
  chatType: v.nullish(v.picklist(["direct", "group"])),
  groupId: field,
  groupSubject: field,
  replyToMessageId: field,
  replyToBody: v.nullish(v.pipe(v.string(), v.maxLength(MAX_QUOTE_CHARS))),
  mediaPath: v.nullish(path),
  mediaType: field,
  mediaPaths: paths,
  mediaTypes: types,
  customData: v.nullish(v.custom<Readonly<Record<string, Json>>>(isCustomData)),
});

/**
 * Reads one message; `newId` makes an id for one that has none. Binary messages that hold JSON count like text. Never
 * throws.
 */
export function decodeFrame(data: string | Uint8Array, newId: () => string): ClientFrame {
  const size = data.length;
  const parsed = parseJson(data);
  if (!parsed.ok) return { kind: "noise", size };
  const result = v.safeParse(ChatSend, parsed.value);
  if (!result.success) {
    const id = isJsonObject(parsed.value) ? parsed.value.messageId : undefined;
    const readable = typeof id === "string" && id !== "" && id.length <= MAX_FIELD_CHARS;
    return { kind: "malformed", size, ...(readable ? { messageId: id } : {}) };
  }
  const message = messageOf(result.output);
  return { kind: "send", message, messageId: message.messageId ?? newId(), size };
}

/** Writes one frame, with the members of the document and `messageId` where there is one. */
export function encodeFrame(frame: ServerFrame): string {
  switch (frame.kind) {
    case "greeting":
      return JSON.stringify({ type: "chat.response", content: GREETING });
    case "typing":
      return JSON.stringify({ type: "chat.typing", messageId: frame.messageId });
    case "stream": {
      const { messageId, content } = frame;
      return JSON.stringify({ type: "chat.stream", messageId, content, done: false });
    }
    case "final": {
      const { messageId, content } = frame;
      return JSON.stringify({ type: "chat.response", messageId, content, done: true });
    }
    case "error":
      return JSON.stringify({
        type: "chat.error",
        messageId: frame.messageId,
        error: frame.error,
      });
  }
}

/** How frames are delivered to a client that is behind; their order is always kept. */
export function deliveryOf(frame: ServerFrame): Delivery {
  if (frame.kind === "typing") return TYPING;
  if (frame.kind !== "stream" || !frame.cumulative) return KEPT;
  return { sequenced: true, overflow: "coalesce", key: frame.runId };
}

const TYPING: Delivery = { sequenced: true, overflow: "drop" };
const KEPT: Delivery = { sequenced: true, overflow: "disconnect" };

function messageOf(sent: v.InferOutput<typeof ChatSend>): ChatMessage {
  const { content, chatType, mediaPath, mediaType, mediaPaths, mediaTypes } = sent;
  const first = mediaPath === null || mediaPath === undefined
    ? []
    : [{ path: mediaPath, type: text(mediaType) }];
  const others = (mediaPaths ?? []).map((path, at) => ({ path, type: text(mediaTypes?.[at]) }));
  return {
    content,
    messageId: text(sent.messageId),
    senderId: text(sent.senderId),
    senderName: text(sent.senderName),
    chatType: chatType ?? "direct",
    groupId: text(sent.groupId),
    groupSubject: text(sent.groupSubject),
    replyToMessageId: text(sent.replyToMessageId),
    replyToBody: text(sent.replyToBody),
    media: [...first, ...others],
    customData: sent.customData ?? undefined,
  };
}

/** Empty and absent are the same. */
function text(value: string | null | undefined): string | undefined {
  return value === null || value === "" ? undefined : value;
}

function isCustomData(value: unknown): boolean {
  return isJsonObject(value) && JSON.stringify(value).length <= MAX_CUSTOM_CHARS;
}
