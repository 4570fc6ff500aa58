/**
 * A listener over the runtime's own HTTP server and WebSockets, for hosts that give no TCP of one's own. It
 * bounds less: see the wire page of a deployment before such a listener faces strangers.
 */

import type { Serve } from "../core/serve.ts";
import type { Listen, Listener, ListenOptions } from "../ports/listener.ts";
import { listenError } from "./listen_error.ts";

/** Starts a listener for HTTP and WebSockets on one port. */
export const listenNatively: Listen = (options: ListenOptions): Promise<Listener> => {
  const { hostname, port, serve, tls } = options;
  const abort = new AbortController();
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
      (request, { remoteAddr }) =>
        serveNatively(serve, request, {
          remoteAddress: remoteAddr.transport === "tcp" ? remoteAddr.hostname : "",
          secure: tls !== undefined,
        }),
    );
    return Promise.resolve({
      hostname,
      port: server.addr.port,
      async stop(graceMs) {
        const deadline = setTimeout(() => abort.abort(), graceMs);
        await server.shutdown();
        clearTimeout(deadline);
      },
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
  { remoteAddress, secure }: { readonly remoteAddress: string; readonly secure: boolean },
): Response | Promise<Response> {
  const asks = request.headers.get("upgrade")?.toLowerCase() === "websocket";
  return serve(request, {
    remoteAddress: remoteAddress.replace(/^::ffff:(?=\d+\.)/i, ""),
    secure,
    upgrade: !asks ? undefined : (accept, options) => {
      const { socket, response } = Deno.upgradeWebSocket(request, { protocol: options?.protocol });
      accept(socket);
      return response;
    },
  });
}
