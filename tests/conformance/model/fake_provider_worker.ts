/// <reference lib="deno.worker" />
/** The thread of a {@linkcode FakeProvider}: takes fixtures, answers with the server's address. */

import { type FixtureFileEntry, LLMock } from "@copilotkit/aimock";

self.addEventListener("message", async (event: MessageEvent<FixtureFileEntry[]>) => {
  const server = new LLMock({ port: 0, host: "127.0.0.1", chunkSize: 4 });
  server.addFixturesFromJSON(event.data);
  self.postMessage(await server.start());
}, { once: true });
