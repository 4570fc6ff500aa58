import assert from "node:assert/strict";
import { deadline } from "../../../src/adapters/deadline.ts";
import { within } from "../../support/deadline.ts";

/** A deadline of 10 ms on a clock that goes on by `steps`, one at each look. */
function started(...steps: readonly number[]) {
  const looks = [...steps];
  const ran = Promise.withResolvers<void>();
  const cancel = deadline(10, ran.resolve, { now: () => looks.shift() ?? 0 });
  return { ran: ran.promise, cancel };
}

Deno.test("a deadline that comes in time, or a little late, runs at once", async () => {
  for (const now of [10, 2_010]) {
    const since = performance.now();
    await within(started(0, now).ran, "the deadline");
    assert.ok(performance.now() - since < 900, `at ${now} ms`);
  }
});

Deno.test("a deadline that comes late, as the process stood still, gives a moment more, once", async () => {
  const since = performance.now();
  await within(started(0, 2_011, 9_000).ran, "the deadline");
  assert.ok(performance.now() - since >= 900);
});

// The sanitizer of this test sees a timer that is left.
Deno.test("a deadline that is called off is gone, also in its last moment", async () => {
  started(0).cancel();
  const late = Promise.withResolvers<void>();
  let looks = 0;
  const cancel = deadline(0, () => assert.fail("it was called off"), {
    now: () => {
      if (looks++ === 0) return 0;
      queueMicrotask(late.resolve);
      return 60_000;
    },
  });
  await within(late.promise, "the deadline's time");
  cancel();
  cancel();
});
