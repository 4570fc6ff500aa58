/** Limits on how often something may happen. */

import { ExpiringMap } from "./expiring_map.ts";

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

/** Sources whose allowance is remembered at once; when full, the one that was seen longest ago starts anew. */
export const MAX_RATED_SOURCES = 20_000;

/** How long it takes for an allowance that was used up to be whole again, in milliseconds. */
const REFILL_MS = 60_000;

interface Allowance {
  readonly left: number;
  readonly at: number;
}

/** Lets each source do something so many times a minute, at once or spread, without a gap between minutes. */
export class RateLimiter {
  readonly #now: () => number;
  readonly #allowances: ExpiringMap<string, Allowance>;

  constructor(now: () => number) {
    this.#now = now;
    this.#allowances = new ExpiringMap({ now, ttlMs: REFILL_MS, capacity: MAX_RATED_SOURCES });
  }

  /** Takes one of `perMinute`: 0 when it was there, else the milliseconds until the next one is. */
  take(source: string, perMinute: number): number {
    const now = this.#now();
    const known = this.#allowances.get(source);
    const gained = known === undefined ? 0 : (now - known.at) * perMinute / REFILL_MS;
    const left = known === undefined ? perMinute : Math.min(perMinute, known.left + gained);
    if (left < 1) return Math.ceil((1 - left) * REFILL_MS / perMinute);
    this.#allowances.set(source, { left: left - 1, at: now });
    return 0;
  }
}
