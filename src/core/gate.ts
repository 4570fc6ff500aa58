/** Lets few do heavy work at a time, those who wait taking turns. */

import { GatewayError } from "./error.ts";

/** How much a {@linkcode Gate} lets in and lets wait. */
export interface GateLimits {
  /** Pieces of work that run at the same time. */
  readonly running: number;
  /** Pieces of work of one caller that wait; one more is refused, to be asked again. */
  readonly waitingPerCaller: number;
  /** Pieces of work of all callers together that wait; one more is refused, to be asked again. */
  readonly waiting: number;
}

/** A piece of work and for whom it is done. */
export interface GateWork<T> {
  /** Who takes turns with the others, such as one connection. */
  readonly caller: string;
  /** Aborted when nobody wants the result any more: what still waits is then not begun. */
  readonly signal?: AbortSignal;
  /** Others were promised what it is for, and its like is bounded elsewhere: it waits however many do. */
  readonly owed?: boolean;
  readonly work: () => Promise<T>;
}

/** How long the refused one should stay away, in milliseconds: a few pieces of heavy work. */
const RETRY_AFTER_MS = 250;

interface Ticket {
  readonly admit: () => void;
}

/**
 * Bounds how much work runs at once. The work of one caller begins in the order of its calls; of several
 * callers that wait each has one piece begun in its turn, so that a long line keeps nobody else waiting.
 * Holds nothing for a caller of whom nothing waits. Refusals and cancellations are `UNAVAILABLE`.
 */
export class Gate {
  readonly #limits: GateLimits;
  /** By caller, the one whose turn is next first. Bounded by `waiting` and what is owed. */
  readonly #lines = new Map<string, Ticket[]>();
  #running = 0;
  #waiting = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  /** Pieces of work that wait now. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Does the work once it is its turn. What the work throws passes through. */
  async run<T>({ work, ...asking }: GateWork<T>): Promise<T> {
    refuseAborted(asking.signal);
    await this.#enter(asking);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  async #enter(
    { caller, signal, owed = false }: Omit<GateWork<unknown>, "work">,
  ): Promise<void> {
    if (this.#running < this.#limits.running) {
      this.#running++;
      return;
    }
    const line = this.#lines.get(caller) ?? [];
    const { waitingPerCaller, waiting } = this.#limits;
    if (!owed && (line.length >= waitingPerCaller || this.#waiting >= waiting)) {
      throw new GatewayError("UNAVAILABLE", "too many reads are waiting; try again in a moment", {
        retryable: true,
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const ticket: Ticket = { admit: resolve };
    line.push(ticket);
    this.#lines.set(caller, line);
    this.#waiting++;
    const abort = (): void => {
      if (this.#withdraw(caller, ticket)) reject(cancelled());
    };
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Hands the place on to the caller whose turn it is. */
  #leave(): void {
    for (const [caller, line] of this.#lines) {
      const next = line.shift();
      this.#lines.delete(caller);
      // To the end of the round.
      if (line.length > 0) this.#lines.set(caller, line);
      this.#waiting--;
      next?.admit();
      return;
    }
    this.#running--;
  }

  #withdraw(caller: string, ticket: Ticket): boolean {
    const line = this.#lines.get(caller);
    const at = line?.indexOf(ticket) ?? -1;
    if (line === undefined || at < 0) return false;
    line.splice(at, 1);
    if (line.length === 0) this.#lines.delete(caller);
    this.#waiting--;
    return true;
  }
}

/** Throws `UNAVAILABLE` where the signal is aborted: for long work, between its steps. */
export function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelled();
}

function cancelled(): GatewayError {
  return new GatewayError("UNAVAILABLE", "the caller went away; ask again", { retryable: true });
}
