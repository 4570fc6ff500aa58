/** Those who wait for a run to end, whether it has begun or not. */

import { GatewayError } from "../core/error.ts";
import type { Clock } from "../ports/clock.ts";
import type { RunRecord } from "./run_record.ts";

/** Waits at once, over all runs; the next is refused. Each holds a timer and an open request. */
export const MAX_WAITERS = 1_000;

/** Hands the end of a run to all who wait for it. */
export class RunWaiters {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<(record: RunRecord | undefined) => void>>();
  #size = 0;

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  /** Waits that have not ended. */
  get size(): number {
    return this.#size;
  }

  /**
   * Waits for the run of this name to end. Undefined when `timeoutMs` have passed or `signal` was
   * aborted before. Throws `UNAVAILABLE` (retryable) when too many wait.
   */
  wait(
    name: string,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<RunRecord | undefined> {
    if (timeoutMs <= 0 || signal?.aborted === true) return Promise.resolve(undefined);
    if (this.#size >= MAX_WAITERS) {
      throw new GatewayError(
        "UNAVAILABLE",
        `${MAX_WAITERS} requests wait for runs already; ask again later`,
        { retryable: true },
      );
    }
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(name) ?? new Set();
      const settle = (record: RunRecord | undefined): void => {
        if (!waiting.delete(settle)) return;
        this.#size--;
        if (waiting.size === 0 && this.#waiting.get(name) === waiting) this.#waiting.delete(name);
        cancel();
        signal?.removeEventListener("abort", onAbort);
        resolve(record);
      };
      const onAbort = (): void => settle(undefined);
      const cancel = this.#clock.after(timeoutMs, onAbort);
      signal?.addEventListener("abort", onAbort, { once: true });
      waiting.add(settle);
      this.#waiting.set(name, waiting);
      this.#size++;
    });
  }

  /** Tells all who wait for the run of this name that it has ended. */
  notify(name: string, record: RunRecord): void {
    for (const settle of [...this.#waiting.get(name) ?? []]) settle(record);
  }
}
