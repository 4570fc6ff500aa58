/** What one connection may cost: caps on messages and fragments, and memory that is taken as bytes come. */

import { type FrameLimits, FrameReader } from "../../../../src/core/websocket_frame.ts";
import {
  assertEvents,
  type FrameEvent,
  FrameRecorder,
  testFrameRows,
} from "../../../support/frame_recorder.ts";
import {
  BINARY,
  bytesOf,
  clientFrame,
  fragments,
  joined,
  pattern,
  PING,
  TEXT,
} from "../../../support/websocket_frames.ts";

const SMALL: FrameLimits = { maxMessageBytes: 1_000, maxFragments: 3 };

const TOO_LONG: FrameEvent = ["violation", 1009, "message too long"];
const TOO_MANY: FrameEvent = ["violation", 1009, "too many fragments"];

const AFTER = joined(clientFrame(TEXT, "after"), clientFrame(PING));

testFrameRows("a message longer than the cap ends the connection", [
  {
    name: "a message of exactly the cap is read",
    stream: joined(clientFrame(TEXT, "*".repeat(1_000)), clientFrame(BINARY, pattern(1_000))),
    limits: SMALL,
    events: [["text", "*".repeat(1_000)], ["binary", pattern(1_000)]],
  },
  ...[TEXT, BINARY].map((opcode) => ({
    name: `a message ${opcode} of one byte more is refused`,
    stream: joined(clientFrame(opcode, pattern(1_001)), AFTER),
    limits: SMALL,
    events: [TOO_LONG],
  })),
  {
    name: "fragments of exactly the cap are read, the last ones empty",
    stream: fragments(BINARY, [pattern(999), "*", ""]),
    limits: SMALL,
    events: [["binary", joined(pattern(999), "*")]],
  },
  {
    name: "fragments of one byte more are refused",
    stream: joined(fragments(BINARY, [pattern(999), "**"]), AFTER),
    limits: SMALL,
    events: [TOO_LONG],
  },
  {
    name: "what has been delivered no longer counts",
    stream: joined(clientFrame(BINARY, pattern(999)), fragments(BINARY, [pattern(500), "a"])),
    limits: SMALL,
    events: [["binary", pattern(999)], ["binary", joined(pattern(500), "a")]],
  },
  {
    name: "control frames do not count",
    stream: fragments(BINARY, [pattern(500), pattern(500)], {
      between: joined(...Array<Uint8Array>(9).fill(clientFrame(PING, pattern(125)))),
    }),
    limits: SMALL,
    events: [
      ...Array<FrameEvent>(9).fill(["ping", pattern(125)]),
      ["binary", joined(pattern(500), pattern(500))],
    ],
  },
  // The head alone is enough: nothing of the payload has come.
  ...[
    1_001,
    65_535,
    65_536,
    2 ** 31,
    2 ** 32 - 1,
    2n ** 32n,
    2n ** 63n - 1n,
    2n ** 63n,
    2n ** 64n - 1n,
  ]
    .map((announced) => ({
      name: `a head that tells ${announced} bytes is refused`,
      stream: clientFrame(BINARY, "", { announced }),
      limits: SMALL,
      events: [TOO_LONG],
    })),
  {
    name: "a head of a fragment that would make too long a message is refused",
    stream: joined(
      clientFrame(BINARY, pattern(900), { final: false }),
      clientFrame(0, "", { announced: 101, final: false }),
    ),
    limits: SMALL,
    events: [TOO_LONG],
  },
]);

testFrameRows("more fragments than the cap end the connection", [
  {
    name: "a message in exactly as many frames is read, and again",
    stream: joined(fragments(TEXT, ["a", "b", "c"]), fragments(TEXT, ["d", "e", "f"])),
    limits: SMALL,
    events: [["text", "abc"], ["text", "def"]],
  },
  {
    name: "one frame more is refused at its head",
    stream: joined(fragments(TEXT, ["a", "b", "c", "d"]), AFTER),
    limits: SMALL,
    events: [TOO_MANY],
  },
  {
    name: "empty frames count",
    stream: joined(fragments(TEXT, ["", "", "", ""]), AFTER),
    limits: SMALL,
    events: [TOO_MANY],
  },
  {
    name: "control frames do not count",
    stream: fragments(TEXT, ["a", "b", "c"], {
      between: joined(clientFrame(PING), clientFrame(10)),
    }),
    limits: SMALL,
    events: [
      ["ping", bytesOf("")],
      ["pong"],
      ["ping", bytesOf("")],
      ["pong"],
      ["text", "abc"],
    ],
  },
  {
    name: "control frames are read when no more fragments may come",
    stream: joined(
      fragments(BINARY, [pattern(500), pattern(500), "", ""], { between: clientFrame(PING, "p") }),
    ),
    limits: SMALL,
    events: [...Array<FrameEvent>(3).fill(["ping", bytesOf("p")]), TOO_MANY],
  },
  {
    name: "a length over the cap is told before the number of fragments",
    stream: joined(
      fragments(BINARY, ["a", "b", ""]).subarray(0, -6),
      clientFrame(0, "", { final: false }),
      clientFrame(0, "", { announced: 999 }),
    ),
    limits: SMALL,
    events: [TOO_LONG],
  },
]);

Deno.test("one frame is enough where one fragment is the cap", () => {
  const recorder = new FrameRecorder();
  const reader = new FrameReader(recorder, { maxMessageBytes: 10, maxFragments: 1 });
  reader.push(joined(clientFrame(TEXT, "a"), fragments(TEXT, ["b", ""])));
  assertEvents(recorder.events, [["text", "a"], TOO_MANY]);
});
