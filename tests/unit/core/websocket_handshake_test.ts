import assert from "node:assert/strict";
import { acceptKey, readUpgrade } from "../../../src/core/websocket_handshake.ts";

Deno.test("a key is answered as in the examples of RFC 6455 and the Web", () => {
  assert.equal(acceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assert.equal(acceptKey("x3JJHMbDL1EzLkh9GBhXDw=="), "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
});

Deno.test("a key is answered as the platform's SHA-1 does", async () => {
  for (let seed = 0; seed < 50; seed++) {
    const key = btoa(String.fromCharCode(...new Uint8Array(16).fill(seed * 5)));
    const text = new TextEncoder().encode(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", text));
    assert.equal(acceptKey(key), btoa(String.fromCharCode(...digest)));
  }
});

Deno.test("a refused handshake says which part of it to change", () => {
  const valid = {
    method: "GET",
    version: "1.1",
    connection: "Upgrade",
    upgrade: "websocket",
    keys: ["dGhlIHNhbXBsZSBub25jZQ=="],
    versions: ["13"],
    protocols: "",
    hasBody: false,
  } as const;
  assert.deepEqual(readUpgrade(valid), { state: "websocket", key: "dGhlIHNhbXBsZSBub25jZQ==" });
  const rows: readonly [change: Partial<Parameters<typeof readUpgrade>[0]>, says: RegExp][] = [
    [{ connection: "close" }, /Connection: Upgrade/],
    [{ method: "POST" }, /GET request, not "POST"/],
    [{ hasBody: true }, /no body/],
    [{ versions: [] }, /version 13/],
    [{ keys: [] }, /Sec-WebSocket-Key/],
    [{ protocols: "a,a" }, /Sec-WebSocket-Protocol/],
  ];
  for (const [change, says] of rows) {
    const result = readUpgrade({ ...valid, ...change });
    assert.ok(result.state === "refused");
    assert.match(result.reason, says);
  }
});
