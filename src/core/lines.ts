/** Lines of text apart from any I/O: bytes in at any split become lines. */

import { utf8Text } from "./utf8_text.ts";

/** Longest line of a line protocol, in bytes without its end; more ends the connection, as memory must be held for it. */
export const MAX_LINE_BYTES = 64 * 1024;

/** Why a connection cannot go on, with a close code of WebSockets. */
export interface LineViolation {
  /** 1002: the peer speaks another protocol; 1009: a line is too long. */
  readonly code: 1002 | 1009;
  readonly reason: string;
}

/** Gets what was read, in order. */
export interface LineSink {
  /** While true nothing more is read; what is left stays with the caller of {@linkcode LineReader.push}. */
  readonly blocked: boolean;
  /** A line without its end and the blanks around it; never empty. */
  gotLine(line: string): void;
  /** A line that is not UTF-8; the bytes belong to the receiver. */
  gotBytes(line: Uint8Array<ArrayBuffer>): void;
  /** Nothing follows. */
  gotViolation(violation: LineViolation): void;
}

/** Bytes that a line in pieces is given room for at first; it grows with what really came. */
const FIRST_ROOM_BYTES = 512;

const LF = 0x0a;
const CR = 0x0d;

/**
 * What a web page can make a browser begin with: a request of HTTP, whatever its method, which its last
 * word gives away.
 */
const HTTP =
  /^(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PRI)(?:\s|$)|\sHTTP\/\d(?:\.\d)?$/i;

/** No text line has these: TLS, STUN and other binary protocols begin with them. */
const CONTROL = /(?!\t)\p{Cc}/u;

/**
 * Takes bytes apart at LF and CR LF. Lines that are empty or blank are passed over. The first line must be
 * text: one that begins as HTTP does, holds control characters or is not UTF-8 comes from a program that
 * speaks another protocol, perhaps on behalf of a web page, and nothing behind it is looked at. What is kept
 * between two chunks is at most one line, and memory for it is taken only as its bytes come.
 */
export class LineReader {
  readonly #sink: LineSink;
  readonly #maxBytes: number;
  #kept: Uint8Array<ArrayBuffer> | undefined;
  #length = 0;
  #first = true;
  #ended = false;

  constructor(sink: LineSink, maxBytes: number = MAX_LINE_BYTES) {
    this.#sink = sink;
    this.#maxBytes = maxBytes;
  }

  /** Reads until the sink is blocked; returns how many bytes were taken, which are the caller's again. */
  push(bytes: Uint8Array): number {
    let at = 0;
    while (!this.#ended && !this.#sink.blocked && at < bytes.length) {
      const end = bytes.indexOf(LF, at);
      const piece = bytes.subarray(at, end < 0 ? bytes.length : end);
      at += piece.length;
      if (end < 0) this.#keep(piece);
      else {
        at++;
        this.#conclude(piece);
      }
    }
    return this.#ended ? bytes.length : at;
  }

  /** No more bytes come: what is left counts as a line. */
  finish(): void {
    if (!this.#ended) this.#conclude(NOTHING);
    this.#ended = true;
  }

  /** A piece of a line that goes on. */
  #keep(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    // A last byte more may be the CR of the line's end.
    const spare = piece.at(-1) === CR ? 1 : 0;
    if (length > this.#maxBytes + spare) return this.#tooLong();
    if (this.#kept === undefined || this.#kept.length < length) {
      const room = Math.max(FIRST_ROOM_BYTES, 2 * (this.#kept?.length ?? 0), length);
      const larger = new Uint8Array(Math.min(room, this.#maxBytes + 1));
      if (this.#kept !== undefined) larger.set(this.#kept.subarray(0, this.#length));
      this.#kept = larger;
    }
    this.#kept.set(piece, this.#length);
    this.#length = length;
  }

  /** The last piece of a line, most often all of it, which is then looked at where it stands. */
  #conclude(piece: Uint8Array): void {
    let line = piece;
    if (this.#length > 0) {
      if (piece.length > 0) this.#keep(piece);
      if (this.#ended) return;
      line = this.#kept?.subarray(0, this.#length) ?? piece;
      this.#kept = undefined;
      this.#length = 0;
    }
    if (line.at(-1) === CR) line = line.subarray(0, -1);
    if (line.length > this.#maxBytes) this.#tooLong();
    else if (line.length > 0) this.#deliver(line);
  }

  #deliver(bytes: Uint8Array): void {
    const text = utf8Text(bytes);
    const line = text?.trim();
    if (line === "") return;
    if (this.#first) {
      this.#first = false;
      if (line === undefined || CONTROL.test(line) || HTTP.test(line)) {
        return this.#violate({ code: 1002, reason: "not a line of this protocol" });
      }
    }
    if (line === undefined) this.#sink.gotBytes(bytes.slice());
    else this.#sink.gotLine(line);
  }

  #tooLong(): void {
    this.#violate({ code: 1009, reason: `a line is longer than ${this.#maxBytes} bytes` });
  }

  #violate(violation: LineViolation): void {
    this.#ended = true;
    this.#kept = undefined;
    this.#length = 0;
    this.#sink.gotViolation(violation);
  }
}

const NOTHING = new Uint8Array(0);
