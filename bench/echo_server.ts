/**
 * The baselines of every measurement over a socket, each an echo and nothing else: `ws` on `node:http`,
 * the runtime's own WebSocket, or this package's listener. A message that begins with
 * {@linkcode TO_ALL} is sent to every client instead. Prints its address when it listens.
 */

import { createServer } from "node:http";
// @ts-types="@types/ws"
import { WebSocketServer } from "ws";
import { collectGarbage } from "../src/adapters/idle_collector.ts";
import { listenTcp } from "../src/adapters/tcp_listener.ts";
import type { ServerSocket } from "../src/core/websocket.ts";
import { COLLECT_SIGNAL, type EchoKind, isEchoKind, TO_ALL } from "./echo_protocol.ts";

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

const SERVERS: Readonly<Record<EchoKind, () => void>> = {
  ws() {
    const server = createServer();
    const sockets = new WebSocketServer({ server, perMessageDeflate: false });
    sockets.on("connection", (socket) => {
      socket.on("message", (data) => {
        const text = String(data);
        if (!text.startsWith(TO_ALL)) return socket.send(text);
        for (const client of sockets.clients) client.send(text);
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (typeof address === "object" && address !== null) tellPort(address.port);
    });
  },
  runtime() {
    const clients = new Set<WebSocket>();
    Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: ({ port }) => tellPort(port) },
      (request) => {
        if (request.headers.get("upgrade") !== "websocket") return new Response(null);
        const { socket, response } = Deno.upgradeWebSocket(request);
        socket.onopen = () => clients.add(socket);
        socket.onclose = () => clients.delete(socket);
        socket.onmessage = ({ data }) => echo(String(data), { socket, clients });
        return response;
      },
    );
  },
  async own() {
    const clients = new Set<ServerSocket>();
    const listener = await listenTcp({
      hostname: "127.0.0.1",
      port: 0,
      maxMessageBytes: MAX_MESSAGE_BYTES,
      serve: (_request, { upgrade }) =>
        upgrade?.((socket) => {
          clients.add(socket);
          socket.addEventListener("close", () => clients.delete(socket));
          socket.addEventListener("message", ({ data }) => echo(String(data), { socket, clients }));
        }) ?? new Response(null),
    });
    tellPort(listener.port);
  },
};

type Sender = Pick<ServerSocket, "send">;

function echo(
  text: string,
  { socket, clients }: { readonly socket: Sender; readonly clients: Iterable<Sender> },
): void {
  if (!text.startsWith(TO_ALL)) return socket.send(text);
  for (const client of clients) client.send(text);
}

function tellPort(port: number): void {
  console.log(`listening on ws://127.0.0.1:${port}`);
}

if (import.meta.main) {
  const [kind = "ws"] = Deno.args;
  if (!isEchoKind(kind)) throw new Error(`there is no echo of the kind ${JSON.stringify(kind)}`);
  SERVERS[kind]();
  Deno.addSignalListener(COLLECT_SIGNAL, () => void collectGarbage());
}
