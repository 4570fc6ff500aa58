/** Listens for connections whose messages are lines: TCP on loopback, or a Unix socket. */

import { type GateBounds, HandshakeGate } from "../core/handshake_gate.ts";
import { isLoopbackHost } from "../core/host.ts";
import type { Link } from "../core/link.ts";
import { ListenError, type Remedy } from "../ports/listener.ts";
import { acceptAll } from "./accept_loop.ts";
import { openBoth } from "./both_loopbacks.ts";
import { listenError } from "./listen_error.ts";
import { ReadBuffers } from "./read_buffers.ts";
import { type LineHouse, StreamLink } from "./stream_link.ts";
import { listenUnix } from "./unix_socket.ts";
import { TurnBudget } from "./turn_budget.ts";
import { WriteTurns } from "./write_turns.ts";

/** Connections at once: programs of one machine, a few each; one more is closed at once. */
export const MAX_CONNECTIONS = 256;

/** Connections that have not sent a line; one more closes the oldest of them, as an honest client speaks first. */
export const SILENT_BOUNDS: GateBounds = { perSource: 64, total: 64 };

/** Where to listen. */
export type LineAddress =
  /** `hostname` names this machine alone; port 0 takes any free one. */
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

/** What to listen on, and for whom. */
export interface LineListenOptions {
  readonly address: LineAddress;
  /** The settings that an operator changes to have it listen elsewhere. */
  readonly remedy?: Remedy;
  readonly maxLineBytes: number;
  /** Given every connection; a link is read once it has a listener. */
  readonly accept: (link: Link) => void;
  readonly lastWord: LineHouse["lastWord"];
  /** Told of what upset the listener; must not throw. */
  readonly failed: (error: unknown) => void;
}

/** A listener that is running. */
export interface LineListener {
  /** `127.0.0.1:18791`, or the path of the socket. */
  readonly name: string;
  /**
   * Stops accepting; connections still open after `graceMs` are dropped, and a socket's file is removed. Safe to
   * call twice.
   */
  stop(graceMs: number): Promise<void>;
}

/**
 * Starts a listener, for loopback on both of its addresses; rejects with {@linkcode ListenError} when the address
 * cannot be had or is not private.
 */
export async function listenLines(options: LineListenOptions): Promise<LineListener> {
  const { address } = options;
  if (address.transport === "unix") {
    return new Lines(options, { servers: [await listenUnix(address.path)], name: address.path });
  }
  const { hostname } = address;
  if (!isLoopbackHost(hostname)) {
    throw new ListenError(
      "not-permitted",
      `cannot listen on ${hostname}:${address.port}: whoever reaches this port needs no secret, so only loopback addresses will do, such as 127.0.0.1`,
    );
  }
  const open = (hostname: string, port: number): Promise<TcpServer> => {
    try {
      const server = Deno.listen({ hostname, port });
      return Promise.resolve({ server, hostname, port: server.addr.port });
    } catch (error) {
      return Promise.reject(listenError(error, { hostname, port, remedy: options.remedy }));
    }
  };
  const tcp = await openBoth(address, {
    open: ({ hostname, port }) => open(hostname, port),
    close: ({ server }) => Promise.resolve(server.close()),
  });
  const [first] = tcp;
  const shown = first.hostname.includes(":") ? `[${first.hostname}]` : first.hostname;
  return new Lines(options, {
    servers: tcp.map(({ server }) => server),
    name: `${shown}:${first.port}`,
  });
}

/** A port on one address. */
interface TcpServer {
  readonly server: Deno.TcpListener;
  readonly hostname: string;
  readonly port: number;
}

class Lines implements LineListener {
  readonly name: string;
  readonly #options: LineListenOptions;
  readonly #servers: readonly Deno.Listener<Deno.TcpConn | Deno.UnixConn>[];
  readonly #links = new Set<StreamLink>();
  readonly #silent = new HandshakeGate(SILENT_BOUNDS);
  readonly #house: LineHouse;
  readonly #accepting: Promise<unknown>;
  #stopping = false;
  #emptied: (() => void) | undefined;

  constructor(
    options: LineListenOptions,
    { servers, name }: {
      readonly servers: readonly Deno.Listener<Deno.TcpConn | Deno.UnixConn>[];
      readonly name: string;
    },
  ) {
    const { maxLineBytes, lastWord, failed } = options;
    this.name = name;
    this.#options = options;
    this.#servers = servers;
    this.#house = {
      maxLineBytes,
      lastWord,
      failed,
      reads: new ReadBuffers(),
      turns: new WriteTurns(() => this.#links.size),
      budget: new TurnBudget(),
    };
    const accepting = servers.map((server) =>
      acceptAll(server, {
        accept: (stream) => this.#serve(stream),
        closed: () => this.#stopping,
        failed: (error) => this.#options.failed(error),
      })
    );
    this.#accepting = Promise.all(accepting);
  }

  async stop(graceMs: number): Promise<void> {
    if (!this.#stopping) {
      this.#stopping = true;
      for (const server of this.#servers) server.close();
    }
    await this.#accepting;
    if (this.#links.size > 0) await this.#empty(graceMs);
    this.#house.turns.stop();
    this.#house.budget.stop();
  }

  async #empty(graceMs: number): Promise<void> {
    const emptied = new Promise<void>((resolve) => this.#emptied = resolve);
    const deadline = setTimeout(() => {
      for (const link of this.#links) link.terminate();
    }, graceMs);
    await emptied;
    clearTimeout(deadline);
  }

  #serve(stream: Deno.TcpConn | Deno.UnixConn): void {
    if (this.#links.size >= MAX_CONNECTIONS) return stream.close();
    if ("setNoDelay" in stream) stream.setNoDelay(true);
    // All come from this machine, so they are one source.
    const spoke = this.#silent.enter("", () => {
      spoke();
      link.terminate();
    });
    const link = new StreamLink(stream, this.#house, spoke);
    this.#links.add(link);
    try {
      this.#options.accept(link);
    } catch (error) {
      this.#house.failed(error);
      link.terminate();
    }
    link.run().then(() => {
      spoke();
      this.#links.delete(link);
      if (this.#links.size === 0) this.#emptied?.();
    });
  }
}
