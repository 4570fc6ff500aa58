/** What a reader keeps, for how long, and whose the bytes are that it hands out. */

import assert from "node:assert/strict";
import { type FrameLimits, FrameReader } from "../../../../src/core/websocket_frame.ts";
import { assertSameBytes } from "../../../support/byte_assertion.ts";
import { assertEvents, FrameRecorder, LIMITS } from "../../../support/frame_recorder.ts";
import {
  BINARY,
  bytesOf,
  clientClose,
  clientFrame,
  fragments,
  hex,
  joined,
  pattern,
  PING,
  TEXT,
} from "../../../support/websocket_frames.ts";

const MIB = 2 ** 20;

const WIDE: FrameLimits = { maxMessageBytes: 16 * MIB, maxFragments: 65_536 };

/** Bytes of a head with a key and a length of the short form. */
const SHORT_HEAD = 6;

function reading(limits: FrameLimits = LIMITS): { recorder: FrameRecorder; reader: FrameReader } {
  const recorder = new FrameRecorder();
  return { recorder, reader: new FrameReader(recorder, limits) };
}

Deno.test("what is kept is what has come of frames that are not whole", () => {
  const { reader, recorder } = reading();
  const steps: readonly (readonly [what: string, bytes: Uint8Array, kept: number])[] = [
    ["a whole message", clientFrame(TEXT, "hello"), 0],
    ["nothing", bytesOf(""), 0],
    ["one byte of a head", clientFrame(TEXT, "abcdef").subarray(0, 1), 1],
    ["more of the head", clientFrame(TEXT, "abcdef").subarray(1, 5), 5],
    ["all of the head", clientFrame(TEXT, "abcdef").subarray(5, 6), 0],
    ["half of the payload", clientFrame(TEXT, "abcdef").subarray(6, 9), 3],
    ["all of the payload", clientFrame(TEXT, "abcdef").subarray(9), 0],
    ["a fragment", clientFrame(BINARY, pattern(100), { final: false }), 100],
    ["an empty fragment", clientFrame(0, "", { final: false }), 100],
    ["half of a ping between", clientFrame(PING, pattern(20)).subarray(0, 16), 110],
    ["the rest of the ping", clientFrame(PING, pattern(20)).subarray(16), 100],
    ["half of a long head", clientFrame(0, pattern(300)).subarray(0, 4), 104],
    ["the rest of the long head", clientFrame(0, pattern(300)).subarray(4, 8), 100],
    ["half of the last fragment", clientFrame(0, pattern(300)).subarray(8, 108), 200],
    ["the rest of the last fragment", clientFrame(0, pattern(300)).subarray(108), 0],
    ["a whole message and a byte", joined(clientFrame(TEXT, "a"), hex("82")), 1],
  ];
  for (const [what, bytes, kept] of steps) {
    assert.equal(reader.push(bytes.slice()), bytes.length, what);
    assert.equal(reader.kept, kept, what);
  }
  assert.equal(recorder.events.length, 5);
});

Deno.test("nothing is kept behind an end, and nothing read", () => {
  const begun = joined(
    clientFrame(TEXT, "open", { final: false }),
    clientFrame(PING, "ping").subarray(0, 8),
  );
  const ends: readonly (readonly [string, Uint8Array, Uint8Array])[] = [
    ["a close", clientFrame(TEXT, "open", { final: false }), clientClose(1000)],
    ["a wrong frame", clientFrame(TEXT, "open", { final: false }), clientFrame(3)],
    ["a wrong head in pieces", hex("c1"), hex("8000")],
    ["wrong text", clientFrame(TEXT, "open", { final: false }), clientFrame(0, hex("ff"))],
    ["a wrong code in pieces", clientClose(1005).subarray(0, 7), clientClose(1005).subarray(7)],
    ["a wrong frame behind a ping in pieces", begun, joined("xx", clientFrame(3))],
  ];
  for (const [what, before, end] of ends) {
    const { reader, recorder } = reading();
    reader.push(before.slice());
    assert.ok(reader.kept > 0, what);
    assert.equal(reader.push(joined(end, clientFrame(TEXT, "after"))), end.length + 11, what);
    assert.ok(recorder.ended, what);
    assert.equal(reader.kept, 0, what);
    const { length } = recorder.events;
    for (const after of [clientFrame(TEXT, "after"), clientFrame(PING).subarray(0, 3), hex("ff")]) {
      assert.equal(reader.push(after.slice()), after.length, what);
      assert.equal(reader.kept, 0, what);
    }
    assert.equal(recorder.events.length, length, what);
    recorder.blocked = true;
    assert.equal(reader.push(bytesOf("after")), 5, `${what}: nobody has to come again`);
  }
});

Deno.test("a frame that announces much and sends nothing, or a byte, costs next to nothing", () => {
  const readers = 256;
  const heads = [
    clientFrame(BINARY, "", { announced: 16 * MIB }),
    clientFrame(BINARY, "x", { announced: 16 * MIB }),
    clientFrame(TEXT, "\u00e9", { announced: 16 * MIB }),
    clientFrame(BINARY, "x", { announced: 8 * MIB, final: false }),
  ];
  const before = Deno.memoryUsage().external;
  const open = Array.from({ length: readers }, (_, index) => {
    const { reader } = reading(WIDE);
    reader.push(heads[index % heads.length]!.slice());
    return reader;
  });
  const grown = Deno.memoryUsage().external - before;
  assert.ok(grown < readers * 8 * 1024, `${grown} bytes for ${readers} announcements`);
  assert.ok(open.every(({ kept }) => kept <= 2));
});

Deno.test("empty fragments cost no buffer", () => {
  const readers = 256;
  const before = Deno.memoryUsage().external;
  const open = Array.from({ length: readers }, () => {
    const { reader } = reading(WIDE);
    reader.push(fragments(BINARY, ["", "", "", ""]).slice(0, -SHORT_HEAD));
    return reader;
  });
  const grown = Deno.memoryUsage().external - before;
  assert.ok(grown < readers * 512, `${grown} bytes for ${readers} messages`);
  assert.ok(open.every(({ kept }) => kept === 0));
});

Deno.test("room for a message is at most twice what has come, beyond the first few KiB", () => {
  for (const piece of [1_000, 10_000, 100_000]) {
    const before = Deno.memoryUsage().external;
    const { reader } = reading(WIDE);
    let come = 0;
    reader.push(clientFrame(BINARY, "", { announced: 16 * MIB }));
    const chunk = pattern(piece);
    for (; come < 600_000; come += piece) reader.push(chunk);
    assert.equal(reader.kept, come);
    const grown = Deno.memoryUsage().external - before;
    // The room that was outgrown may not have been collected: each was at most half of the next.
    assert.ok(grown < 4 * come + 64 * 1024, `${grown} bytes for ${come}`);
  }
});

Deno.test("the room of a message that comes in pieces is exact at its end", () => {
  const { reader, recorder } = reading();
  const given: Uint8Array[] = [];
  recorder.gotBinary = (message) => void given.push(message);
  for (const size of [1, 100, 4_096, 4_097, 50_000]) {
    const frame = clientFrame(BINARY, pattern(size));
    const cut = frame.length - Math.ceil(size / 2);
    reader.push(frame.slice(0, cut));
    reader.push(frame.slice(cut));
    const message = given.pop();
    assert.ok(message !== undefined);
    assertSameBytes(message, pattern(size));
    assert.ok(message.buffer.byteLength <= size, `${message.buffer.byteLength} for ${size}`);
  }
});

Deno.test("a message in tens of thousands of fragments costs as its bytes do, not their square", () => {
  const { reader, recorder } = reading(WIDE);
  const pieces = 65_536;
  const payload = pattern(256);
  const first = clientFrame(BINARY, payload, { final: false });
  const next = clientFrame(0, payload, { final: false });
  // Copying all for each piece takes a minute; once for each doubling, some hundredths of a second.
  const deadline = performance.now() + 15_000;
  for (let piece = 0; piece < pieces - 1; piece++) {
    reader.push((piece === 0 ? first : next).slice());
    if (piece % 4_096 === 0) assert.ok(performance.now() < deadline, `after ${piece} fragments`);
  }
  reader.push(clientFrame(0, payload));
  const [event] = recorder.events;
  assert.ok(event?.[0] === "binary");
  assert.equal(event[1].length, pieces * payload.length);
  assert.deepEqual(event[1].subarray(-256), payload);
});

Deno.test("a message of bytes is the receiver's own: later bytes in the same buffer leave it alone", () => {
  const { reader, recorder } = reading();
  const given: Uint8Array[] = [];
  recorder.gotBinary = (message) => void given.push(message);
  const chunk = new Uint8Array(1_024);
  const push = (bytes: Uint8Array) => {
    chunk.set(bytes, 3);
    reader.push(chunk.subarray(3, 3 + bytes.length));
    chunk.fill(0xee);
  };
  push(joined(clientFrame(BINARY, pattern(40)), clientFrame(BINARY, pattern(41))));
  push(fragments(BINARY, [pattern(20), pattern(22)]));
  const whole = clientFrame(BINARY, pattern(43));
  push(whole.subarray(0, 20));
  push(whole.subarray(20));
  assert.equal(new Set(given.map(({ buffer }) => buffer)).size, given.length);
  assert.ok(given.every(({ buffer }) => buffer !== chunk.buffer));
  for (const message of given.slice(1)) message.fill(0);
  push(clientFrame(BINARY, pattern(44)));
  assert.deepEqual(given[0], pattern(40));
  assert.deepEqual(given.at(-1), pattern(44));
});

Deno.test("a ping's payload is right in the call, whole or in pieces", () => {
  const { reader, recorder } = reading();
  const ping = clientFrame(PING, pattern(125));
  reader.push(ping.slice());
  for (let cut = 1; cut < ping.length; cut++) {
    reader.push(ping.slice(0, cut));
    reader.push(ping.slice(cut));
  }
  assert.equal(recorder.events.length, ping.length);
  for (const event of recorder.events) assertEvents([event], [["ping", pattern(125)]]);
});

Deno.test("a sink that is blocked gets nothing; what was not taken comes again and is the same", () => {
  const stream = joined(
    clientFrame(TEXT, "one"),
    fragments(TEXT, ["tw", "o"], { between: clientFrame(PING, "between") }),
    clientFrame(BINARY, pattern(300)),
    clientFrame(TEXT),
    clientClose(1000, "bye"),
  );
  const recorder = new FrameRecorder({ pauses: true });
  const reader = new FrameReader(recorder, LIMITS);
  recorder.blocked = true;
  assert.equal(reader.push(stream.slice()), 0);
  assert.equal(reader.kept, 0);
  const taken: number[] = [];
  for (let rest = stream.slice(); rest.length > 0; rest = rest.slice(taken.at(-1))) {
    recorder.blocked = false;
    taken.push(reader.push(rest));
  }
  assert.deepEqual(taken, [
    SHORT_HEAD + 3,
    SHORT_HEAD + 2 + SHORT_HEAD + 7,
    SHORT_HEAD + 1,
    SHORT_HEAD + 2 + 300,
    SHORT_HEAD,
    SHORT_HEAD + 5,
  ]);
  assertEvents(recorder.events, [
    ["text", "one"],
    ["ping", bytesOf("between")],
    ["text", "two"],
    ["binary", pattern(300)],
    ["text", ""],
    ["close", 1000, "bye"],
  ]);
});

Deno.test("a frame that has begun stays begun while the sink is blocked", () => {
  const { reader, recorder } = reading();
  const frame = clientFrame(TEXT, "a text in two pieces");
  reader.push(frame.slice(0, 15));
  recorder.blocked = true;
  assert.equal(reader.push(frame.slice(15)), 0);
  assert.equal(reader.kept, 15 - SHORT_HEAD);
  recorder.blocked = false;
  assert.equal(reader.push(frame.slice(15)), frame.length - 15);
  assertEvents(recorder.events, [["text", "a text in two pieces"]]);
});
