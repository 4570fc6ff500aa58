/** Finds the end of a request head in bytes that come in any split, and refuses what no head may hold. */

import { type HttpRefusal, refused } from "./http_refusal.ts";

/** Longest head in bytes; browsers send 1 KiB, and cookies of a shared host name a few more. */
export const MAX_HEAD_BYTES: number = 16 * 1024;

/** Most header fields; browsers send under 20, proxies add under 20. */
export const MAX_HEAD_FIELDS = 100;

/** Longest request target in bytes, a little over the 8,000 that RFC 9110, section 4.1, asks for. */
export const MAX_TARGET_BYTES: number = 8 * 1024;

/** Longest method in characters; the registered ones have at most 17. */
export const MAX_METHOD_CHARS = 20;

/** Empty lines before a request line; old clients send one after a body (RFC 9112, section 2.2). */
const MAX_EMPTY_LINES = 2;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const DEL = 0x7f;

/** Bounds of a request head; each ends the request with the status beside it. */
export interface HeadLimits {
  /** Bytes in all, line ends included: 431. */
  readonly headBytes: number;
  /** Header fields: 431. */
  readonly fields: number;
  /** Bytes of the request target: 414. */
  readonly targetBytes: number;
}

/** Looks for the end of a head, and refuses the bytes that no line of one may hold. */
export class HeadScanner {
  /** Where each line begins and, at the odd places, where its CRLF does. */
  readonly lines: number[] = [];
  /** Whether no byte of 0x80 or more came. */
  ascii = true;
  readonly #limits: HeadLimits;
  #at = 0;
  #lineStart = 0;
  #emptyLines = 0;
  #afterCr = false;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** Where the head ends, or 0 where that is not in sight; `bytes` begins with what was scanned before. */
  scan(bytes: Uint8Array): number | HttpRefusal {
    const { headBytes, fields, targetBytes } = this.#limits;
    const available = Math.min(bytes.length, headBytes);
    // The request line: method, target and version with a space between them, and its CR.
    const requestLine = MAX_METHOD_CHARS + targetBytes + " HTTP/1.1 ".length + 1;
    while (this.#at < available) {
      const byte = bytes[this.#at] ?? 0;
      if (this.#afterCr) {
        if (byte !== LF) return refused(400, "a CR in a request head is followed by LF");
        this.#afterCr = false;
        const start = this.#lineStart;
        const cr = this.#at - 1;
        this.#lineStart = ++this.#at;
        if (cr > start) {
          if (this.lines.length > fields * 2) {
            return refused(431, `send at most ${fields} header fields`);
          }
          this.lines.push(start, cr);
        } else if (this.lines.length > 0) {
          return this.#at;
        } else if (++this.#emptyLines > MAX_EMPTY_LINES) {
          return refused(400, "a request begins with its request line, not with empty lines");
        }
        continue;
      }
      const inRequestLine = this.lines.length === 0;
      const longest = inRequestLine ? this.#lineStart + requestLine : available;
      const stop = Math.min(available, longest);
      this.#at = this.#textEnd(bytes, this.#at, stop);
      if (this.#at < stop) {
        if (bytes[this.#at] !== CR) return refused(400, lineFault(bytes[this.#at] ?? 0));
        this.#afterCr = true;
        this.#at++;
      } else if (inRequestLine && stop === longest) {
        return refused(414, `send a request target of at most ${targetBytes} bytes`);
      }
    }
    if (this.#at < headBytes) return 0;
    return refused(431, `send a request head of at most ${headBytes} bytes`);
  }

  /** The first place from `at` to `stop` that holds a control character other than a tab, or `stop`. */
  #textEnd(bytes: Uint8Array, at: number, stop: number): number {
    let seen = 0;
    let end = at;
    for (; end < stop; end++) {
      const byte = bytes[end] ?? 0;
      if (byte < SPACE && byte !== TAB || byte === DEL) break;
      seen |= byte;
    }
    if (seen >= 0x80) this.ascii = false;
    return end;
  }
}

/** What a control character in a line makes of the request. */
function lineFault(byte: number): string {
  if (byte === LF) return "a line of a request head ends with CRLF, not with LF alone";
  const hex = byte.toString(16).padStart(2, "0");
  return `a request head holds no control characters, as 0x${hex}; is this HTTP?`;
}
