/** Those who wait for a run to end, whether it has begun or not. */

import { GatewayError } from "../core/error.ts";
import type { Clock } from "../ports/clock.ts";
import type { RunRecord } from "./run_record.ts";

/** Waits at once, over all runs; the next is refused. Each holds a timer and an open request. */
export const MAX_WAITERS = 1_000;

/** Waits of one party at once; the next is refused, so that no client takes the waits of all. */
export const MAX_WAITS_PER_PARTY = 32;

/** The longest wait, in milliseconds; one that asks for more is told `timeout` then, and asks again. */
export const MAX_WAIT_MS = 10 * 60_000;

/** Hands the end of a run to all who wait for it. */
export class RunWaiters {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<(record: RunRecord | undefined) => void>>();
  /** How many each party waits for; no entry where it is none. */
  readonly #shares = new Map<string, number>();
  #size = 0;

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  /** Waits that have not ended. */
  get size(): number {
    return this.#size;
  }

  /**
   * Waits for the run of this name to end. Undefined when `timeoutMs` (at most
   * {@linkcode MAX_WAIT_MS}) have passed or `signal` was aborted before. Throws `UNAVAILABLE`
   * (retryable) when too many wait, or too many of `party`.
   */
  wait(
    name: string,
    { party, timeoutMs, signal }: { party: string; timeoutMs: number; signal?: AbortSignal },
  ): Promise<RunRecord | undefined> {
    if (timeoutMs <= 0 || signal?.aborted === true) return Promise.resolve(undefined);
    if (this.#size >= MAX_WAITERS) throw tooMany(`${MAX_WAITERS} requests wait for runs already`);
    if ((this.#shares.get(party) ?? 0) >= MAX_WAITS_PER_PARTY) {
      throw tooMany(`${MAX_WAITS_PER_PARTY} requests of this client wait for runs already`);
    }
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(name) ?? new Set();
      const settle = (record: RunRecord | undefined): void => {
        if (!waiting.delete(settle)) return;
        this.#count(party, -1);
        if (waiting.size === 0 && this.#waiting.get(name) === waiting) this.#waiting.delete(name);
        cancel();
        signal?.removeEventListener("abort", onAbort);
        resolve(record);
      };
      const onAbort = (): void => settle(undefined);
      const cancel = this.#clock.after(Math.min(timeoutMs, MAX_WAIT_MS), onAbort);
      signal?.addEventListener("abort", onAbort, { once: true });
      waiting.add(settle);
      this.#waiting.set(name, waiting);
      this.#count(party, 1);
    });
  }

  /** Tells all who wait for the run of this name that it has ended. */
  notify(name: string, record: RunRecord): void {
    for (const settle of [...this.#waiting.get(name) ?? []]) settle(record);
  }

  #count(party: string, change: 1 | -1): void {
    this.#size += change;
    const share = (this.#shares.get(party) ?? 0) + change;
    if (share === 0) this.#shares.delete(party);
    else this.#shares.set(party, share);
  }
}

function tooMany(what: string): GatewayError {
  return new GatewayError("UNAVAILABLE", `${what}; ask again when one has been answered`, {
    retryable: true,
  });
}
