/** What is reachable in another Deno process, asked for through its inspector. */

import { within } from "./deadline.ts";

/** A connection to an inspector; dispose of it to let go. */
export class HeapMeter implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #closed = Promise.withResolvers<void>();
  readonly #answers = new Map<number, (result: Record<string, unknown>) => void>();
  #ids = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const { id, result } = JSON.parse(data);
      this.#answers.get(id)?.(result ?? {});
      this.#answers.delete(id);
    };
    socket.onclose = () => this.#closed.resolve();
  }

  /** Connects to the address that `deno run --inspect` has printed. */
  static async open(url: string): Promise<HeapMeter> {
    const socket = new WebSocket(url);
    const meter = new HeapMeter(socket);
    await within(
      new Promise<void>((resolve, reject) => {
        socket.onopen = () => resolve();
        socket.onerror = (event) => {
          event.preventDefault();
          reject(new Error(`no inspector at ${url}`));
        };
      }),
      "the inspector",
    );
    return meter;
  }

  /** Bytes of all reachable objects and their buffers, after a collection. */
  async reachableBytes(): Promise<number> {
    // The first finds what is unreachable, the second what only finalizers held.
    for (let count = 0; count < 2; count++) await this.#call("HeapProfiler.collectGarbage");
    const { usedSize, backingStorageSize } = await this.#call("Runtime.getHeapUsage");
    if (typeof usedSize !== "number") throw new Error("the inspector tells no heap size");
    return usedSize + (typeof backingStorageSize === "number" ? backingStorageSize : 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await within(this.#closed.promise, "the inspector to let go");
  }

  async #call(method: string): Promise<Record<string, unknown>> {
    const id = ++this.#ids;
    const answer = new Promise<Record<string, unknown>>((resolve) =>
      this.#answers.set(id, resolve)
    );
    this.#socket.send(JSON.stringify({ id, method }));
    return await within(answer, `an answer to ${method}`, 30_000);
  }
}
