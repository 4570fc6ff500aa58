/** A listener over plain TCP or TLS: this package's own HTTP/1.1 and WebSocket framing on one port. */

import { Buffer } from "node:buffer";
import { BufferPool } from "../core/buffer_pool.ts";
import { type GateBounds, HandshakeGate } from "../core/handshake_gate.ts";
import { FrameTools } from "../core/websocket_frame.ts";
import type { Listen, Listener, ListenOptions } from "../ports/listener.ts";
import { type ByteStream, FramedSocket, type SocketHouse } from "./framed_socket.ts";
import { listenError } from "./listen_error.ts";
import { ReadBuffers } from "./read_buffers.ts";
import { RequestStream, type Upgraded } from "./request_stream.ts";
import { SilenceWatch } from "./silence_watch.ts";
import { WriteTurns } from "./write_turns.ts";

/** Fragments that one message may come in; more close the connection, as each costs far more than its bytes. */
const MAX_FRAGMENTS = 1_024;

/** Connections at once, of every kind; one more is closed at once. */
const MAX_CONNECTIONS = 25_000;

/** Connections that have not sent a whole request head. */
const SILENT_BOUNDS: GateBounds = { perSource: 1_024, total: 4_096 };

/** Default bound of a request's body, in bytes. */
const MAX_BODY_BYTES = 1024 * 1024;

/** Pause after the system could not hand out a connection, e.g. for want of file descriptors, in milliseconds. */
const ACCEPT_PAUSE_MS = 100;

/** Starts a listener for HTTP and WebSockets on one port. */
export const listenTcp: Listen = (options: ListenOptions): Promise<Listener> => {
  try {
    return Promise.resolve(new TcpListener(options));
  } catch (error) {
    return Promise.reject(listenError(error, options));
  }
};

class TcpListener implements Listener {
  readonly hostname: string;
  readonly port: number;
  readonly #options: ListenOptions;
  readonly #server: Deno.Listener<Deno.TcpConn | Deno.TlsConn>;
  readonly #sockets = new Set<FramedSocket>();
  readonly #requests = new Set<RequestStream>();
  readonly #silent = new HandshakeGate(SILENT_BOUNDS);
  readonly #watch = new SilenceWatch(this.#sockets);
  readonly #house: SocketHouse;
  readonly #accepting: Promise<void>;
  #stopping = false;
  #stopped: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  constructor(options: ListenOptions) {
    const { hostname, port, tls } = options;
    this.#options = options;
    this.#server = tls === undefined
      ? Deno.listen({ hostname, port })
      : Deno.listenTls({ hostname, port, cert: tls.cert, key: tls.key });
    this.hostname = hostname;
    const { addr } = this.#server;
    this.port = addr.transport === "tcp" ? addr.port : port;
    this.#house = {
      limits: { maxMessageBytes: options.maxMessageBytes, maxFragments: MAX_FRAGMENTS },
      tools: new FrameTools(readAscii),
      pool: new BufferPool(),
      reads: new ReadBuffers(),
      turns: new WriteTurns(() => this.#sockets.size),
      failed: (error) => options.failed?.(error),
    };
    this.#accepting = this.#accept();
  }

  stop(graceMs: number): Promise<void> {
    return this.#stopped ??= this.#stop(graceMs);
  }

  async #stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#server.close();
    await this.#accepting;
    for (const requests of this.#requests) requests.finish();
    if (this.#requests.size + this.#sockets.size > 0) {
      const emptied = new Promise<void>((resolve) => this.#emptied = resolve);
      const deadline = setTimeout(() => this.#dropAll(), graceMs);
      await emptied;
      clearTimeout(deadline);
    }
    this.#watch.stop();
    this.#house.turns.stop();
  }

  async #accept(): Promise<void> {
    while (!this.#stopping) {
      try {
        this.#serve(await this.#server.accept());
      } catch (error) {
        if (this.#stopping) return;
        this.#options.failed?.(error);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  #serve(stream: Deno.TcpConn | Deno.TlsConn): void {
    if (this.#requests.size + this.#sockets.size >= MAX_CONNECTIONS) return stream.close();
    if ("setNoDelay" in stream) stream.setNoDelay(true);
    const { serve, maxBodyBytes = MAX_BODY_BYTES, tls } = this.#options;
    const { remoteAddr } = stream;
    const remoteAddress = remoteAddr.transport === "tcp" ? plainAddress(remoteAddr.hostname) : "";
    const spoke = this.#silent.enter(remoteAddress, () => {
      spoke();
      requests.close();
    });
    const { failed } = this.#house;
    const requests = new RequestStream(stream, {
      house: { serve, maxBodyBytes, failed, spoke },
      arrival: { remoteAddress, secure: tls !== undefined },
    });
    this.#requests.add(requests);
    // Not awaited: nothing of the requests shall stay in memory while a socket lives.
    requests.run().then((upgraded) => {
      spoke();
      this.#requests.delete(requests);
      if (upgraded === undefined) this.#departed();
      else this.#adopt(stream, upgraded);
    });
  }

  #adopt(stream: ByteStream, { accept, protocol, rest }: Upgraded): void {
    const socket = new FramedSocket(stream, this.#house, protocol);
    this.#sockets.add(socket);
    this.#watch.start();
    try {
      accept(socket);
    } catch (error) {
      this.#house.failed(error);
      socket.terminate();
    }
    socket.run(rest).then(() => {
      this.#sockets.delete(socket);
      this.#departed();
    });
  }

  #dropAll(): void {
    for (const socket of this.#sockets) socket.terminate();
    for (const requests of this.#requests) requests.close();
  }

  #departed(): void {
    if (this.#requests.size + this.#sockets.size === 0) this.#emptied?.();
  }
}

/** An IPv4 peer of a dual-stack socket in its usual form. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

const { latin1Slice } = Buffer.prototype;

/** The platform's decoder costs several times as much for a short message. */
function readAscii(bytes: Uint8Array, start: number, end: number): string {
  return latin1Slice.call(bytes, start, end);
}
