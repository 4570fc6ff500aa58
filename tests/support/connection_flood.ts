/** Thousands of TCP connections that begin something and do not go on, from as many addresses as wanted. */

import { connect, type Socket } from "node:net";
import { eventually } from "./deadline.ts";

/** Connections that are opened at once; more would meet the end of the system's queue. */
const OPEN_AT_ONCE = 100;

/** What a flood is made of. */
export interface FloodOptions {
  readonly count: number;
  /** Where the connection of this index comes from. */
  readonly address: (index: number) => string;
  /** Sent at once; absent: nothing. */
  readonly first?: string;
  /** Sent again and again while the connection is open, every `everyMs`; absent: nothing. */
  readonly drip?: { readonly text: string; readonly everyMs: number };
}

/** Connections that are open until the server or `using` ends them. */
export class ConnectionFlood implements Disposable {
  readonly #sockets: Socket[] = [];
  readonly #answers = new Map<string, number>();
  #open = 0;
  #dripping: ReturnType<typeof setInterval> | undefined;

  private constructor() {}

  /** Opens them all; those that the server ended by then count as well. */
  static async open(port: number, options: FloodOptions): Promise<ConnectionFlood> {
    const { count, address, first, drip } = options;
    const flood = new ConnectionFlood();
    for (let from = 0; from < count; from += OPEN_AT_ONCE) {
      const size = Math.min(OPEN_AT_ONCE, count - from);
      await Promise.all(
        Array.from({ length: size }, (_, at) => flood.#connect(port, address(from + at), first)),
      );
    }
    if (drip !== undefined) {
      flood.#dripping = setInterval(() => flood.#drip(drip.text), drip.everyMs);
    }
    return flood;
  }

  /** How many are open now. */
  get open(): number {
    return this.#open;
  }

  /** How often each status line, or other first line, was the first thing that came back. */
  get answers(): ReadonlyMap<string, number> {
    return this.#answers;
  }

  /** Waits until the server has ended all of them. */
  async end(patienceMs: number): Promise<void> {
    await eventually(() => this.#open === 0, "the end of every connection", patienceMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#dripping);
    for (const socket of this.#sockets) socket.destroy();
  }

  #connect(port: number, localAddress: string, first: string | undefined): Promise<void> {
    const socket = connect({ port, host: "127.0.0.1", localAddress });
    this.#sockets.push(socket);
    return new Promise((resolve) => {
      socket.once("connect", () => {
        this.#open++;
        socket.once("close", () => this.#open--);
        if (first !== undefined) socket.write(first);
        resolve();
      });
      socket.once("data", (data: Uint8Array) => {
        const line = new TextDecoder("latin1").decode(data).split("\r\n")[0] ?? "";
        this.#answers.set(line, (this.#answers.get(line) ?? 0) + 1);
      });
      socket.resume();
      socket.on("error", () => resolve());
    });
  }

  #drip(text: string): void {
    for (const socket of this.#sockets) if (!socket.destroyed) socket.write(text);
  }
}
