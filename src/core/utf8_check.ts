/** Checks text that comes in pieces: tells at the first wrong byte, not when the text has come whole. */

/**
 * Whether bytes are UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF), at any
 * split of them.
 */
export class Utf8Check {
  #broken = false;
  /** Continuation bytes that must still come, and the bounds of the next one. */
  #needed = 0;
  #low = 0x80;
  #high = 0xbf;

  /** A byte was seen that cannot stand where it stood. */
  get broken(): boolean {
    return this.#broken;
  }

  /** What came so far is text as it is. */
  get complete(): boolean {
    return !this.#broken && this.#needed === 0;
  }

  /** Looks at `bytes[start, end)`. */
  push(bytes: Uint8Array, start: number = 0, end: number = bytes.length): void {
    let needed = this.#needed;
    let low = this.#low;
    let high = this.#high;
    for (let at = start; at < end && !this.#broken; at++) {
      const byte = bytes[at] ?? 0;
      if (needed > 0) {
        if (byte < low || byte > high) this.#broken = true;
        needed--;
        low = 0x80;
        high = 0xbf;
      } else if (byte >= 0x80) {
        if (byte < 0xc2 || byte > 0xf4) this.#broken = true;
        needed = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        // Overlong forms, surrogates and what lies above the last code point show in the second byte.
        if (byte === 0xe0) low = 0xa0;
        else if (byte === 0xed) high = 0x9f;
        else if (byte === 0xf0) low = 0x90;
        else if (byte === 0xf4) high = 0x8f;
      }
    }
    this.#needed = needed;
    this.#low = low;
    this.#high = high;
  }
}
