/** The surface of the control channel, written out by hand: a change here is a change for every client. */

import assert from "node:assert/strict";
import { MAX_CONNECTIONS, SILENT_BOUNDS } from "../../src/adapters/line_listener.ts";
import { defaultConfig } from "../../src/config.ts";
import { MAX_LINE_BYTES } from "../../src/core/lines.ts";
import { decodeFrame, encodeFrame } from "../../src/protocols/control/codec.ts";
import { EVENTS, statusFrame } from "../../src/protocols/control/events.ts";
import { MAX_CALLS_IN_FLIGHT } from "../../src/protocols/control/machine.ts";
import { METHODS } from "../../src/protocols/control/methods.ts";
import { lastWord, MAX_BUFFERED_BYTES } from "../../src/protocols/control/mod.ts";

Deno.test("the methods are the five of the document", () => {
  assert.deepEqual([...METHODS.keys()].sort(), [
    "health",
    "last-heartbeat",
    "ping",
    "set-heartbeats",
    "status",
  ]);
});

Deno.test("the events are the three of the document, each with its verdict for a slow client", () => {
  assert.deepEqual(Object.entries(EVENTS).map(([name, { overflow }]) => [name, overflow]).sort(), [
    ["gateway-status", "disconnect"],
    ["heartbeat", "coalesce"],
    ["log", "drop"],
  ]);
});

Deno.test("frames are these lines", () => {
  assert.deepEqual(decodeFrame('{"type":"request","id":"1","method":"ping","params":{}}'), {
    kind: "request",
    id: "1",
    method: "ping",
    params: {},
  });
  const line = (frame: Parameters<typeof encodeFrame>[0]) => String(encodeFrame(frame));
  assert.equal(
    line({ kind: "answer", id: "1", payload: { pong: true, ts: 5 } }),
    '{"type":"response","id":"1","ok":true,"payload":{"pong":true,"ts":5}}',
  );
  assert.equal(
    line({ kind: "refusal", id: "1", error: { message: "unknown method: x" } }),
    '{"type":"response","id":"1","ok":false,"error":"unknown method: x"}',
  );
  assert.equal(
    line(statusFrame({ state: "running", pid: 7 })),
    '{"type":"event","event":"gateway-status","payload":{"state":"running","pid":7}}',
  );
});

Deno.test("a close says why only where the client cannot know", () => {
  const word = (code: number) => lastWord(code, "why");
  const line = '{"type":"response","id":"","ok":false,"error":"why"}';
  assert.deepEqual([1000, 1002, 1008, 1009, 1011, 1012].map(word), [
    undefined,
    undefined,
    undefined,
    line,
    line,
    undefined,
  ]);
});

Deno.test("the numbers that clients rely on hold", () => {
  assert.equal(MAX_LINE_BYTES, 65_536);
  assert.equal(MAX_CALLS_IN_FLIGHT, 64);
  assert.equal(MAX_BUFFERED_BYTES, 1_048_576);
  assert.equal(MAX_CONNECTIONS, 256);
  assert.deepEqual(SILENT_BOUNDS, { perSource: 64, total: 64 });
});

Deno.test("it is off, on loopback, without a log, on a port of its own", () => {
  const { control, gateway } = defaultConfig();
  assert.deepEqual(control, { enabled: false, port: 18_791, host: "127.0.0.1", log: false });
  assert.notEqual(control.port, gateway.port);
});
