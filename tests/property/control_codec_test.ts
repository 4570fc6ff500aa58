import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeFrame, encodeFrame } from "../../src/protocols/control/codec.ts";

const RUNS = 2_000;

const member = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.bigInt().map(Number),
  fc.double(),
  fc.constant(null),
  fc.jsonValue(),
);

/** Any text, any JSON, and what is nearly a request. */
const line = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.json(),
  fc.record({
    type: fc.oneof(fc.constant("request"), member),
    id: member,
    method: fc.oneof(fc.constantFrom("ping", "health"), member),
    params: member,
  }, { requiredKeys: [] }).map((frame) => JSON.stringify(frame)),
);

Deno.test("every line is a request or is refused, and the answer is one line with its id", () => {
  fc.assert(
    fc.property(line, (text) => {
      const frame = decodeFrame(text);
      const error = { message: frame.kind === "malformed" ? frame.message : frame.method };
      const answer = String(encodeFrame({ kind: "refusal", id: frame.id, error }));
      assert.ok(!answer.includes("\n"));
      const { id, ...rest } = JSON.parse(answer);
      assert.ok(Object.is(id, frame.id));
      assert.deepEqual(rest, { type: "response", ok: false, error: error.message });
      if (frame.kind === "malformed") return;
      const { id: asked, method, params } = frame;
      const again = decodeFrame(JSON.stringify({ type: "request", id: asked, method, params }));
      assert.deepEqual(again, frame);
    }),
    { numRuns: RUNS },
  );
});

Deno.test("payloads come through as they are", () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.oneof(fc.string({ minLength: 1 }), fc.integer()),
      (payload, id) => {
        const answer = String(encodeFrame({ kind: "answer", id, payload }));
        assert.ok(!answer.includes("\n"));
        assert.deepEqual(
          JSON.parse(answer),
          JSON.parse(JSON.stringify({ type: "response", id, ok: true, payload })),
        );
      },
    ),
    { numRuns: RUNS },
  );
});
