import assert from "node:assert/strict";
import {
  beginning,
  EVERY_PART_CHARS,
  LATE_STEP_SHARE,
  RunText,
  STEP_INTERVAL_MS,
  STEP_SHARE,
  type TextStep,
} from "../../../src/services/run_text.ts";
import { MAX_MESSAGE_TEXT_CHARS } from "../../../src/services/session_entry.ts";
import { ManualClock } from "../../support/manual_clock.ts";

function collect() {
  const clock = new ManualClock();
  const steps: TextStep[] = [];
  const text = new RunText({ clock, onText: (step) => steps.push(step) });
  const told = () => steps.reduce((sum, step) => sum + step.text.length, 0);
  return { clock, steps, text, told };
}

Deno.test("text: every part of a short answer is a step of its own", () => {
  const { steps, text } = collect();
  for (let at = 0; at < EVERY_PART_CHARS; at++) text.add("x");
  assert.equal(steps.length, EVERY_PART_CHARS);
  text.add("y");
  assert.equal(steps.length, EVERY_PART_CHARS);
});

for (
  const { pace, everyMs, share } of [
    { pace: "at once", everyMs: 0, share: STEP_SHARE + 1 },
    { pace: "slowly", everyMs: STEP_INTERVAL_MS, share: LATE_STEP_SHARE + 1 },
  ]
) {
  Deno.test(`text: all that is told of a long answer is linear in its length: ${pace}`, async () => {
    const { clock, steps, text, told } = collect();
    for (let at = 0; at < EVERY_PART_CHARS; at++) text.add("x");
    const short = told();
    let length = EVERY_PART_CHARS;
    for (; length < 40_000; length++) {
      if (everyMs > 0) await clock.advance(everyMs);
      text.add("x");
    }
    const linear = told() - short;
    assert.ok(linear <= share * length, `${linear} characters`);
    // No reader is further behind than this part of the text.
    text.flush();
    assert.equal(steps.map(({ delta }) => delta).join(""), "x".repeat(length));
    for (const step of steps) assert.ok(step.delta.length <= step.text.length / share * 2 + 1);
    assert.equal(steps.at(-1)?.text.length, length);
  });
}

Deno.test("text: what was told twice is not told again", () => {
  const { steps, text } = collect();
  text.flush();
  text.add("a");
  text.flush();
  assert.deepEqual(steps, [{ delta: "a", text: "a", partial: true }]);
});

Deno.test("text: steps end at the length that a session keeps, within no character; the text goes on", () => {
  const { steps, text } = collect();
  text.add("x".repeat(MAX_MESSAGE_TEXT_CHARS - 1));
  text.add("\u{1F99E}");
  for (let at = 0; at < 10; at++) text.add("tail");
  text.flush();
  assert.equal(steps.length, 1);
  assert.equal(steps[0]?.text.length, MAX_MESSAGE_TEXT_CHARS - 1);
  assert.equal(text.text.length, MAX_MESSAGE_TEXT_CHARS + 1 + 40);
});

Deno.test("text: a beginning splits no character", () => {
  assert.equal(beginning("abc", 3), "abc");
  assert.equal(beginning("abc", 2), "ab");
  assert.equal(beginning("a\u{1F99E}", 2), "a");
});
