/** The grammar that HTTP/1.1 heads, bodies and answers share: tokens, lists and authorities. */

/** For every byte, 1 where it may be part of a token. Source: RFC 9110, section 5.6.2. */
const TOKEN_BYTES: Uint8Array = tokenBytes();

/** Longest DNS name in characters (RFC 1035, section 2.3.4); longer hosts name nothing. */
const MAX_HOST_CHARS = 253;

const HIGHEST_PORT = 65_535;

/** Whether a byte or UTF-16 unit may be part of a token: a method, a field name, a subprotocol. */
export function isTokenByte(byte: number): boolean {
  return TOKEN_BYTES[byte] === 1;
}

/** Whether a text is a token: not empty, of token characters only. */
export function isToken(text: string): boolean {
  return text.length > 0 && isTokenRange(text, 0, text.length);
}

/** Whether the characters from `start` up to `end` are those of a token; an empty range is. */
export function isTokenRange(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if (TOKEN_BYTES[text.charCodeAt(at)] !== 1) return false;
  }
  return true;
}

/** Members of a comma-separated list without the white space round them; empty ones are left out. */
export function listMembers(value: string): readonly string[] {
  return value.split(",").map(trimBlanks).filter((member) => member !== "");
}

/** Whether a comma-separated list has a member, compared without regard to case. */
export function listHas(value: string, member: string): boolean {
  const lower = value.toLowerCase();
  return lower === member || listMembers(lower).includes(member);
}

/**
 * Whether a text is what a Host field may hold: a DNS name, an IPv4 address or an IPv6 address in
 * brackets, and a port where there is a colon (which may be empty). User names, zone identifiers and
 * percent escapes are no part of it.
 */
export function isAuthority(text: string): boolean {
  const [, bracketed, name = "", port = ""] =
    /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::([0-9]{0,5}))?$/i.exec(text) ?? [];
  if (Number(port) > HIGHEST_PORT) return false;
  if (bracketed !== undefined) return URL.canParse(`http://[${bracketed}]/`);
  return name !== "" && name.length <= MAX_HOST_CHARS;
}

/** A text without the spaces and tabs at its ends; HTTP knows no other white space. */
function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, "");
}

function tokenBytes(): Uint8Array {
  const table = new Uint8Array(256);
  const marks = "!#$%&'*+-.^_`|~";
  const letters = "abcdefghijklmnopqrstuvwxyz";
  for (const char of `${marks}0123456789${letters}${letters.toUpperCase()}`) {
    table[char.charCodeAt(0)] = 1;
  }
  return table;
}
