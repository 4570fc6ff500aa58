/** Decodes the bodies of HTTP/1.1 requests from bytes that come in any split. */

import type { RequestBody } from "./http_head.ts";
import { type HttpRefusal, refused } from "./http_refusal.ts";
import { isTokenByte } from "./http_syntax.ts";

/** Digits of a chunk size; eight say 4 GiB. */
const MAX_CHUNK_SIZE_DIGITS = 8;

/** Bytes of the extensions of one chunk, which mean nothing here and are skipped. */
export const MAX_CHUNK_EXTENSION_BYTES = 256;

/** Bytes of all trailers, which are dropped. */
export const MAX_TRAILER_BYTES: number = 8 * 1024;

/**
 * Most bytes of chunk framing: so many, and {@linkcode FRAMING_PER_DATA_BYTE} for every byte of data.
 * Without it a client has endless bytes looked at for a body that stays within its bound.
 */
export const FRAMING_ALLOWANCE_BYTES: number = 16 * 1024;

/** Bytes of framing that a byte of data may cost beyond the allowance; a chunk of one byte costs five. */
export const FRAMING_PER_DATA_BYTE = 4;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
const DEL = 0x7f;

const NOTHING: Uint8Array = new Uint8Array(0);

/** What bounds a body. */
export interface BodyOptions {
  /** Most bytes of data: more is refused with 413, as soon as a length or chunk size announces it. */
  readonly maxBytes: number;
}

/** What a push of bytes led to. */
export type BodyResult =
  | {
    readonly state: "data";
    /** Data in order: views of the pushed bytes, none of them empty. */
    readonly pieces: readonly Uint8Array[];
    /** The body is complete; what is pushed now comes back as `rest`. */
    readonly done: boolean;
    /** A view of what followed the body; empty before its end. */
    readonly rest: Uint8Array;
  }
  | HttpRefusal;

/** What a chunked body goes on with. */
type Place =
  | "size"
  | "extension"
  | "size-lf"
  | "data"
  | "data-cr"
  | "data-lf"
  | "trailer-start"
  | "trailer-name"
  | "trailer-value"
  | "trailer-lf"
  | "end-lf"
  | "done";

/**
 * Decodes one body. An empty push says what is known before any byte: that there is no body, or that its
 * announced length is too large. After a refusal every push is answered with it. Nothing is copied, so
 * the pushed bytes belong to the pieces. A verdict does not depend on how the bytes were split; data
 * that came before a refusal may have been handed out.
 */
export class BodyDecoder {
  readonly #maxBytes: number;
  readonly #chunked: boolean;
  #place: Place;
  /** Bytes that are still to come of a chunk, or of a body whose length is known. */
  #left = 0;
  #refusal: HttpRefusal | undefined;
  /** Bytes of data that have been announced. */
  #announced = 0;
  #digits = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;
  #framingBytes = 0;

  constructor(body: RequestBody, options: BodyOptions) {
    this.#maxBytes = options.maxBytes;
    this.#chunked = body.kind === "chunked";
    this.#place = this.#chunked ? "size" : "data";
    if (body.kind === "length") this.#announce(body.bytes);
    if (!this.#chunked && this.#left === 0) this.#place = "done";
  }

  /** Reads on. */
  push(chunk: Uint8Array): BodyResult {
    if (this.#refusal !== undefined) return this.#refusal;
    const pieces: Uint8Array[] = [];
    let at = 0;
    while (at < chunk.length && this.#place !== "done") {
      if (this.#place === "data") {
        const piece = chunk.subarray(at, at + this.#left);
        pieces.push(piece);
        at += piece.length;
        this.#left -= piece.length;
        if (this.#left === 0) this.#place = this.#chunked ? "data-cr" : "done";
      } else {
        this.#frame(chunk[at++] ?? 0);
        if (this.#refusal !== undefined) return this.#refusal;
      }
    }
    return {
      state: "data",
      pieces,
      done: this.#place === "done",
      rest: at === chunk.length ? NOTHING : chunk.subarray(at),
    };
  }

  /** Takes one byte that is no data. */
  #frame(byte: number): void {
    this.#framingBytes++;
    switch (this.#place) {
      case "size":
        return this.#size(byte);
      case "extension":
        return this.#extension(byte);
      case "size-lf":
        return this.#lineFeed(byte, this.#left === 0 ? "trailer-start" : "data");
      case "data-cr":
        if (byte !== CR) {
          return this.#refuse(400, "a chunk ends with CRLF after as many bytes as its size");
        }
        this.#place = "data-lf";
        return;
      case "data-lf":
        return this.#lineFeed(byte, "size");
      case "end-lf":
        return this.#lineFeed(byte, "done");
      default:
        return this.#trailer(byte);
    }
  }

  #size(byte: number): void {
    const digit = hexDigit(byte);
    if (digit !== undefined) {
      if (++this.#digits > MAX_CHUNK_SIZE_DIGITS) {
        return this.#refuse(400, `a chunk size has at most ${MAX_CHUNK_SIZE_DIGITS} digits`);
      }
      this.#left = this.#left * 16 + digit;
      return;
    }
    if (this.#digits === 0 || byte !== CR && byte !== SEMICOLON) {
      return this.#refuse(400, "a chunk begins with its size in hex digits and CRLF");
    }
    this.#digits = 0;
    this.#extensionBytes = 0;
    this.#place = byte === CR ? "size-lf" : "extension";
  }

  #extension(byte: number): void {
    if (byte === CR) {
      this.#place = "size-lf";
      return;
    }
    if (isControl(byte)) return this.#refuse(400, "a chunk extension holds no control characters");
    if (++this.#extensionBytes > MAX_CHUNK_EXTENSION_BYTES) {
      this.#refuse(400, `send chunk extensions of at most ${MAX_CHUNK_EXTENSION_BYTES} bytes`);
    }
  }

  /** Takes the LF of a line. */
  #lineFeed(byte: number, next: Place): void {
    if (byte !== LF) return this.#refuse(400, "a CR in the framing of a body is followed by LF");
    if (this.#place === "size-lf") {
      if (!this.#announce(this.#left)) return;
      const most = FRAMING_ALLOWANCE_BYTES + FRAMING_PER_DATA_BYTE * this.#announced;
      if (this.#framingBytes > most) return this.#refuse(400, "send fewer and larger chunks");
    }
    this.#place = next;
  }

  #trailer(byte: number): void {
    if (++this.#trailerBytes > MAX_TRAILER_BYTES) {
      return this.#refuse(431, `send trailers of at most ${MAX_TRAILER_BYTES} bytes`);
    }
    switch (this.#place) {
      case "trailer-start":
        if (byte === CR) {
          this.#place = "end-lf";
          return;
        }
        if (!isTokenByte(byte)) return this.#refuse(400, "a trailer begins with its name");
        this.#place = "trailer-name";
        return;
      case "trailer-name":
        if (byte === COLON) this.#place = "trailer-value";
        else if (!isTokenByte(byte)) this.#refuse(400, "a trailer is a name, a colon and a value");
        return;
      case "trailer-value":
        if (byte === CR) this.#place = "trailer-lf";
        else if (isControl(byte)) this.#refuse(400, "a trailer holds no control characters");
        return;
      default:
        return this.#lineFeed(byte, "trailer-start");
    }
  }

  /** Takes a length or chunk size; false where that is too much. */
  #announce(bytes: number): boolean {
    this.#left = bytes;
    this.#announced += bytes;
    if (this.#announced <= this.#maxBytes) return true;
    this.#refuse(413, `send a body of at most ${this.#maxBytes} bytes`);
    return false;
  }

  #refuse(status: number, reason: string): void {
    this.#refusal = refused(status, reason);
  }
}

function hexDigit(byte: number): number | undefined {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : undefined;
}

function isControl(byte: number): boolean {
  return byte < SPACE && byte !== TAB || byte === DEL;
}
