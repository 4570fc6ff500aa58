import assert from "node:assert/strict";
import { parseHello, parseServerFrame } from "../../../src/client/server_frame.ts";

const FRAMES: readonly (readonly [string, unknown, unknown])[] = [
  ["bytes", new Uint8Array([1]), { type: "malformed" }],
  ["no JSON", "{", { type: "malformed" }],
  ["another type", '{"type":"hello"}', { type: "malformed" }],
  ["an answer without ok", '{"type":"res","id":"1"}', { type: "malformed", id: "1" }],
  ["an answer", '{"type":"res","id":"1","ok":true,"payload":[1],"more":2}', {
    type: "answer",
    id: "1",
    ok: true,
    payload: [1],
  }],
  ["an error without its shape", '{"type":"res","id":"1","ok":false,"error":{"code":5}}', {
    type: "answer",
    id: "1",
    ok: false,
    payload: undefined,
    error: { code: "UNAVAILABLE", message: "the gateway refused and gave no reason" },
  }],
  [
    "an error with odd extras",
    '{"type":"res","id":"","ok":false,"error":{"code":"X","message":"m","retryable":1,"details":null}}',
    {
      type: "answer",
      id: "",
      ok: false,
      payload: undefined,
      error: { code: "X", message: "m", details: null },
    },
  ],
  [
    "an event with odd extras",
    '{"type":"event","event":"e","seq":"1","stateVersion":{"health":1}}',
    {
      type: "event",
      event: { event: "e", payload: undefined },
    },
  ],
];

for (const [name, data, expected] of FRAMES) {
  Deno.test(`${name} is parsed`, () => assert.deepEqual(parseServerFrame(data), expected));
}

Deno.test("a greeting needs its type and protocol alone", () => {
  assert.equal(parseHello(null), undefined);
  assert.equal(parseHello({ type: "hello-ok" }), undefined);
  const { payload: _payload, ...read } = parseHello({
    type: "hello-ok",
    protocol: 3,
    features: { methods: ["a", 5], events: "x" },
    policy: { maxPayload: -1, tickIntervalMs: "soon" },
  }) ?? {};
  assert.deepEqual(read, {
    protocol: 3,
    serverVersion: "",
    connId: "",
    methods: ["a"],
    events: [],
    maxPayload: 524_288,
    tickIntervalMs: 30_000,
  });
});
