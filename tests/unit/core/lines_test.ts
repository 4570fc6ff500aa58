import assert from "node:assert/strict";
import { LineReader, MAX_LINE_BYTES } from "../../../src/core/lines.ts";
import { type Heard, LineRecorder } from "../../support/line_recorder.ts";

const MAX = 16;

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** What a reader makes of bytes that come in pieces of one size, and the end. */
function read(bytes: Uint8Array, size: number): readonly Heard[] {
  const sink = new LineRecorder();
  const reader = new LineReader(sink, MAX);
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.slice(at, at + size);
    assert.equal(reader.push(piece), piece.length);
    // The caller may use its buffer again.
    piece.fill(0x2a);
  }
  reader.finish();
  return sink.heard;
}

const TOO_LONG = { violation: 1009 } as const;
const FOREIGN = { violation: 1002 } as const;

const ROWS: readonly [what: string, input: string | Uint8Array, heard: readonly Heard[]][] = [
  ["nothing", "", []],
  ["one line", "{}\n", ["{}"]],
  ["a last line without an end", "{}\n[]", ["{}", "[]"]],
  ["CR LF", "a\r\nb\r\n", ["a", "b"]],
  ["a CR alone ends nothing", "a\rb\n", [FOREIGN]],
  ["a CR alone in a later line", "a\nb\rc\n", ["a", "b\rc"]],
  ["empty and blank lines", "\n\r\n \t \n a \n\n", ["a"]],
  ["blanks around", "  a b\t \n", ["a b"]],
  ["a byte order mark", "\ufeffa\n", ["a"]],
  ["other ends of lines are text", "a\u2028b\u0085c\n".replace("\u0085", ""), ["a\u2028bc"]],
  ["wide text", "é€\u{1f600}\n", ["é€\u{1f600}"]],
  ["a line at the cap", `${"x".repeat(MAX)}\n`, ["x".repeat(MAX)]],
  ["a line at the cap with CR LF", `${"x".repeat(MAX)}\r\ny\n`, ["x".repeat(MAX), "y"]],
  ["a line at the cap without an end", "x".repeat(MAX), ["x".repeat(MAX)]],
  ["one byte more", `${"x".repeat(MAX + 1)}\na\n`, [TOO_LONG]],
  ["one byte more and a CR", `${"x".repeat(MAX + 1)}\r\na\n`, [TOO_LONG]],
  ["a CR too many", `${"x".repeat(MAX)}\r\r\na\n`, [TOO_LONG]],
  ["a long line behind a good one", `a\n${"x".repeat(99)}`, ["a", TOO_LONG]],
  ["blanks count", `a\n${" ".repeat(MAX + 1)}\nb`, ["a", TOO_LONG]],
  ["a later line that is not UTF-8", new Uint8Array([97, 10, 0xff, 98, 13, 10, 99]), [
    "a",
    { bytes: [0xff, 98] },
    "c",
  ]],
  ["a first line that is not UTF-8", new Uint8Array([0xff, 10, 97, 10]), [FOREIGN]],
  ["a cut character at the end", new Uint8Array([97, 10, 0xe2, 0x82]), ["a", {
    bytes: [0xe2, 0x82],
  }]],
  ["an overlong form", new Uint8Array([97, 10, 0xc0, 0xaf, 10]), ["a", { bytes: [0xc0, 0xaf] }]],
  ["a TLS hello", new Uint8Array([0x16, 3, 1, 2, 0, 1, 10, 123, 125, 10]), [FOREIGN]],
  ["a STUN request", new Uint8Array([0, 3, 0, 0, 0x21, 10, 123, 125, 10]), [FOREIGN]],
  ["GET", "GET / HTTP/1.1\r\n\r\n{}\n", [FOREIGN]],
  ["GET behind empty lines", "\r\n\r\n GET /\n{}\n", [FOREIGN]],
  ["a verb alone", "POST\n{}\n", [FOREIGN]],
  ["a verb in lower case", "post /\n{}\n", [FOREIGN]],
  ["an unusual verb", "X / HTTP/1.1\r\n{}\n", [FOREIGN]],
  ["an unusual version", "X / HTTP/2\r\n{}\n", [FOREIGN]],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\n", [FOREIGN]],
  ["HTTP behind the first line is text", "a\nGET /\n", ["a", "GET /"]],
  ["a word that begins as a verb does", "GETTER\n", ["GETTER"]],
];

for (const [what, input, heard] of ROWS) {
  Deno.test(`lines, whole and a byte at a time: ${what}`, () => {
    const bytes = typeof input === "string" ? bytesOf(input) : input;
    for (const size of [bytes.length + 1, 1, 2, 3, 5]) {
      assert.deepEqual(read(bytes, size), heard, `in pieces of ${size}`);
    }
  });
}

Deno.test("a sink that is blocked is given nothing more, and what is left is the caller's", () => {
  const sink = new LineRecorder();
  const reader = new LineReader(sink);
  sink.blockAfter = 2;
  const bytes = bytesOf("a\nb\nc\nd");
  assert.equal(reader.push(bytes), 4);
  assert.deepEqual(sink.heard, ["a", "b"]);
  assert.equal(reader.push(bytes.subarray(4)), 0);
  sink.blockAfter = Infinity;
  assert.equal(reader.push(bytes.subarray(4)), 3);
  reader.finish();
  assert.deepEqual(sink.heard, ["a", "b", "c", "d"]);
});

Deno.test("nothing follows a violation or the end", () => {
  const sink = new LineRecorder();
  const reader = new LineReader(sink, MAX);
  assert.equal(reader.push(bytesOf(`a\n${"x".repeat(20)}`)), 22);
  assert.equal(reader.push(bytesOf("b\nc\n")), 4);
  reader.finish();
  reader.finish();
  assert.deepEqual(sink.heard, ["a", TOO_LONG]);
});

Deno.test("a hundred megabytes without an end cost no more than the cap", () => {
  const sink = new LineRecorder();
  const reader = new LineReader(sink);
  const piece = new Uint8Array(1024 * 1024).fill(0x78);
  for (let at = 0; at < 100; at++) reader.push(piece);
  assert.deepEqual(sink.heard, [TOO_LONG]);
  assert.equal(MAX_LINE_BYTES, 65_536);
});
