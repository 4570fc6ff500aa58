/** Reads what a connection's peer sends: in turns, as fast as its owner takes it. */

import { ReadBuffer, type ReadBuffers } from "./read_buffers.ts";
import type { TurnBudget } from "./turn_budget.ts";
import { TurnWriter } from "./turn_writer.ts";

/**
 * A connection's reading half on top of its writing half; what bytes mean is for the class above it. Callbacks, not
 * an async function: what one holds while it waits is a fifth of what an idle connection costs.
 */
export abstract class TurnStream extends TurnWriter {
  #buffer: ReadBuffer | undefined;
  /** What was read but not looked at when reading stopped. */
  #unread: Uint8Array<ArrayBuffer> | undefined;
  /** Reading has stopped until it is asked for again. */
  #stopped = false;

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
  /** Nothing will be read any more: the stream is closed, broken, or its input has ended the connection. */
  protected abstract over(): void;

  /** Reads from now on, until it calls {@linkcode TurnStream.over}, once. To be called once. */
  protected startReading(): void {
    this.#goOn();
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

  /** Has reading go on after this turn, where it had stopped. */
  protected resumeReading(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    queueMicrotask(() => this.#goOn());
  }

  protected override endStream(): boolean {
    this.#unread = undefined;
    return super.endStream();
  }

  /** Reads on as far as nothing has to be waited for. */
  #goOn(): void {
    try {
      while (!this.gone) {
        if (this.budget.spent) return void this.budget.turn().then(() => this.#goOn());
        if (this.deaf) return void (this.#stopped = true);
        if (this.#unread === undefined) return this.#read();
        this.#lookAgain(this.#unread);
      }
    } catch {
      // A stream that is gone may say so at once.
    }
    this.#end();
  }

  #read(): void {
    const buffer = this.#buffer ??= new ReadBuffer(this.reads);
    this.stream.read(buffer.current).then(
      (bytes) => this.#got(buffer, bytes),
      // Whatever the network says of a connection that is gone, it is gone.
      () => this.#end(),
    );
  }

  #got(buffer: ReadBuffer, bytes: number | null): void {
    if (bytes === null) {
      if (!this.inputEnded()) return this.#end();
    } else {
      this.arrived(buffer.current.subarray(0, bytes));
      buffer.used(bytes);
    }
    this.#goOn();
  }

  #end(): void {
    this.#buffer?.end();
    this.#buffer = undefined;
    this.over();
  }

  #lookAgain(bytes: Uint8Array<ArrayBuffer>): void {
    this.#unread = undefined;
    this.look(bytes);
  }
}
