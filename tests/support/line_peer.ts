/** The peer of a listener of lines, over TCP or a Unix socket: reads only when it is told to. */

import { PeerStream } from "./peer_stream.ts";
import type { Parsed } from "./wire_client.ts";

/** Where to connect; `hostname` is 127.0.0.1 where it is absent. */
export type LineTarget =
  | { readonly hostname?: string; readonly port: number }
  | { readonly path: string };

/** One connection; `using` drops it. */
export class LinePeer implements Disposable {
  readonly #stream: PeerStream;
  readonly #decoder = new TextDecoder();
  #received = "";

  private constructor(connection: Deno.Conn) {
    this.#stream = new PeerStream(connection);
  }

  static async open(target: LineTarget): Promise<LinePeer> {
    return new LinePeer(
      "path" in target
        ? await Deno.connect({ transport: "unix", path: target.path })
        : await Deno.connect({ hostname: target.hostname ?? "127.0.0.1", port: target.port }),
    );
  }

  /** Writes bytes as they are; false when the other side does not take them any more. */
  async write(data: string | Uint8Array): Promise<boolean> {
    return await this.#stream.tryWrite(
      typeof data === "string" ? new TextEncoder().encode(data) : data,
    );
  }

  /** Writes one line of JSON for each value. */
  async say(...values: readonly unknown[]): Promise<void> {
    await this.write(values.map((value) => `${JSON.stringify(value)}\n`).join(""));
  }

  /** Says that nothing more comes. */
  async finish(): Promise<void> {
    await this.#stream.closeWrite();
  }

  /** The next line; undefined when the connection has ended. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#received.indexOf("\n");
      if (end >= 0) {
        const line = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + 1);
        return line;
      }
      if (!await this.#more()) return undefined;
    }
  }

  /** The next line as JSON that `wanted` accepts; others are passed over. */
  async frame(wanted: (frame: Parsed) => boolean = () => true): Promise<Parsed> {
    for (;;) {
      const line = await this.line();
      if (line === undefined) throw new Error("the connection ended before the line came");
      const frame = JSON.parse(line);
      if (wanted(frame)) return frame;
    }
  }

  /** The answer to a request. */
  async ask(
    method: string,
    params?: unknown,
    id: string | number = crypto.randomUUID(),
  ): Promise<Parsed> {
    await this.say({ type: "request", id, method, params });
    return await this.frame((frame) => frame.type === "response" && frame.id === id);
  }

  /** All lines until the connection ends. */
  async rest(): Promise<readonly string[]> {
    const lines: string[] = [];
    for (let line = await this.line(); line !== undefined; line = await this.line()) {
      lines.push(line);
    }
    return lines;
  }

  [Symbol.dispose](): void {
    this.#stream[Symbol.dispose]();
  }

  async #more(): Promise<boolean> {
    const bytes = await this.#stream.read();
    if (bytes === undefined) return false;
    this.#received += this.#decoder.decode(bytes, { stream: true });
    return true;
  }
}
