import assert from "node:assert/strict";
import { ago, humanDuration } from "../../../src/cli/duration.ts";

const SPANS: readonly (readonly [number, string])[] = [
  [-5, "0 ms"],
  [0, "0 ms"],
  [999, "999 ms"],
  [1_000, "1 s"],
  [59_999, "59 s"],
  [60_000, "1 min"],
  [61_000, "1 min 1 s"],
  [3_600_000, "1 h"],
  [11_100_000, "3 h 5 min"],
  [86_400_000, "1 d"],
  [90_061_000, "1 d 1 h"],
];

for (const [ms, text] of SPANS) {
  Deno.test(`${ms} ms are ${text}`, () => assert.equal(humanDuration(ms), text));
}

Deno.test("a time is told from now, and anything else is a dash", () => {
  assert.equal(ago(1_000, 62_000), "1 min 1 s ago");
  assert.equal(ago(62_500, 62_000), "just now");
  for (const at of [undefined, null, "1", NaN]) assert.equal(ago(at, 0), "-");
});
