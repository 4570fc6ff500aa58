import assert from "node:assert/strict";
import { Envelope, SharedText } from "../../../src/core/shared_text.ts";
import { bytesOf } from "../../support/websocket_frames.ts";

Deno.test("the bytes of a shared text are its UTF-8, made once", () => {
  for (const text of ["", "a", "\u00e9\u20ac\u{1f600}", "a\ud800", "*".repeat(100_000)]) {
    const shared = new SharedText(() => text);
    assert.equal(shared.text, text);
    assert.deepEqual(shared.bytes, bytesOf(text.toWellFormed()));
    assert.equal(shared.bytes, shared.bytes);
  }
});

Deno.test("an envelope is its pieces, one behind the other", () => {
  const table: readonly (readonly [before: string, shared: string, after: string])[] = [
    ["", "", ""],
    ["a", "", ""],
    ["", "b", ""],
    ["", "", "c"],
    ['{"payload":', '{"text":"\u00e9\u{1f600}"}', ',"seq":7}'],
  ];
  for (const [before, text, after] of table) {
    const shared = new SharedText(() => text);
    const envelope = new Envelope(before, { shared, after });
    assert.equal(`${envelope}`, before + text + after);
    assert.equal(envelope.length, `${envelope}`.length);
    assert.equal(envelope.shared, shared);
    assert.deepEqual([envelope.before, envelope.after], [before, after]);
  }
});
