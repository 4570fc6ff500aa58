/** Limits on how often something may happen. */

/** What a {@linkcode FailureLimiter} counts and for how long it locks. */
export interface FailureLimits {
  /** Failures within the window that lock the source. */
  readonly failures: number;
  readonly windowMs: number;
  readonly lockMs: number;
}

/** Sources remembered at once; when full, the one that failed longest ago is forgotten. */
export const MAX_FAILING_SOURCES = 10_000;

interface FailureRecord {
  readonly times: readonly number[];
  readonly lockedUntil: number;
}

/** Locks a source out after repeated failures. Success clears nothing: a guesser may own one good secret. */
export class FailureLimiter {
  readonly #records = new Map<string, FailureRecord>();
  readonly #now: () => number;
  readonly #limits: FailureLimits;

  constructor(now: () => number, limits: FailureLimits) {
    this.#now = now;
    this.#limits = limits;
  }

  /** Milliseconds until the source may try again; 0 when it is not locked. */
  lockedFor(source: string): number {
    const record = this.#records.get(source);
    return record === undefined ? 0 : Math.max(0, record.lockedUntil - this.#now());
  }

  /** Counts one failure. Returns how long the source is locked by now, in milliseconds. */
  fail(source: string): number {
    const now = this.#now();
    const recent = (this.#records.get(source)?.times ?? [])
      .filter((time) => now - time < this.#limits.windowMs);
    const times = [...recent, now].slice(-this.#limits.failures);
    const locks = times.length >= this.#limits.failures;
    this.#records.delete(source);
    if (this.#records.size >= MAX_FAILING_SOURCES) this.#forgetOldest();
    this.#records.set(source, { times, lockedUntil: locks ? now + this.#limits.lockMs : 0 });
    return locks ? this.#limits.lockMs : 0;
  }

  #forgetOldest(): void {
    for (const source of this.#records.keys()) {
      this.#records.delete(source);
      return;
    }
  }
}
