/** What a command sees of the process it runs in; tests bring their own. */

/** Takes back a registration or a timer. Idempotent. */
export type Undo = () => void;

/** The process around a command: its streams, environment, signals and time. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `linux`, `darwin`, `windows`… */
  readonly platform: string;
  /** Which streams are a person's terminal. */
  readonly tty: { readonly input: boolean; readonly output: boolean; readonly errors: boolean };
  /** Writes to standard output, whole, before it returns. Throws {@linkcode OutputClosed}. */
  out(text: string): void;
  /** Writes to standard error; never throws. */
  err(text: string): void;
  /** The next line of standard input without its end, or undefined at the end of the input. */
  readLine(): Promise<string | undefined>;
  /** All of standard input; throws a RangeError when it has more than `maxBytes` bytes. */
  readAll(maxBytes: number): Promise<string>;
  /** Calls `listener` at every Ctrl-C (`SIGINT`) and `SIGTERM`, which then no longer end the process. */
  onSignal(listener: (signal: "SIGINT" | "SIGTERM") => void): Undo;
  /**
   * Calls `listener` at every `SIGUSR2`, and at every `SIGUSR1` as the reference gateway does, which then no longer end
   * the process. At the latter the runtime opens its debugger, which is shut at once. Windows has neither.
   */
  onRestart(listener: (signal: "SIGUSR1" | "SIGUSR2") => void): Undo;
  now(): number;
  after(delayMs: number, task: () => void): Undo;
}

/** The reader of standard output is gone, as `head` is after its lines. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** How often a spinner turns, in milliseconds. */
const SPIN_MS = 100;
/** A wait shorter than this shows no spinner, in milliseconds. */
const SPIN_AFTER_MS = 400;
const SPINNER = ["|", "/", "-", "\\"];

/**
 * Shows that something is awaited, when a person watches and it takes a while. The returned function
 * wipes it away.
 */
export function spin(terminal: Terminal, label: string): Undo {
  if (!terminal.tty.errors) return () => {};
  let turn = 0;
  let stop = terminal.after(SPIN_AFTER_MS, function show() {
    terminal.err(`\r${SPINNER[turn++ % SPINNER.length]} ${label}`);
    stop = terminal.after(SPIN_MS, show);
  });
  return () => {
    stop();
    if (turn > 0) terminal.err(`\r${" ".repeat(label.length + 2)}\r`);
    turn = 0;
  };
}
