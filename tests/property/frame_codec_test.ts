import assert from "node:assert/strict";
import fc from "fast-check";
import { ERROR_CODES, GatewayError } from "../../src/core/error.ts";
import {
  type ClientFrame,
  decodeFrame,
  encodeFrame,
  NO_ID,
} from "../../src/protocols/openclaw/codec.ts";
import { eventFrame, EVENTS } from "../../src/protocols/openclaw/events.ts";

const RUNS = 1_500;

const MEMBERS = {
  res: ["type", "id", "ok", "payload", "error"],
  event: ["type", "event", "payload", "seq", "stateVersion"],
  error: ["code", "message", "details", "retryable", "retryAfterMs"],
};

/** JSON that nearly is a request: members missing, of another type, or too many. */
const nearRequest = fc.record({
  type: fc.oneof(fc.constant("req"), fc.jsonValue()),
  id: fc.oneof(fc.string(), fc.jsonValue()),
  method: fc.oneof(fc.string(), fc.jsonValue()),
  params: fc.jsonValue(),
  extra: fc.jsonValue(),
}, { requiredKeys: [] }).map((value) => JSON.stringify(value));

const anyMessage = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.uint8Array({ maxLength: 300 }),
  fc.json({ maxDepth: 4 }),
  fc.json({ maxDepth: 4 }).map((text) => new TextEncoder().encode(text)),
  nearRequest,
  // A request that was cut or has a byte of something else in it.
  fc.tuple(nearRequest, fc.nat(), fc.string({ unit: "binary", maxLength: 2 })).map((
    [text, at, noise],
  ) => text.slice(0, at % (text.length + 1)) + noise + text.slice(at % (text.length + 1))),
);

function members(value: object, known: readonly string[]): void {
  for (const name of Object.keys(value)) assert.ok(known.includes(name), `member ${name}`);
}

function answerTo(frame: ClientFrame): string | undefined {
  if (frame.kind === "noise") return undefined;
  if (frame.kind === "request") {
    return String(encodeFrame({ kind: "answer", id: frame.id, payload: frame.params }, 0));
  }
  const error = new GatewayError("INVALID_REQUEST", frame.message);
  return String(encodeFrame({ kind: "refusal", id: frame.id, error }, 0));
}

Deno.test("whatever comes is read without throwing, and its answer is a frame of the document", () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const frame = decodeFrame(message);
      assert.equal(frame.size, message.length);
      const answer = answerTo(frame);
      if (answer === undefined) return;
      const parsed = JSON.parse(answer);
      members(parsed, MEMBERS.res);
      assert.equal(parsed.type, "res");
      assert.ok(answer.isWellFormed(), "the answer can be sent as UTF-8");
      if (frame.kind === "malformed") {
        members(parsed.error, MEMBERS.error);
        assert.match(parsed.error.message, /^invalid request frame: ./s);
      }
      // The id is what the message had, or the word for none; nothing else of it comes back.
      const text = typeof message === "string" ? message : new TextDecoder().decode(message);
      const sent = JSON.parse(text);
      const own = typeof sent === "object" && sent !== null && !Array.isArray(sent)
        ? sent.id
        : undefined;
      assert.deepEqual(parsed.id, frame.kind === "request" ? own : parsed.id);
      if (parsed.id !== NO_ID) assert.deepEqual(parsed.id, own);
    }),
    { numRuns: RUNS },
  );
});

Deno.test("a request is read as it was written, as text and as bytes", () => {
  const request = fc.record({
    id: fc.string({ minLength: 1, unit: "grapheme" }),
    method: fc.string({ minLength: 1, unit: "grapheme" }),
    params: fc.jsonValue({ maxDepth: 5, stringUnit: "grapheme" }),
  }).filter((value) => !JSON.stringify(value).includes("__proto__"));
  fc.assert(
    fc.property(request, fc.boolean(), ({ id, method, params }, bytes) => {
      const text = JSON.stringify({ type: "req", id, method, params });
      const data = bytes ? new TextEncoder().encode(text) : text;
      const plain: unknown = JSON.parse(text).params;
      assert.deepEqual(decodeFrame(data), {
        kind: "request",
        id,
        method,
        params: plain,
        size: data.length,
      });
    }),
    { numRuns: RUNS },
  );
});

Deno.test("answers, refusals and events hold the document's members alone, whatever is in them", () => {
  const id = fc.oneof(fc.string({ unit: "binary" }), fc.jsonValue());
  const payload = fc.option(fc.jsonValue({ maxDepth: 4 }), { nil: undefined });
  const extras = fc.record({
    details: fc.dictionary(fc.string(), fc.jsonValue()),
    retryable: fc.boolean(),
    retryAfterMs: fc.nat(),
  }, { requiredKeys: [] });
  const error = fc.tuple(fc.constantFrom(...ERROR_CODES), fc.string({ unit: "binary" }), extras)
    .map(([code, message, extra]) => new GatewayError(code, message, extra));
  const names = Object.keys(EVENTS).filter((name): name is keyof typeof EVENTS => name in EVENTS);
  const frame = fc.oneof(
    fc.record({ kind: fc.constant("answer" as const), id, payload }),
    fc.record({ kind: fc.constant("refusal" as const), id, error }),
    fc.tuple(
      fc.constantFrom(...names),
      fc.jsonValue(),
      fc.option(fc.record({ presence: fc.nat(), health: fc.nat() }), { nil: undefined }),
    ).map(([name, value, versions]) => eventFrame(name, value, versions)),
  );
  fc.assert(
    fc.property(frame, fc.nat(), (out, sequence) => {
      const text = String(encodeFrame(out, sequence));
      const parsed = JSON.parse(text);
      if (out.kind === "event") {
        members(parsed, MEMBERS.event);
        assert.equal(parsed.event, out.event);
        assert.equal(parsed.seq, out.sequenced ? sequence : undefined);
        return;
      }
      members(parsed, MEMBERS.res);
      assert.equal(parsed.ok, out.kind === "answer");
      assert.equal("error" in parsed, out.kind === "refusal");
      if (out.kind === "refusal") {
        members(parsed.error, MEMBERS.error);
        assert.equal(parsed.error.code, out.error.code);
        assert.equal(typeof parsed.error.message, "string");
      }
    }),
    { numRuns: RUNS },
  );
});
