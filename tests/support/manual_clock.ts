/** A clock that moves only when a test says so. */

import type { Cancel, Clock } from "../../src/ports/clock.ts";

interface Task {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Time for tests: starts at a fixed instant, advances by hand, runs due tasks in order. */
export class ManualClock implements Clock {
  #now: number;
  #setBy = 0;
  #order = 0;
  readonly #tasks = new Set<Task>();

  constructor(start: number = 1_750_000_000_000) {
    this.#now = start;
  }

  now(): number {
    return this.#now + this.#setBy;
  }

  monotonic(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): Cancel {
    const task = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run };
    this.#tasks.add(task);
    return () => {
      this.#tasks.delete(task);
    };
  }

  /** Tasks that wait. */
  get waiting(): number {
    return this.#tasks.size;
  }

  /** Sets the time of day, later or earlier by so much, as who runs the machine may; no time passes. */
  set(ms: number): void {
    this.#setBy += ms;
  }

  /** Moves time forward, running what falls due, and lets promises settle before and after each task. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#due(end); next !== undefined; next = this.#due(end)) {
      this.#tasks.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await settle();
    }
    this.#now = end;
  }

  #due(end: number): Task | undefined {
    return [...this.#tasks]
      .filter((task) => task.at <= end)
      .sort((a, b) => a.at - b.at || a.order - b.order)[0];
  }
}

/** Lets every promise that can settle without time or I/O do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}
