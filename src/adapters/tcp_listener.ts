/** A listener over plain TCP or TLS: this package's own HTTP/1.1 and WebSocket framing on one port. */

import { Buffer } from "node:buffer";
import { BufferPool } from "../core/buffer_pool.ts";
import { type GateBounds, HandshakeGate } from "../core/handshake_gate.ts";
import { plainAddress } from "../core/host.ts";
import { FrameTools } from "../core/websocket_frame.ts";
import type { Listen, Listener, ListenOptions } from "../ports/listener.ts";
import { acceptAll } from "./accept_loop.ts";
import { type ByteStream, FramedSocket, type SocketHouse } from "./framed_socket.ts";
import { listenError } from "./listen_error.ts";
import { ReadBuffers } from "./read_buffers.ts";
import { RequestStream, type Upgraded } from "./request_stream.ts";
import { SilenceWatch } from "./silence_watch.ts";
import { TurnBudget } from "./turn_budget.ts";
import { WriteTurns } from "./write_turns.ts";

/** Fragments that one message may come in; more close the connection, as each costs far more than its bytes. */
export const MAX_FRAGMENTS = 1_024;

/** Connections at once, of every kind and wire; a wire has a lower bound, at which it says so before it closes. */
const MAX_CONNECTIONS = 25_000;

/**
 * Connections that speak HTTP, or nothing yet; when there are more, the one of their source gives way whose next
 * request has been waited for longest.
 */
export const HTTP_BOUNDS: GateBounds = { perSource: 1_024, total: 4_096 };

/** Default bound of a request's body, in bytes. */
const MAX_BODY_BYTES = 1024 * 1024;

/** Connections that the system may hold until they are accepted: all clients may come back at once. */
const BACKLOG = 4_096;

/** A gate for the connections of one listener, or of several that hold the bounds together. */
export function httpGate(): HandshakeGate {
  return new HandshakeGate(HTTP_BOUNDS);
}

/** Starts a listener for HTTP and WebSockets on one port. */
export const listenTcp: Listen = (options: ListenOptions): Promise<Listener> =>
  listenBehind(httpGate(), options);

/** As {@linkcode listenTcp}, with a gate that listeners may share. */
export async function listenBehind(
  gate: HandshakeGate,
  options: ListenOptions,
): Promise<Listener> {
  const { hostname, port, tls } = options;
  const listener = new TcpListener(options, gate);
  try {
    const accept: Accept = (stream, address) => listener.serve(stream, address);
    if (tls !== undefined) {
      // Loaded where it is wanted: what it stands on costs memory and time at every start.
      const { TlsServer } = await import("./tls_server.ts");
      listener.open(await TlsServer.listen({ hostname, port, backlog: BACKLOG, ...tls, accept }));
    } else listener.open(new TcpServer({ hostname, port, accept, failed: options.failed }));
    return listener;
  } catch (error) {
    throw listenError(error, options);
  }
}

/** Takes a connection and the address of its peer. */
type Accept = (stream: ByteStream, remoteAddress: string) => void;

/** What accepts connections. */
interface Server {
  readonly port: number;
  /** Stops accepting; where it gives a promise, the port is free once that resolves. */
  close(): Promise<void> | void;
}

/** Accepts plain TCP connections. */
class TcpServer implements Server {
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #accepting: Promise<void>;
  #closed = false;

  constructor(options: {
    readonly hostname: string;
    readonly port: number;
    readonly accept: Accept;
    readonly failed?: (error: unknown) => void;
  }) {
    const { hostname, port, accept, failed } = options;
    this.#listener = Deno.listen({ hostname, port, tcpBacklog: BACKLOG });
    this.port = this.#listener.addr.port;
    this.#accepting = acceptAll(this.#listener, {
      accept: (stream) => {
        stream.setNoDelay(true);
        accept(stream, stream.remoteAddr.hostname);
      },
      closed: () => this.#closed,
      failed,
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#listener.close();
    // The system keeps the port until the accept that waits has ended.
    return this.#accepting;
  }
}

class TcpListener implements Listener {
  readonly hostname: string;
  readonly #options: ListenOptions;
  #server: Server | undefined;
  readonly #sockets = new Set<FramedSocket>();
  readonly #requests = new Set<RequestStream>();
  readonly #gate: HandshakeGate;
  readonly #watch = new SilenceWatch(this.#sockets);
  readonly #house: SocketHouse;
  /** Those of routes with bounds of their own. */
  readonly #houses = new Map<number, SocketHouse>();
  #stopped: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  constructor(options: ListenOptions, gate: HandshakeGate) {
    this.#options = options;
    this.#gate = gate;
    this.hostname = options.hostname;
    this.#house = {
      limits: { maxMessageBytes: options.maxMessageBytes, maxFragments: MAX_FRAGMENTS },
      tools: new FrameTools(readAscii),
      pool: new BufferPool(),
      reads: new ReadBuffers(),
      turns: new WriteTurns(() => this.#sockets.size),
      budget: new TurnBudget(),
      left: (socket) => {
        this.#sockets.delete(socket);
        this.#departed();
      },
      failed: (error) => options.failed?.(error),
    };
  }

  get port(): number {
    return this.#server?.port ?? this.#options.port;
  }

  /** Takes in the server whose connections it serves. */
  open(server: Server): void {
    this.#server = server;
  }

  stop(graceMs: number): Promise<void> {
    return this.#stopped ??= this.#stop(graceMs);
  }

  async #stop(graceMs: number): Promise<void> {
    const closed = this.#server?.close();
    for (const requests of this.#requests) requests.finish();
    if (this.#requests.size + this.#sockets.size > 0) {
      const emptied = new Promise<void>((resolve) => this.#emptied = resolve);
      const deadline = setTimeout(() => this.#dropAll(), graceMs);
      await emptied;
      clearTimeout(deadline);
    }
    this.#watch.stop();
    this.#house.turns.stop();
    this.#house.budget.stop();
    await closed;
  }

  /** Serves a connection until its end. */
  serve(stream: ByteStream, address: string): void {
    if (this.#requests.size + this.#sockets.size >= MAX_CONNECTIONS) return stream.close();
    const { serve, tls } = this.#options;
    const maxBodyBytes = this.#options.maxBodyBytes?.() ?? MAX_BODY_BYTES;
    const remoteAddress = plainAddress(address);
    const evict = (): void => {
      leave();
      requests.close();
    };
    const waitingSince = (): number | undefined => requests.waitingSince;
    const leave = this.#gate.enter(remoteAddress, evict, { waitingSince });
    const requests = new RequestStream(stream, {
      house: { serve, maxBodyBytes, failed: this.#house.failed, budget: this.#house.budget },
      arrival: { remoteAddress, secure: tls !== undefined },
    });
    this.#requests.add(requests);
    // Not awaited: nothing of the requests shall stay in memory while a socket lives.
    requests.run().then((upgraded) => {
      leave();
      this.#requests.delete(requests);
      if (upgraded === undefined) this.#departed();
      else this.#adopt(stream, upgraded);
    });
  }

  #adopt(stream: ByteStream, { accept, protocol, maxMessageBytes, rest }: Upgraded): void {
    const socket = new FramedSocket(stream, this.#houseOf(maxMessageBytes), { protocol });
    this.#sockets.add(socket);
    this.#watch.start();
    try {
      accept(socket);
    } catch (error) {
      this.#house.failed(error);
      socket.terminate();
    }
    socket.run(rest);
  }

  /** What sockets with this bound share; routes know few different bounds. */
  #houseOf(maxMessageBytes: number = Infinity): SocketHouse {
    if (maxMessageBytes >= this.#options.maxMessageBytes) return this.#house;
    let house = this.#houses.get(maxMessageBytes);
    if (house === undefined) {
      house = { ...this.#house, limits: { ...this.#house.limits, maxMessageBytes } };
      this.#houses.set(maxMessageBytes, house);
    }
    return house;
  }

  #dropAll(): void {
    for (const socket of this.#sockets) socket.terminate();
    for (const requests of this.#requests) requests.close();
  }

  #departed(): void {
    if (this.#requests.size + this.#sockets.size === 0) this.#emptied?.();
  }
}

const { latin1Slice } = Buffer.prototype;

/** The platform's decoder costs several times as much for a short message. */
function readAscii(bytes: Uint8Array, start: number, end: number): string {
  return latin1Slice.call(bytes, start, end);
}
