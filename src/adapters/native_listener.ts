/**
 * A listener over the runtime's own HTTP server and WebSockets, for hosts that give no TCP of one's own. The
 * bounds are the runtime's: `maxMessageBytes` and `maxBodyBytes` are not held, and nobody counts fragments or pings.
 */

import { plainAddress } from "../core/host.ts";
import type { Serve } from "../core/serve.ts";
import type { Listen, Listener, ListenOptions } from "../ports/listener.ts";
import { listenError } from "./listen_error.ts";

/** Starts a listener for HTTP and WebSockets on one port. */
export const listenNatively: Listen = (options: ListenOptions): Promise<Listener> => {
  const { hostname, port, serve, tls } = options;
  const abort = new AbortController();
  const open = new OpenCount();
  let stopping = false;
  try {
    const server = Deno.serve(
      {
        hostname,
        port,
        ...(tls === undefined ? {} : { cert: tls.cert, key: tls.key }),
        signal: abort.signal,
        onListen: () => {},
        onError: (error) => {
          options.failed?.(error);
          return new Response("Internal error", { status: 500 });
        },
      },
      (request, { remoteAddr, completed }) => {
        if (stopping) return new Response("Stopping", { status: 503 });
        const over = open.enter();
        completed.then(over, over);
        const counted: Serve = (request, { upgrade, ...arrival }) =>
          serve(request, {
            ...arrival,
            upgrade: upgrade && ((accept, options) =>
              upgrade((socket) => {
                const left = open.enter();
                socket.addEventListener("close", left);
                accept(socket);
              }, options)),
          });
        return serveNatively(counted, request, {
          remoteAddress: remoteAddr.transport === "tcp" ? remoteAddr.hostname : "",
          secure: tls !== undefined,
          failed: options.failed,
        });
      },
    );
    const stop = async (graceMs: number): Promise<void> => {
      stopping = true;
      const late = Promise.withResolvers<boolean>();
      const deadline = setTimeout(() => late.resolve(false), graceMs);
      const emptied = graceMs > 0 && await Promise.race([open.emptied(), late.promise]);
      // The server's own shutdown ends WebSockets at once and cannot be hurried, but has answers go out.
      if (emptied) await Promise.race([server.shutdown(), late.promise]);
      else {
        abort.abort();
        await server.finished;
      }
      clearTimeout(deadline);
    };
    let stopped: Promise<void> | undefined;
    return Promise.resolve({
      hostname,
      port: server.addr.port,
      stop: (graceMs) => stopped ??= stop(graceMs),
    });
  } catch (error) {
    return Promise.reject(listenError(error, options));
  }
};

/**
 * Answers one request of the runtime's own server with a gateway's routes, so that a gateway runs wherever
 * `Deno.serve` handlers do.
 */
export function serveNatively(
  serve: Serve,
  request: Request,
  { remoteAddress, secure, failed }: {
    readonly remoteAddress: string;
    readonly secure: boolean;
    /** Told of what `accept` threw; must not throw. */
    readonly failed?: (error: unknown) => void;
  },
): Response | Promise<Response> {
  const asks = request.headers.get("upgrade")?.toLowerCase() === "websocket";
  return serve(request, {
    remoteAddress: plainAddress(remoteAddress),
    secure,
    upgrade: !asks ? undefined : (accept, options) => {
      const { socket, response } = Deno.upgradeWebSocket(request, { protocol: options?.protocol });
      // Before it is open, nothing can be sent.
      socket.addEventListener("open", () => {
        try {
          accept(socket);
          // For listeners that came with `accept`.
          socket.dispatchEvent(new Event("open"));
        } catch (error) {
          failed?.(error);
          socket.close(1011);
        }
      }, { once: true });
      return response;
    },
  });
}

/** Counts requests and WebSockets that are not over. */
class OpenCount {
  #count = 0;
  #emptied: ((emptied: true) => void) | undefined;

  /** One more; call what is returned when it is over. */
  enter(): () => void {
    this.#count++;
    return () => {
      if (--this.#count === 0) this.#emptied?.(true);
    };
  }

  /** Resolves when all are over. Called once. */
  async emptied(): Promise<true> {
    return this.#count === 0 || await new Promise((resolve) => this.#emptied = resolve);
  }
}
