/** A socket of `node:net` or `node:tls` as a byte stream that is read as its owner asks. */

import type { Socket } from "node:net";
import type { ByteStream } from "./framed_socket.ts";

/** A byte stream over a socket. One read at a time; nothing is read ahead of what the socket buffers. */
export class NodeStream implements ByteStream {
  readonly #socket: Socket;
  #error: Error | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("readable", () => this.#signal());
    socket.on("end", () => {
      this.#ended = true;
      this.#signal();
    });
    socket.on("error", (error) => {
      this.#error ??= error;
      this.#signal();
    });
    socket.on("close", () => {
      this.#ended = true;
      this.#signal();
    });
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      const available = Math.min(this.#socket.readableLength, into.length);
      const chunk: unknown = available > 0 ? this.#socket.read(available) : undefined;
      if (chunk instanceof Uint8Array) {
        into.set(chunk);
        return chunk.length;
      }
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        // Asks for more where nothing is buffered.
        this.#socket.read(0);
      });
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve(bytes.length));
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(resolve));
  }

  close(): void {
    this.#ended = true;
    this.#socket.destroy();
    this.#signal();
  }

  #signal(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
