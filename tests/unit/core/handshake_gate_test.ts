import assert from "node:assert/strict";
import { HANDSHAKE_BOUNDS, HandshakeGate } from "../../../src/core/handshake_gate.ts";

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
