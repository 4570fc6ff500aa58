import assert from "node:assert/strict";
import {
  BodyDecoder,
  FRAMING_ALLOWANCE_BYTES,
  FRAMING_PER_DATA_BYTE,
  MAX_CHUNK_EXTENSION_BYTES,
  MAX_TRAILER_BYTES,
} from "../../../src/core/http_body.ts";
import type { RequestBody } from "../../../src/core/http_head.ts";
import { type BodyOutcome, bytesOf, piecesOf, readBody } from "../../support/http_delivery.ts";

const CHUNKED: RequestBody = { kind: "chunked" };
const MAX_BYTES = 100_000;

/** What comes of a body in one piece; the same must come of it a byte at a time. */
function outcome(text: string, body: RequestBody = CHUNKED, maxBytes = MAX_BYTES): BodyOutcome {
  const bytes = bytesOf(text);
  const whole = readBody([bytes], { body, maxBytes });
  const single = readBody(piecesOf(bytes, 1), { body, maxBytes });
  assert.deepEqual(single, whole, JSON.stringify(text.slice(0, 200)));
  return whole;
}

/** Asserts the statuses of refusals of chunked bodies. */
function refuses(rows: readonly (readonly [text: string, status: number])[]): void {
  for (const [text, status] of rows) {
    const result = outcome(text);
    const got = result.state === "refused" ? result.status : result.state;
    assert.equal(got, status, JSON.stringify(text.slice(0, 200)));
  }
}

Deno.test("a body of a known length ends after so many bytes", () => {
  const body: RequestBody = { kind: "length", bytes: 5 };
  const rows: readonly [text: string, data: string, done: boolean, rest: string][] = [
    ["", "", false, ""],
    ["abcd", "abcd", false, ""],
    ["abcde", "abcde", true, ""],
    ["ab\0\r\nGET /", "ab\0\r\n", true, "GET /"],
  ];
  for (const [text, data, done, rest] of rows) {
    assert.deepEqual(outcome(text, body), { state: "data", data, done, rest });
  }
});

Deno.test("no body is complete before the first byte", () => {
  for (const body of [{ kind: "none" }, { kind: "length", bytes: 0 }] as const) {
    assert.deepEqual(outcome("", body), { state: "data", data: "", done: true, rest: "" });
    assert.deepEqual(outcome("GET /", body), {
      state: "data",
      data: "",
      done: true,
      rest: "GET /",
    });
  }
});

Deno.test("chunks are joined, their extensions and the trailers are dropped", () => {
  const rows: readonly [text: string, data: string, done: boolean, rest: string][] = [
    ["", "", false, ""],
    ["5\r\nab", "ab", false, ""],
    ["5\r\nabcde\r\n", "abcde", false, ""],
    ["0\r\n\r", "", false, ""],
    ["0\r\n\r\n", "", true, ""],
    ["00000000\r\n\r\nnext", "", true, "next"],
    ["5\r\nabcde\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "abcde", true, "GET / HTTP/1.1\r\n"],
    ["2\r\n\r\n\r\n3\r\n0\r\n\r\n0\r\n\r\n", "\r\n0\r\n", true, ""],
    [`A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n`, "01234567890123456789a", true, ""],
    ["00000002\r\nab\r\n0\r\n\r\n", "ab", true, ""],
    ['2;a=b;c="\xe9;\t"\r\nab\r\n0;x\r\n\r\n', "ab", true, ""],
    ["2;\r\nab\r\n0\r\n\r\n", "ab", true, ""],
    ["0\r\nX-A: b\r\nContent-Length: 5\r\n\r\nrest", "", true, "rest"],
    ["0\r\nX-A:\r\n\r\n", "", true, ""],
    ["0\r\nX-A: b\r\n", "", false, ""],
  ];
  for (const [text, data, done, rest] of rows) {
    assert.deepEqual(outcome(text), { state: "data", data, done, rest }, JSON.stringify(text));
  }
});

Deno.test("no request can be smuggled in chunks that another program may read differently", () => {
  const end = "\r\nab\r\n0\r\n\r\n";
  refuses([
    // A size in odd spelling.
    [`0x2${end}`, 400],
    [`0X2${end}`, 400],
    [`x2${end}`, 400],
    [`+2${end}`, 400],
    [`-2${end}`, 400],
    [`2_0${end}`, 400],
    [`_2${end}`, 400],
    [` 2${end}`, 400],
    [`\t2${end}`, 400],
    [`2 ${end}`, 400],
    [`2\t${end}`, 400],
    [`2 ;a${end}`, 400],
    [`2.0${end}`, 400],
    [`2,2${end}`, 400],
    [`2h${end}`, 400],
    [`g${end}`, 400],
    [`"2"${end}`, 400],
    [`\xb2${end}`, 400],
    [`2\0${end}`, 400],
    [end, 400],
    ["\r\n\r\n", 400],
    [";\r\n\r\n", 400],
    [`;a${end}`, 400],
    [`000000002${end}`, 400],
    [`100000002${end}`, 400],
    [`fffffffffffffffff${end}`, 400],
    // Line ends that are not CRLF.
    ["2\nab\r\n0\r\n\r\n", 400],
    ["2\rab\r\n0\r\n\r\n", 400],
    ["2\r\rab\r\n0\r\n\r\n", 400],
    ["2\r\r\nab\r\n0\r\n\r\n", 400],
    ["2;a\nab\r\n0\r\n\r\n", 400],
    ["2;a\r0\r\n\r\n", 400],
    ["2;a\0\r\nab\r\n0\r\n\r\n", 400],
    ["2;a\x7f\r\nab\r\n0\r\n\r\n", 400],
    ["2\r\nab\n0\r\n\r\n", 400],
    ["2\r\nab\r0\r\n\r\n", 400],
    ["0\n\n", 400],
    ["0\r\n\n", 400],
    ["0\r\n\rx", 400],
    // Data that is longer or shorter than its size.
    ["2\r\nabc\r\n0\r\n\r\n", 400],
    ["3\r\nab\r\n0\r\n\r\n", 400],
    ["2\r\nab0\r\n\r\n", 400],
    // Trailers that are no fields.
    ["0\r\nGET / HTTP/1.1\r\n\r\n", 400],
    ["0\r\n X: y\r\n\r\n", 400],
    ["0\r\nX: y\r\n z\r\n\r\n", 400],
    ["0\r\nX : y\r\n\r\n", 400],
    ["0\r\nX\r\n\r\n", 400],
    ["0\r\n: y\r\n\r\n", 400],
    ["0\r\nX: y\nZ: y\r\n\r\n", 400],
    ["0\r\nX: y\rZ: y\r\n\r\n", 400],
    ["0\r\nX: \0\r\n\r\n", 400],
    ["0\r\n\xe9: y\r\n\r\n", 400],
  ]);
});

Deno.test("a body beyond its bound is refused as soon as that is announced", () => {
  const rows: readonly [text: string, body: RequestBody, expected: number | string][] = [
    ["", { kind: "length", bytes: 11 }, 413],
    ["0123456789", { kind: "length", bytes: 10 }, "0123456789"],
    ["b\r", CHUNKED, ""],
    ["b\r\n", CHUNKED, 413],
    ["ffffffff\r\n", CHUNKED, 413],
    ["a\r\n0123456789\r\n0\r\n\r\n", CHUNKED, "0123456789"],
    ["6\r\n012345\r\n5\r\n", CHUNKED, 413],
  ];
  for (const [text, body, expected] of rows) {
    const result = outcome(text, body, 10);
    assert.equal(result.state === "refused" ? result.status : result.data, expected, text);
  }
});

Deno.test("extensions and trailers of exactly their bound are skipped, and one byte more is refused", () => {
  const extension = "x".repeat(MAX_CHUNK_EXTENSION_BYTES);
  assert.equal(outcome(`1;${extension}\r\na\r\n0;${extension}\r\n\r\n`).state, "data");
  refuses([
    [`1;${extension}x\r\na\r\n`, 400],
    [`0;${extension}x`, 400],
  ]);
  const line = "x: y\r\n";
  const many = line.repeat(Math.floor((MAX_TRAILER_BYTES - 1) / line.length));
  const most = `${many.slice(0, -2)}${"y".repeat(MAX_TRAILER_BYTES - 1 - many.length)}\r\n\r\n`;
  assert.equal(most.length, MAX_TRAILER_BYTES + 1);
  assert.equal(outcome(`0\r\n${most}`).state, "data");
  refuses([
    [`0\r\nx${most}`, 431],
    [`0\r\nx:${"y".repeat(MAX_TRAILER_BYTES)}`, 431],
    [`0\r\n${line.repeat(MAX_TRAILER_BYTES)}`, 431],
  ]);
});

Deno.test("framing that outgrows its data is refused, and a million small chunks are not", () => {
  const long = `1;${"x".repeat(MAX_CHUNK_EXTENSION_BYTES)}\r\na\r\n`;
  refuses([[long.repeat(Math.ceil(FRAMING_ALLOWANCE_BYTES / (long.length - 1)) + 10), 400]]);
  const single = "1\r\na\r\n";
  // The CRLF of the last chunk is not counted before the next one is announced.
  const most = 2 + FRAMING_ALLOWANCE_BYTES / (single.length - 1 - FRAMING_PER_DATA_BYTE);
  assert.equal(outcome(single.repeat(most)).state, "data");
  refuses([[single.repeat(most + 1), 400]]);

  const count = 1_000_000;
  const decoder = new BodyDecoder(CHUNKED, { maxBytes: 2 * count });
  let data = 0;
  for (const piece of piecesOf(bytesOf("2\r\nab\r\n".repeat(count) + "0\r\n\r\n"), 65_536)) {
    const result = decoder.push(piece);
    assert.ok(result.state === "data");
    for (const part of result.pieces) data += part.length;
    if (result.done) data = -data;
  }
  assert.equal(data, -2 * count);
});

Deno.test("data that came before a refusal may be handed out, none comes after it", () => {
  const decoder = new BodyDecoder(CHUNKED, { maxBytes: MAX_BYTES });
  const first = decoder.push(bytesOf("2\r\nab"));
  assert.ok(first.state === "data" && first.pieces.length === 1);
  assert.equal(decoder.push(bytesOf("c")).state, "refused");
  assert.equal(decoder.push(bytesOf("\r\n2\r\nab\r\n")).state, "refused");
});
