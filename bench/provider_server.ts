/**
 * Two servers of streams in one. Over HTTP, a provider of the OpenAI-compatible kind that streams as
 * many parts as the last number in the question says, each as soon as the one before has left. Over
 * WebSocket, the baseline of a gateway that passes such a stream on: bare `ws`, which sends frames of
 * the sizes that a {@linkcode Replay} names to every client. Prints its address when it listens.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
// @ts-types="@types/ws"
import { WebSocketServer } from "ws";

/** What a client of the baseline asks for. */
export interface Replay {
  /** Sizes in bytes of the frames that leave in one turn, turn by turn. */
  readonly turns: readonly (readonly number[])[];
  /** Wait before each turn, in milliseconds. */
  readonly pauseMs: number;
}

if (import.meta.main) {
  const server = createServer((request, response) => void answer(request, response));
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  sockets.on("connection", (socket) => {
    socket.on("message", (data) => void replay(sockets, JSON.parse(String(data))));
  });
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    if (typeof address === "object" && address !== null) {
      console.log(`listening on http://127.0.0.1:${address.port}`);
    }
  });
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let question = "";
  for await (const chunk of request) question += String(chunk);
  const parts = Number([...question.matchAll(/count to (\d{1,4})/g)].at(-1)?.[1] ?? 1);
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (let sent = 1; sent <= parts; sent++) {
    // A turn for each part, so that they leave one by one.
    await pause(0);
    response.write(eventOf({ content: `${sent} ` }, null));
  }
  response.write(eventOf({}, "stop"));
  response.end("data: [DONE]\n\n");
}

async function replay(sockets: WebSocketServer, { turns, pauseMs }: Replay): Promise<void> {
  const text = "x".repeat(Math.max(0, ...turns.flat()));
  for (const sizes of turns) {
    await pause(pauseMs);
    for (const size of sizes) {
      const frame = text.slice(0, size);
      for (const client of sockets.clients) client.send(frame);
    }
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function eventOf(delta: { readonly content?: string }, finish: string | null): string {
  const chunk = {
    id: "bench",
    object: "chat.completion.chunk",
    created: 1_770_000_000,
    model: "stream",
    choices: [{ index: 0, delta, finish_reason: finish }],
  };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}
