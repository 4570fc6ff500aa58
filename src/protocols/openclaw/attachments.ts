/** Pictures that come with a message: checked before anything is stored. */

import { invalidRequest } from "../../core/error.ts";
import { isJsonObject } from "../../core/json.ts";
import { quote } from "../../core/quote.ts";
import type { ModelImage } from "../../ports/model.ts";

/** Most pictures of one message; the whole frame is bounded besides. */
export const MAX_ATTACHMENTS = 8;

/** Largest picture, in bytes of what the base64 stands for. Source: the limit of the original. */
export const MAX_ATTACHMENT_BYTES = 5_000_000;

/** How the base64 of a format begins; for clients that leave the type out. */
const BEGINNINGS = [
  ["iVBORw0KGgo", "image/png"],
  ["/9j/", "image/jpeg"],
  ["R0lGOD", "image/gif"],
  ["UklGR", "image/webp"],
] as const;

/**
 * The pictures of `attachments`, each `{ content, mimeType?, fileName?, type? }` with base64 or a data
 * URL as content; other members do not matter. Throws `INVALID_REQUEST` naming the first that is not
 * an image, not base64, or too large.
 */
export function toImages(attachments: readonly unknown[] = []): readonly ModelImage[] {
  if (attachments.length > MAX_ATTACHMENTS) {
    throw invalidRequest(
      `${attachments.length} attachments are too many; at most ${MAX_ATTACHMENTS} are accepted`,
    );
  }
  return attachments.map((attachment, at) => toImage(attachment, at));
}

function toImage(attachment: unknown, at: number): ModelImage {
  const given = isJsonObject(attachment) ? attachment : {};
  const { content, mimeType, fileName } = given;
  const name = typeof fileName === "string" && fileName !== ""
    ? `attachment ${quote(fileName, 80)}`
    : `attachment ${at + 1}`;
  if (typeof content !== "string" || content === "") {
    throw invalidRequest(`${name}: content must be base64 text`);
  }
  const { declared, base64 } = split(content);
  const type = (typeof mimeType === "string" && mimeType !== "" ? mimeType : declared) ??
    BEGINNINGS.find(([start]) => base64.startsWith(start))?.[1];
  const plain = type?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (!/^image\/[a-z0-9][a-z0-9.+-]{0,63}$/.test(plain)) {
    throw invalidRequest(
      type === undefined
        ? `${name}: mimeType is missing; only images are accepted`
        : `${name}: type ${quote(type, 80)} is not accepted; only images are`,
    );
  }
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    throw invalidRequest(`${name}: content is not valid base64`);
  }
  const bytes = base64.length / 4 * 3 - (base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0);
  if (bytes > MAX_ATTACHMENT_BYTES) {
    throw invalidRequest(
      `${name}: has ${bytes} bytes; at most ${MAX_ATTACHMENT_BYTES} are accepted`,
    );
  }
  return { mimeType: plain, base64 };
}

/** Takes a data URL apart: its type, and the base64 behind the comma. */
function split(content: string): { declared: string | undefined; base64: string } {
  if (!content.startsWith("data:")) return { declared: undefined, base64: content };
  const head = content.slice(5, 5 + MAX_DATA_URL_HEAD_CHARS);
  const comma = head.indexOf(",");
  if (comma === -1 || !head.slice(0, comma).endsWith(";base64")) {
    return { declared: undefined, base64: content };
  }
  return {
    declared: head.slice(0, comma - ";base64".length),
    base64: content.slice(5 + comma + 1),
  };
}

/** Longest part of a data URL before its comma, in characters. */
const MAX_DATA_URL_HEAD_CHARS = 200;
