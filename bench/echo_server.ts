/**
 * The baseline of every measurement over a socket: `ws` on `node:http` and nothing else. A message is
 * echoed; one that begins with {@linkcode TO_ALL} is sent to every client instead. Prints its address when it listens.
 */

import { createServer } from "node:http";
// @ts-types="@types/ws"
import { WebSocketServer } from "ws";
import { TO_ALL } from "./echo_protocol.ts";

if (import.meta.main) {
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
    if (typeof address === "object" && address !== null) {
      console.log(`listening on ws://127.0.0.1:${address.port}`);
    }
  });
}
