/** Shares the one thread between connections: who has much to say waits until the others had their turn. */

import { clearImmediate, setImmediate } from "node:timers";

/**
 * Work of all connections together after which the rest waits for another turn of the event loop, in
 * milliseconds. Reads that find their data ready are otherwise done without ever giving way.
 */
const BUDGET_MS = 3;

/** The time of one listener's turns. */
export class TurnBudget {
  readonly #now: () => number;
  /** When the budget of the running turn is spent; undefined between turns. */
  #endsAt: number | undefined;
  #waiting: (() => void)[] = [];
  #next: ReturnType<typeof setImmediate> | undefined;

  /** `now`: a monotonic clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether what is left should wait for {@linkcode TurnBudget.turn}. */
  get spent(): boolean {
    if (this.#endsAt !== undefined) return this.#now() >= this.#endsAt;
    this.#begin();
    return false;
  }

  /** Resolves in another turn of the event loop, for those who ask in the order of their asking. */
  turn(): Promise<void> {
    if (this.#endsAt === undefined) this.#begin();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets all who wait go on, and sets nothing up for later. */
  stop(): void {
    clearImmediate(this.#next);
    this.#end();
  }

  #begin(): void {
    this.#endsAt = this.#now() + BUDGET_MS;
    this.#next = setImmediate(() => this.#end());
  }

  #end(): void {
    this.#endsAt = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
