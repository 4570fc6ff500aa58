/** Lengths, masks, control frames, reserved bits and opcodes: RFC 6455, sections 5.1 to 5.5. */

import assert from "node:assert/strict";
import { FrameReader } from "../../../../src/core/websocket_frame.ts";
import {
  assertEvents,
  broken,
  type FrameEvent,
  FrameRecorder,
  type FrameRow,
  LIMITS,
  testFrameRows,
} from "../../../support/frame_recorder.ts";
import {
  BINARY,
  bytesOf,
  clientFrame,
  CLOSE,
  fragments,
  joined,
  pattern,
  PING,
  PONG,
  TEXT,
} from "../../../support/websocket_frames.ts";

const CONTROLS = [CLOSE, PING, PONG];

/** Stands behind what ends a connection and must not be seen. */
const AFTER = joined(clientFrame(TEXT, "after"), clientFrame(PING), clientFrame(CLOSE));

/** What came before the wrong frame is delivered, and nothing behind it. */
function refused(name: string, wrong: Uint8Array, reason: string): FrameRow {
  const stream = joined(clientFrame(TEXT, "before"), wrong, AFTER);
  return { name, stream, events: [["text", "before"], broken(reason)] };
}

function unmasked(opcode: number, payload: Uint8Array | string = ""): Uint8Array {
  return clientFrame(opcode, payload, { mask: undefined });
}

// Every form of the length, and both sides of its borders.
testFrameRows(
  "payloads of every size are read",
  [0, 1, 2, 15, 16, 17, 124, 125, 126, 127, 128, 255, 256, 4_096, 65_535, 65_536, 65_537].flatMap(
    (size): FrameRow[] => {
      const ascii = "*".repeat(size);
      const wide = "\u00e9".repeat(size >> 1) + "*".repeat(size & 1);
      const bytes = pattern(size);
      return [
        {
          name: `a text of ${size} bytes is read`,
          stream: clientFrame(TEXT, ascii),
          events: [["text", ascii]],
        },
        {
          name: `a text of ${size} bytes that is not ASCII is read`,
          stream: clientFrame(TEXT, wide),
          events: [["text", wide]],
        },
        {
          name: `a binary message of ${size} bytes is read`,
          stream: clientFrame(BINARY, bytes),
          events: [["binary", bytes]],
        },
      ];
    },
  ),
);

testFrameRows("frames that come together are read in order", [
  {
    name: "messages that come together are all read, in order",
    stream: joined(
      clientFrame(TEXT, "one"),
      clientFrame(BINARY, pattern(200)),
      clientFrame(TEXT),
      clientFrame(BINARY),
      clientFrame(TEXT, "\u{1f600}"),
    ),
    events: [
      ["text", "one"],
      ["binary", pattern(200)],
      ["text", ""],
      ["binary", new Uint8Array(0)],
      ["text", "\u{1f600}"],
    ],
  },
  {
    name: "every key unmasks, that of zeros too",
    stream: joined(
      ...[[0, 0, 0, 0], [255, 255, 255, 255], [1, 0, 0, 0], [0, 0, 0, 128], [128, 129, 2, 3]].map((
        mask,
      ) => clientFrame(TEXT, "the quick brown fox jumps", { mask })),
    ),
    events: Array(5).fill(["text", "the quick brown fox jumps"]),
  },
  {
    name: "a byte order mark is part of the text",
    stream: joined(clientFrame(TEXT, "\ufeffa"), fragments(TEXT, ["\ufeff", "b"])),
    events: [["text", "\ufeffa"], ["text", "\ufeffb"]],
  },
]);

// Masks.

testFrameRows("a frame that is not masked ends the connection", [
  refused("a text that is not masked is refused", unmasked(TEXT, "hello"), "frame is not masked"),
  refused("an empty frame that is not masked is refused", unmasked(TEXT), "frame is not masked"),
  ...[126, 65_536].map((size) =>
    refused(
      `a frame of ${size} bytes that is not masked is refused`,
      unmasked(BINARY, pattern(size)),
      "frame is not masked",
    )
  ),
  ...CONTROLS.map((opcode) =>
    refused(
      `a control frame ${opcode} that is not masked is refused`,
      unmasked(opcode),
      "frame is not masked",
    )
  ),
  {
    name: "a continuation that is not masked is refused",
    stream: joined(clientFrame(TEXT, "a", { final: false }), unmasked(0, "b"), AFTER),
    events: [broken("frame is not masked")],
  },
]);

// Lengths that a shorter form would have told.

testFrameRows(
  "a length that a shorter form would have told ends the connection",
  [...[0, 1, 125].map((size) => [size, 2]), ...[0, 125, 126, 65_535].map((size) => [size, 8])].map(
    ([size = 0, lengthBytes]) =>
      refused(
        `a length of ${size} in ${lengthBytes} bytes is refused`,
        clientFrame(BINARY, pattern(size), { lengthBytes: lengthBytes === 2 ? 2 : 8 }),
        "length not minimal",
      ),
  ),
);

// Control frames.

testFrameRows("control frames are short, whole, and told at once", [
  ...[0, 1, 4, 20, 124, 125].map((size): FrameRow => ({
    name: `a ping of ${size} bytes is told with its payload`,
    stream: clientFrame(PING, pattern(size)),
    events: [["ping", pattern(size)]],
  })),
  {
    name: "a ping may hold what is not text",
    stream: clientFrame(PING, new Uint8Array([0x00, 0xff, 0xfe, 0xc0, 0x80])),
    events: [["ping", new Uint8Array([0x00, 0xff, 0xfe, 0xc0, 0x80])]],
  },
  {
    name: "ten pings are told in order",
    stream: joined(...Array.from({ length: 10 }, (_, index) => clientFrame(PING, `${index}`))),
    events: Array.from({ length: 10 }, (_, index): FrameEvent => ["ping", bytesOf(`${index}`)]),
  },
  {
    name: "pongs that nobody asked for are told, with and without payload",
    stream: joined(clientFrame(PONG), clientFrame(PONG, pattern(125)), clientFrame(PING, "x")),
    events: [["pong"], ["pong"], ["ping", bytesOf("x")]],
  },
  ...CONTROLS.flatMap((opcode) => [
    ...[126, 127, 65_535, 65_536].map((size) =>
      refused(
        `a control frame ${opcode} of ${size} bytes is refused`,
        clientFrame(opcode, pattern(size)),
        "control frame too long",
      )
    ),
    refused(
      `a control frame ${opcode} that tells a small length in two bytes is refused`,
      clientFrame(opcode, "abc", { lengthBytes: 2 }),
      "control frame too long",
    ),
    refused(
      `a control frame ${opcode} that tells a small length in eight bytes is refused`,
      clientFrame(opcode, "abc", { lengthBytes: 8 }),
      "control frame too long",
    ),
    refused(
      `a control frame ${opcode} that is a fragment is refused`,
      clientFrame(opcode, "ab", { final: false }),
      "fragmented control frame",
    ),
    {
      name: `a control frame ${opcode} that is a fragment is refused within a message`,
      stream: joined(
        clientFrame(TEXT, "a", { final: false }),
        clientFrame(opcode, "", { final: false }),
        clientFrame(0, "b"),
      ),
      events: [broken("fragmented control frame")],
    },
  ]),
]);

// Reserved bits, of which no extension has been agreed on.

testFrameRows(
  "reserved bits end the connection",
  [1, 2, 3, 4, 5, 6, 7].flatMap((reserved) => [
    ...[TEXT, BINARY, ...CONTROLS].map((opcode) =>
      refused(
        `reserved bits ${reserved} are refused in frame ${opcode}`,
        clientFrame(opcode, "abc", { reserved }),
        "reserved bits are set",
      )
    ),
    {
      name: `reserved bits ${reserved} are refused in a continuation`,
      stream: joined(
        clientFrame(TEXT, "a", { final: false }),
        clientFrame(0, "b", { reserved }),
        AFTER,
      ),
      events: [broken("reserved bits are set")],
    },
    refused(
      `reserved bits ${reserved} are refused in the first fragment`,
      clientFrame(TEXT, "abc", { reserved, final: false }),
      "reserved bits are set",
    ),
  ]),
);

// Opcodes without a meaning.

testFrameRows(
  "unknown opcodes end the connection",
  [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => [
    refused(
      `opcode ${opcode} is refused`,
      clientFrame(opcode),
      "unknown opcode",
    ),
    refused(
      `opcode ${opcode} with a payload is refused`,
      clientFrame(opcode, pattern(300)),
      "unknown opcode",
    ),
    refused(
      `opcode ${opcode} as a fragment is refused`,
      clientFrame(opcode, "a", { final: false }),
      "unknown opcode",
    ),
    {
      name: `opcode ${opcode} within a message is refused`,
      stream: joined(clientFrame(TEXT, "a", { final: false }), clientFrame(opcode, "b"), AFTER),
      events: [broken("unknown opcode")],
    },
  ]),
);

Deno.test("what the first two bytes show to be wrong is refused by them, not when the head has come", () => {
  const wrong: readonly (readonly [Uint8Array, string])[] = [
    [clientFrame(TEXT, pattern(300), { reserved: 4 }), "reserved bits are set"],
    [clientFrame(BINARY, pattern(300), { mask: undefined }), "frame is not masked"],
    [clientFrame(3, pattern(300)), "unknown opcode"],
    [clientFrame(11, "abc"), "unknown opcode"],
    [clientFrame(PING, "abc", { final: false }), "fragmented control frame"],
    [clientFrame(PING, pattern(126)), "control frame too long"],
    [clientFrame(0, pattern(300)), "nothing to continue"],
  ];
  for (const [frame, reason] of wrong) {
    for (const pieces of [[frame.slice(0, 2)], [frame.slice(0, 1), frame.slice(1, 2)]]) {
      const recorder = new FrameRecorder();
      const reader = new FrameReader(recorder, LIMITS);
      for (const piece of pieces) assert.equal(reader.push(piece), piece.length);
      assertEvents(recorder.events, [broken(reason)]);
    }
  }
});
