import assert from "node:assert/strict";
import { listenNatively, serveNatively } from "../../../src/adapters/native_listener.ts";
import type { Serve } from "../../../src/core/serve.ts";
import { within } from "../../support/deadline.ts";

Deno.test("a handler of the runtime's own server has the gateway's routes", async () => {
  const seen: unknown[] = [];
  const serve: Serve = (request, { remoteAddress, secure, upgrade }) => {
    seen.push([new URL(request.url).pathname, remoteAddress, secure, upgrade !== undefined]);
    return new Response("answer");
  };
  const rows: readonly (readonly [remoteAddress: string, secure: boolean, upgrade: string])[] = [
    ["::ffff:192.0.2.7", false, ""],
    ["::FFFF:192.0.2.7", true, "h2c"],
    ["2001:db8::1", true, "WebSocket"],
    ["", false, "websocket"],
  ];
  for (const [remoteAddress, secure, upgrade] of rows) {
    const request = new Request("http://a/path", { headers: { upgrade } });
    const response = await serveNatively(serve, request, { remoteAddress, secure });
    assert.equal(await response.text(), "answer");
  }
  assert.deepEqual(seen, [
    ["/path", "192.0.2.7", false, false],
    ["/path", "192.0.2.7", true, false],
    ["/path", "2001:db8::1", true, true],
    ["/path", "", false, true],
  ]);
});

Deno.test("while it stops, requests that still come are turned away", async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  const listener = await listenNatively({
    hostname: "127.0.0.1",
    port: 0,
    maxMessageBytes: 1_000,
    serve: () => {
      asked.resolve();
      return answer.promise;
    },
  });
  const url = `http://127.0.0.1:${listener.port}`;
  const first = fetch(url);
  await asked.promise;
  const stopped = listener.stop(10_000);
  const late = await fetch(url);
  await late.body?.cancel();
  assert.equal(late.status, 503);
  answer.resolve(new Response("in time"));
  assert.equal(await (await first).text(), "in time");
  await within(stopped, "the stop", 2_000);
});
