import assert from "node:assert/strict";
import { HANDSHAKE_BOUNDS, HandshakeGate, WaitingLink } from "../../../src/core/handshake_gate.ts";
import type { Link } from "../../../src/core/link.ts";

Deno.test("a source over its share of handshakes loses its oldest, others lose nothing", () => {
  const gate = new HandshakeGate();
  const evicted: string[] = [];
  const enter = (source: string, name: string) => {
    const leave = gate.enter(source, () => {
      evicted.push(name);
      leave();
    });
    return leave;
  };
  enter("other", "other");
  for (let at = 0; at < HANDSHAKE_BOUNDS.perSource + 2; at++) enter("flood", `f${at}`);
  assert.deepEqual(evicted, ["f0", "f1"]);
  assert.equal(gate.pending, HANDSHAKE_BOUNDS.perSource + 1);
});

Deno.test("over the total, the source with most handshakes loses its oldest", () => {
  const gate = new HandshakeGate();
  const evicted: string[] = [];
  const enter = (source: string) => {
    const leave = gate.enter(source, () => {
      evicted.push(source);
      leave();
    });
    return leave;
  };
  const first = enter("big");
  for (let at = 0; at < 9; at++) enter("big");
  for (let at = 0; gate.pending < HANDSHAKE_BOUNDS.total; at++) enter(`s${at}`);
  enter("late");
  assert.deepEqual(evicted, ["big"]);
  first();
  assert.equal(gate.pending, HANDSHAKE_BOUNDS.total, "leaving twice counts once");
});

Deno.test("who has waited longest gives way, who is served only when all are", () => {
  const gate = new HandshakeGate({ perSource: 3, total: 100 });
  const evicted: string[] = [];
  const since = new Map<string, number | undefined>();
  const enter = (name: string, waitingSince?: number) => {
    since.set(name, waitingSince);
    const leave = gate.enter("source", () => {
      evicted.push(name);
      leave();
    }, { waitingSince: () => since.get(name) });
  };
  enter("served");
  enter("quick", 30);
  enter("slow", 20);
  enter("new", 40);
  assert.deepEqual(evicted, ["slow"]);
  since.set("quick", undefined);
  enter("newer", 50);
  assert.deepEqual(evicted, ["slow", "new"]);
  since.set("newer", undefined);
  enter("newest", 60);
  assert.deepEqual(evicted, ["slow", "new", "served"]);
});

/** A link that keeps what is done to it. */
function fakeLink() {
  const done: string[] = [];
  const link: Link = {
    buffered: 0,
    attach: () => {},
    send: () => {},
    close: () => {},
    terminate: () => done.push("terminate"),
    allow: (bytes) => done.push(`allow ${bytes ?? "all"}`),
    pause: () => {},
    resume: () => {},
  };
  return { link, done };
}

Deno.test("a link that waits is bounded until it passes; one that gives way is dropped, once", () => {
  const gate = new HandshakeGate({ perSource: 1, total: 8 });
  const [first, second] = [fakeLink(), fakeLink()];
  const options = { gate, address: "203.0.113.1", maxBytes: 5 };
  const late = new WaitingLink(first.link, options);
  const waiting = new WaitingLink(second.link, options);
  assert.deepEqual(first.done, ["allow 5", "terminate"]);
  assert.equal(gate.pending, 1);
  late.leave();
  assert.equal(gate.pending, 1);
  waiting.pass();
  waiting.leave();
  assert.equal(gate.pending, 0);
  assert.deepEqual(second.done, ["allow 5", "allow all"]);
});

Deno.test("a link that need not prove anything gives way to nobody, but is bounded until it passes", () => {
  const { link, done } = fakeLink();
  const waiting = new WaitingLink(link, { gate: undefined, address: "x", maxBytes: 5 });
  waiting.pass();
  assert.deepEqual(done, ["allow 5", "allow all"]);
});
