/** Bytes on a TCP connection, where a library would not send them or would hide what comes back. */

import { connect, type Socket } from "node:net";
import { within } from "./deadline.ts";

/** An HTTP answer as it was received. */
export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Sends a request head line by line, then a body, and reads the answer; after a 101 it hangs up. */
export async function rawRequest(
  port: number,
  lines: readonly string[],
  options: { readonly body?: string; readonly localAddress?: string } = {},
): Promise<RawAnswer> {
  using socket = await RawSocket.open(port, options);
  socket.write(`${lines.join("\r\n")}\r\n\r\n${options.body ?? ""}`);
  return await socket.answer();
}

/** The lines of a WebSocket upgrade; `headers` may repeat or leave out any but the protocol's own. */
export function upgradeLines(path: string, headers: readonly string[]): readonly string[] {
  return [
    `GET ${path} HTTP/1.1`,
    ...headers,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ];
}

/** One TCP connection; `using` drops it. */
export class RawSocket implements Disposable {
  readonly #socket: Socket;
  #received = new Uint8Array();
  #ended = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    const wake = () => this.#wake();
    socket.on("data", (data: Uint8Array) => {
      const joined = new Uint8Array(this.#received.length + data.length);
      joined.set(this.#received);
      joined.set(data, this.#received.length);
      this.#received = joined;
      wake();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#ended = true;
      wake();
    });
  }

  static async open(
    port: number,
    options: { readonly localAddress?: string } = {},
  ): Promise<RawSocket> {
    const socket = connect({ port, host: "127.0.0.1", localAddress: options.localAddress });
    const raw = new RawSocket(socket);
    await within(
      new Promise<void>((resolve, reject) => {
        socket.once("connect", () => resolve());
        socket.once("error", reject);
      }),
      "a TCP connection",
    );
    return raw;
  }

  /** Opens a WebSocket by hand and swallows the head of the answer. */
  static async upgrade(port: number): Promise<RawSocket> {
    const raw = await RawSocket.open(port);
    raw.write(`${upgradeLines("/", [`Host: 127.0.0.1:${port}`]).join("\r\n")}\r\n\r\n`);
    const { status } = await raw.answer();
    if (status !== 101) throw new Error(`the upgrade was answered with ${status}`);
    return raw;
  }

  get open(): boolean {
    return !this.#ended;
  }

  write(data: string | Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(data);
  }

  /** Writes and waits until the system has taken it; false when the connection has ended instead. */
  async flush(data: Uint8Array): Promise<boolean> {
    if (this.#ended || this.#socket.destroyed) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const closed = () => resolve(false);
    this.#socket.once("close", closed);
    this.#socket.write(data, (error) => resolve(!error));
    try {
      return await within(promise, "a write");
    } finally {
      this.#socket.off("close", closed);
    }
  }

  /** Writes, and waits until `bytes` more have come back or the connection has ended. */
  async exchange(data: Uint8Array, bytes: number): Promise<void> {
    const wanted = this.#received.length + bytes;
    await this.flush(data);
    const enough = () => this.#ended || this.#received.length >= wanted || undefined;
    await this.#until(enough, `${bytes} bytes`);
  }

  /** Writes in as many pieces as there are bytes. */
  async trickle(data: Uint8Array): Promise<void> {
    this.#socket.setNoDelay(true);
    for (let at = 0; at < data.length; at++) {
      if (!await this.flush(data.subarray(at, at + 1))) return;
    }
  }

  /** Waits until a text has come, since the head of the last answer. */
  async seen(text: string): Promise<void> {
    await this.#until(() => this.#text().includes(text) || undefined, text);
  }

  /** Reads one HTTP answer. */
  async answer(): Promise<RawAnswer> {
    const head = await this.#until(() => {
      const end = this.#text().indexOf("\r\n\r\n");
      return end < 0 ? undefined : this.#text().slice(0, end);
    }, "the head of an answer");
    const [first = "", ...lines] = head.split("\r\n");
    const headers = new Map(lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }));
    const status = Number(first.split(" ")[1]);
    this.#received = this.#received.slice(head.length + 4);
    const length = status === 101 ? 0 : Number(headers.get("content-length") ?? 0);
    await this.#until(() => this.#received.length >= length || undefined, "the body of an answer");
    const body = this.#text().slice(0, length);
    return { status, headers, body };
  }

  /** The close frame that the server sent; 1006 when it ended the connection without one. */
  async closeCode(patienceMs?: number): Promise<number> {
    await this.#until(() => this.#close() ?? (this.#ended || undefined), "a close", patienceMs);
    return this.#close() ?? 1006;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  /** Walks the server's frames, which are not masked. */
  #close(): number | undefined {
    const data = this.#received;
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    for (let at = 0; at + 2 <= data.length;) {
      const opcode = (data[at] ?? 0) & 0x0f;
      let length = (data[at + 1] ?? 0) & 0x7f;
      const more = length < 126 ? 0 : length === 126 ? 2 : 8;
      const start = at + 2 + more;
      if (start > data.length) return undefined;
      if (more === 2) length = view.getUint16(at + 2);
      else if (more === 8) length = Number(view.getBigUint64(at + 2));
      if (opcode === 8 && length >= 2 && start + 2 <= data.length) return view.getUint16(start);
      at = start + length;
    }
    return undefined;
  }

  #text(): string {
    return new TextDecoder("latin1").decode(this.#received);
  }

  async #until<Value>(
    look: () => Value | undefined,
    what: string,
    patienceMs?: number,
  ): Promise<Value> {
    for (;;) {
      const value = look();
      if (value !== undefined) return value;
      if (this.#ended) throw new Error(`the connection ended before ${what}`);
      await within(new Promise<void>((resolve) => this.#wake = resolve), what, patienceMs);
    }
  }
}
