/** A link over a plain byte stream: each line is a message. */

import type { Segment } from "../core/frame_writer.ts";
import { LineReader, type LineSink, type LineViolation } from "../core/lines.ts";
import {
  CLOSE_DEADLINE_MS,
  type Link,
  type LinkListener,
  type Outgoing,
  type SendOptions,
} from "../core/link.ts";
import type { ReadBuffers } from "./read_buffers.ts";
import type { TurnBudget } from "./turn_budget.ts";
import { TurnStream } from "./turn_stream.ts";
import type { ByteStream } from "./turn_writer.ts";
import type { WriteTurns } from "./write_turns.ts";

/** How long a peer to which all was said may take to leave before its connection is dropped, in milliseconds. */
const LINGER_MS = 1_000;

/** What such a peer may still send meanwhile, in bytes, so that it reads the last word at all. */
const MAX_DISCARDED_BYTES = 1024 * 1024;

/** Lines that are read between two looks at the clock. */
const LINES_PER_LOOK = 16;

/** What the links of one listener share. */
export interface LineHouse {
  readonly maxLineBytes: number;
  readonly reads: ReadBuffers;
  readonly turns: WriteTurns;
  readonly budget: TurnBudget;
  /** The line that tells a peer why its connection is closed; undefined: it is closed without a word. */
  readonly lastWord: (code: number, reason: string) => string | undefined;
  /** Told of what a listener threw; must not throw. */
  readonly failed: (error: unknown) => void;
}

/**
 * A connection whose messages are lines. Until it has a listener, nothing is read. A line that is not UTF-8
 * is handed over as bytes. There is no closing handshake: a close says its last word, ends the sending side,
 * and drops the peer when it has not left after a while.
 */
export class StreamLink extends TurnStream implements Link, LineSink {
  readonly #house: LineHouse;
  readonly #reader: LineReader;
  /** Called at the first line. */
  #spoke: (() => void) | undefined;
  /** Called at the end. */
  #left: (() => void) | undefined;
  #listener: LinkListener | undefined;
  /** What this side closed with. */
  #closedWith: { readonly code: number; readonly reason: string } | undefined;
  /** The peer sends nothing more. */
  #ended = false;
  // Writing.
  #text = "";
  // Reading.
  #paused = false;
  #allowance = Infinity;
  #discarded = 0;
  /** Lines looked at, to ask for the time not at each. */
  #lines = 0;

  constructor(stream: ByteStream, house: LineHouse, spoke: () => void = () => {}) {
    super(stream);
    this.#house = house;
    this.#reader = new LineReader(this, house.maxLineBytes);
    this.#spoke = spoke;
  }

  // What the owner asks.

  attach(listener: LinkListener): void {
    this.#listener = listener;
    this.resumeReading();
  }

  send(data: Outgoing, options?: SendOptions): void {
    if (this.#closedWith !== undefined || this.gone) return;
    this.#add(data instanceof Uint8Array ? new TextDecoder().decode(data) : String(data));
    this.queued(options?.patient === true);
  }

  close(code: number, reason: string): void {
    if (this.#closedWith !== undefined || this.gone) return;
    this.#closedWith = { code, reason };
    const word = this.#house.lastWord(code, reason);
    if (word !== undefined) this.#add(word);
    this.dropAfter(CLOSE_DEADLINE_MS);
    this.hold(false);
    this.resume();
  }

  terminate(): void {
    if (!this.endStream()) return;
    this.#text = "";
    this.resumeReading();
  }

  allow(bytes: number | undefined): void {
    this.#allowance = bytes ?? Infinity;
  }

  pause(): void {
    if (this.#closedWith === undefined) this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.resumeReading();
  }

  // What the listener asks.

  /** Reads until the connection is over. Never rejects. */
  run(): Promise<void> {
    return new Promise((resolve) => {
      this.#left = resolve;
      this.startReading();
    });
  }

  // What the reader found.

  get blocked(): boolean {
    return this.#stopped || (++this.#lines % LINES_PER_LOOK === 0 && this.budget.spent);
  }

  get #stopped(): boolean {
    if (this.gone) return false;
    if (this.#closedWith !== undefined) return this.#discarded > MAX_DISCARDED_BYTES;
    return this.#paused || this.#listener === undefined;
  }

  gotLine(line: string): void {
    this.#hand(line);
  }

  gotBytes(line: Uint8Array<ArrayBuffer>): void {
    this.#hand(line);
  }

  gotViolation({ code, reason }: LineViolation): void {
    this.close(code, reason);
  }

  // Writing.

  protected get turns(): WriteTurns {
    return this.#house.turns;
  }

  /** In UTF-16 units, so exact for ASCII. */
  protected get waiting(): number {
    return this.#text.length;
  }

  protected take(): Segment | undefined {
    if (this.#text === "") return undefined;
    const buffer = encoder.encode(this.#text);
    this.#text = "";
    return { buffer, start: 0, end: buffer.length, pooled: false };
  }

  protected release(): void {}

  protected caughtUp(): void {
    try {
      this.#listener?.drained();
    } catch (error) {
      this.#fail(error);
    }
  }

  protected emptied(): void {
    if (this.#closedWith === undefined) return;
    if (this.#ended) return this.terminate();
    this.dropAfter(LINGER_MS);
    this.stream.closeWrite().catch(() => this.terminate());
  }

  #add(line: string): void {
    this.#text += `${line}\n`;
  }

  // Reading.

  protected get reads(): ReadBuffers {
    return this.#house.reads;
  }

  protected get budget(): TurnBudget {
    return this.#house.budget;
  }

  protected get deaf(): boolean {
    return this.#stopped || this.#ended;
  }

  protected arrived(bytes: Uint8Array<ArrayBuffer>): void {
    this.#allowance -= bytes.length;
    if (this.#allowance < 0) this.close(1009, "more than is allowed was sent");
    this.look(bytes);
  }

  protected push(bytes: Uint8Array<ArrayBuffer>): number {
    if (this.#closedWith === undefined) return this.#reader.push(bytes);
    this.#discarded += bytes.length;
    return bytes.length;
  }

  protected inputEnded(): boolean {
    this.#end();
    return true;
  }

  protected over(): void {
    this.terminate();
    this.#finish();
    this.#left?.();
  }

  #hand(line: string | Uint8Array): void {
    if (this.#closedWith !== undefined) return;
    this.#spoke?.();
    this.#spoke = undefined;
    try {
      this.#listener?.message(line);
    } catch (error) {
      this.#fail(error);
    }
  }

  // The end.

  /** The peer has said all; it may still listen. */
  #end(): void {
    this.#ended = true;
    if (this.#closedWith !== undefined) {
      if (this.resting) this.terminate();
      return;
    }
    this.#reader.finish();
    try {
      if (this.#listener?.finished === undefined) this.terminate();
      else this.#listener.finished();
    } catch (error) {
      this.#fail(error);
    }
  }

  #finish(): void {
    const vanished = { code: this.#ended ? NO_CODE : VANISHED, reason: "" };
    const { code, reason } = this.#closedWith ?? vanished;
    const listener = this.#listener;
    this.#listener = undefined;
    try {
      listener?.closed(code, reason);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The owner has a defect, which costs this connection. */
  #fail(error: unknown): void {
    this.#house.failed(error);
    this.close(1011, "internal error");
  }
}

/** A peer that left of its own accord, and one whose connection broke. */
const NO_CODE = 1005;
const VANISHED = 1006;

const encoder = new TextEncoder();
