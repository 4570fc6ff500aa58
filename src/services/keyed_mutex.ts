/** Lets work on one thing happen one at a time, while work on other things goes on beside it. */

import { GatewayError } from "../core/error.ts";
import { quote } from "../core/quote.ts";

/**
 * How many may wait for one key, as many as an eager client has calls in flight; one more is refused
 * as `UNAVAILABLE`, to be asked again.
 */
export const MAX_WAITING_PER_KEY = 256;

/** How long the refused one should stay away, in milliseconds: many turns of a store's commit. */
const RETRY_AFTER_MS = 250;

interface Line {
  /** Settles when the last in line is done; never rejects. */
  tail: Promise<void>;
  waiting: number;
}

/** Mutual exclusion by key, in the order of the calls. Holds nothing for a key that nobody waits for. */
export class KeyedMutex {
  readonly #lines = new Map<string, Line>();

  /** Keys that are held now. */
  get size(): number {
    return this.#lines.size;
  }

  /**
   * Runs `work` once all earlier work under `key` is done, whether it succeeded or not. `name` stands
   * in the refusal. Work must not ask for its own key again.
   */
  async run<T>(key: string, { name, work, owed = false }: Work<T>): Promise<T> {
    const line = this.#lines.get(key) ?? { tail: Promise.resolve(), waiting: 0 };
    if (line.waiting >= MAX_WAITING_PER_KEY && !owed) {
      const message = `too many changes of ${quote(name)} are waiting; try again in a moment`;
      throw new GatewayError("UNAVAILABLE", message, {
        retryable: true,
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    line.waiting++;
    this.#lines.set(key, line);
    const before = line.tail;
    const { promise, resolve } = Promise.withResolvers<void>();
    line.tail = promise;
    try {
      await before;
      return await work();
    } finally {
      line.waiting--;
      if (line.waiting === 0) this.#lines.delete(key);
      resolve();
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
