/** The machine's clock. */

import { type Clock, MAX_DELAY_MS } from "../ports/clock.ts";

/** Real time; timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, task) => {
    const timer = setTimeout(task, Math.min(Math.max(0, delayMs), MAX_DELAY_MS));
    Deno.unrefTimer(timer);
    return () => clearTimeout(timer);
  },
};
