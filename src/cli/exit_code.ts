/** How the program ends. */

import type { AnsweredError } from "../client/client_error.ts";

/** What the program's exit status says; `--help` prints the same list. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  unauthorized: 4,
  configuration: 5,
  outputClosed: 141,
  interrupted: 130,
  terminated: 143,
} as const;

/** One of the statuses of {@linkcode EXIT}. */
export type ExitCode = typeof EXIT[keyof typeof EXIT];

/** The statuses in words, in the order of their numbers. */
export const EXIT_MEANINGS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.ok, "done"],
  [EXIT.failed, "the request failed, or doctor found something broken"],
  [EXIT.usage, "the command line is wrong"],
  [EXIT.unreachable, "no connection to the gateway, or it ended early"],
  [EXIT.unauthorized, "not authorized, or the device is not paired"],
  [EXIT.configuration, "the configuration is not valid"],
  [EXIT.interrupted, "interrupted (Ctrl-C)"],
  [EXIT.outputClosed, "the reader of the output went away"],
  [EXIT.terminated, "ended by SIGTERM before it was done"],
];

/** Ends a command: printed without a stack, then the program exits with {@linkcode code}. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
  readonly code: ExitCode;
  /** Printed on a line of its own: what to do. */
  readonly hint?: string;

  /** `message` and `hint` must be safe to print. */
  constructor(code: ExitCode, message: string, hint?: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** A command's end that the gateway caused; {@linkcode answer} is its own words, foreign, for `--json`. */
export class AnswerFailed extends CommandFailed {
  readonly answer: AnsweredError;

  constructor(
    end: { readonly code: ExitCode; readonly hint?: string },
    message: string,
    answer: AnsweredError,
  ) {
    super(end.code, message, end.hint);
    this.answer = answer;
  }
}
