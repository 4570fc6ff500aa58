/** The closing handshake: RFC 6455, sections 5.5.1 and 7. */

import assert from "node:assert/strict";
import {
  closePayload,
  isSendableCode,
  MAX_CONTROL_BYTES,
} from "../../../../src/core/websocket_frame.ts";
import {
  broken,
  type FrameEvent,
  type FrameRow,
  testFrameRows,
} from "../../../support/frame_recorder.ts";
import {
  bytesOf,
  clientClose,
  clientFrame,
  CLOSE,
  closing,
  hex,
  joined,
  TEXT,
} from "../../../support/websocket_frames.ts";

const AFTER = joined(
  clientFrame(TEXT, "after"),
  clientFrame(9),
  clientClose(1001),
  clientFrame(7, "x", { reserved: 7 }),
);

const SENDABLE = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]
  .concat([3000, 3999, 4000, 4999]);
const RESERVED = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];

/** The end is told once; what stands behind it is not looked at. */
function row(name: string, frame: Uint8Array, event: FrameEvent): FrameRow {
  const stream = joined(clientFrame(TEXT, "before"), frame, AFTER);
  return { name, stream, events: [["text", "before"], event] };
}

testFrameRows("a close frame is told once and ends the connection, right or wrong", [
  row("a close without payload tells 1005", clientFrame(CLOSE), ["close", 1005, ""]),
  // The last two would begin a code that may be sent.
  ...["00", "03", "0c", "13"].map((byte) =>
    row(
      `a close of the one byte ${byte} is refused`,
      clientFrame(CLOSE, hex(byte)),
      broken("invalid close code"),
    )
  ),
  row("a close with a code alone", clientClose(1000), ["close", 1000, ""]),
  row("a close with a reason", clientClose(1001, "going away"), ["close", 1001, "going away"]),
  row("a close with a reason that is not ASCII", clientClose(3000, "\u00e9\u{1f600}"), [
    "close",
    3000,
    "\u00e9\u{1f600}",
  ]),
  row("a close with the longest reason", clientClose(1000, "*".repeat(123)), [
    "close",
    1000,
    "*".repeat(123),
  ]),
  row(
    "a close with a longer reason is refused",
    clientClose(1000, "*".repeat(124)),
    broken("control frame too long"),
  ),
  row("a close whose reason begins with a byte order mark", clientClose(1000, "\ufeffbye"), [
    "close",
    1000,
    "\ufeffbye",
  ]),
  ...["ff", "c3", "eda080", "c080", "f4908080", "cebae1bdb9cf83ceeda080656469"].map((reason) =>
    row(
      `a close whose reason ${reason} is not UTF-8 is refused`,
      clientClose(1000, hex(reason)),
      ["violation", 1007, "invalid UTF-8"],
    )
  ),
  ...SENDABLE.map((code) =>
    row(`a close with code ${code} is told`, clientClose(code, "why"), ["close", code, "why"])
  ),
  ...RESERVED.map((code) =>
    row(`a close with code ${code} is refused`, clientClose(code), broken("invalid close code"))
  ),
  row(
    "a wrong code is refused before a wrong reason",
    clientClose(1005, hex("ff")),
    broken("invalid close code"),
  ),
]);

Deno.test("codes are sendable as the registry has them, and no other of 16 bits", () => {
  const sendable = Array.from({ length: 65_536 }, (_, code) => code).filter(isSendableCode);
  const expected = Array.from({ length: 65_536 }, (_, code) => code).filter((code) =>
    SENDABLE.includes(code) || (code >= 3000 && code <= 4999)
  );
  assert.deepEqual(sendable, expected);
});

Deno.test("a close payload holds the code and the reason, and nothing for no code", () => {
  assert.deepEqual(closePayload(1000, ""), closing(1000));
  assert.deepEqual(closePayload(4999, "why \u00e9"), closing(4999, "why \u00e9"));
  assert.deepEqual(closePayload(1005, ""), new Uint8Array(0));
  assert.deepEqual(closePayload(1005, "unsaid"), new Uint8Array(0));
});

Deno.test("a reason that is too long is cut between characters", () => {
  for (const character of ["*", "\u00e9", "\u20ac", "\u{1f600}"]) {
    const width = bytesOf(character).length;
    for (let before = 0; before < width; before++) {
      const reason = "-".repeat(before) + character.repeat(200);
      const payload = closePayload(1000, reason);
      const fits = Math.floor((MAX_CONTROL_BYTES - 2 - before) / width);
      assert.deepEqual(payload, closing(1000, "-".repeat(before) + character.repeat(fits)));
    }
  }
});

Deno.test("a reason with a lone surrogate can be sent", () => {
  assert.deepEqual(closePayload(1000, "a\ud800b"), closing(1000, "a\ufffdb"));
});
