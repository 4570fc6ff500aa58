import assert from "node:assert/strict";
import { RequestHeadReader } from "../../../src/core/http_head.ts";
import {
  MAX_HEAD_BYTES,
  MAX_HEAD_FIELDS,
  MAX_TARGET_BYTES,
} from "../../../src/core/http_head_scanner.ts";
import { bytesOf } from "../../support/http_delivery.ts";
import { accepted, get, HOST, lines, outcome, refuses } from "../../support/http_heads.ts";

Deno.test("what follows a head is left over, and the reader is ready for the next one", () => {
  const reader = new RequestHeadReader();
  const first = reader.push(bytesOf(`${get()}body\n\0${get("X-B: 2")}`));
  assert.ok(first.state === "head");
  const rest = first.rest;
  assert.equal(rest.length, `body\n\0${get("X-B: 2")}`.length);
  assert.deepEqual(reader.push(rest.subarray(6, 20)), { state: "more" });
  const second = reader.push(rest.subarray(20));
  assert.ok(second.state === "head");
  assert.equal(second.head.headers.get("x-b"), "2");
  assert.equal(second.rest.length, 0);
});

Deno.test("the left-over bytes are a view of the last piece, wherever the head was cut", () => {
  const bytes = bytesOf(`${get()}rest`);
  for (let cut = 0; cut <= bytes.length - 4; cut++) {
    const reader = new RequestHeadReader();
    const before = reader.push(bytes.subarray(0, cut));
    const result = before.state === "head" ? before : reader.push(bytes.subarray(cut));
    assert.ok(result.state === "head");
    assert.equal(result.rest.buffer, bytes.buffer);
    const missing = before.state === "head" ? 4 : 0;
    assert.equal(result.rest.byteOffset, bytes.length - 4);
    assert.equal(result.rest.length, 4 - missing);
  }
});

Deno.test("a request line that is not exactly one is refused", () => {
  refuses([
    [lines("GET /", HOST), 400],
    [lines("GET", HOST), 400],
    [lines("GET  / HTTP/1.1", HOST), 400],
    [lines("GET /  HTTP/1.1", HOST), 400],
    [lines("GET / HTTP/1.1 ", HOST), 400],
    [lines(" GET / HTTP/1.1", HOST), 400],
    [lines("GET\t/ HTTP/1.1", HOST), 400],
    [lines("GET / x HTTP/1.1", HOST), 400],
    [lines("G(T / HTTP/1.1", HOST), 400],
    [lines("G\xcbT / HTTP/1.1", HOST), 400],
    [lines("GET / http/1.1", HOST), 400],
    [lines("GET / HTTP/1", HOST), 400],
    [lines("GET / HTTP/1.10", HOST), 400],
    [lines("GET / HTTP/11", HOST), 400],
    [lines("GET / HTTP/+1.1", HOST), 400],
    [lines("GET / ICY/1.1", HOST), 400],
    [lines("HTTP/1.1 200 OK", HOST), 400],
    ["\x16\x03\x01\x02\0\x01", 400],
    ["GET / HTTP/1.1\nHost: a\n\n", 400],
    ["GET / HTTP/1.1\rHost: a\r\r", 400],
    ["\r\n\r\n\r\n", 400],
    [`\n${get()}`, 400],
  ]);
});

Deno.test("two empty lines before a request are passed over", () => {
  assert.equal(accepted(`\r\n${get()}`).target, "/a");
  assert.equal(accepted(`\r\n\r\n${get()}`).target, "/a");
  refuses([[`\r\n\r\n\r\n${get()}`, 400]]);
});

Deno.test("a field that another program may read differently is refused", () => {
  refuses([
    [get("X-A : b"), 400],
    [get("X-A\t: b"), 400],
    [get(" X-A: b"), 400],
    [get("X-A: b", " c"), 400],
    [get("X-A: b", "\tc"), 400],
    [lines("GET / HTTP/1.1", ` ${HOST}`), 400],
    [get(": b"), 400],
    [get("X-A"), 400],
    [get("X A: b"), 400],
    [get("X-\xe9: b"), 400],
    [get("X(A): b"), 400],
    [get("X-A: b\0c"), 400],
    [get("X-A: b\x07c"), 400],
    [get("X-A: b\x7fc"), 400],
    [get("X-A: b\x1b[0m"), 400],
    [get("X-\0A: b"), 400],
    [get("X-A: b\rX-B: c"), 400],
    [get("X-A: b\nX-B: c"), 400],
    [get("X-A: b\r\r"), 400],
    [get("X-A: b\n"), 400],
    [`GET / HTTP/1.1\r\n${HOST}\r\n\n`, 400],
    [`GET / HTTP/1.1\r\n${HOST}\r\n\rx`, 400],
    [`GET / HTTP/1.1\r\n${HOST}\n\r\n`, 400],
  ]);
});

Deno.test("a head of exactly the bound is read, and one byte more is refused", () => {
  const room = MAX_HEAD_BYTES - get("X-A: ").length;
  const full = get(`X-A: ${"a".repeat(room)}`);
  assert.equal(full.length, MAX_HEAD_BYTES);
  assert.equal(accepted(full).headers.find(([name]) => name === "x-a")?.[1]?.length, room);
  refuses([
    [get(`X-A: ${"a".repeat(room + 1)}`), 431],
    [get(`X-A: ${"a".repeat(MAX_HEAD_BYTES * 2)}`), 431],
    [`${full.slice(0, -2)}X: y\r\n\r\n`, 431],
    [full.slice(0, -1) + "x", 400],
  ]);
  assert.equal(outcome(full.slice(0, -1)).state, "more");
});

Deno.test("as many fields as the bound are read, and one more is refused", () => {
  const field = (_: unknown, index: number) => `x-${index}: ${index}`;
  const most = Array.from({ length: MAX_HEAD_FIELDS - 1 }, field);
  assert.equal(accepted(get(...most)).headers.length, MAX_HEAD_FIELDS);
  refuses([
    [get(...most, "x: y"), 431],
    [get(...most.map(() => "x: y"), "x: y"), 431],
  ]);
});

Deno.test("a target of exactly the bound is read, and one byte more is refused before its end", () => {
  const most = `/${"a".repeat(MAX_TARGET_BYTES - 1)}`;
  assert.equal(accepted(lines(`GET ${most} HTTP/1.1`, HOST)).target, most);
  assert.equal(accepted(lines(`${"M".repeat(20)} ${most} HTTP/1.1`, HOST)).target, most);
  refuses([
    [lines(`GET ${most}a HTTP/1.1`, HOST), 414],
    [`GET ${most}${"a".repeat(100)}`, 414],
    ["a".repeat(MAX_HEAD_BYTES), 414],
  ]);
});

Deno.test("the bounds are settings", () => {
  const limits = { headBytes: 60, fields: 2, targetBytes: 8 };
  const rows: readonly [text: string, expected: number | "head"][] = [
    [lines("GET /1234567 HTTP/1.1", "Host: a", "X: y"), "head"],
    [lines("GET /12345678 HTTP/1.1", "Host: a"), 414],
    [lines("GET / HTTP/1.1", "Host: a", "X: y", "Y: z"), 431],
    [lines("GET / HTTP/1.1", "Host: a", `X: ${"y".repeat(40)}`), 431],
  ];
  for (const [text, expected] of rows) {
    const result = outcome(text, limits);
    assert.equal(result.state === "refused" ? result.status : result.state, expected, text);
  }
});
