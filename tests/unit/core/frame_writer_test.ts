import assert from "node:assert/strict";
import { BufferPool, LARGEST_POOLED_BYTES } from "../../../src/core/buffer_pool.ts";
import { FrameWriter, type Segment } from "../../../src/core/frame_writer.ts";
import { Envelope, SharedText } from "../../../src/core/shared_text.ts";
import {
  MAX_FRAME_HEAD_BYTES,
  OPCODE,
  writeHead,
  writtenHeadLength,
} from "../../../src/core/websocket_frame.ts";
import { assertSameBytes } from "../../support/byte_assertion.ts";
import { bytesOf, hex, joined, pattern, serverFrames } from "../../support/websocket_frames.ts";

/** Takes all that waits, checks the count at each step, and gives the bytes; the segments are released. */
function drained(writer: FrameWriter): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const segment of segmentsOf(writer)) {
    pieces.push(segment.buffer.slice(segment.start, segment.end));
    writer.release(segment);
  }
  return joined(...pieces);
}

function segmentsOf(writer: FrameWriter): readonly Segment[] {
  const segments: Segment[] = [];
  for (;;) {
    const before = writer.length;
    const segment = writer.take();
    if (segment === undefined) {
      assert.equal(before, 0);
      return segments;
    }
    assert.ok(segment.start >= 0 && segment.end <= segment.buffer.length);
    assert.equal(writer.length, before - (segment.end - segment.start));
    segments.push(segment);
  }
}

/** A whole frame as a server must write it. */
function frameOf(opcode: number, payload: Uint8Array | string): Uint8Array {
  const bytes = typeof payload === "string" ? bytesOf(payload) : payload;
  const { length } = bytes;
  const size = length < 126
    ? [length]
    : length < 65_536
    ? [126, length >> 8, length & 0xff]
    : [127, 0, 0, 0, 0, length >>> 24, length >> 16 & 0xff, length >> 8 & 0xff, length & 0xff];
  return joined(new Uint8Array([0x80 | opcode, ...size]), bytes);
}

const CHARACTERS = ["a", "\u00e9", "\u20ac", "\u{1f600}", "\ud800", "\udfff"];

/** Units and bytes on both sides of where the head grows, and of where a pooled buffer ends. */
const BORDERS = [0, 1, 41, 42, 43, 62, 63, 64, 125, 126, 127, 128, 255, 256, 510, 511, 512, 2_048]
  .concat([8_191, 8_192, 10_922, 10_923, 21_845, 21_846, 32_757, 32_764, 32_767, 32_768])
  .concat([65_534, 65_535, 65_536, 65_537, 131_072]);

// Heads.

Deno.test("a head is as short as its length allows", () => {
  const table: readonly (readonly [number, string])[] = [
    [0, "8100"],
    [1, "8101"],
    [125, "817d"],
    [126, "817e007e"],
    [127, "817e007f"],
    [128, "817e0080"],
    [255, "817e00ff"],
    [256, "817e0100"],
    [65_535, "817effff"],
    [65_536, "817f0000000000010000"],
    [0x1234_5678, "817f0000000012345678"],
    [0xffff_ffff, "817f00000000ffffffff"],
    [0x1_0000_0000, "817f0000000100000000"],
    [Number.MAX_SAFE_INTEGER, "817f001fffffffffffff"],
  ];
  for (const [length, expected] of table) {
    const target = new Uint8Array(16);
    const end = writeHead(target, 3, { opcode: OPCODE.text, length });
    assert.equal(end - 3, writtenHeadLength(length));
    assert.ok(end - 3 <= MAX_FRAME_HEAD_BYTES);
    assert.deepEqual(target.subarray(0, 3), new Uint8Array(3));
    assert.equal(target.subarray(3, end).toHex(), expected);
    assert.deepEqual(target.subarray(end), new Uint8Array(16 - end));
  }
});

Deno.test("a head tells that the frame is the last, and its kind", () => {
  for (const opcode of Object.values(OPCODE)) {
    const target = new Uint8Array(2);
    writeHead(target, 0, { opcode, length: 5 });
    assert.deepEqual(target, new Uint8Array([0x80 | opcode, 5]));
  }
});

// One frame.

Deno.test("a text is one frame of its UTF-8, whatever its characters, at every size", () => {
  for (const character of CHARACTERS) {
    for (const units of BORDERS) {
      const whole = character.repeat(Math.floor(units / character.length));
      for (const text of [whole, `${whole}z`, `z${whole}`]) {
        const writer = new FrameWriter(new BufferPool());
        writer.text(text);
        const expected = frameOf(OPCODE.text, text.toWellFormed());
        assert.equal(writer.length, expected.length);
        assertSameBytes(
          drained(writer),
          expected,
          `${units} units of ${JSON.stringify(character)}`,
        );
      }
    }
  }
});

Deno.test("a text whose bytes need a longer head than its units is moved to where it belongs", () => {
  for (const bytes of [124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537]) {
    for (const character of ["\u00e9", "\u20ac", "\u{1f600}"]) {
      const width = bytesOf(character).length;
      const count = Math.floor(bytes / width);
      // One character at the end, and as many as fit, in a text of exactly so many bytes.
      for (const times of [1, Math.floor(count / 2), count]) {
        const ascii = "*".repeat(bytes - times * width);
        for (const text of [ascii + character.repeat(times), character.repeat(times) + ascii]) {
          const writer = new FrameWriter(new BufferPool());
          writer.text("before");
          writer.text(text);
          writer.text("after");
          const expected = [frameOf(1, "before"), frameOf(1, text), frameOf(1, "after")];
          assert.equal(bytesOf(text).length, bytes);
          assert.equal(writer.length, joined(...expected).length);
          assertSameBytes(drained(writer), joined(...expected), `${bytes} bytes`);
        }
      }
    }
  }
});

Deno.test("a text is whole wherever in a buffer it begins", () => {
  for (const size of [512, 2_048, 8_192, LARGEST_POOLED_BYTES]) {
    for (let left = 0; left < 140; left++) {
      const before = pattern(size - left - 4);
      for (
        const text of [
          "*".repeat(60),
          "\u00e9".repeat(41),
          "\u20ac".repeat(41),
          "\u20ac".repeat(43),
        ]
      ) {
        const writer = new FrameWriter(new BufferPool());
        writer.frame(OPCODE.binary, before);
        writer.text(text);
        const expected = joined(frameOf(OPCODE.binary, before), frameOf(OPCODE.text, text));
        assert.equal(writer.length, expected.length);
        assertSameBytes(drained(writer), expected, `${left} bytes left of ${size}`);
      }
    }
  }
});

Deno.test("lone surrogates become U+FFFD, pairs stay whole", () => {
  const table: readonly (readonly [string, string])[] = [
    ["\ud800", "efbfbd"],
    ["\udc00", "efbfbd"],
    ["a\ud83d", "61efbfbd"],
    ["\ude00\ud83d", "efbfbdefbfbd"],
    ["\ud83d\ude00", "f09f9880"],
    ["\ud83d\ud83d\ude00", "efbfbdf09f9880"],
  ];
  for (const [text, expected] of table) {
    for (const before of ["", "*".repeat(130)]) {
      const writer = new FrameWriter(new BufferPool());
      writer.text(before + text);
      assertSameBytes(drained(writer), frameOf(1, joined(before, hex(expected))));
    }
  }
});

Deno.test("a frame of any kind holds a copy of its payload", () => {
  for (const opcode of [OPCODE.binary, OPCODE.close, OPCODE.ping, OPCODE.pong]) {
    for (const size of opcode === OPCODE.binary ? BORDERS : [0, 1, 125]) {
      const writer = new FrameWriter(new BufferPool());
      const payload = pattern(size);
      writer.frame(opcode, payload);
      payload.fill(0);
      const expected = frameOf(opcode, pattern(size));
      assert.equal(writer.length, expected.length);
      assertSameBytes(drained(writer), expected, `${size} bytes`);
    }
  }
});

// Many frames.

Deno.test("what is added in one turn is one write, in order", () => {
  const writer = new FrameWriter(new BufferPool());
  const expected: Uint8Array[] = [];
  for (let index = 0; index < 400; index++) {
    const text = `message ${index} ${"\u00e9".repeat(index % 7)}`;
    if (index % 3 === 0) writer.frame(OPCODE.binary, bytesOf(text));
    else if (index % 3 === 1) writer.text(text);
    else {writer.text(
        new Envelope("mes", { shared: new SharedText(() => "sage"), after: text.slice(7) }),
      );}
    expected.push(frameOf(index % 3 === 0 ? OPCODE.binary : OPCODE.text, text));
  }
  assert.equal(writer.length, joined(...expected).length);
  const segments = segmentsOf(writer);
  assert.equal(segments.length, 1);
  const { buffer, start, end, pooled } = segments[0]!;
  assert.ok(pooled);
  assertSameBytes(buffer.subarray(start, end), joined(...expected));
});

Deno.test("what does not fit one buffer goes on in the next, in order", () => {
  for (const size of [500, 8_000, 20_000, 32_764, 32_765, 40_000]) {
    const writer = new FrameWriter(new BufferPool());
    const expected: Uint8Array[] = [];
    for (let index = 0; index < 20; index++) {
      const text = `${index}`.padEnd(size, "*");
      writer.text(text);
      writer.text("\u00e9");
      expected.push(frameOf(1, text), frameOf(1, "\u00e9"));
    }
    assert.equal(writer.length, joined(...expected).length);
    const bytes = drained(writer);
    assertSameBytes(bytes, joined(...expected), `texts of ${size} bytes`);
    assert.equal(serverFrames(bytes).length, expected.length);
  }
});

Deno.test("what is added while bytes are on their way follows them, and changes none of them", () => {
  const writer = new FrameWriter(new BufferPool());
  writer.text("first");
  const first = writer.take();
  assert.ok(first !== undefined);
  writer.text("second");
  assert.equal(writer.length, 8);
  writer.text("third");
  assert.deepEqual(first.buffer.subarray(first.start, first.end), frameOf(1, "first"));
  writer.release(first);
  writer.text("fourth");
  const expected = joined(frameOf(1, "second"), frameOf(1, "third"), frameOf(1, "fourth"));
  assertSameBytes(drained(writer), expected);
  assert.equal(writer.take(), undefined);
});

// Shared text.

const SHARED_SIZES = [0, 1, 60, 125, 126, 1_000, 16_383, 16_384, 16_385, 32_768, 65_536, 100_000];

Deno.test("an envelope is the same bytes as its joined text, small and large", () => {
  for (const size of SHARED_SIZES) {
    for (const character of ["*", "\u20ac"]) {
      const shared = new SharedText(() => character.repeat(size));
      for (
        const [before, after] of [
          ["", ""],
          ["{\u00e9:", "}"],
          ["x".repeat(600), ""],
          ["a", "\u00e9"],
          ["\u00e9".repeat(62), "\ud800y"],
          ["", "y"],
        ]
      ) {
        const envelope = new Envelope(before!, { shared, after: after! });
        const writer = new FrameWriter(new BufferPool());
        writer.text("first");
        writer.text(envelope);
        writer.text(envelope);
        writer.text("last");
        const expected = [
          frameOf(1, "first"),
          frameOf(1, `${envelope}`),
          frameOf(1, `${envelope}`),
        ];
        const bytes = joined(...expected, frameOf(1, "last"));
        assert.equal(writer.length, bytes.length);
        assertSameBytes(drained(writer), bytes, `${size} of ${character}`);
      }
    }
  }
});

Deno.test("large shared bytes are lent as they stand to all who send them, and never come into the pool", () => {
  const pool = new BufferPool();
  const shared = new SharedText(() => "*".repeat(LARGEST_POOLED_BYTES));
  const writers = Array.from({ length: 3 }, () => new FrameWriter(pool));
  for (const writer of writers) {
    writer.text(new Envelope("<", { shared, after: ">" }));
    const segments = segmentsOf(writer);
    assert.deepEqual(segments.map(({ pooled }) => pooled), [true, false, true]);
    assert.equal(segments[1]?.buffer, shared.bytes);
    for (const segment of segments) writer.release(segment);
  }
  for (let count = 0; count < 64; count++) {
    assert.notEqual(pool.take(LARGEST_POOLED_BYTES), shared.bytes);
  }
});

// Buffers.

/** A pool that knows who has which buffer. */
class WatchedPool extends BufferPool {
  readonly out = new Set<Uint8Array>();

  override take(bytes: number): Uint8Array {
    const buffer = super.take(bytes);
    assert.ok(!this.out.has(buffer), "one buffer for two");
    this.out.add(buffer);
    return buffer;
  }

  override give(buffer: Uint8Array): void {
    assert.ok(this.out.delete(buffer), "a buffer that was not taken came back");
    super.give(buffer);
  }
}

/** Adds frames of all kinds and sizes. */
function addAll(writer: FrameWriter): void {
  const shared = new SharedText(() => "\u20ac".repeat(6_000));
  for (const units of BORDERS) {
    writer.text("*".repeat(units));
    writer.text("\u00e9".repeat(units));
    writer.frame(OPCODE.binary, pattern(units));
    writer.text(new Envelope("a", { shared, after: "" }));
    writer.text(new Envelope("", { shared: new SharedText(() => "b"), after: "c" }));
  }
}

Deno.test("every buffer goes back to the pool once what it held is written", () => {
  const pool = new WatchedPool();
  const writer = new FrameWriter(pool);
  for (let round = 0; round < 3; round++) {
    addAll(writer);
    assert.ok(pool.out.size > 0);
    drained(writer);
    assert.equal(pool.out.size, 0);
    assert.equal(writer.length, 0);
  }
});

Deno.test("an envelope without an end of its own ends with the shared bytes, and holds no buffer for it", () => {
  const pool = new WatchedPool();
  const writer = new FrameWriter(pool);
  writer.text(new Envelope("", { shared: new SharedText(() => "*".repeat(20_000)), after: "" }));
  const segments = segmentsOf(writer);
  assert.deepEqual(segments.map(({ start, end }) => end - start), [4, 20_000]);
  for (const segment of segments) writer.release(segment);
  assert.equal(pool.out.size, 0);
});

Deno.test("clear forgets what waits and gives its buffers back, but not what is on its way", () => {
  const pool = new WatchedPool();
  const writer = new FrameWriter(pool);
  writer.clear();
  addAll(writer);
  const first = writer.take();
  assert.ok(first !== undefined);
  const then = first.buffer.slice();
  writer.clear();
  assert.equal(writer.length, 0);
  assert.equal(writer.take(), undefined);
  assert.ok(pool.out.has(first.buffer));
  assert.equal(pool.out.size, 1);
  assertSameBytes(first.buffer, then);
  writer.release(first);
  assert.equal(pool.out.size, 0);
  writer.text("after");
  assert.equal(writer.length, 7);
  assertSameBytes(drained(writer), frameOf(1, "after"));
  assert.equal(pool.out.size, 0);
});

Deno.test("small messages over and over cost no buffer after the first", () => {
  let made = 0;
  class CountingPool extends BufferPool {
    readonly #known = new Set<Uint8Array>();

    override take(bytes: number): Uint8Array {
      const buffer = super.take(bytes);
      if (!this.#known.has(buffer)) made++;
      this.#known.add(buffer);
      return buffer;
    }
  }
  const writer = new FrameWriter(new CountingPool());
  for (let round = 0; round < 1_000; round++) {
    writer.text(`message ${round}`);
    drained(writer);
  }
  assert.equal(made, 1);
});
