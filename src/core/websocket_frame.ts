/**
 * WebSocket framing as a server speaks it (RFC 6455, sections 5 to 8), apart from any I/O: bytes in at
 * any split become messages, messages become bytes for one write.
 */

import { NO_CODE, VANISHED } from "./link.ts";
import { PartialMessage } from "./partial_message.ts";

/** Frame types (RFC 6455, section 5.2). */
export const OPCODE = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

/** The most bytes that a control frame carries (RFC 6455, section 5.5). */
export const MAX_CONTROL_BYTES = 125;

/** The longest head that a server writes: two bytes and a length of eight. */
export const MAX_FRAME_HEAD_BYTES = 10;

/** Why a connection cannot go on, as its close frame says it. */
export interface FrameViolation {
  /** 1002: framing; 1007: text that is not UTF-8; 1009: too much. */
  readonly code: 1002 | 1007 | 1009;
  readonly reason: string;
}

/** What a peer may send. */
export interface FrameLimits {
  /** Bytes of one message, over all of its fragments. A frame cannot be longer than its message. */
  readonly maxMessageBytes: number;
  /** Frames that one message may come in, as each costs far more than its bytes. */
  readonly maxFragments: number;
}

/** Gets what was read, in order. */
export interface FrameSink {
  /** While true nothing more is read; what is left stays with the caller of {@linkcode FrameReader.push}. */
  readonly blocked: boolean;
  gotText(message: string): void;
  /** A message of bytes that belong to the receiver. */
  gotBinary(message: Uint8Array<ArrayBuffer>): void;
  /** `payload` is valid during the call only. */
  gotPing(payload: Uint8Array): void;
  gotPong(): void;
  /** The peer's close frame; `code` is 1005 where it named none. Nothing follows. */
  gotClose(code: number, reason: string): void;
  /** The peer broke the protocol or a limit. Nothing follows. */
  gotViolation(violation: FrameViolation): void;
}

/** Makes a string of bytes that are known to be ASCII. */
export type ReadAscii = (bytes: Uint8Array, start: number, end: number) => string;

/** What the readers of one listener share: fast ways to take bytes apart. */
export class FrameTools {
  readonly readAscii: ReadAscii | undefined;
  #buffer: ArrayBufferLike | undefined;
  #words: Uint32Array = new Uint32Array(0);

  /** `readAscii`: a faster way than the platform's decoder, where a runtime has one. */
  constructor(readAscii?: ReadAscii) {
    this.readAscii = readAscii;
  }

  /**
   * Unmasks `bytes[start, end)` in place. `mask` is the key as a little-endian number, turned so that
   * its lowest byte belongs to the byte at `start`. True when all of it is ASCII.
   */
  unmask(bytes: Uint8Array, start: number, end: number, mask: number): boolean {
    let seen = 0;
    let at = start;
    if (end - start >= MIN_WORDWISE_BYTES) {
      const offset = bytes.byteOffset;
      const words = this.#wordsOf(bytes.buffer);
      for (; (at + offset & 3) !== 0; at++) {
        seen |= bytes[at] = byteAt(bytes, at) ^ (mask & 0xff);
        mask = mask >>> 8 | mask << 24;
      }
      const last = end + offset >> 2;
      for (let word = at + offset >> 2; word < last; word++) {
        const plain = (words[word] ?? 0) ^ mask;
        words[word] = plain;
        seen |= plain & ASCII_TEST;
      }
      at = (last << 2) - offset;
      if (seen & ASCII_TEST) seen |= 0x80;
    }
    for (; at < end; at++) {
      seen |= bytes[at] = byteAt(bytes, at) ^ (mask & 0xff);
      mask = mask >>> 8 | mask << 24;
    }
    return (seen & 0x80) === 0;
  }

  #wordsOf(buffer: ArrayBufferLike): Uint32Array {
    if (buffer !== this.#buffer) {
      this.#buffer = buffer;
      this.#words = new Uint32Array(buffer, 0, buffer.byteLength >> 2);
    }
    return this.#words;
  }
}

/** Bytes from which on unmasking four at a time pays. */
const MIN_WORDWISE_BYTES = 16;

/** The bits of a word that are set where one of its bytes is not ASCII. */
const ASCII_TEST = 0x80808080 | 0;

/** Bytes of a mask's key. */
const MASK_BYTES = 4;

/** The longest head that a client writes: two bytes, a length of eight, a key. */
const MAX_CLIENT_HEAD_BYTES: number = 10 + MASK_BYTES;

const EMPTY = new Uint8Array(0);

/**
 * Reads what a client sends. What it keeps between two chunks is at most a head, one message and one
 * control frame, and memory for them is taken only as their bytes come.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #limits: FrameLimits;
  readonly #tools: FrameTools;
  #ended = false;
  /** A head that has not come whole. */
  #head: Uint8Array | undefined;
  #headLength = 0;
  /** The frame being read; `#left` payload bytes of it are to come. */
  #inFrame = false;
  #opcode = 0;
  #final = false;
  #mask = 0;
  #left = 0;
  /** The message being put together, and what is known of its text. */
  #message: PartialMessage | undefined;
  #control: PartialMessage | undefined;

  constructor(sink: FrameSink, limits: FrameLimits, tools: FrameTools = new FrameTools()) {
    this.#sink = sink;
    this.#limits = limits;
    this.#tools = tools;
  }

  /** Bytes that are kept for frames that have not come whole. */
  get kept(): number {
    return this.#headLength + (this.#message?.length ?? 0) + (this.#control?.length ?? 0);
  }

  /**
   * Reads the next bytes from the client; they are unmasked where they stand. Returns how many were
   * taken: all of them, or fewer when the sink paused, and then the rest must come again later.
   */
  push(chunk: Uint8Array<ArrayBuffer>): number {
    let at = 0;
    while (!this.#ended && !this.#sink.blocked) {
      if (!this.#inFrame) {
        const next = this.#readHead(chunk, at);
        if (next < 0) return chunk.length;
        at = next;
        if (this.#ended) break;
      }
      const end = Math.min(at + this.#left, chunk.length);
      const whole = end - at === this.#left;
      if (!whole && at === end) return chunk.length;
      this.#takePayload(chunk, at, end);
      at = end;
      if (!whole) return chunk.length;
    }
    return this.#ended ? chunk.length : at;
  }

  /** Reads a head from `at`; the position behind it, or -1 when more must come. */
  #readHead(chunk: Uint8Array, at: number): number {
    if (this.#headLength === 0) {
      const length = headLength(chunk, at, chunk.length);
      if (length > 0 && at + length <= chunk.length) {
        this.#openFrame(chunk, at, length);
        return at + length;
      }
      if (at === chunk.length) return -1;
    }
    const head = this.#head ??= new Uint8Array(MAX_CLIENT_HEAD_BYTES);
    while (at < chunk.length) {
      head[this.#headLength++] = byteAt(chunk, at++);
      if (this.#headLength === headLength(head, 0, this.#headLength)) {
        const length = this.#headLength;
        this.#headLength = 0;
        this.#head = undefined;
        this.#openFrame(head, 0, length);
        return at;
      }
      // What is wrong already is refused at once, not when the rest of the head has come.
      if (this.#refuse(this.#fault(head, 0, this.#headLength))) return at;
    }
    return -1;
  }

  #openFrame(bytes: Uint8Array, at: number, length: number): void {
    if (this.#refuse(this.#fault(bytes, at, length))) return;
    const first = byteAt(bytes, at);
    const maskAt = at + length - MASK_BYTES;
    this.#opcode = first & 0x0f;
    this.#final = (first & 0x80) !== 0;
    this.#mask = byteAt(bytes, maskAt) | byteAt(bytes, maskAt + 1) << 8 |
      byteAt(bytes, maskAt + 2) << 16 | byteAt(bytes, maskAt + 3) << 24;
    this.#left = payloadLength(bytes, at);
    this.#inFrame = true;
  }

  /** What the first `known` bytes of a head show to be wrong. */
  #fault(bytes: Uint8Array, at: number, known: number): FrameViolation | undefined {
    if (known < 2) return undefined;
    const message = this.#message;
    const fault = firstFault(bytes, at, message !== undefined);
    if (fault !== undefined || known < headLength(bytes, at, at + known) - MASK_BYTES) return fault;
    const size = payloadLength(bytes, at);
    if (size < 0) return LENGTH_NOT_MINIMAL;
    if ((byteAt(bytes, at) & 0x0f) >= OPCODE.close) return undefined;
    const { maxMessageBytes, maxFragments } = this.#limits;
    if ((message?.length ?? 0) + size > maxMessageBytes) return MESSAGE_TOO_LONG;
    return (message?.fragments ?? 0) >= maxFragments ? TOO_MANY_FRAGMENTS : undefined;
  }

  /** Takes `chunk[start, end)` as the next payload bytes of the frame being read. */
  #takePayload(chunk: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    const ascii = this.#tools.unmask(chunk, start, end, this.#mask);
    const whole = end - start === this.#left;
    if (this.#opcode >= OPCODE.close) return this.#takeControl(chunk, start, end);
    if (whole && this.#final && this.#message === undefined) {
      this.#inFrame = false;
      return this.#deliverWhole(chunk, start, end, ascii);
    }
    const message = this.#message ??= new PartialMessage(this.#opcode === OPCODE.text);
    this.#left -= end - start;
    this.#mask = turned(this.#mask, end - start);
    message.add(chunk, start, end, { ascii, expected: this.#final ? this.#left : Infinity });
    if (message.broken) return void this.#refuse(NOT_UTF8);
    if (!whole) return;
    this.#inFrame = false;
    message.fragments++;
    if (this.#final) this.#deliverPartial(message);
  }

  /** A message that stands in one piece in what was read: nothing of it is kept. */
  #deliverWhole(chunk: Uint8Array<ArrayBuffer>, start: number, end: number, ascii: boolean): void {
    if (this.#opcode === OPCODE.binary) return this.#sink.gotBinary(chunk.slice(start, end));
    const readAscii = this.#tools.readAscii;
    if (ascii && readAscii !== undefined) return this.#sink.gotText(readAscii(chunk, start, end));
    const text = decodeUtf8(chunk.subarray(start, end));
    if (text === undefined) this.#refuse(NOT_UTF8);
    else this.#sink.gotText(text);
  }

  #deliverPartial(message: PartialMessage): void {
    this.#message = undefined;
    const bytes = message.bytes;
    if (!message.isText) return this.#sink.gotBinary(bytes);
    const text = message.complete ? decodeUtf8(bytes) : undefined;
    if (text === undefined) this.#refuse(NOT_UTF8);
    else this.#sink.gotText(text);
  }

  #takeControl(chunk: Uint8Array, start: number, end: number): void {
    const whole = end - start === this.#left;
    this.#left -= end - start;
    this.#mask = turned(this.#mask, end - start);
    let payload = chunk.subarray(start, end);
    if (!whole || this.#control !== undefined) {
      const control = this.#control ??= new PartialMessage(false);
      control.add(chunk, start, end, { ascii: false, expected: this.#left });
      if (!whole) return;
      payload = control.bytes;
      this.#control = undefined;
    }
    this.#inFrame = false;
    if (this.#opcode === OPCODE.ping) this.#sink.gotPing(payload);
    else if (this.#opcode === OPCODE.pong) this.#sink.gotPong();
    else this.#takeClose(payload);
  }

  #takeClose(payload: Uint8Array): void {
    if (payload.length === 0) return this.#close(NO_CODE, "");
    const code = byteAt(payload, 0) << 8 | byteAt(payload, 1);
    if (payload.length === 1 || !isSendableCode(code)) return void this.#refuse(BAD_CLOSE_CODE);
    const reason = decodeUtf8(payload.subarray(2));
    if (reason === undefined) return void this.#refuse(NOT_UTF8);
    this.#close(code, reason);
  }

  #close(code: number, reason: string): void {
    this.#end();
    this.#sink.gotClose(code, reason);
  }

  #refuse(violation: FrameViolation | undefined): boolean {
    if (violation === undefined) return false;
    this.#end();
    this.#sink.gotViolation(violation);
    return true;
  }

  /** Forgets all: nothing that still comes is looked at. */
  #end(): void {
    this.#ended = true;
    this.#message = undefined;
    this.#control = undefined;
    this.#head = undefined;
    this.#headLength = 0;
  }
}

// Heads.

/** Bytes of the head that begins at `at`, as far as `end` shows it; 0 when it cannot be told yet. */
function headLength(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 2) return 0;
  const short = byteAt(bytes, at + 1) & 0x7f;
  // A frame without a mask is refused by its first two bytes and has no more of a head.
  const mask = (byteAt(bytes, at + 1) & 0x80) === 0 ? 0 : MASK_BYTES;
  return 2 + mask + (short < 126 ? 0 : short === 126 ? 2 : 8);
}

/** What the first two bytes of a head show to be wrong. */
function firstFault(
  bytes: Uint8Array,
  at: number,
  inMessage: boolean,
): FrameViolation | undefined {
  const first = byteAt(bytes, at);
  const second = byteAt(bytes, at + 1);
  const opcode = first & 0x0f;
  if ((first & 0x70) !== 0) return RESERVED_BITS;
  if ((second & 0x80) === 0) return NOT_MASKED;
  if (opcode >= OPCODE.close) {
    if (opcode > OPCODE.pong) return RESERVED_OPCODE;
    if ((first & 0x80) === 0) return FRAGMENTED_CONTROL;
    return (second & 0x7f) > MAX_CONTROL_BYTES ? LONG_CONTROL : undefined;
  }
  if (opcode > OPCODE.binary) return RESERVED_OPCODE;
  if (opcode === OPCODE.continuation) return inMessage ? undefined : NOTHING_TO_CONTINUE;
  return inMessage ? MESSAGE_NOT_ENDED : undefined;
}

/** Bytes of the payload by the head at `at`; -1 when a shorter form would have done. Too long ones are Infinity. */
function payloadLength(bytes: Uint8Array, at: number): number {
  const short = byteAt(bytes, at + 1) & 0x7f;
  return short < 126 ? short : longLength(bytes, at + 2, short);
}

function longLength(bytes: Uint8Array, at: number, short: number): number {
  if (short === 126) {
    const length = byteAt(bytes, at) << 8 | byteAt(bytes, at + 1);
    return length < 126 ? -1 : length;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 8);
  const high = view.getUint32(0);
  const low = view.getUint32(4);
  // The most significant bit must be clear (RFC 6455, section 5.2); no limit is near that size.
  if (high > 0) return Infinity;
  return low < 0x10000 ? -1 : low;
}

/** Whether a close frame may carry this code (RFC 6455, section 7.4). */
export function isSendableCode(code: number): boolean {
  if (code >= 3000 && code < 5000) return true;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== NO_CODE && code !== VANISHED;
}

const RESERVED_BITS: FrameViolation = { code: 1002, reason: "reserved bits are set" };
const RESERVED_OPCODE: FrameViolation = { code: 1002, reason: "unknown opcode" };
const NOT_MASKED: FrameViolation = { code: 1002, reason: "frame is not masked" };
const FRAGMENTED_CONTROL: FrameViolation = { code: 1002, reason: "fragmented control frame" };
const LONG_CONTROL: FrameViolation = { code: 1002, reason: "control frame too long" };
const NOTHING_TO_CONTINUE: FrameViolation = { code: 1002, reason: "nothing to continue" };
const MESSAGE_NOT_ENDED: FrameViolation = { code: 1002, reason: "message not ended" };
const LENGTH_NOT_MINIMAL: FrameViolation = { code: 1002, reason: "length not minimal" };
const BAD_CLOSE_CODE: FrameViolation = { code: 1002, reason: "invalid close code" };
const NOT_UTF8: FrameViolation = { code: 1007, reason: "invalid UTF-8" };
const MESSAGE_TOO_LONG: FrameViolation = { code: 1009, reason: "message too long" };
const TOO_MANY_FRAGMENTS: FrameViolation = { code: 1009, reason: "too many fragments" };

// Writing.

/** Bytes of the head of a server's frame. */
export function writtenHeadLength(payloadBytes: number): number {
  return payloadBytes < 126 ? 2 : payloadBytes < 0x10000 ? 4 : MAX_FRAME_HEAD_BYTES;
}

/** Writes the head of a whole, unmasked frame at `at`; the position behind it. */
export function writeHead(
  target: Uint8Array,
  at: number,
  { opcode, length }: { readonly opcode: number; readonly length: number },
): number {
  target[at++] = 0x80 | opcode;
  if (length < 126) {
    target[at++] = length;
    return at;
  }
  if (length >= 0x10000) {
    target[at++] = 127;
    const high = Math.floor(length / 0x1_0000_0000);
    for (let shift = 24; shift >= 0; shift -= 8) target[at++] = high >>> shift;
    target[at++] = length >>> 24;
    target[at++] = length >>> 16;
  } else target[at++] = 126;
  target[at++] = length >>> 8;
  target[at++] = length;
  return at;
}

/** The payload of a close frame; the reason is cut to what fits, between characters. */
export function closePayload(code: number, reason: string): Uint8Array {
  if (code === NO_CODE) return EMPTY;
  const payload = new Uint8Array(MAX_CONTROL_BYTES);
  payload[0] = code >> 8;
  payload[1] = code;
  const { written } = encoder.encodeInto(reason, payload.subarray(2));
  return payload.subarray(0, 2 + written);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** A mask key as it stands after `count` more bytes. */
function turned(mask: number, count: number): number {
  const bits = 8 * (count & 3);
  return bits === 0 ? mask : mask >>> bits | mask << (32 - bits);
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
