import assert from "node:assert/strict";
import type { PlainHead } from "../../support/http_delivery.ts";
import { accepted, get, HOST, lines, outcome, post, refuses } from "../../support/http_heads.ts";

const CHUNKED = "Transfer-Encoding: chunked";

const HANDSHAKE = {
  connection: "Connection: Upgrade",
  upgrade: "Upgrade: websocket",
  version: "Sec-WebSocket-Version: 13",
  key: "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
};

/** An opening handshake with some of its fields changed, left out (empty) or added. */
function handshake(
  changed: Partial<typeof HANDSHAKE> = {},
  ...added: readonly string[]
): string {
  const fields = Object.values({ ...HANDSHAKE, ...changed }).filter((field) => field !== "");
  return get(...fields, ...added);
}

Deno.test("a plain request is read to the last member", () => {
  const text = lines(
    "POST /v1/x?y=%20z HTTP/1.1",
    HOST,
    "X-A:\t b  c \t",
    "x-a: d",
    "X-Empty:",
    "Content-Length: 12",
    "Expect: 100-Continue",
  );
  assert.deepEqual(accepted(text), {
    method: "POST",
    target: "/v1/x?y=%20z",
    version: "1.1",
    headers: [
      ["content-length", "12"],
      ["expect", "100-Continue"],
      ["host", "gw.example.org"],
      ["x-a", "b  c, d"],
      ["x-empty", ""],
    ],
    body: { kind: "length", bytes: 12 },
    keepAlive: true,
    upgrade: "none",
    expectContinue: true,
  });
});

Deno.test("the opening handshake of a browser is read to the last member", () => {
  const text = handshake(
    { connection: "Connection: keep-alive, Upgrade", upgrade: "Upgrade: WebSocket" },
    "Origin: https://gw.example.org",
    "Sec-WebSocket-Protocol: clawgate.v1,, other",
    "Sec-WebSocket-Protocol: third",
  );
  const { headers, ...others } = accepted(text);
  assert.deepEqual(others, {
    method: "GET",
    target: "/a",
    version: "1.1",
    body: { kind: "none" },
    keepAlive: true,
    upgrade: "websocket",
    webSocketKey: "dGhlIHNhbXBsZSBub25jZQ==",
    expectContinue: false,
  });
  assert.deepEqual(headers.find(([name]) => name === "origin"), [
    "origin",
    "https://gw.example.org",
  ]);
});

Deno.test("a target is a path, also where it came in absolute form", () => {
  const rows: readonly [line: string, target: string][] = [
    ["/", "/"],
    ["/?", "/?"],
    ["/a/../b;c=%00", "/a/../b;c=%00"],
    ["//evil.example/x", "//evil.example/x"],
    ['/?q={|}^`"<>\\', '/?q={|}^`"<>\\'],
    ["http://gw.example.org", "/"],
    ["http://gw.example.org/", "/"],
    ["HTTPS://GW.example.org/a?b", "/a?b"],
    ["http://gw.example.org?b", "/?b"],
    ["http://gw.example.org//evil.example", "//evil.example"],
  ];
  for (const [target, expected] of rows) {
    assert.equal(accepted(lines(`GET ${target} HTTP/1.1`, HOST)).target, expected, target);
  }
});

Deno.test("a target that is no path is refused", () => {
  const rows = [
    "*",
    "a",
    "gw.example.org:80",
    "ftp://gw.example.org/",
    "http:/gw.example.org/",
    "http:///a",
    "http://other.example/",
    "http://gw.example.org:80/",
    "http://user@gw.example.org/",
    "http://gw.example.org\\/a",
    "/a#b",
    "/a?b#c",
    "/a\\b",
    "\\a",
    "/\\evil.example?q",
    "/caf\xe9",
    "/a\tb",
  ];
  refuses(rows.map((target) => [lines(`GET ${target} HTTP/1.1`, HOST), 400] as const));
  refuses([[lines("OPTIONS * HTTP/1.1", HOST), 400]]);
});

Deno.test("other versions are 505, methods without a meaning here 501", () => {
  refuses([
    [lines("PRI * HTTP/2.0"), 505],
    [lines("GET / HTTP/2.0", HOST), 505],
    [lines("GET / HTTP/1.2", HOST), 505],
    [lines("GET / HTTP/0.9"), 505],
    [lines("GET / HTTP/9.9", HOST), 505],
    [lines("CONNECT gw.example.org:80 HTTP/1.1", HOST), 501],
    [lines("TRACE / HTTP/1.1", HOST), 501],
    [lines("TRACK / HTTP/1.1", HOST), 501],
    [lines("trace / HTTP/1.1", HOST), 501],
    [lines("get / HTTP/1.1", HOST), 501],
    [lines(`${"M".repeat(21)} / HTTP/1.1`, HOST), 501],
  ]);
  for (
    const method of ["GET", "HEAD", "OPTIONS", "DELETE", "M-SEARCH", "__PROTO__", "M".repeat(20)]
  ) {
    assert.equal(accepted(lines(`${method} / HTTP/1.1`, HOST)).method, method);
  }
});

Deno.test("values are bytes as Latin-1, also those that Windows-1252 maps elsewhere", () => {
  const value = Array.from({ length: 0x80 }, (_, index) => String.fromCharCode(0x80 + index));
  const { headers } = accepted(get(`X-A: a${value.join("")}z`));
  assert.deepEqual(headers.find(([name]) => name === "x-a"), ["x-a", `a${value.join("")}z`]);
});

Deno.test("names that objects inherit are names as others", () => {
  const names = ["__proto__", "constructor", "hasownproperty", "prototype", "tostring", "valueof"];
  const { headers, ...others } = accepted(
    get(...names.map((name) => `${name}: 1`), "__PROTO__: 2"),
  );
  const { headers: _, ...plain } = accepted(get());
  assert.deepEqual(others, plain);
  const found = new Map(headers.map(([name, value]) => [name, value]));
  for (const name of names) assert.equal(found.get(name), name === "__proto__" ? "1, 2" : "1");
});

Deno.test("a request names one host", () => {
  const headers = (...text: [string, ...string[]]) => accepted(lines(...text)).headers;
  assert.deepEqual(headers("GET / HTTP/1.1", "host:[::1]:18789"), [["host", "[::1]:18789"]]);
  assert.deepEqual(headers("GET / HTTP/1.0"), []);
  assert.deepEqual(headers("GET http://a.example:1/ HTTP/1.0"), [["host", "a.example:1"]]);
  refuses([
    [lines("GET / HTTP/1.1"), 400],
    [lines("GET / HTTP/1.1", "X-Host: a"), 400],
    [get(HOST), 400],
    [get("Host: other.example"), 400],
    [get("HOST: other.example"), 400],
    [lines("GET / HTTP/1.0", HOST, HOST), 400],
    [lines("GET / HTTP/1.1", "Host:"), 400],
    [lines("GET / HTTP/1.1", "Host: a, b"), 400],
    [lines("GET / HTTP/1.1", "Host: a b"), 400],
    [lines("GET / HTTP/1.1", "Host: a@b"), 400],
    [lines("GET / HTTP/1.1", "Host: a/b"), 400],
    [lines("GET / HTTP/1.1", "Host: a:99999"), 400],
    [lines("GET / HTTP/1.1", "Host: http://a"), 400],
    [lines("GET http://a b/ HTTP/1.1", "Host: a"), 400],
    [lines("GET http://@/ HTTP/1.0"), 400],
  ]);
});

Deno.test("a body ends where one field says", () => {
  const rows: readonly [text: string, body: PlainHead["body"]][] = [
    [get(), { kind: "none" }],
    [post("Content-Length: 0"), { kind: "none" }],
    [post("Content-Length: 5"), { kind: "length", bytes: 5 }],
    [post("Content-Length: \t005 "), { kind: "length", bytes: 5 }],
    [post(`Content-Length: ${"9".repeat(15)}`), { kind: "length", bytes: 999_999_999_999_999 }],
    [get("Content-Length: 5"), { kind: "length", bytes: 5 }],
    [post(CHUNKED), { kind: "chunked" }],
    [post("transfer-encoding:CHUNKED"), { kind: "chunked" }],
    [lines("POST / HTTP/1.0", "Content-Length: 5"), { kind: "length", bytes: 5 }],
    [post("X-Content-Length: 5", "Content_Length: 6"), { kind: "none" }],
  ];
  for (const [text, body] of rows) assert.deepEqual(accepted(text).body, body, text);
});

Deno.test("no request can be smuggled in a body whose end is in doubt", () => {
  refuses([
    // One length and one coding, in either order.
    [post("Content-Length: 5", CHUNKED), 400],
    [post(CHUNKED, "Content-Length: 5"), 400],
    [post(CHUNKED, "Content-Length: 0"), 400],
    [post("Transfer-Encoding: identity", "Content-Length: 5"), 400],
    [post("Transfer-Encoding:", "Content-Length: 5"), 400],
    // Several lengths.
    [post("Content-Length: 5", "Content-Length: 6"), 400],
    [post("Content-Length: 5", "Content-Length: 5"), 400],
    [post("Content-Length: 5, 5"), 400],
    [post("Content-Length: 5,6"), 400],
    // A length in odd spelling.
    [post("Content-Length:"), 400],
    [post("Content-Length: +5"), 400],
    [post("Content-Length: -5"), 400],
    [post("Content-Length: 5.0"), 400],
    [post("Content-Length: 5e1"), 400],
    [post("Content-Length: 0x5"), 400],
    [post("Content-Length: 5_0"), 400],
    [post("Content-Length: 5 0"), 400],
    [post("Content-Length: '5'"), 400],
    [post("Content-Length: 5;"), 400],
    [post("Content-Length: \x0b5"), 400],
    [post("Content-Length: \xa05"), 400],
    [post("Content-Length: \xb2"), 400],
    [post(`Content-Length: ${"9".repeat(16)}`), 400],
    [post(`Content-Length: ${"0".repeat(16)}5`), 400],
    [post("Content-Length : 5"), 400],
    [post("Content-Length\0: 5"), 400],
    [post(" Content-Length: 5"), 400],
    // A coding in odd spelling, or more than one.
    [post(CHUNKED, CHUNKED), 400],
    [post(CHUNKED, "Transfer-Encoding: identity"), 400],
    [post("Transfer-Encoding: identity", CHUNKED), 400],
    [post(CHUNKED, "Transfer-Encoding: x"), 400],
    [post("Transfer-Encoding: chunked, chunked"), 400],
    [post("Transfer-Encoding: chunked, identity"), 400],
    [post("Transfer-Encoding: identity, chunked"), 400],
    [post("Transfer-Encoding: gzip, chunked"), 400],
    [post("Transfer-Encoding: chunked,"), 400],
    [post("Transfer-Encoding: ,chunked"), 400],
    [post("Transfer-Encoding: chunked;q=1"), 400],
    [post("Transfer-Encoding: chunked;"), 400],
    [post('Transfer-Encoding: "chunked"'), 400],
    [post("Transfer-Encoding: chu nked"), 400],
    [post("Transfer-Encoding: identity"), 400],
    [post("Transfer-Encoding:"), 400],
    [post("Transfer-Encoding: \x0bchunked"), 400],
    [post("Transfer-Encoding: chunked\xa0"), 400],
    [post("Transfer-Encoding: chun\xe7ed"), 400],
    [post("Transfer-Encoding:", " chunked"), 400],
    [post("Transfer-Encoding : chunked"), 400],
    [post("Transfer-Encoding\t: chunked"), 400],
    [post("X: y\nTransfer-Encoding: chunked"), 400],
    [post("X: y\rTransfer-Encoding: chunked"), 400],
    [post("Transfer-Encoding: xchunked"), 501],
    [post("Transfer-Encoding: gzip"), 501],
    [post("Transfer-Encoding: chunked1"), 501],
    // HTTP/1.0 has no chunks.
    [lines("POST / HTTP/1.0", HOST, CHUNKED), 400],
  ]);
});

Deno.test("a connection is kept as its version and Connection say", () => {
  const rows: readonly [text: string, keepAlive: boolean][] = [
    [get(), true],
    [get("Connection: keep-alive"), true],
    [get("Connection: Close"), false],
    [get("Connection: x, close"), false],
    [get("Connection: x", "Connection: close"), false],
    [get("Connection: closed"), true],
    [lines("GET / HTTP/1.0"), false],
    [lines("GET / HTTP/1.0", "Connection: Keep-Alive"), true],
    [lines("GET / HTTP/1.0", "Connection: keep-alive, close"), false],
  ];
  for (const [text, keepAlive] of rows) assert.equal(accepted(text).keepAlive, keepAlive, text);
});

Deno.test("only a body is waited for, and no other expectation is met", () => {
  const expect = "Expect: 100-continue";
  const rows: readonly [text: string, expects: boolean][] = [
    [post(expect, "Content-Length: 1"), true],
    [post(expect, CHUNKED), true],
    [post(expect), false],
    [post(expect, "Content-Length: 0"), false],
    [lines("POST / HTTP/1.0", expect, "Content-Length: 1"), false],
    [post("Content-Length: 1"), false],
  ];
  for (const [text, expects] of rows) assert.equal(accepted(text).expectContinue, expects, text);
  refuses([
    [post("Expect: 200-ok", "Content-Length: 1"), 417],
    [post(expect, expect, "Content-Length: 1"), 417],
  ]);
});

Deno.test("an Upgrade to anything but a WebSocket, or on HTTP/1.0, is served as plain HTTP", () => {
  const rows = [
    get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
    get("Connection: Upgrade", "Upgrade: websockets"),
    get("Connection: Upgrade"),
    get(HANDSHAKE.key, HANDSHAKE.version),
    lines("GET / HTTP/1.0", HOST, ...Object.values(HANDSHAKE)),
  ];
  for (const text of rows) {
    const head = accepted(text);
    assert.equal(head.upgrade, "none", text);
    assert.equal("webSocketKey" in head, false);
  }
  assert.equal(accepted(handshake({ upgrade: "Upgrade: h2c, websocket" })).upgrade, "websocket");
  const twice = handshake({ upgrade: "Upgrade: h2c\r\nUpgrade: websocket" });
  assert.equal(accepted(twice).upgrade, "websocket");
});

Deno.test("an opening handshake that breaks a rule is refused", () => {
  const all = Object.values(HANDSHAKE);
  refuses([
    [lines("POST / HTTP/1.1", HOST, ...all), 400],
    [lines("HEAD / HTTP/1.1", HOST, ...all), 400],
    [handshake({ connection: "" }), 400],
    [handshake({ connection: "Connection: keep-alive" }), 400],
    [handshake({ version: "" }), 426],
    [handshake({ version: "Sec-WebSocket-Version: 8" }), 426],
    [handshake({ version: "Sec-WebSocket-Version: 13, 8" }), 426],
    [handshake({}, HANDSHAKE.version), 426],
    [handshake({ key: "" }), 400],
    [handshake({ key: "Sec-WebSocket-Key:" }), 400],
    [handshake({ key: "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=" }), 400],
    [handshake({ key: "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=" }), 400],
    [handshake({ key: "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA" }), 400],
    [handshake({ key: "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA_-==" }), 400],
    [handshake({ key: "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA== x" }), 400],
    [handshake({}, HANDSHAKE.key), 400],
    [handshake({}, "Content-Length: 1"), 400],
    [handshake({}, CHUNKED), 400],
    [handshake({}, "Sec-WebSocket-Protocol: a b"), 400],
    [handshake({}, "Sec-WebSocket-Protocol: a, a"), 400],
    [handshake({}, "Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a"), 400],
    [handshake({}, "Sec-WebSocket-Protocol: a\xe9"), 400],
  ]);
  assert.equal(accepted(handshake({}, "Content-Length: 0")).upgrade, "websocket");
});

Deno.test("a handshake of another version is told which one is spoken", () => {
  const result = outcome(handshake({ version: "Sec-WebSocket-Version: 8" }));
  assert.ok(result.state === "refused");
  assert.deepEqual(result.headers, [["upgrade", "websocket"], ["sec-websocket-version", "13"]]);
});

Deno.test("a refusal quotes little of the request, and nothing that a terminal or page obeys", () => {
  const rows = [
    post(`Transfer-Encoding: ${"\x9b31m<b>é".repeat(200)}`),
    post(`Content-Length: ${'"\u0085\xad'.repeat(200)}`),
    lines("GET / HTTP/1.1", `Host: ${"\x9d".repeat(300)}`),
    post(`Expect: ${"x".repeat(9_000)}`),
  ];
  for (const text of rows) {
    const result = outcome(text);
    assert.ok(result.state === "refused");
    assert.ok(result.reason.length < 200, result.reason);
    assert.match(result.reason, /^[^\p{Cc}\p{Cf}]+$/u);
  }
});
