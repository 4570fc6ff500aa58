/** Reads what a connection's peer sends: in turns, as fast as its owner takes it. */

import { ReadBuffer, type ReadBuffers } from "./read_buffers.ts";
import type { TurnBudget } from "./turn_budget.ts";
import { TurnWriter } from "./turn_writer.ts";

/** A connection's reading half on top of its writing half; what bytes mean is for the class above it. */
export abstract class TurnStream extends TurnWriter {
  #wake: (() => void) | undefined;
  /** What was read but not looked at when reading stopped. */
  #unread: Uint8Array<ArrayBuffer> | undefined;

  protected abstract readonly reads: ReadBuffers;
  /** The time that connections share. */
  protected abstract readonly budget: TurnBudget;
  /** Nothing is to be read now; {@linkcode TurnStream.resumeReading} says when to ask again. */
  protected abstract readonly deaf: boolean;
  /** Bytes came from the peer; they are to be given to {@linkcode TurnStream.look}, unless they do not matter. */
  protected abstract arrived(bytes: Uint8Array<ArrayBuffer>): void;
  /** Looks at bytes; how many were taken, fewer than all when it stopped for now. */
  protected abstract push(bytes: Uint8Array<ArrayBuffer>): number;
  /** The peer sends nothing more. True: the connection goes on, and is deaf from now on. */
  protected abstract inputEnded(): boolean;

  /** Reads until the stream is closed or its input ends the connection. Rejects as the network does. */
  protected async readAll(): Promise<void> {
    const buffer = new ReadBuffer(this.reads);
    try {
      while (!this.gone) {
        if (this.budget.spent) await this.budget.turn();
        else if (this.deaf) await new Promise<void>((resolve) => this.#wake = resolve);
        else if (this.#unread !== undefined) this.#lookAgain(this.#unread);
        else {
          const into = buffer.current;
          const bytes = await this.stream.read(into);
          if (bytes === null) {
            if (!this.inputEnded()) return;
          } else {
            this.arrived(into.subarray(0, bytes));
            buffer.used(bytes);
          }
        }
      }
    } finally {
      buffer.release();
    }
  }

  /** Looks at bytes; what is not taken now comes again later. */
  protected look(bytes: Uint8Array<ArrayBuffer>): void {
    const taken = this.push(bytes);
    if (taken < bytes.length && !this.gone) this.#unread = bytes.slice(taken);
  }

  /** Keeps bytes for later, before anything else was read. */
  protected keep(bytes: Uint8Array<ArrayBuffer>): void {
    this.#unread = bytes;
  }

  protected resumeReading(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  protected override endStream(): boolean {
    this.#unread = undefined;
    return super.endStream();
  }

  #lookAgain(bytes: Uint8Array<ArrayBuffer>): void {
    this.#unread = undefined;
    this.look(bytes);
  }
}
