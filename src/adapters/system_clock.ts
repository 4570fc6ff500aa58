/** The machine's clock. */

import { type Clock, MAX_DELAY_MS } from "../ports/clock.ts";
import { deadline } from "./deadline.ts";

/** Real time; timers do not keep the process alive, and give their peers a moment where it stood still. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, task) =>
    deadline(Math.min(Math.max(0, delayMs), MAX_DELAY_MS), task, { unref: true }),
};
