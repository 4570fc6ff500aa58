/** Lines on their way to a slow place: taken at once, written in order, never more than a bound. */

/** How lines leave a {@linkcode LineQueue}. */
export interface LineQueueOptions {
  /** Writes lines, each with its line end; called again only when it has settled. */
  readonly write: (lines: readonly string[]) => Promise<void>;
  /** Characters that may wait; a line beyond that is dropped and counted. */
  readonly maxChars: number;
  /** The line that tells of `count` lost lines. */
  readonly lost: (count: number) => string;
}

/** Takes lines without waiting and without throwing. */
export class LineQueue {
  readonly #options: LineQueueOptions;
  #lines: string[] = [];
  #chars = 0;
  #lost = 0;
  #draining: Promise<void> | undefined;

  constructor(options: LineQueueOptions) {
    this.#options = options;
  }

  push(line: string): void {
    if (this.#chars + line.length > this.#options.maxChars) {
      this.#lost++;
      return;
    }
    this.#lines.push(line);
    this.#chars += line.length;
    this.#draining ??= this.#drain();
  }

  /** Resolves when every line pushed so far was written or lost. */
  async flush(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
  }

  async #drain(): Promise<void> {
    // What is pushed in the same turn goes out in one write.
    await Promise.resolve();
    let failed = false;
    while (this.#lines.length > 0 || (this.#lost > 0 && !failed)) {
      const lines = this.#lines;
      const lost = this.#lost;
      const chars = this.#chars;
      this.#lines = [];
      this.#lost = 0;
      try {
        await this.#options.write(lost > 0 ? [...lines, this.#options.lost(lost)] : lines);
        failed = false;
      } catch {
        // Nobody can be told now; the next write that works says how many are missing.
        this.#lost += lost + lines.length;
        failed = true;
      }
      // Lines count until they are written, so that the bound holds while a write hangs.
      this.#chars -= chars;
    }
    // At once after the last look at the lines, so that none is left without a drain.
    this.#draining = undefined;
  }
}
