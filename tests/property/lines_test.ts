import assert from "node:assert/strict";
import fc from "fast-check";
import { LineReader } from "../../src/core/lines.ts";
import { type Heard, LineRecorder } from "../support/line_recorder.ts";

const RUNS = 1_500;
const MAX = 40;

/** Bytes in any order, with many ends of lines, blanks and broken characters among them. */
const stream = fc.array(
  fc.oneof(
    fc.constantFrom(0x0a, 0x0d, 0x20, 0xe2, 0x82, 0xac, 0xff, 0x7b, 0x7d),
    fc.integer({ min: 0, max: 255 }),
    fc.integer({ min: 0x61, max: 0x7a }),
  ),
  { maxLength: 400 },
).map((bytes) => Uint8Array.from(bytes));

/** Begins with a line of the protocol, so that what follows is looked at. */
const ordinary = stream.map((bytes) => Uint8Array.from([0x7b, 0x7d, 0x0a, ...bytes]));

const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 });

function read(bytes: Uint8Array, pieces: readonly number[]): readonly Heard[] {
  const sink = new LineRecorder();
  const reader = new LineReader(sink, MAX);
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = pieces[turn % pieces.length] ?? 1;
    reader.push(bytes.slice(at, at + size));
    at += size;
  }
  reader.finish();
  return sink.heard;
}

/** The same by splitting text; the wide way, for streams that hold no foreign first line. */
function reference(bytes: Uint8Array): readonly Heard[] {
  const heard: Heard[] = [];
  for (let start = 0; start <= bytes.length;) {
    const end = bytes.indexOf(0x0a, start);
    let line = bytes.slice(start, end < 0 ? bytes.length : end);
    if (line.at(-1) === 0x0d) line = line.slice(0, -1);
    if (line.length > MAX) return [...heard, { violation: 1009 }];
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(line).trim();
      if (text !== "") heard.push(text);
    } catch {
      heard.push({ bytes: [...line] });
    }
    if (end < 0) break;
    start = end + 1;
  }
  return heard;
}

Deno.test("lines are the same at any split, and as splitting the whole has them", () => {
  fc.assert(
    fc.property(ordinary, sizes, (bytes, pieces) => {
      assert.deepEqual(read(bytes, pieces), reference(bytes));
    }),
    { numRuns: RUNS },
  );
});

Deno.test("any first bytes whatever lead to lines or to the end, never to an error", () => {
  fc.assert(
    fc.property(stream, sizes, (bytes, pieces) => {
      assert.deepEqual(read(bytes, pieces), read(bytes, [bytes.length + 1]));
    }),
    { numRuns: RUNS },
  );
});
