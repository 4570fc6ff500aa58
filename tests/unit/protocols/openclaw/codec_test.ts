import assert from "node:assert/strict";
import { GatewayError } from "../../../../src/core/error.ts";
import {
  decodeFrame,
  encodeFrame,
  eventOpening,
} from "../../../../src/protocols/openclaw/codec.ts";

const encoder = new TextEncoder();

Deno.test("a request is read from text and from bytes, with or without params", () => {
  const text = '{"type":"req","id":"1","method":"health","params":{"probe":true}}';
  const frame = {
    kind: "request",
    id: "1",
    method: "health",
    params: { probe: true },
    size: text.length,
  };
  assert.deepEqual(decodeFrame(text), frame);
  assert.deepEqual(decodeFrame(encoder.encode(text)), frame);
  const bare = decodeFrame('{"type":"req","id":"1","method":"health"}');
  assert.ok(bare.kind === "request" && bare.params === undefined);
  const empty = decodeFrame('{"type":"req","id":"1","method":"health","params":null}');
  assert.ok(empty.kind === "request" && empty.params === null);
});

const MALFORMED: readonly { given: string; id: unknown; message: string }[] = [
  { given: "[]", id: "invalid", message: "must be object" },
  { given: "null", id: "invalid", message: "must be object" },
  { given: '"abc"', id: "invalid", message: "must be object" },
  { given: "7", id: "invalid", message: "must be object" },
  {
    given: '{"type":"req","method":"health"}',
    id: "invalid",
    message: "must have required property 'id'",
  },
  {
    given: '{"type":"req","id":"","method":"health"}',
    id: "",
    message: "at /id: must NOT have fewer than 1 characters",
  },
  { given: '{"type":"req","id":7,"method":"health"}', id: 7, message: "at /id: must be string" },
  {
    given: '{"type":"req","id":"1","method":"health","foo":1}',
    id: "1",
    message: "at root: unexpected property 'foo'",
  },
  {
    given: '{"type":"event","id":"1","method":"health"}',
    id: "1",
    message: "at /type: must be equal to constant",
  },
  { given: '{"type":"req","id":"1"}', id: "1", message: "must have required property 'method'" },
  {
    given: '{"type":"req","id":"1","method":""}',
    id: "1",
    message: "at /method: must NOT have fewer than 1 characters",
  },
  {
    given: "{}",
    id: "invalid",
    message:
      "must have required property 'type'; must have required property 'id'; must have required property 'method'",
  },
  {
    given: '{"type":"req","id":"1","method":"health","__proto__":{}}',
    id: "1",
    message: 'key "__proto__" is not allowed',
  },
  {
    given: '{"type":"req","id":"1","method":"x","params":"\\ud800"}',
    id: "1",
    message: "text is not well-formed Unicode",
  },
];

Deno.test("JSON that is no request says why, under the id that it gave", () => {
  for (const { given, id, message } of MALFORMED) {
    const size = given.length;
    const expect = { kind: "malformed", id, message: `invalid request frame: ${message}`, size };
    assert.deepEqual(decodeFrame(given), expect, given);
  }
});

Deno.test("what is no JSON is noise, broken UTF-8 included", () => {
  for (const given of ["", "hello", "{", "\u0000", new Uint8Array([0x22, 0xff, 0x22])]) {
    assert.deepEqual(decodeFrame(given), { kind: "noise", size: given.length });
  }
});

Deno.test("frames carry the document's members and no others", () => {
  const error = new GatewayError("UNAVAILABLE", "later", {
    retryable: true,
    retryAfterMs: 5,
    details: { a: 1 },
  });
  const event = {
    kind: "event",
    event: "tick",
    opening: eventOpening("tick", { ts: 1 }),
    overflow: "drop",
    key: "tick",
  } as const;
  const rows = [
    [{ kind: "answer", id: "1", payload: { a: 1, b: undefined } }, {
      type: "res",
      id: "1",
      ok: true,
      payload: { a: 1 },
    }],
    [{ kind: "answer", id: "1", payload: null }, { type: "res", id: "1", ok: true, payload: null }],
    [{ kind: "answer", id: "1", payload: undefined }, { type: "res", id: "1", ok: true }],
    [{ kind: "refusal", id: 7, error }, {
      type: "res",
      id: 7,
      ok: false,
      error: {
        code: "UNAVAILABLE",
        message: "later",
        details: { a: 1 },
        retryable: true,
        retryAfterMs: 5,
      },
    }],
    [{
      kind: "refusal",
      id: "2",
      error: new GatewayError("UNAVAILABLE", "no", { payload: { runId: "r" } }),
    }, {
      type: "res",
      id: "2",
      ok: false,
      payload: { runId: "r" },
      error: { code: "UNAVAILABLE", message: "no" },
    }],
    [{ kind: "refusal", id: "1", error: new GatewayError("NOT_PAIRED", "no") }, {
      type: "res",
      id: "1",
      ok: false,
      error: { code: "NOT_PAIRED", message: "no" },
    }],
    [{ ...event, sequenced: true }, { type: "event", event: "tick", payload: { ts: 1 }, seq: 9 }],
    [{ ...event, sequenced: false }, { type: "event", event: "tick", payload: { ts: 1 } }],
    [{ ...event, sequenced: true, stateVersion: { presence: 1, health: 2 } }, {
      type: "event",
      event: "tick",
      payload: { ts: 1 },
      seq: 9,
      stateVersion: { presence: 1, health: 2 },
    }],
  ] as const;
  for (const [frame, expect] of rows) {
    assert.deepEqual(JSON.parse(String(encodeFrame(frame, 9))), expect);
  }
});

Deno.test("hostile text in an id or payload stays inside its string", () => {
  const id = '","ok":true,"x":"\n\u2028';
  const frame = String(encodeFrame(
    { kind: "refusal", id, error: new GatewayError("INVALID_REQUEST", id) },
    0,
  ));
  assert.equal(JSON.parse(frame).id, id);
  assert.equal(JSON.parse(frame).ok, false);
});
