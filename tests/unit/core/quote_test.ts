import assert from "node:assert/strict";
import { cutToBytes, escapeText, quote } from "../../../src/core/quote.ts";

Deno.test("foreign text becomes one visible line", () => {
  const rows: readonly [string, string][] = [
    ["plain", "plain"],
    ["a\nb", "a\\u{a}b"],
    ["\u001b[31m", "\\u{1b}[31m"],
    ["\u202eevil", "\\u{202e}evil"],
    ["zero\u200bwidth", "zero\\u{200b}width"],
    ["\ud800", "\\u{d800}"],
    ["größe 😀", "größe 😀"],
  ];
  for (const [given, expect] of rows) assert.equal(escapeText(given), expect);
  assert.equal(escapeText("x".repeat(300)).length, 257);
  assert.equal(escapeText("\u0000".repeat(256)).length, 257);
  assert.equal(quote('say "hi"'), '"say \\"hi\\""');
});

Deno.test("text is cut to bytes between characters", () => {
  assert.equal(cutToBytes("abc", 2), "ab");
  assert.equal(cutToBytes("äöü", 3), "ä");
  assert.equal(cutToBytes("😀😀", 7), "😀");
  assert.equal(cutToBytes("abc", 3), "abc");
});
