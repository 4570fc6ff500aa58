import assert from "node:assert/strict";
import fc from "fast-check";
import { cell, jsonText, printable } from "../../../src/cli/foreign_text.ts";

// deno-lint-ignore no-control-regex
const STEERS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]/u;

Deno.test("printable text keeps lines and tabs and nothing that steers a terminal", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert.doesNotMatch(printable(text), STEERS);
  }));
  assert.equal(printable("a\r\nb\tc\x1b]0;x\x07"), "a\nb\tc\\u{1b}]0;x\\u{7}");
});

Deno.test("JSON for a terminal reads as the same value and holds nothing that steers it", () => {
  fc.assert(fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
    const text = jsonText(value);
    assert.doesNotMatch(text, STEERS);
    assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
  }));
  assert.equal(
    jsonText({ a: "\x9b1m\u202e\u{e0041}" }, 0),
    '{"a":"\\u009b1m\\u202e\\udb40\\udc41"}',
  );
  assert.equal(jsonText(undefined), "null");
});

const CELLS: readonly (readonly [unknown, string])[] = [
  ["", "-"],
  [undefined, "-"],
  [null, "-"],
  [{}, "-"],
  [0, "0"],
  [false, "false"],
  ["a\nb", "a\\u{a}b"],
  ["x".repeat(500), `${"x".repeat(120)}…`],
];

for (const [value, expected] of CELLS) {
  Deno.test(`a cell of ${JSON.stringify(value)?.slice(0, 20)} is one short line`, () => {
    assert.equal(cell(value), expected);
  });
}
