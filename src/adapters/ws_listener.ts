/** A listener over `node:http` and the `ws` package. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import { WebSocketServer } from "ws";
import type { Link } from "../core/link.ts";
import type { Arrival } from "../core/serve.ts";
import { type Listen, type Listener, ListenError, type ListenOptions } from "../ports/listener.ts";
import { SharedWrites, WsLink } from "./ws_link.ts";

/** Time for a client to send its request head, in milliseconds. */
const HEAD_TIMEOUT_MS = 10_000;

/** Fragments that one message may come in; more close the connection, as each costs far more than its bytes. */
const MAX_FRAGMENTS = 1_024;

/** Longest request head in bytes. */
const MAX_HEAD_BYTES = 16 * 1024;

/** Starts a listener for HTTP and WebSockets on one port. */
export const listenWithWs: Listen = async (options: ListenOptions): Promise<Listener> => {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: options.maxMessageBytes,
    maxFragments: MAX_FRAGMENTS,
    perMessageDeflate: false,
    autoPong: false,
    clientTracking: true,
  });
  const writes = new SharedWrites(() => sockets.clients.size);
  const server = createServer(
    { maxHeaderSize: MAX_HEAD_BYTES, headersTimeout: HEAD_TIMEOUT_MS },
    (incoming, outgoing) => {
      answer(incoming, outgoing, options).catch((error) => drop(incoming.socket, error, options));
    },
  );
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    upgrade({ incoming, socket, head, sockets, writes, options })
      .catch((error) => drop(socket, error, options));
  });
  const port = await bind(server, options);
  const listener: Listener = {
    hostname: options.hostname,
    port,
    async stop(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const deadline = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate();
        server.closeAllConnections();
      }, graceMs);
      server.closeIdleConnections();
      await closed;
      clearTimeout(deadline);
    },
  };
  return listener;
};

/** Answers a plain request. No route reads a body, so none is passed on; what was sent is dropped. */
async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { serve }: ListenOptions,
): Promise<void> {
  outgoing.on("error", () => incoming.destroy());
  const request = webRequest(incoming);
  const response = await serve(request, arrivalOf(incoming.socket));
  const body = new Uint8Array(await response.arrayBuffer());
  const headers = new Headers(response.headers);
  // A body that is still on its way ends with its connection instead of being read to its end.
  if (bodyFollows(request.headers)) headers.set("connection", "close");
  headers.set("content-length", String(body.length));
  outgoing.writeHead(response.status, Object.fromEntries(headers));
  outgoing.end(incoming.method === "HEAD" ? undefined : body);
}

function bodyFollows(headers: Headers): boolean {
  return headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) > 0;
}

/** A request that upsets this listener costs its own connection and nothing else. */
function drop(socket: Duplex, error: unknown, { failed }: ListenOptions): void {
  socket.destroy();
  failed?.(error);
}

/** Methods that a Web Request cannot have; no route answers them, under whatever name. */
const UNSPEAKABLE = /^(CONNECT|TRACE|TRACK|)$/i;

interface UpgradeRequest {
  readonly incoming: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Uint8Array;
  readonly sockets: WebSocketServer;
  readonly writes: SharedWrites;
  readonly options: ListenOptions;
}

/** Asks the routes; then finishes the handshake, or writes their answer on the raw socket. */
async function upgrade(request: UpgradeRequest): Promise<void> {
  const { incoming, socket, head, sockets, writes, options } = request;
  const destroy = () => socket.destroy();
  socket.on("error", destroy);
  let accept: ((link: Link) => void) | undefined;
  const response = await options.serve(webRequest(incoming), {
    ...arrivalOf(incoming.socket),
    upgrade: (accepted) => {
      accept = accepted;
      return new Response(null);
    },
  });
  const accepted = accept;
  if (accepted === undefined) return refuse(socket, response);
  socket.off("error", destroy);
  sockets.handleUpgrade(incoming, socket, Buffer.from(head), (webSocket) => {
    incoming.socket.setNoDelay(true);
    accepted(new WsLink(webSocket, { socket, writes }));
  });
}

function arrivalOf(socket: Socket | undefined): Arrival {
  return { remoteAddress: plainAddress(socket?.remoteAddress ?? ""), secure: false };
}

/** An IPv4 peer of a dual-stack socket in its usual form. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

function webRequest(incoming: IncomingMessage): Request {
  // The raw list: a name such as "constructor" upsets the objects that node:http sorts headers into.
  const headers = new Headers();
  const { rawHeaders } = incoming;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "");
  }
  const path = incoming.url?.startsWith("/") ? incoming.url : "/";
  const method = UNSPEAKABLE.test(incoming.method ?? "") ? "REFUSED" : incoming.method;
  return new Request(`http://gateway.invalid${path}`, { headers, method });
}

async function refuse(socket: Duplex, response: Response): Promise<void> {
  const body = await response.text();
  const lines = [
    `HTTP/1.1 ${response.status} ${response.statusText || "Refused"}`,
    ...[...response.headers].map(([name, value]) => `${name}: ${value}`),
    `content-length: ${new TextEncoder().encode(body).length}`,
    "connection: close",
  ];
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

function bind(
  server: ReturnType<typeof createServer>,
  options: ListenOptions,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(error, options)));
    server.listen(options.port, options.hostname, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : options.port);
    });
  });
}

function listenError(error: NodeJS.ErrnoException, options: ListenOptions): ListenError {
  const where = `${options.hostname}:${options.port}`;
  switch (error.code) {
    case "EADDRINUSE":
      return new ListenError(
        "in-use",
        `cannot listen on ${where}: another program has the port; choose one with --port, or stop it (clawgate doctor names it)`,
      );
    case "EADDRNOTAVAIL":
    // What this runtime says of an address that is not the machine's own.
    case "EINVAL":
      return new ListenError(
        "not-available",
        `cannot listen on ${where}: this machine has no such address; choose one with --bind`,
      );
    case "EACCES":
      return new ListenError(
        "not-permitted",
        `cannot listen on ${where}: not permitted; choose a port of 1024 or more with --port`,
      );
    default:
      return new ListenError("other", `cannot listen on ${where}: ${error.message}`);
  }
}
