/** Puts WebSocket frames together, so that all that is sent in one turn goes out in one write. */

import { type BufferPool, LARGEST_POOLED_BYTES } from "./buffer_pool.ts";
import type { Envelope } from "./shared_text.ts";
import { MAX_FRAME_HEAD_BYTES, OPCODE, writeHead, writtenHeadLength } from "./websocket_frame.ts";

/** Bytes that are ready to be written: `buffer[start, end)`. */
export interface Segment {
  readonly buffer: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** The buffer goes back to the pool once it is written; others only lent it. */
  readonly pooled: boolean;
}

/** Shared bytes from which on writing them where they stand is cheaper than a copy for each connection. */
const MIN_LENT_BYTES = 16 * 1024;

/** The most UTF-8 bytes that one UTF-16 unit takes. */
const MAX_BYTES_PER_UNIT = 3;

/** Frames that wait to be written on one connection, in order. */
export class FrameWriter {
  readonly #pool: BufferPool;
  /** Made when more waits than one buffer holds. */
  #ready: Segment[] | undefined;
  #buffer: Uint8Array | undefined;
  #end = 0;
  #length = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /** Adds a text message. Lone surrogates, which UTF-8 cannot hold, become U+FFFD. */
  text(message: string | Envelope): void {
    if (typeof message === "string") this.#addText(message);
    else if (message.shared.bytes.length >= MIN_LENT_BYTES) this.#addEnvelope(message);
    else this.#copyEnvelope(message);
  }

  /** Adds a whole frame of any kind; the payload is copied. */
  frame(opcode: number, payload: Uint8Array): void {
    const { length } = payload;
    const buffer = this.#room(writtenHeadLength(length) + length);
    const at = writeHead(buffer, this.#end, { opcode, length });
    buffer.set(payload, at);
    this.#advance(buffer, at + length);
  }

  /** The next bytes to write, all that is ready of them; undefined when nothing waits. */
  take(): Segment | undefined {
    const segment = this.#ready?.shift() ?? this.#sealed();
    if (segment !== undefined) this.#length -= segment.end - segment.start;
    return segment;
  }

  /** Takes back what {@linkcode take} gave, when it has been written. */
  release(segment: Segment): void {
    if (segment.pooled) this.#pool.give(segment.buffer);
  }

  /** Forgets all that waits. */
  clear(): void {
    this.#seal();
    for (const segment of this.#ready ?? []) this.release(segment);
    this.#ready = undefined;
    this.#length = 0;
  }

  #addText(message: string): void {
    const units = message.length;
    // ASCII is what most messages are: room for it first, and for the worst only when it does not do.
    if (units * MAX_BYTES_PER_UNIT < 126) {
      return this.#encode(message, { room: 3 * units, head: 2 });
    }
    const head = writtenHeadLength(units);
    if (!this.#tryEncode(message, { room: units, head })) {
      this.#encode(message, { room: MAX_BYTES_PER_UNIT * units, head: MAX_FRAME_HEAD_BYTES });
    }
  }

  /** Encodes behind room for a head; false when the bytes are more than `room` or need another head. */
  #tryEncode(message: string, { room, head }: { room: number; head: number }): boolean {
    const buffer = this.#room(head + room);
    const at = this.#end + head;
    const { read, written } = encoder.encodeInto(message, spaceOf(buffer, at));
    if (read < message.length || writtenHeadLength(written) !== head) return false;
    writeHead(buffer, this.#end, { opcode: OPCODE.text, length: written });
    this.#advance(buffer, at + written);
    return true;
  }

  /** Encodes with room enough, then moves the bytes up to their head. */
  #encode(message: string, { room, head }: { room: number; head: number }): void {
    const buffer = this.#room(head + room);
    const from = this.#end + head;
    const { written } = encoder.encodeInto(message, spaceOf(buffer, from));
    const at = writeHead(buffer, this.#end, { opcode: OPCODE.text, length: written });
    if (at !== from) buffer.copyWithin(at, from, from + written);
    this.#advance(buffer, at + written);
  }

  #copyEnvelope({ before, shared, after }: Envelope): void {
    const { bytes } = shared;
    const length = before.length + bytes.length + after.length;
    const buffer = this.#room(writtenHeadLength(length) + length);
    const start = writeHead(buffer, this.#end, { opcode: OPCODE.text, length });
    const middle = start + before.length;
    const end = middle + bytes.length;
    // What is a connection's own is short and nearly always ASCII, which needs no encoder.
    if (!writeAscii(buffer, start, before) || !writeAscii(buffer, end, after)) {
      return this.#copyPieces([encoder.encode(before), bytes, encoder.encode(after)]);
    }
    buffer.set(bytes, middle);
    this.#advance(buffer, end + after.length);
  }

  #copyPieces(pieces: readonly Uint8Array[]): void {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const buffer = this.#room(writtenHeadLength(length) + length);
    let at = writeHead(buffer, this.#end, { opcode: OPCODE.text, length });
    for (const piece of pieces) {
      buffer.set(piece, at);
      at += piece.length;
    }
    this.#advance(buffer, at);
  }

  /** Large shared bytes are written from where they stand. */
  #addEnvelope({ before, shared, after }: Envelope): void {
    const head = encoder.encode(before);
    const tail = encoder.encode(after);
    const length = head.length + shared.bytes.length + tail.length;
    const first = this.#room(MAX_FRAME_HEAD_BYTES + head.length);
    const at = writeHead(first, this.#end, { opcode: OPCODE.text, length });
    first.set(head, at);
    this.#advance(first, at + head.length);
    this.#seal();
    this.#queue({ buffer: shared.bytes, start: 0, end: shared.bytes.length, pooled: false });
    this.#length += shared.bytes.length;
    const last = this.#room(tail.length);
    last.set(tail, this.#end);
    this.#advance(last, this.#end + tail.length);
  }

  /** The buffer that bytes are added to, with room for `bytes` more. */
  #room(bytes: number): Uint8Array {
    const wanted = this.#end + bytes;
    const buffer = this.#buffer;
    if (buffer !== undefined && wanted <= buffer.length) return buffer;
    if (wanted > LARGEST_POOLED_BYTES) {
      this.#seal();
      return this.#buffer = this.#pool.take(bytes);
    }
    const larger = this.#pool.take(wanted);
    if (buffer !== undefined) {
      larger.set(buffer.subarray(0, this.#end));
      this.#pool.give(buffer);
    }
    return this.#buffer = larger;
  }

  #advance(buffer: Uint8Array, end: number): void {
    this.#buffer = buffer;
    this.#length += end - this.#end;
    this.#end = end;
  }

  /** What was added becomes ready; what follows goes into another buffer. */
  #seal(): void {
    const segment = this.#sealed();
    if (segment !== undefined) this.#queue(segment);
  }

  #sealed(): Segment | undefined {
    const buffer = this.#buffer;
    if (buffer === undefined) return undefined;
    this.#buffer = undefined;
    const end = this.#end;
    this.#end = 0;
    if (end > 0) return { buffer, start: 0, end, pooled: true };
    this.#pool.give(buffer);
    return undefined;
  }

  #queue(segment: Segment): void {
    if (this.#ready === undefined) this.#ready = [segment];
    else this.#ready.push(segment);
  }
}

/** Writes text at `at`; false, with the bytes there undefined, when it is not ASCII. */
function writeAscii(buffer: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0x80) return false;
    buffer[at + index] = unit;
  }
  return true;
}

/** The bytes from `at` on. */
function spaceOf(buffer: Uint8Array, at: number): Uint8Array {
  return buffer.subarray(at);
}

const encoder = new TextEncoder();
