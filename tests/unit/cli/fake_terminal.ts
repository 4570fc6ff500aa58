/** A terminal for tests: keeps what was printed, answers from lists, signals on demand. */

import type { Terminal } from "../../../src/cli/terminal.ts";
import { ManualClock } from "../../support/manual_clock.ts";

/** What a test sees of a command's process. */
export class FakeTerminal implements Terminal {
  readonly clock: ManualClock;
  readonly platform = "linux";
  readonly env: Record<string, string | undefined>;
  readonly tty: { input: boolean; output: boolean; errors: boolean };
  stdout = "";
  stderr = "";
  readonly #lines: string[];
  readonly #listeners = new Set<(signal: "SIGINT" | "SIGTERM") => void>();
  readonly #restarters = new Set<(signal: "SIGUSR2") => void>();
  #printed: (() => void)[] = [];

  constructor(options: {
    env?: Record<string, string | undefined>;
    tty?: Partial<FakeTerminal["tty"]>;
    /** Lines of standard input. */
    input?: readonly string[];
    /** Where its clock stands. */
    now?: number;
  } = {}) {
    this.clock = new ManualClock(options.now);
    this.env = { HOME: "/nonexistent", ...options.env };
    this.tty = { input: false, output: false, errors: false, ...options.tty };
    this.#lines = [...options.input ?? []];
  }

  out(text: string): void {
    this.stdout += text;
    for (const wake of this.#printed.splice(0)) wake();
  }

  err(text: string): void {
    this.stderr += text;
    for (const wake of this.#printed.splice(0)) wake();
  }

  readLine(): Promise<string | undefined> {
    return Promise.resolve(this.#lines.shift());
  }

  readAll(maxBytes: number): Promise<string> {
    const text = this.#lines.splice(0).join("\n");
    if (text.length > maxBytes) {
      return Promise.reject(new RangeError(`standard input has more than ${maxBytes} bytes`));
    }
    return Promise.resolve(text);
  }

  onSignal(listener: (signal: "SIGINT" | "SIGTERM") => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onRestart(listener: (signal: "SIGUSR2") => void): () => void {
    this.#restarters.add(listener);
    return () => this.#restarters.delete(listener);
  }

  now(): number {
    return this.clock.now();
  }

  after(delayMs: number, task: () => void): () => void {
    return this.clock.after(delayMs, task);
  }

  /** Who would hear a signal now. */
  get listeners(): number {
    return this.#listeners.size + this.#restarters.size;
  }

  signal(name: "SIGINT" | "SIGTERM" = "SIGINT"): void {
    for (const listener of [...this.#listeners]) listener(name);
  }

  /** `SIGUSR2`. */
  restart(): void {
    for (const listener of [...this.#restarters]) listener("SIGUSR2");
  }

  /** Resolves once the output of either stream contains `text`. */
  async printed(text: string): Promise<void> {
    while (!this.stdout.includes(text) && !this.stderr.includes(text)) {
      await new Promise<void>((resolve) => this.#printed.push(resolve));
    }
  }
}
