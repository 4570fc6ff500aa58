import assert from "node:assert/strict";
import {
  LINK_HIGH_WATER_BYTES,
  MAX_HELD_BYTES,
  Outbox,
  type Overflow,
} from "../../../src/core/outbox.ts";
import { MemoryLink } from "../../support/memory_link.ts";

interface Frame {
  readonly text: string;
}

function outbox(maxBytes = 1_000) {
  const link = new MemoryLink();
  let overflows = 0;
  const box = new Outbox<Frame>(link, {
    owner: {
      encode: (frame, sequence) => `${frame.text}#${sequence}`,
      overflowed: () => overflows++,
    },
    maxBytes,
  });
  const send = (text: string, overflow: Overflow, sequenced = true) =>
    box.send({ text }, { sequenced, overflow, key: text.split(" ")[0] });
  const block = () => link.buffered = LINK_HIGH_WATER_BYTES + 1;
  return { link, box, send, block, overflows: () => overflows };
}

Deno.test("numbers count what is enqueued and nothing else", () => {
  const { link, send, block, box } = outbox();
  send("a", "disconnect");
  send("answer", "hold", false);
  send("b", "drop");
  block();
  assert.equal(send("c", "drop"), false);
  send("d", "disconnect");
  assert.equal(box.sequence, 3);
  link.buffered = 0;
  box.drain();
  assert.deepEqual(link.sent, ["a#1", "answer#0", "b#2", "d#3"]);
});

Deno.test("what waits goes out when the link has room: answers first, coalesced frames in the older one's place and number", () => {
  const { link, box, send, block } = outbox();
  block();
  send("presence 1", "coalesce");
  send("chat", "disconnect");
  send("presence 2", "coalesce");
  send("answer", "hold", false);
  link.buffered = 0;
  send("late", "disconnect");
  assert.deepEqual(link.sent, [], "nothing overtakes what waits");
  box.drain();
  assert.deepEqual(link.sent, ["answer#0", "presence 2#1", "chat#2", "late#3"]);
  assert.equal(box.buffered, 0);
});

Deno.test("a peer that falls behind by more than the bound is given up, once", () => {
  const { link, box, send, block, overflows } = outbox(10);
  block();
  assert.ok(send("12345678", "disconnect"));
  assert.equal(send("9", "disconnect"), false);
  assert.equal(overflows(), 1);
  assert.equal(send("x", "hold", false), false);
  link.buffered = 0;
  box.drain();
  assert.deepEqual(link.sent, []);
  assert.equal(overflows(), 1);
});

Deno.test("what an answer still has to send does not count against the bound for events", () => {
  const { link, send, overflows } = outbox(10);
  link.buffered = 50_000_000;
  assert.ok(send("12345678", "disconnect"));
  assert.equal(overflows(), 0);
});

Deno.test("answers are held beyond the bound for events, up to their own", () => {
  const { send, block, overflows } = outbox(10);
  block();
  assert.ok(send("x".repeat(5_000), "hold", false));
  assert.equal(overflows(), 0);
  assert.equal(send("x".repeat(MAX_HELD_BYTES), "hold", false), false);
  assert.equal(overflows(), 1);
});

Deno.test("draining stops where the link is full again", () => {
  const { link, box, send, block } = outbox();
  block();
  send("a", "disconnect");
  send("b", "disconnect");
  link.buffered = 0;
  const original = link.send.bind(link);
  link.send = (data) => {
    original(data);
    block();
  };
  box.drain();
  assert.deepEqual(link.sent, ["a#1"]);
  link.buffered = 0;
  box.drain();
  assert.deepEqual(link.sent, ["a#1", "b#2"]);
});
