/** Puts a WebSocket message together that comes in pieces. */

import { Utf8Check } from "./utf8_check.ts";

/** Bytes that a message in pieces is given room for at first; it grows with what really came. */
const FIRST_ROOM_BYTES = 4 * 1024;

const EMPTY = new Uint8Array(0);

/** A message, or a control frame, that comes in pieces. */
export class PartialMessage {
  readonly isText: boolean;
  fragments = 0;
  #room: Uint8Array<ArrayBuffer> = EMPTY;
  #length = 0;
  #check: Utf8Check | undefined;

  constructor(isText: boolean) {
    this.isText = isText;
  }

  get length(): number {
    return this.#length;
  }

  /** The bytes so far; they are not written to again. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#room.subarray(0, this.#length);
  }

  /** What came so far cannot be UTF-8, whatever follows. */
  get broken(): boolean {
    return this.#check?.broken === true;
  }

  /** The text does not stop within a character. */
  get complete(): boolean {
    return this.#check === undefined || this.#check.complete;
  }

  /** Adds bytes; up to `expected` more may follow, which does not mean that they come. */
  add(
    chunk: Uint8Array,
    start: number,
    end: number,
    { ascii, expected }: { readonly ascii: boolean; readonly expected: number },
  ): void {
    const length = this.#length + end - start;
    if (length > this.#room.length) {
      const wanted = Math.min(length + expected, Math.max(FIRST_ROOM_BYTES, 2 * length));
      const grown = new Uint8Array(Math.max(length, wanted));
      grown.set(this.bytes);
      this.#room = grown;
    }
    this.#room.set(chunk.subarray(start, end), this.#length);
    this.#length = length;
    if (!this.isText || (ascii && this.complete)) return;
    (this.#check ??= new Utf8Check()).push(chunk, start, end);
  }
}
