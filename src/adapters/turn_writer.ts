/** Writes what a connection has ready to its stream: in turns, one piece after the other. */

import type { Segment } from "../core/frame_writer.ts";
import { deadline } from "./deadline.ts";
import type { Flushable, WriteTurns } from "./write_turns.ts";

/** Bytes waiting for the network below which a sender that was held up may go on. */
const LOW_WATER_BYTES = 16 * 1024;

/** A byte stream: TCP, TLS or a Unix socket. */
export type ByteStream = Pick<Deno.Conn, "read" | "write" | "close" | "closeWrite">;

/** The writing half of a connection; what is ready, and in which form, is for the class above it. */
export abstract class TurnWriter implements Flushable {
  protected readonly stream: ByteStream;
  #gone = false;
  #callOff: (() => void) | undefined;
  #held = false;
  #writing = false;
  #inFlight = 0;
  #behind = false;

  constructor(stream: ByteStream) {
    this.stream = stream;
  }

  /** Bytes that wait, those that are being written included. */
  get buffered(): number {
    return this.waiting + this.#inFlight;
  }

  flush(): void {
    this.#held = false;
    if (!this.#writing && !this.#gone) this.#write();
  }

  /** Ends the connection at once, with all that waits. */
  abstract terminate(): void;

  /** When it is written. */
  protected abstract readonly turns: WriteTurns;
  /** Bytes that {@linkcode TurnWriter.take} has not given yet. */
  protected abstract readonly waiting: number;
  /** All that is ready, or a part of it; undefined when nothing is. */
  protected abstract take(): Segment | undefined;
  /** What was taken has been written. */
  protected abstract release(segment: Segment): void;
  /** A connection that was behind has caught up. */
  protected abstract caughtUp(): void;
  /** Nothing waits any more. */
  protected abstract emptied(): void;

  /** The stream is closed. */
  protected get gone(): boolean {
    return this.#gone;
  }

  /** Nothing is being written or about to be. */
  protected get resting(): boolean {
    return !this.#held && !this.#writing;
  }

  /** A message was added: it is written at the end of the turn, or a moment later where it can wait. */
  protected queued(patient: boolean): void {
    if (this.buffered > LOW_WATER_BYTES) this.#behind = true;
    this.hold(patient);
  }

  /** Has what is ready written, without counting the connection as behind. */
  protected hold(patient: boolean): void {
    const fresh = !this.#held;
    this.#held = true;
    this.turns.hold(this, { fresh, patient });
  }

  /** Ends the connection if it is still there after a while; a later call counts in place of an earlier one. */
  protected dropAfter(delayMs: number): void {
    this.#callOff?.();
    if (!this.#gone) this.#callOff = deadline(delayMs, () => this.terminate());
  }

  /** Closes the stream; false when it was closed before. */
  protected endStream(): boolean {
    if (this.#gone) return false;
    this.#gone = true;
    this.#callOff?.();
    this.turns.forget(this);
    try {
      this.stream.close();
    } catch {
      // The network was faster.
    }
    return true;
  }

  /** Writes what is ready, one piece after the other, until nothing is left. */
  #write(): void {
    const segment = this.take();
    this.#writing = segment !== undefined;
    if (segment === undefined) return this.emptied();
    this.#inFlight = segment.end - segment.start;
    this.#writeFrom(segment, segment.start);
  }

  // Not an async function: with many listeners, what one costs is most of what a write costs here.
  #writeFrom(segment: Segment, at: number): void {
    this.stream.write(segment.buffer.subarray(at, segment.end)).then(
      (bytes) => this.#written(segment, at + bytes),
      () => {
        this.#inFlight = 0;
        this.terminate();
      },
    );
  }

  #written(segment: Segment, at: number): void {
    this.#inFlight = segment.end - at;
    if (at < segment.end) return this.#writeFrom(segment, at);
    this.release(segment);
    if (this.#behind && this.buffered <= LOW_WATER_BYTES && !this.#gone) {
      this.#behind = false;
      this.caughtUp();
    }
    this.#write();
  }
}
