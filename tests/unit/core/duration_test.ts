import assert from "node:assert/strict";
import { parseDuration } from "../../../src/core/duration.ts";

Deno.test("durations are read as people write them, anything else is refused", () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ["30m", 1_800_000],
    [" 1H30M ", 5_400_000],
    ["1.5h", 5_400_000],
    ["90s", 90_000],
    ["500ms", 500],
    ["2d", 172_800_000],
    ["0m", 0],
    ["5", 300_000],
    ["", undefined],
    ["m", undefined],
    ["5 m", undefined],
    ["-5m", undefined],
    ["5y", undefined],
    ["1e3s", undefined],
    ["1".repeat(33), undefined],
  ];
  for (const [text, expected] of cases) assert.equal(parseDuration(text), expected, text);
});
