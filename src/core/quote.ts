/** Foreign text made fit for a message, a log line or a terminal. */

/** Longest foreign text in a message or a log field, in characters; the rest is cut, marked with `…`. */
export const MAX_QUOTED_CHARS = 256;

/** Control, formatting (bidi, zero width), separator and lone surrogate characters. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

/**
 * One line of visible characters: control, bidi and zero-width characters and lone surrogates become
 * `\u{…}`, and what is longer than `limit` characters is cut.
 */
export function escapeText(text: string, limit: number = MAX_QUOTED_CHARS): string {
  const cut = text.length > limit ? text.slice(0, limit) : text;
  const escaped = cut.replace(UNSAFE, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
  const bounded = escaped.length > limit ? escaped.slice(0, limit) : escaped;
  return text.length > limit || escaped.length > limit ? `${bounded}…` : bounded;
}

/** {@linkcode escapeText} between double quotes. */
export function quote(text: string, limit: number = MAX_QUOTED_CHARS): string {
  return `"${escapeText(text, limit).replaceAll('"', '\\"')}"`;
}

/** Cuts to `maxBytes` bytes of UTF-8 without splitting a character. */
export function cutToBytes(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end));
}
