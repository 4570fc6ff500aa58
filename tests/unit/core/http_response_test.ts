import assert from "node:assert/strict";
import type { HeaderField } from "../../../src/core/http_refusal.ts";
import {
  chunk,
  CHUNK_END,
  refusalResponse,
  type ResponseBody,
  responseHead,
  type ResponseHeadOptions,
  switchingProtocols,
} from "../../../src/core/http_response.ts";
import { bytesOf, textOf } from "../../support/http_delivery.ts";

const NONE: ResponseBody = { kind: "none" };

function head(options: Partial<ResponseHeadOptions>): string {
  const filled = { status: 200, headers: [], body: NONE, keepAlive: true, ...options };
  return textOf(responseHead(filled));
}

Deno.test("a head is a status line, the application's fields, a length and the connection", () => {
  const headers = new Headers({ "Content-Type": "text/plain", "x-a": "b" });
  headers.append("set-cookie", "a=1");
  headers.append("set-cookie", "b=2");
  assert.equal(
    head({ headers, body: { kind: "length", bytes: 12 } }),
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n" +
      "x-a: b\r\ncontent-length: 12\r\nconnection: keep-alive\r\n\r\n",
  );
});

Deno.test("the end of a body is said in the way of its status and kind", () => {
  const rows: readonly [status: number, body: ResponseBody, expected: string][] = [
    [200, NONE, "content-length: 0\r\nconnection: keep-alive\r\n\r\n"],
    [200, { kind: "length", bytes: 0 }, "content-length: 0\r\nconnection: keep-alive\r\n\r\n"],
    [200, { kind: "chunked" }, "transfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n"],
    [200, { kind: "close" }, "connection: close\r\n\r\n"],
    [204, NONE, "connection: keep-alive\r\n\r\n"],
    [204, { kind: "length", bytes: 3 }, "connection: keep-alive\r\n\r\n"],
    [304, { kind: "chunked" }, "connection: keep-alive\r\n\r\n"],
  ];
  for (const [status, body, expected] of rows) {
    const written = head({ status, body });
    assert.equal(written.slice(written.indexOf("\r\n") + 2), expected, `${status} ${body.kind}`);
  }
  assert.match(head({ keepAlive: false }), /\r\nconnection: close\r\n\r\n$/);
});

Deno.test("a status has its phrase, or the one that is given", () => {
  const rows: readonly [status: number, text: string | undefined, line: string][] = [
    [404, undefined, "HTTP/1.1 404 Not Found"],
    [404, "", "HTTP/1.1 404 Not Found"],
    [404, "Gone Fishing", "HTTP/1.1 404 Gone Fishing"],
    [299, undefined, "HTTP/1.1 299 Status"],
    [200, "a\r\nx: y", "HTTP/1.1 200 a  x: y"],
    [101, undefined, "HTTP/1.1 500 Internal Server Error"],
    [600, undefined, "HTTP/1.1 500 Internal Server Error"],
    [NaN, undefined, "HTTP/1.1 500 Internal Server Error"],
    [200.5, undefined, "HTTP/1.1 500 Internal Server Error"],
  ];
  for (const [status, statusText, line] of rows) {
    assert.equal(head({ status, statusText }).split("\r\n")[0], line);
  }
});

Deno.test("fields of the connection are the writer's own, in any case", () => {
  const headers: readonly HeaderField[] = [
    ["Connection", "keep-alive, x-a"],
    ["Transfer-Encoding", "chunked"],
    ["CONTENT-LENGTH", "99"],
    ["Keep-Alive", "timeout=5"],
    ["Upgrade", "h2c"],
    ["Proxy-Connection", "keep-alive"],
    ["TE", "trailers"],
    ["Trailer", "x"],
    ["x-a", "b"],
  ];
  assert.equal(
    head({ headers, keepAlive: false }),
    "HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
  );
});

Deno.test("no field leaves its line", () => {
  const headers: readonly HeaderField[] = [
    ["x-a", "b\r\nset-cookie: c=d"],
    ["x-b", "b\nc\0d\x7fe\tf\x1bg"],
    ["x-c\r\nset-cookie", "b"],
    ["x-d:", "b"],
    ["x e", "b"],
    ["", "b"],
    ["x-f\0", "b"],
    ["x-g", "\xe9\x85\u20ac\u{1f600}\ud800"],
    ["x-h", "\r\n"],
    ["constructor", "1"],
    ["__proto__", "2"],
  ];
  assert.equal(
    head({ headers, date: "x\r\ny" }),
    "HTTP/1.1 200 OK\r\nx-a: b  set-cookie: c=d\r\nx-b: b c d e\tf g\r\nx-g: \xe9\x85???\r\n" +
      "x-h: \r\nconstructor: 1\r\n__proto__: 2\r\ndate: x  y\r\n" +
      "content-length: 0\r\nconnection: keep-alive\r\n\r\n",
  );
});

Deno.test("a date is written where one is given and the application has none", () => {
  const date = "Sun, 22 Nov 2026 06:00:00 GMT";
  assert.match(head({ date }), /\r\ndate: Sun, 22 Nov 2026 06:00:00 GMT\r\n/);
  assert.doesNotMatch(head({}), /date/i);
  const own = head({ date, headers: [["Date", "own"]] });
  assert.deepEqual(own.match(/^date: .*$/gim), ["Date: own"]);
});

Deno.test("a piece is framed by its size, and nothing is not framed at all", () => {
  const rows: readonly [data: string, framed: string][] = [
    ["", ""],
    ["a", "1\r\na\r\n"],
    ["\r\n\0", "3\r\n\r\n\0\r\n"],
    ["x".repeat(26), `1a\r\n${"x".repeat(26)}\r\n`],
    ["x".repeat(65_536), `10000\r\n${"x".repeat(65_536)}\r\n`],
  ];
  for (const [data, framed] of rows) assert.equal(textOf(chunk(bytesOf(data))), framed);
  assert.equal(textOf(CHUNK_END), "0\r\n\r\n");
});

Deno.test("the switch to WebSocket carries its proof and the protocol", () => {
  assert.equal(
    textOf(switchingProtocols({ accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" })),
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
      "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
  );
  assert.equal(
    textOf(switchingProtocols({ accept: "x", protocol: "clawgate.v1" })),
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
      "sec-websocket-accept: x\r\nsec-websocket-protocol: clawgate.v1\r\n\r\n",
  );
  for (const protocol of ["", "a b", "a\r\nx: y", "a,b", "é"]) {
    assert.doesNotMatch(textOf(switchingProtocols({ accept: "x", protocol })), /protocol:/);
  }
});

Deno.test("a refusal is a whole answer that ends the connection", () => {
  const response = textOf(
    refusalResponse({ state: "refused", status: 400, reason: 'no "é" here' }),
  );
  assert.equal(
    response,
    "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n" +
      "x-content-type-options: nosniff\r\ncontent-length: 13\r\nconnection: close\r\n\r\n" +
      'no "\xc3\xa9" here\n',
  );
});

Deno.test("a refused version of WebSocket names its own, and Connection names the Upgrade", () => {
  const headers: readonly HeaderField[] = [
    ["upgrade", "websocket"],
    ["sec-websocket-version", "13"],
    ["content-length", "0"],
  ];
  const response = textOf(refusalResponse({ state: "refused", status: 426, reason: "x", headers }));
  assert.equal(
    response,
    "HTTP/1.1 426 Upgrade Required\r\ncontent-type: text/plain; charset=utf-8\r\n" +
      "x-content-type-options: nosniff\r\ncontent-length: 2\r\nsec-websocket-version: 13\r\n" +
      "upgrade: websocket\r\nconnection: close, upgrade\r\n\r\nx\n",
  );
});

Deno.test("an answer is read by the platform as it was written", async () => {
  const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const headers: readonly HeaderField[] = [["x-a", "\xe9"], ["x-b", "c"]];
  const serve = async () => {
    using connection = await server.accept();
    await connection.read(new Uint8Array(4_096));
    const options = { status: 201, headers, body: { kind: "chunked" }, keepAlive: false } as const;
    const written = [responseHead(options), chunk(bytesOf("ab")), chunk(bytesOf("c")), CHUNK_END];
    const writer = connection.writable.getWriter();
    for (const bytes of written) await writer.write(bytes);
  };
  try {
    const served = serve();
    const response = await fetch(`http://127.0.0.1:${server.addr.port}/`);
    assert.equal(response.status, 201);
    assert.equal(response.statusText, "Created");
    assert.equal(response.headers.get("x-a"), "\xe9");
    assert.equal(response.headers.get("x-b"), "c");
    assert.equal(await response.text(), "abc");
    await served;
  } finally {
    server.close();
  }
});
