/** A byte stream in memory whose network a test plays. */

import type { ByteStream } from "../../src/adapters/framed_socket.ts";
import { joined } from "./websocket_frames.ts";

/** Both ends of a connection: the code under test has the {@linkcode ByteStream}, the test the rest. */
export class FakeStream implements ByteStream {
  /** What was written, write by write, as far as the network took it. */
  readonly writes: Uint8Array[] = [];
  /** Reads that were asked for. */
  reads = 0;
  closed = false;
  finished = false;
  /** While true the network takes nothing. */
  stuck = false;
  /** The most bytes that the network takes at once. */
  takes = Infinity;
  readonly #incoming: (Uint8Array | null)[] = [];
  #reader: (() => void) | undefined;
  #writer: (() => void) | undefined;

  /** The peer sends bytes; null: its end. */
  feed(...pieces: readonly (Uint8Array | null)[]): void {
    this.#incoming.push(...pieces);
    this.#reader?.();
  }

  /** Bytes that the peer sent and nobody has read. */
  get unread(): number {
    return this.#incoming.reduce((sum, piece) => sum + (piece?.length ?? 0), 0);
  }

  /** All that was written. */
  get written(): Uint8Array<ArrayBuffer> {
    return joined(...this.writes);
  }

  /** The network takes bytes again. */
  loosen(): void {
    this.stuck = false;
    this.#writer?.();
  }

  async read(into: Uint8Array): Promise<number | null> {
    this.reads++;
    for (;;) {
      if (this.closed) throw new Deno.errors.BadResource("closed");
      const piece = this.#incoming[0];
      if (piece === null) return null;
      if (piece !== undefined) {
        const taken = piece.subarray(0, into.length);
        into.set(taken);
        if (taken.length === piece.length) this.#incoming.shift();
        else this.#incoming[0] = piece.subarray(taken.length);
        return taken.length;
      }
      await new Promise<void>((resolve) => this.#reader = resolve);
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    while (this.stuck && !this.closed) {
      await new Promise<void>((resolve) => this.#writer = resolve);
    }
    if (this.closed || this.finished) throw new Deno.errors.BadResource("closed");
    const taken = bytes.slice(0, this.takes);
    this.writes.push(taken);
    await Promise.resolve();
    return taken.length;
  }

  closeWrite(): Promise<void> {
    this.finished = true;
    return Promise.resolve();
  }

  close(): void {
    if (this.closed) throw new Deno.errors.BadResource("closed twice");
    this.closed = true;
    this.#reader?.();
    this.#writer?.();
  }
}
