/** Masks come off four bytes at a time and one, wherever the bytes stand. */

import assert from "node:assert/strict";
import { FrameReader, FrameTools } from "../../../../src/core/websocket_frame.ts";
import { assertSameBytes } from "../../../support/byte_assertion.ts";
import { assertEvents, FrameRecorder, latin1, LIMITS } from "../../../support/frame_recorder.ts";
import { BINARY, clientFrame, joined, pattern, TEXT } from "../../../support/websocket_frames.ts";

const KEY = [0x81, 0x02, 0xf3, 0x44] as const;
const KEY_WORD = KEY[0] | KEY[1] << 8 | KEY[2] << 16 | KEY[3] << 24;

const SIZES = [
  ...Array.from({ length: 81 }, (_, size) => size),
  ...[65_533, 65_534, 65_535, 65_536, 65_537, 65_538, 65_539],
];

function masked(plain: Uint8Array): Uint8Array {
  return plain.map((byte, at) => byte ^ KEY[at & 3]!);
}

Deno.test("unmasking is right at every alignment and offset, and touches nothing else", () => {
  const tools = new FrameTools();
  for (const size of SIZES) {
    const plain = pattern(size);
    const wire = masked(plain);
    for (const byteOffset of [0, 1, 2, 3, 64, 101, 4_098]) {
      for (let start = 0; start < 4; start++) {
        // Ends where the buffer ends, and before it.
        for (const behind of [0, 5]) {
          const buffer = new ArrayBuffer(byteOffset + start + size + behind);
          const bytes = new Uint8Array(buffer, byteOffset);
          new Uint8Array(buffer).fill(0x55);
          bytes.set(wire, start);
          const ascii = tools.unmask(bytes, start, start + size, KEY_WORD);
          const name = `${size} bytes at ${byteOffset} + ${start}`;
          assert.equal(ascii, plain.every((byte) => byte < 0x80), name);
          assertSameBytes(bytes.subarray(start, start + size), plain, name);
          assert.ok(new Uint8Array(buffer, 0, byteOffset + start).every((byte) => byte === 0x55));
          assert.ok(bytes.subarray(start + size).every((byte) => byte === 0x55), name);
        }
      }
    }
  }
});

Deno.test("one byte that is not ASCII is seen, wherever it stands", () => {
  const tools = new FrameTools();
  for (const size of [1, 15, 16, 17, 40]) {
    for (let byteOffset = 0; byteOffset < 4; byteOffset++) {
      for (let at = -1; at < size; at++) {
        const plain = new Uint8Array(size).fill(0x7f);
        if (at >= 0) plain[at] = 0x80;
        const bytes = new Uint8Array(new ArrayBuffer(byteOffset + size), byteOffset);
        bytes.set(masked(plain));
        assert.equal(tools.unmask(bytes, 0, size, KEY_WORD), at < 0, `${size} bytes, ${at}`);
        assertSameBytes(bytes, plain);
      }
    }
  }
});

Deno.test("one set of tools serves buffers in turn", () => {
  const tools = new FrameTools();
  const buffers = [40, 41, 64, 17].map((size) => masked(pattern(size)));
  for (const bytes of buffers) {
    tools.unmask(bytes, 0, bytes.length, KEY_WORD);
    assert.deepEqual(bytes, pattern(bytes.length));
  }
  const [first, second] = buffers;
  tools.unmask(first!, 0, first!.length, KEY_WORD);
  tools.unmask(second!, 0, second!.length, KEY_WORD);
  assert.deepEqual(first, masked(pattern(40)));
  assert.deepEqual(second, masked(pattern(41)));
});

Deno.test("the key goes on where a piece stopped, at every cut", () => {
  const recorder = new FrameRecorder();
  const reader = new FrameReader(recorder, LIMITS);
  const frame = clientFrame(BINARY, pattern(70), { mask: KEY });
  for (let cut = 1; cut < frame.length; cut++) {
    reader.push(frame.slice(0, cut));
    reader.push(frame.slice(cut, cut + 5));
    reader.push(frame.slice(cut + 5));
  }
  assert.equal(recorder.events.length, frame.length - 1);
  for (const event of recorder.events) assertEvents([event], [["binary", pattern(70)]]);
});

Deno.test("only ASCII is given to the way of reading it, and its answer is the message", () => {
  const recorder = new FrameRecorder();
  const seen: string[] = [];
  const tools = new FrameTools((bytes, start, end) => {
    const text = latin1(bytes, start, end);
    seen.push(text);
    return `${text}!`;
  });
  const reader = new FrameReader(recorder, LIMITS, tools);
  const long = "a text of more than sixteen bytes";
  reader.push(
    joined(clientFrame(TEXT, "a"), clientFrame(TEXT, long), clientFrame(TEXT, `${long}\u00e9`)),
  );
  assertEvents(recorder.events, [["text", "a!"], ["text", `${long}!`], [
    "text",
    `${long}\u00e9`,
  ]]);
  assert.deepEqual(seen, ["a", long]);
});

Deno.test("a payload that comes whole behind its head is read as one that came with it", () => {
  const seen: string[] = [];
  const tools = new FrameTools((bytes, start, end) => {
    seen.push(latin1(bytes, start, end));
    return "read";
  });
  const recorder = new FrameRecorder();
  const reader = new FrameReader(recorder, LIMITS, tools);
  const frame = clientFrame(TEXT, "nothing of it is kept");
  reader.push(frame.slice(0, 6));
  reader.push(frame.slice(6));
  assertEvents(recorder.events, [["text", "read"]]);
  assert.deepEqual(seen, ["nothing of it is kept"]);
});
