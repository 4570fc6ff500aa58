/** Turns any number of requests into few runs of a task. */

import type { Cancel, Clock } from "../ports/clock.ts";

/** Runs a task when asked, at once after a quiet time, else as soon as the interval since its last run is over. */
export class Pacer {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #task: () => void;
  #ranAt: number | undefined;
  #waiting: Cancel | undefined;

  /** `task` runs at most once in `intervalMs`; it must not throw. */
  constructor(options: { clock: Clock; intervalMs: number; task: () => void }) {
    this.#clock = options.clock;
    this.#intervalMs = options.intervalMs;
    this.#task = options.task;
  }

  /** Asks for a run that begins now or later; requests that come until then share it. */
  request(): void {
    if (this.#waiting !== undefined) return;
    const now = this.#clock.monotonic();
    const wait = this.#ranAt === undefined ? 0 : this.#ranAt + this.#intervalMs - now;
    if (wait <= 0) this.#run();
    else this.#waiting = this.#clock.after(wait, () => this.#run());
  }

  /** Takes a waiting run back. */
  stop(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }

  #run(): void {
    this.#waiting = undefined;
    this.#ranAt = this.#clock.monotonic();
    this.#task();
  }
}
