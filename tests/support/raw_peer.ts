/**
 * The peer of a listener, byte by byte, over TCP or TLS: reads only when it is told to, so that a test can
 * be slow on purpose.
 */

import { bytesOf, textOf } from "./http_delivery.ts";
import { PeerStream } from "./peer_stream.ts";

/** A frame as it was received. */
export interface ReceivedFrame {
  readonly final: boolean;
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** The fields of a WebSocket's opening handshake. */
export const HANDSHAKE = "Connection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/** One connection; `using` drops it. */
export class RawPeer implements Disposable {
  readonly #stream: PeerStream;
  #received = new Uint8Array(0);

  private constructor(connection: Deno.Conn) {
    this.#stream = new PeerStream(connection);
  }

  /** Connects; encrypted where `caCert` is what vouches for the listener. */
  static async open(port: number, options: { readonly caCert?: string } = {}): Promise<RawPeer> {
    const { caCert } = options;
    const address = { hostname: "127.0.0.1", port };
    return new RawPeer(
      caCert === undefined
        ? await Deno.connect(address)
        : await Deno.connectTls({ ...address, caCerts: [caCert] }),
    );
  }

  /** Connects and becomes a WebSocket; `fields` are lines of the request, each with its end. */
  static async upgrade(
    port: number,
    options: { readonly caCert?: string; readonly fields?: string } = {},
  ): Promise<RawPeer> {
    const peer = await RawPeer.open(port, options);
    await peer.write(`GET / HTTP/1.1\r\nHost: a\r\n${HANDSHAKE}${options.fields ?? ""}\r\n`);
    const head = await peer.head();
    if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(`no upgrade: ${head}`);
    return peer;
  }

  /** Writes all of it. */
  async write(data: string | Uint8Array): Promise<void> {
    await this.#stream.write(typeof data === "string" ? bytesOf(data) : data);
  }

  /** Writes as far as the peer lets it; never fails. */
  async tryWrite(data: string | Uint8Array): Promise<boolean> {
    return await this.#stream.tryWrite(typeof data === "string" ? bytesOf(data) : data);
  }

  /** Says that nothing more comes. */
  async closeWrite(): Promise<void> {
    await this.#stream.closeWrite();
  }

  /** The head of an answer. */
  async head(): Promise<string> {
    for (;;) {
      const end = textOf(this.#received).indexOf("\r\n\r\n");
      if (end >= 0) return textOf(this.#take(end + 4));
      if (!await this.#more()) throw new Error(`ended within a head: ${textOf(this.#received)}`);
    }
  }

  /** As many bytes, as text. */
  async text(bytes: number): Promise<string> {
    while (this.#received.length < bytes) {
      if (!await this.#more()) throw new Error(`ended after ${textOf(this.#received)}`);
    }
    return textOf(this.#take(bytes));
  }

  /** The next frame; undefined when the connection has ended. */
  async frame(): Promise<ReceivedFrame | undefined> {
    for (;;) {
      const frame = this.#frame();
      if (frame !== undefined) return frame;
      if (!await this.#more()) return undefined;
    }
  }

  /** The next close frame as `code reason`, whatever comes before it; `end` where none comes. */
  async closeFrame(): Promise<string> {
    for (;;) {
      const frame = await this.frame();
      if (frame === undefined) return "end";
      if (frame.opcode !== 8) continue;
      if (frame.payload.length === 0) return "no code";
      const code = (frame.payload[0] ?? 0) << 8 | (frame.payload[1] ?? 0);
      return `${code} ${new TextDecoder().decode(frame.payload.subarray(2))}`.trim();
    }
  }

  /** All that comes until the connection ends, as Latin-1. */
  async rest(): Promise<string> {
    while (await this.#more());
    return textOf(this.#take(this.#received.length));
  }

  /** The number of bytes that come until the connection ends; they are not kept. */
  async drain(): Promise<number> {
    let count = this.#take(this.#received.length).length;
    while (await this.#more()) count += this.#take(this.#received.length).length;
    return count;
  }

  [Symbol.dispose](): void {
    this.#stream[Symbol.dispose]();
  }

  async #more(): Promise<boolean> {
    const bytes = await this.#stream.read();
    if (bytes === undefined) return false;
    const joined = new Uint8Array(this.#received.length + bytes.length);
    joined.set(this.#received);
    joined.set(bytes, this.#received.length);
    this.#received = joined;
    return true;
  }

  #frame(): ReceivedFrame | undefined {
    const found = frameAt(this.#received);
    if (found === undefined) return undefined;
    this.#take(found.end);
    return found.frame;
  }

  #take(bytes: number): Uint8Array {
    const taken = this.#received.slice(0, bytes);
    this.#received = this.#received.slice(bytes);
    return taken;
  }
}

/** Sends bytes on a connection of their own and returns all that comes back until its end. */
export async function exchange(port: number, text: string): Promise<string> {
  using peer = await RawPeer.open(port);
  await peer.tryWrite(text);
  return await peer.rest();
}

function frameAt(bytes: Uint8Array): { frame: ReceivedFrame; end: number } | undefined {
  if (bytes.length < 2) return undefined;
  const [first = 0, second = 0] = bytes;
  if ((second & 0x80) !== 0) throw new Error("a server masks nothing");
  const size = second === 126 ? 2 : second === 127 ? 8 : 0;
  if (bytes.length < 2 + size) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = size === 2 ? view.getUint16(2) : size === 8 ? view.getUint32(6) : second;
  const start = 2 + size;
  if (bytes.length < start + length) return undefined;
  return {
    frame: {
      final: (first & 0x80) !== 0,
      opcode: first & 0x0f,
      payload: bytes.slice(start, start + length),
    },
    end: start + length,
  };
}
