/** Names of a channel's senders and groups inside the gateway: safe in keys and paths, never shared by two. */

import { sha256Hex } from "../core/digest.ts";

/** Longest id of a sender or a group, in characters; longer ones are refused. */
export const MAX_PEER_ID_CHARS = 256;

/** Longest name that is written out, in characters; a longer one is a digest. */
const MAX_WRITTEN_CHARS = 128;

const encoder = new TextEncoder();

/**
 * Whether text can be the id of a sender or a group: 1 to {@linkcode MAX_PEER_ID_CHARS} characters of
 * well-formed Unicode without control characters, white space at its ends, and U+FFFD, which stands for text
 * that was lost on the way and would make two ids one.
 */
export function isPeerId(text: string): boolean {
  return text !== "" && text.length <= MAX_PEER_ID_CHARS && text.isWellFormed() &&
    text === text.trim() && !/[\p{Cc}\p{Zl}\p{Zp}\ufffd]/u.test(text);
}

/**
 * An id as part of a session key: lower-case letters, digits and `_ - . @ +` stand as they are, every other
 * character as `~` and two hex digits for each byte of its UTF-8. What would be too long is `~~` and its
 * digest. Two ids never have one name.
 */
export async function keyPart(id: string): Promise<string> {
  const written = id.replace(/[^a-z0-9_.@+-]/gu, (char) => {
    let hex = "";
    for (const byte of encoder.encode(char)) hex += `~${byte.toString(16).padStart(2, "0")}`;
    return hex;
  });
  return written.length <= MAX_WRITTEN_CHARS ? written : `~~${await sha256Hex(id)}`;
}

/**
 * An id as part of an agent's id and of a path: lower-case letters, digits, `_` and `-` stand as they are where
 * it begins with a letter, digit or `_`; any other id is `-` and a digest. Two ids never have one name.
 */
export async function agentPart(id: string): Promise<string> {
  if (/^[a-z0-9_][a-z0-9_-]{0,59}$/.test(id)) return id;
  return `-${(await sha256Hex(id)).slice(0, 48)}`;
}
