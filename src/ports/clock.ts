/** Time as a port: the only way that anything below the adapters learns the time or waits for it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds from a fixed but arbitrary point; never goes backwards. For durations. */
  monotonic(): number;
  /**
   * Runs `task` once, `delayMs` from now. A delay below zero counts as zero; one above
   * {@linkcode MAX_DELAY_MS} is cut to it. The returned function cancels; calling it again, or after
   * the task ran, does nothing. A task still waiting does not keep the process alive.
   */
  after(delayMs: number, task: () => void): Cancel;
}

/** Takes back what was scheduled or subscribed. Idempotent. */
export type Cancel = () => void;

/** The longest delay that a 32-bit timer can hold, in milliseconds (about 24.8 days). */
export const MAX_DELAY_MS = 2 ** 31 - 1;
