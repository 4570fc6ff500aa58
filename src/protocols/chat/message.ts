/** A client's message in the terms of the gateway: whose conversation it belongs to, and what goes beside it. */

import { GatewayError, invalidRequest } from "../../core/error.ts";
import type { ChannelPeer } from "../../ports/channel.ts";
import { type MediaFolder, MediaRefused, type MediaRules } from "../../ports/media.ts";
import type { ModelImage } from "../../ports/model.ts";
import type { Json } from "../../ports/store.ts";
import type { ChannelSender } from "../../services/channel_inbox.ts";
import type { ChatMessage } from "./codec.ts";
import type { Identity } from "./identity.ts";

/** Who wrote a message and where it belongs. */
export interface Placed {
  readonly sender: ChannelSender;
  readonly peer: ChannelPeer;
  /** The conversation belongs to a user whom the client can name again. */
  readonly lasting: boolean;
}

/**
 * The sender and the conversation of a message. An identity that was proved always counts; without one a
 * message may name its sender. Throws `INVALID_REQUEST` for names that cannot be.
 */
export function placeMessage(
  { senderId, senderName, chatType, groupId }: ChatMessage,
  { identity, isId }: { readonly identity: Identity; readonly isId: (text: string) => boolean },
): Placed {
  const { verified, guest } = identity;
  const id = verified ? identity.userId : senderId ?? identity.userId;
  if (!isId(id)) throw invalidRequest("senderId is too long or cannot be read");
  const own = id === identity.userId ? identity.username : undefined;
  const name = verified ? identity.username : senderName ?? own;
  const sender = { id, ...(name === undefined ? {} : { name }), verified };
  const lasting = !(identity.passing && id === identity.userId);
  if (chatType === "direct") return { sender, peer: { kind: "direct", id, guest }, lasting };
  if (groupId === undefined) throw invalidRequest('groupId is required when chatType is "group"');
  if (!isId(groupId)) throw invalidRequest("groupId is too long or cannot be read");
  return { sender, peer: { kind: "group", id: groupId, guest }, lasting };
}

/** What the pictures of one message may have together, in bytes; those beyond it are named only. */
export const MAX_MESSAGE_PICTURE_BYTES = 5_000_000;

/** What goes beside a message, each under a key of its own, and its pictures. */
export interface Enclosed {
  readonly context: Readonly<Record<string, Json>>;
  readonly images?: readonly ModelImage[];
}

/**
 * Collects what came with a message: the message that it replies to, its files, `customData`, what its sender
 * is told to be by the identity service, and whom it names itself. Throws `INVALID_REQUEST` for a file
 * that may not be used.
 */
export async function enclose(
  message: ChatMessage,
  { identity, media, rules }: {
    readonly identity: Identity;
    readonly media: Pick<MediaFolder, "open">;
    readonly rules: MediaRules;
  },
): Promise<Enclosed> {
  const { messageId, replyToMessageId, replyToBody, customData, senderId, senderName } = message;
  const context: Record<string, Json> = {};
  if (messageId !== undefined) context.messageId = messageId;
  if (replyToMessageId !== undefined || replyToBody !== undefined) {
    context.replyTo = {
      ...present("messageId", replyToMessageId),
      ...present("body", replyToBody),
    };
  }
  if (identity.profile !== undefined) context.profile = identity.profile;
  const claims = identity.verified && (senderId !== undefined || senderName !== undefined);
  if (claims) {
    context.claimedSender = { ...present("id", senderId), ...present("name", senderName) };
  }
  if (customData !== undefined) context.customData = customData;
  if (message.media.length === 0) return { context };
  const files: Json[] = [];
  const images: ModelImage[] = [];
  let mostShown = MAX_MESSAGE_PICTURE_BYTES;
  for (const wanted of message.media) {
    try {
      const { path, type, size, bytes } = await media.open({ ...wanted, mostShown }, rules);
      files.push({ path, type, size });
      if (bytes === undefined) continue;
      images.push({ mimeType: type, base64: bytes.toBase64() });
      mostShown -= bytes.length;
    } catch (error) {
      throw error instanceof MediaRefused ? invalidRequest(error.message) : error;
    }
  }
  context.media = files;
  return images.length === 0 ? { context } : { context, images };
}

function present(name: string, value: string | undefined): Readonly<Record<string, Json>> {
  return value === undefined ? {} : { [name]: value };
}

/** The refusal of one who sends too much. */
export function tooMany(perMinute: number, waitMs: number): GatewayError {
  const seconds = Math.ceil(waitMs / 1000);
  return new GatewayError(
    "UNAVAILABLE",
    `more than ${perMinute} messages in a minute; try again in ${seconds} s`,
    { retryable: true, retryAfterMs: waitMs },
  );
}
