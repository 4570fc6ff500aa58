/** Messages in more than one frame, and control frames between them: RFC 6455, sections 5.4 and 5.5. */

import { broken, type FrameRow, testFrameRows } from "../../../support/frame_recorder.ts";
import {
  BINARY,
  bytesOf,
  clientFrame,
  fragments,
  joined,
  pattern,
  PING,
  PONG,
  TEXT,
} from "../../../support/websocket_frames.ts";

const AFTER = joined(clientFrame(TEXT, "after"), clientFrame(PING));

const begin = (text: string, opcode = TEXT) => clientFrame(opcode, text, { final: false });
const middle = (text: string) => clientFrame(0, text, { final: false });
const last = (text: string) => clientFrame(0, text);

function row(name: string, stream: Uint8Array, events: FrameRow["events"]): FrameRow {
  return { name, stream, events };
}

testFrameRows("fragments are one message", [
  row("two fragments are one message", joined(begin("he"), last("llo")), [["text", "hello"]]),
  row(
    "bytes in fragments are one message",
    fragments(BINARY, [pattern(10), pattern(300), pattern(5)]),
    [["binary", joined(pattern(10), pattern(300), pattern(5))]],
  ),
  row("empty fragments are an empty text", fragments(TEXT, ["", "", ""]), [["text", ""]]),
  row("empty fragments are an empty message", fragments(BINARY, ["", ""]), [
    ["binary", new Uint8Array(0)],
  ]),
  row("empty fragments may stand anywhere", fragments(TEXT, ["", "a", "", "", "b", ""]), [
    ["text", "ab"],
  ]),
  row(
    "each byte may be a fragment",
    fragments(TEXT, [..."fragments of one byte"]),
    [["text", "fragments of one byte"]],
  ),
  row(
    "a message in fragments of all forms of the length",
    fragments(BINARY, [pattern(125), pattern(126), pattern(65_535), pattern(65_536), "x"]),
    [["binary", joined(pattern(125), pattern(126), pattern(65_535), pattern(65_536), "x")]],
  ),
  row(
    "messages in fragments follow one another",
    joined(
      fragments(TEXT, ["a", "b"]),
      fragments(BINARY, ["c", "d"]),
      clientFrame(TEXT, "e"),
      fragments(TEXT, ["f", "g"]),
    ),
    [["text", "ab"], ["binary", bytesOf("cd")], ["text", "e"], ["text", "fg"]],
  ),
]);

// Control frames come at once, wherever they stand.
testFrameRows("control frames between fragments are told at once", [
  row(
    "a ping between fragments is told before the message",
    fragments(TEXT, ["a", "b"], { between: clientFrame(PING, "p") }),
    [["ping", bytesOf("p")], ["text", "ab"]],
  ),
  row(
    "pings of all sizes between fragments leave the message whole",
    joined(
      begin("a\u00e9"),
      clientFrame(PING),
      clientFrame(PING, pattern(125)),
      middle("\u{1f600}"),
      clientFrame(PONG, pattern(7)),
      clientFrame(PING, pattern(1)),
      last("z"),
    ),
    [
      ["ping", new Uint8Array(0)],
      ["ping", pattern(125)],
      ["pong"],
      ["ping", pattern(1)],
      ["text", "a\u00e9\u{1f600}z"],
    ],
  ),
  row(
    "a ping within a character leaves it whole",
    fragments(TEXT, [bytesOf("\u{1f600}").slice(0, 2), bytesOf("\u{1f600}").slice(2)], {
      between: clientFrame(PING, new Uint8Array([0x80])),
    }),
    [["ping", new Uint8Array([0x80])], ["text", "\u{1f600}"]],
  ),
  row(
    "a close between fragments ends all",
    joined(begin("a"), clientFrame(8, new Uint8Array([0x03, 0xe8])), last("b"), AFTER),
    [["close", 1000, ""]],
  ),
]);

testFrameRows("fragments out of order end the connection", [
  row("a continuation of nothing is refused", joined(clientFrame(TEXT, "a"), last("b"), AFTER), [
    ["text", "a"],
    broken("nothing to continue"),
  ]),
  row("a continuation that others follow is refused first of all", joined(middle("a"), AFTER), [
    broken("nothing to continue"),
  ]),
  row("an empty continuation of nothing is refused", joined(last(""), AFTER), [
    broken("nothing to continue"),
  ]),
  row(
    "a continuation behind the last fragment is refused",
    joined(fragments(TEXT, ["a", "b"]), middle("c"), last("d")),
    [["text", "ab"], broken("nothing to continue")],
  ),
  ...[TEXT, BINARY].flatMap((opcode) => [
    row(
      `a new message ${opcode} within another is refused`,
      joined(begin("a"), clientFrame(opcode, "b"), AFTER),
      [broken("message not ended")],
    ),
    row(
      `a new message ${opcode} in fragments within another is refused`,
      joined(begin("a", BINARY), begin("b", opcode), last("c"), AFTER),
      [broken("message not ended")],
    ),
    row(
      `a new message ${opcode} behind an empty fragment is refused`,
      joined(begin(""), clientFrame(opcode, "b"), AFTER),
      [broken("message not ended")],
    ),
    row(
      `a new message ${opcode} behind a ping within another is refused`,
      joined(begin("a"), clientFrame(PING), clientFrame(opcode, "b"), AFTER),
      [["ping", new Uint8Array(0)], broken("message not ended")],
    ),
  ]),
]);
