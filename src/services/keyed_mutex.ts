/** Lets work on one thing happen one at a time, while work on other things goes on beside it. */

import { GatewayError } from "../core/error.ts";
import { quote } from "../core/quote.ts";

/**
 * How many may hold or wait for one key, as many as an eager client has calls in flight; one more is refused
 * as `UNAVAILABLE`, to be asked again.
 */
export const MAX_WAITING_PER_KEY = 256;

/** How long the refused one should stay away, in milliseconds: many turns of a store's commit. */
const RETRY_AFTER_MS = 250;

/** Mutual exclusion by key, in the order of the calls. Holds nothing for a key that nobody asks for. */
export class KeyedMutex {
  /** Of each key that is held, what lets those in who wait. */
  readonly #lines = new Map<string, (() => void)[]>();

  /** Keys that are held now. */
  get size(): number {
    return this.#lines.size;
  }

  /**
   * Runs `work` once all earlier work under `key` is done, whether it succeeded or not; at once where there is
   * none. `name` stands in the refusal. Work must not ask for its own key again.
   */
  run<T>(key: string, { name, work, owed = false }: Work<T>): Promise<T> {
    const line = this.#lines.get(key);
    if (line === undefined) {
      this.#lines.set(key, []);
      return this.#hold(key, work);
    }
    if (1 + line.length >= MAX_WAITING_PER_KEY && !owed) {
      const message = `too many changes of ${quote(name)} are waiting; try again in a moment`;
      return Promise.reject(
        new GatewayError("UNAVAILABLE", message, {
          retryable: true,
          retryAfterMs: RETRY_AFTER_MS,
        }),
      );
    }
    return new Promise<void>((enter) => line.push(enter)).then(() => this.#hold(key, work));
  }

  async #hold<T>(key: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      const next = this.#lines.get(key)?.shift();
      if (next === undefined) this.#lines.delete(key);
      else next();
    }
  }
}

/** What is run, and what it is about, in words for a person. */
export interface Work<T> {
  readonly name: string;
  readonly work: () => Promise<T>;
  /** Nobody could ask for it again, and its like is bounded elsewhere: it waits however many do. */
  readonly owed?: boolean;
}
