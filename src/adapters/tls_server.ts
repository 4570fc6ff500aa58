/**
 * Accepts TLS connections. Over `node:tls`, as the runtime's own TLS connection cannot be closed before its
 * handshake is over: a client that never finishes one would hold its descriptor for as long as it likes.
 */

import type { Socket } from "node:net";
import { createServer, type Server } from "node:tls";
import { type GateBounds, HandshakeGate } from "../core/handshake_gate.ts";
import { deadline } from "./deadline.ts";
import { NodeStream } from "./node_stream.ts";

/** Time for a client to finish its TLS handshake, in milliseconds. */
export const TLS_HANDSHAKE_TIMEOUT_MS = 10_000;

/** Connections that have not finished it; when there are more, the oldest of their source gives way. */
export const TLS_HANDSHAKE_BOUNDS: GateBounds = { perSource: 256, total: 1_024 };

/** What to listen on. */
export interface TlsServerOptions {
  readonly hostname: string;
  readonly port: number;
  /** Connections that the system may hold until they are accepted. */
  readonly backlog: number;
  /** PEM text. */
  readonly cert: string;
  readonly key: string;
  /** Gets each connection whose handshake is over. */
  readonly accept: (stream: NodeStream, remoteAddress: string) => void;
}

/** A connection in its handshake. They are kept by the peer's address and port, as the secured one has them too. */
interface Pending {
  readonly socket: Socket;
  /** It is over, one way or the other. */
  readonly done: () => void;
}

/** A server that is listening. */
export class TlsServer {
  readonly port: number;
  readonly #server: Server;
  readonly #pending: ReadonlyMap<string, Pending>;

  private constructor(server: Server, pending: ReadonlyMap<string, Pending>) {
    this.#server = server;
    this.#pending = pending;
    const address = server.address();
    this.port = typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Rejects with the runtime's error when the address cannot be had or the certificate is none. */
  static async listen(options: TlsServerOptions): Promise<TlsServer> {
    const { hostname, port, backlog, cert, key, accept } = options;
    proveCertificate({ cert, key });
    const gate = new HandshakeGate(TLS_HANDSHAKE_BOUNDS);
    const pending = new Map<string, Pending>();
    const server = createServer({ cert, key, noDelay: true }, (socket) => {
      const connection = pending.get(nameOf(socket));
      // It was closed meanwhile.
      if (connection === undefined) return void socket.destroy();
      connection.done();
      accept(new NodeStream(socket, connection.socket), socket.remoteAddress ?? "");
    });
    server.on("connection", (socket: Socket) => {
      const name = nameOf(socket);
      const done = (): void => {
        callOff();
        leave();
        // Who has its name by now may be the next one.
        if (pending.get(name)?.socket === socket) pending.delete(name);
      };
      const callOff = deadline(TLS_HANDSHAKE_TIMEOUT_MS, () => socket.destroy());
      const leave = gate.enter(socket.remoteAddress ?? "", () => {
        done();
        socket.destroy();
      });
      pending.set(name, { socket, done });
      socket.once("close", done);
    });
    // What a client does wrong in its handshake is its own matter.
    server.on("tlsClientError", (_error, socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, host: hostname, backlog }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    return new TlsServer(server, pending);
  }

  /** Accepts nothing more; what was accepted stays. */
  close(): void {
    this.#server.close();
    for (const { socket } of this.#pending.values()) socket.destroy();
  }
}

/** Throws what is wrong with a certificate and its key; the server itself would tell every client instead. */
function proveCertificate({ cert, key }: Pick<TlsServerOptions, "cert" | "key">): void {
  // The runtime's own TLS says it in plain words.
  Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key }).close();
}

function nameOf({ remoteAddress = "", remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
