/** How a socket over a byte stream ends. */

import assert from "node:assert/strict";
import { CLOSE_DEADLINE_MS } from "../../../src/core/link.ts";
import { READY_STATE } from "../../../src/core/websocket.ts";
import { eventually } from "../../support/deadline.ts";
import { settle } from "../../support/manual_clock.ts";
import {
  BINARY,
  clientClose,
  clientFrame,
  joined,
  PING,
  TEXT,
} from "../../support/websocket_frames.ts";
import { SocketStage } from "../../support/socket_stage.ts";

const VIOLATIONS: readonly [what: string, bytes: Uint8Array, said: RegExp][] = [
  ["a frame without a mask", new Uint8Array([0x81, 0x00]), /^close 1002 /],
  ["text that is not UTF-8", clientFrame(TEXT, new Uint8Array([0xc0])), /^close 1007 /],
  ["a message that is too long", clientFrame(BINARY, new Uint8Array(100_001)), /^close 1009 /],
];

for (const [what, bytes, said] of VIOLATIONS) {
  Deno.test(`${what} ends the connection: close frame, end, and nothing is heard after it`, async () => {
    await using stage = SocketStage.started();
    const { socket, stream } = stage;
    socket.send("queued");
    stream.feed(joined(clientFrame(TEXT, "fine"), bytes));
    await eventually(() => stream.finished, "the end of what is said");
    const [first, close, ...more] = stage.said;
    assert.equal(first, "queued");
    assert.match(close ?? "", said);
    assert.deepEqual(more, []);
    socket.send("too late");
    stream.feed(clientFrame(TEXT, "not heard"), clientFrame(PING), clientClose(1000));
    stream.feed(null);
    await stage.over();
    assert.equal(stream.closed, true);
    assert.deepEqual(stage.heard, ["fine", "closed 1006"]);
    assert.equal(stage.said.length, 2);
  });
}

Deno.test("a peer that broke a bound and sends on is read within a bound, then dropped", async () => {
  await using stage = SocketStage.started();
  const { stream } = stage;
  stream.feed(new Uint8Array([0x81, 0x00]));
  await eventually(() => stream.finished, "the close frame");
  const start = performance.now();
  for (let at = 0; at < 64; at++) stream.feed(new Uint8Array(64 * 1024));
  await stage.over();
  assert.ok(stream.unread > 2 * 1024 * 1024, `${stream.unread} bytes were left unread`);
  // One second by design.
  assert.ok(performance.now() - start < 8_000);
  assert.equal(stream.closed, true);
});

Deno.test("a peer that may send so much and sends more is told 1009 and heard no more", async () => {
  await using stage = SocketStage.started();
  const { socket, stream } = stage;
  const message = clientFrame(TEXT, "x".repeat(94));
  socket.allow(3 * message.length);
  stream.feed(message, message, message);
  await settle();
  assert.equal(stage.heard.length, 3);
  stream.feed(message);
  await settle();
  assert.deepEqual(stage.said, ["close 1009"]);
  assert.equal(stage.heard.length, 3);
  stream.feed(null);
});

Deno.test("a peer is bounded anew, or no more, from when that is said", async () => {
  await using stage = SocketStage.started();
  const { socket, stream } = stage;
  const message = clientFrame(TEXT, "x".repeat(94));
  for (const bound of [message.length, message.length, undefined]) {
    socket.allow(bound);
    stream.feed(message);
    await settle();
  }
  for (let at = 0; at < 10; at++) stream.feed(message);
  await settle();
  assert.equal(stage.heard.length, 13);
});

Deno.test("a close goes behind all that is queued, and the peer's answer ends it", async () => {
  await using stage = SocketStage.started();
  const { socket, stream } = stage;
  stream.stuck = true;
  const large = "x".repeat(50_000);
  socket.send(large);
  await settle();
  socket.send("queued");
  socket.close(4_000, "enough");
  assert.equal(socket.readyState, READY_STATE.closing);
  socket.send("too late");
  socket.close(4_001, "twice");
  stream.feed(clientFrame(TEXT, "not heard"), clientClose(4_000, "enough"));
  await settle();
  assert.equal(stream.closed, false, "not before the queue is out");
  stream.loosen();
  await stage.over();
  assert.deepEqual(stage.said, [large, "queued", "close 4000 enough"]);
  assert.equal(stream.closed, true);
  assert.equal(stage.heard.at(-1), "closed 4000 enough");
});

Deno.test("a peer's close is answered with its code, behind what was sent before it", async () => {
  for (
    const [frame, said, heard] of [
      [clientClose(3_333, "bye"), "close 3333", "closed 3333 bye"],
      [clientFrame(8), "close", "closed 1005"],
    ] as const
  ) {
    await using stage = SocketStage.started();
    const { socket, stream } = stage;
    socket.send("queued");
    stream.feed(joined(frame, clientFrame(TEXT, "not heard")));
    await stage.over();
    assert.deepEqual(stage.said, ["queued", said]);
    assert.deepEqual(stage.heard, [heard]);
    assert.equal(stream.closed, true);
  }
});

Deno.test("a peer that takes no part in a close is dropped when its time is over", async () => {
  const outcomes = ["no answer", "endless messages", "not read", "its own close not read"].map(
    async (what) => {
      await using stage = SocketStage.started();
      const { socket, stream } = stage;
      stream.stuck = what.endsWith("not read");
      const start = performance.now();
      socket.send("x".repeat(100_000));
      if (what.startsWith("its")) stream.feed(clientClose(1000));
      else socket.close(1001, "going");
      let endless: ReturnType<typeof setInterval> | undefined;
      if (what.startsWith("endless")) {
        endless = setInterval(() => stream.feed(clientFrame(TEXT, "and another thing")), 50);
      }
      await stage.over();
      clearInterval(endless);
      const took = performance.now() - start;
      assert.ok(took >= CLOSE_DEADLINE_MS - 50 && took < CLOSE_DEADLINE_MS + 8_000, `${took} ms`);
      const told = what.startsWith("its") ? "closed 1000" : "closed 1006";
      assert.deepEqual(stage.heard.filter((each) => each !== "drained"), [told], what);
      assert.equal(socket.buffered, 0);
    },
  );
  await Promise.all(outcomes);
});

Deno.test("a close while reading is paused still hears the peer's answer", async () => {
  await using stage = SocketStage.started();
  const { socket, stream } = stage;
  socket.pause();
  stream.feed(clientFrame(TEXT, "unread"), clientClose(1012));
  await settle();
  socket.close(1012, "");
  socket.pause();
  await stage.over();
  assert.deepEqual(stage.heard, ["closed 1012"]);
});

Deno.test("a reason that is too long for a close frame is cut between characters", async () => {
  await using stage = SocketStage.started();
  stage.socket.close(4_000, "\u00fc".repeat(100));
  await settle();
  assert.deepEqual(stage.said, [`close 4000 ${"\u00fc".repeat(61)}`]);
});
