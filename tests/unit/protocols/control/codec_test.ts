import assert from "node:assert/strict";
import { MAX_JSON_DEPTH } from "../../../../src/core/json.ts";
import {
  type ClientFrame,
  decodeFrame,
  encodeFrame,
  eventLine,
  type ServerFrame,
} from "../../../../src/protocols/control/codec.ts";

const ping = (id: string | number, params?: unknown): ClientFrame => ({
  kind: "request",
  id,
  method: "ping",
  params,
});
const bad = (message: string, id: string | number = ""): ClientFrame => ({
  kind: "malformed",
  id,
  message,
});
const NOT_JSON = bad("parse error: the line is not JSON");
const UNSUPPORTED = bad("unsupported frame");
const UNKEPT = bad(
  "unsupported id: a number must be from -9007199254740991 to 9007199254740991 and not -0; use text instead",
);

const INCOMING: readonly [line: string | Uint8Array, frame: ClientFrame][] = [
  ['{"type":"request","id":"1","method":"ping"}', ping("1")],
  ['{"type":"request","id":"1","method":"ping","params":{}}', ping("1", {})],
  ['{"type":"request","id":"1","method":"ping","params":null}', ping("1", null)],
  ['{"type":"request","id":7,"method":"ping"}', ping(7)],
  ['{"type":"request","id":0,"method":"ping"}', ping(0)],
  ['{"type":"request","id":-1.5,"method":"ping"}', ping(-1.5)],
  ['{"type":"request","id":"1","method":"ping","scopes":["x"],"more":1}', ping("1")],
  ["hello", NOT_JSON],
  ["{", NOT_JSON],
  ['{"type":"request","id":"1","method":"ping"} x', NOT_JSON],
  [new Uint8Array([0x7b, 0xff, 0x7d]), bad("parse error: the line is not UTF-8")],
  ["[]", UNSUPPORTED],
  ["null", UNSUPPORTED],
  ["1", UNSUPPORTED],
  ["{}", UNSUPPORTED],
  ['{"type":"request","method":"ping"}', UNSUPPORTED],
  ['{"type":"request","id":"","method":"ping"}', UNSUPPORTED],
  ['{"type":"request","id":null,"method":"ping"}', UNSUPPORTED],
  ['{"type":"request","id":true,"method":"ping"}', UNSUPPORTED],
  ['{"type":"request","id":{"a":1},"method":"ping"}', UNSUPPORTED],
  ['{"type":"request","id":9007199254740991,"method":"ping"}', ping(Number.MAX_SAFE_INTEGER)],
  ['{"type":"request","id":-9007199254740991,"method":"ping"}', ping(Number.MIN_SAFE_INTEGER)],
  ['{"type":"request","id":9007199254740993,"method":"ping"}', UNKEPT],
  ['{"type":"request","id":-9007199254740992,"method":"ping"}', UNKEPT],
  ['{"type":"request","id":1e300,"method":"ping"}', UNKEPT],
  ['{"type":"request","id":-0,"method":"ping"}', UNKEPT],
  ['{"type":"event","id":-0.0,"event":"heartbeat"}', UNKEPT],
  ['{"type":"request","id":1e999,"method":"ping"}', UNSUPPORTED],
  ['{"type":"req","id":"1","method":"ping"}', bad("unsupported frame", "1")],
  ['{"type":"response","id":"1","ok":true}', bad("unsupported frame", "1")],
  ['{"type":"event","id":2,"event":"heartbeat"}', bad("unsupported frame", 2)],
  ['{"id":"1","method":"ping"}', bad("unsupported frame", "1")],
  ['{"type":"request","id":"1"}', bad("unsupported frame", "1")],
  ['{"type":"request","id":"1","method":5}', bad("unsupported frame", "1")],
  [
    `${"[".repeat(30_000)}${"]".repeat(30_000)}`,
    bad(`parse error: nested deeper than ${MAX_JSON_DEPTH} levels`),
  ],
  ['{"__proto__":{"type":"request"}}', bad('parse error: key "__proto__" is not allowed')],
  [
    '{"type":"request","id":"\\ud800","method":"ping"}',
    bad("parse error: text is not well-formed Unicode"),
  ],
];

for (const [line, frame] of INCOMING) {
  Deno.test(`a line is read as what it is: ${String(line).slice(0, 60)}`, () => {
    assert.deepEqual(decodeFrame(line), frame);
  });
}

const OUTGOING: readonly [frame: ServerFrame, line: string][] = [
  [
    { kind: "answer", id: "1", payload: { a: 1 } },
    '{"type":"response","id":"1","ok":true,"payload":{"a":1}}',
  ],
  [{ kind: "answer", id: 1, payload: null }, '{"type":"response","id":1,"ok":true,"payload":null}'],
  [{ kind: "answer", id: "1", payload: undefined }, '{"type":"response","id":"1","ok":true}'],
  [
    { kind: "refusal", id: "", error: { message: "no" } },
    '{"type":"response","id":"","ok":false,"error":"no"}',
  ],
  [
    {
      kind: "event",
      event: "log",
      line: eventLine("log", { message: '\n{"type":"request"}\u2028' }),
      sequenced: true,
      overflow: "drop",
    },
    '{"type":"event","event":"log","payload":{"message":"\\n{\\"type\\":\\"request\\"}\u2028"}}',
  ],
];

for (const [frame, line] of OUTGOING) {
  Deno.test(`a frame is one line: ${line.slice(0, 60)}`, () => {
    const written = String(encodeFrame(frame));
    assert.equal(written, line);
    assert.ok(!written.includes("\n"));
  });
}
