/** Text is UTF-8, and what is not ends the connection as soon as it shows: RFC 6455, section 8.1. */

import assert from "node:assert/strict";
import { FrameReader } from "../../../../src/core/websocket_frame.ts";
import {
  assertEvents,
  type FrameEvent,
  FrameRecorder,
  type FrameRow,
  LIMITS,
  testFrameRows,
} from "../../../support/frame_recorder.ts";
import {
  BROKEN_SEQUENCES,
  CUT_SEQUENCES,
  GOOD_SEQUENCES,
} from "../../../support/utf8_sequences.ts";
import {
  BINARY,
  bytesOf,
  clientFrame,
  fragments,
  hex,
  joined,
  PING,
  TEXT,
} from "../../../support/websocket_frames.ts";

const NOT_UTF8: FrameEvent = ["violation", 1007, "invalid UTF-8"];

/** Stands behind what ends a connection and must not be seen. */
const AFTER = joined(clientFrame(TEXT, "after"), clientFrame(PING));

const inBytes = (bytes: Uint8Array) => [...bytes].map((byte) => Uint8Array.of(byte));

testFrameRows(
  "what is UTF-8 is read",
  GOOD_SEQUENCES.flatMap(({ name, bytes }): FrameRow[] => {
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    const padded = "a run of ASCII before it";
    return [
      { name: `${name}: a text`, stream: clientFrame(TEXT, bytes), events: [["text", text]] },
      {
        name: `${name}: a text with a byte in each fragment`,
        stream: fragments(TEXT, inBytes(bytes)),
        events: [["text", text]],
      },
      {
        name: `${name}: a text behind ASCII in a fragment of its own`,
        stream: fragments(TEXT, [padded, bytes, padded]),
        events: [["text", padded + text + padded]],
      },
    ];
  }),
);

testFrameRows(
  "what is no UTF-8 ends the connection",
  BROKEN_SEQUENCES.flatMap(({ name, bytes }): FrameRow[] => [
    {
      name: `${name}: refused as a text`,
      stream: joined(clientFrame(TEXT, "before"), clientFrame(TEXT, bytes), AFTER),
      events: [["text", "before"], NOT_UTF8],
    },
    {
      name: `${name}: refused with a byte in each fragment`,
      stream: joined(fragments(TEXT, inBytes(bytes)), AFTER),
      events: [NOT_UTF8],
    },
    {
      name: `${name}: refused within a long text`,
      stream: joined(clientFrame(TEXT, joined("*".repeat(50), bytes, "*".repeat(50))), AFTER),
      events: [NOT_UTF8],
    },
  ]),
);

testFrameRows(
  "a text that stops within a character ends the connection",
  CUT_SEQUENCES.flatMap(({ name, bytes }): FrameRow[] => [
    {
      name: `${name}: refused at the end of a text`,
      stream: joined(clientFrame(TEXT, bytes), AFTER),
      events: [NOT_UTF8],
    },
    {
      name: `${name}: refused at the end of fragments`,
      stream: joined(fragments(TEXT, inBytes(bytes)), AFTER),
      events: [NOT_UTF8],
    },
    {
      name: `${name}: refused at the end of fragments, the last one empty`,
      stream: joined(fragments(TEXT, [bytes, ""]), AFTER),
      events: [NOT_UTF8],
    },
    {
      name: `${name}: refused where ASCII follows in the next fragment`,
      stream: joined(fragments(TEXT, [bytes, "ASCII of the next fragment", bytes]), AFTER),
      events: [NOT_UTF8],
    },
    {
      name: `${name}: nobody asks for UTF-8 of bytes`,
      stream: joined(clientFrame(BINARY, bytes), fragments(BINARY, [bytes, bytes])),
      events: [["binary", bytes], ["binary", joined(bytes, bytes)]],
    },
  ]),
);

testFrameRows("a text is judged as its bytes come, each for itself", [
  {
    name: "a text is refused before the message that it belongs to has come whole",
    stream: clientFrame(TEXT, joined("a", hex("ff")), { final: false }),
    events: [NOT_UTF8],
  },
  {
    name: "a text is refused before the frame that it belongs to has come whole",
    stream: clientFrame(TEXT, joined("a", hex("ff")), { announced: 1_000 }),
    events: [NOT_UTF8],
  },
  {
    name: "a cut character may yet be whole",
    stream: clientFrame(TEXT, joined("a", hex("f09f98")), { announced: 1_000 }),
    events: [],
  },
  {
    name: "each text begins anew",
    stream: joined(
      fragments(TEXT, [hex("e282"), hex("ac")]),
      clientFrame(TEXT, hex("e282ac")),
      fragments(TEXT, ["a", hex("c3"), hex("a9")]),
    ),
    events: [["text", "\u20ac"], ["text", "\u20ac"], ["text", "a\u00e9"]],
  },
]);

/** Pushes a stream a byte at a time; how many bytes it takes until the reader has refused it. */
function bytesUntilRefusal(stream: Uint8Array): number | undefined {
  const recorder = new FrameRecorder();
  const reader = new FrameReader(recorder, LIMITS);
  for (let at = 0; at < stream.length; at++) {
    assert.equal(reader.push(Uint8Array.of(stream[at]!)), 1);
    if (!recorder.ended) continue;
    assert.deepEqual(recorder.events.at(-1), NOT_UTF8);
    return at + 1;
  }
  return undefined;
}

Deno.test("the first byte that cannot stand in a text refuses it, within a frame that is not whole", () => {
  for (const { name, bytes, shownBy } of BROKEN_SEQUENCES) {
    for (const before of ["", "ab", "sixteen bytes or more", "\u20ac"]) {
      const text = joined(before, bytes);
      const head = 2 + 2 + 4;
      assert.equal(
        bytesUntilRefusal(clientFrame(TEXT, text, { announced: 1_000 })),
        head + text.length - bytes.length + shownBy,
        `${name} behind ${JSON.stringify(before)}`,
      );
    }
  }
});

Deno.test("the first byte that cannot stand in a text refuses it, across fragments", () => {
  for (const { name, bytes, shownBy } of BROKEN_SEQUENCES) {
    const begin = clientFrame(TEXT, "\u20ac a", { final: false });
    const ping = clientFrame(PING, "between");
    const rest = fragments(0, inBytes(bytes), { between: ping });
    // Each byte has a head of six bytes of its own, and a ping behind it.
    const until = begin.length + 7 * shownBy + ping.length * (shownBy - 1);
    assert.equal(bytesUntilRefusal(joined(begin, rest)), until, name);
  }
});

Deno.test("a large piece of a text is checked where it is not ASCII, at every place", () => {
  for (let at = 0; at < 40; at++) {
    const text = joined("*".repeat(at), hex("ff"), "*".repeat(39 - at));
    const recorder = new FrameRecorder();
    const reader = new FrameReader(recorder, LIMITS);
    reader.push(clientFrame(TEXT, text, { announced: 1_000 }));
    assertEvents(recorder.events, [NOT_UTF8], String(at));
  }
});

Deno.test("a character may be cut anywhere between large pieces of ASCII", () => {
  const text = bytesOf(`${"*".repeat(30)}\u{1f600}${"*".repeat(30)}`);
  for (let cut = 0; cut <= text.length; cut++) {
    const recorder = new FrameRecorder();
    const reader = new FrameReader(recorder, LIMITS);
    reader.push(fragments(TEXT, [text.subarray(0, cut), text.subarray(cut)]));
    assertEvents(recorder.events, [["text", new TextDecoder().decode(text)]], String(cut));
  }
});
