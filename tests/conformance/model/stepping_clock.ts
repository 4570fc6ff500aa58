/** A clock for tests that speak over real sockets: short waits are over at once, long ones never by themselves. */

import type { Cancel, Clock } from "../../../src/ports/clock.ts";

/** Waits up to this long, in milliseconds, take no time; time-outs are longer. */
const SHORT_MS = 20_000;

export class SteppingClock implements Clock {
  /** Every short wait that was asked for, in milliseconds. */
  readonly waits: number[] = [];
  readonly #long = new Set<{ readonly delayMs: number; readonly task: () => void }>();

  now(): number {
    return 1_750_000_000_000;
  }

  monotonic(): number {
    return 0;
  }

  after(delayMs: number, task: () => void): Cancel {
    if (delayMs <= SHORT_MS) {
      this.waits.push(delayMs);
      const timer = setTimeout(task, 0);
      return () => clearTimeout(timer);
    }
    const entry = { delayMs, task };
    this.#long.add(entry);
    return () => {
      this.#long.delete(entry);
    };
  }

  /** The lengths of the long waits that go on. */
  get pending(): readonly number[] {
    return [...this.#long].map(({ delayMs }) => delayMs);
  }

  /** Ends the long waits of exactly this length; false if there is none. */
  expire(delayMs: number): boolean {
    const due = [...this.#long].filter((entry) => entry.delayMs === delayMs);
    for (const entry of due) {
      this.#long.delete(entry);
      entry.task();
    }
    return due.length > 0;
  }
}
