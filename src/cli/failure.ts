/** Turns whatever ended a command into words and an exit status. */

import { StateLockError } from "../adapters/state_lock.ts";
import { GatewayError } from "../core/error.ts";
import { StoreUnavailable } from "../ports/store.ts";
import { type AnsweredError, CallFailed, ConnectionFailed } from "../client/client_error.ts";
import { AnswerFailed, CommandFailed, EXIT, type ExitCode } from "./exit_code.ts";
import { jsonText, printable } from "./foreign_text.ts";
import { OutputClosed, type Terminal } from "./terminal.ts";

/**
 * Prints how a command failed on standard error: words, or under `json` one line
 * `{"ok":false,"error":{message,exitCode,…}}` with the gateway's own error in it.
 */
export function printFailure(
  terminal: Pick<Terminal, "err">,
  failed: CommandFailed,
  { json }: { readonly json: boolean },
): void {
  const { code, message, hint } = failed;
  if (json) {
    const answer = failed instanceof AnswerFailed ? failed.answer : {};
    const error = { message, ...answer, exitCode: code, ...(hint === undefined ? {} : { hint }) };
    return terminal.err(`${jsonText({ ok: false, error }, 0)}\n`);
  }
  terminal.err(`error: ${message}\n`);
  if (hint !== undefined) terminal.err(`       ${hint}\n`);
}

/** The command's end for anything thrown. The message never holds a stack and is safe to print. */
export function toCommandFailed(thrown: unknown): CommandFailed {
  if (thrown instanceof CommandFailed) return thrown;
  if (thrown instanceof ConnectionFailed) return fromConnection(thrown);
  if (thrown instanceof CallFailed) return fromAnswer(thrown);
  if (thrown instanceof GatewayError) {
    return new CommandFailed(EXIT.failed, printable(thrown.message));
  }
  if (thrown instanceof StoreUnavailable || thrown instanceof StateLockError) {
    return new CommandFailed(EXIT.failed, printable(thrown.message));
  }
  const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return new CommandFailed(EXIT.failed, `unexpected: ${printable(text)}`);
}

function fromConnection(error: ConnectionFailed): CommandFailed {
  switch (error.fault) {
    case "usage":
      return new CommandFailed(EXIT.usage, error.message);
    case "unreachable":
      return new CommandFailed(
        EXIT.unreachable,
        error.message,
        "start a gateway with `serve`, or name another with --url; `doctor` looks for the cause",
      );
    case "refused":
      return fromRefusal(error);
    case "aborted":
      return new CommandFailed(EXIT.interrupted, "interrupted");
    case "overloaded":
      return new CommandFailed(EXIT.failed, error.message);
    case "timeout":
    case "closed":
    case "protocol":
      return new CommandFailed(EXIT.unreachable, error.message);
  }
}

/** Texts of refusals that no credential would change. */
const NOT_ABOUT_ACCESS =
  /^(?:protocol mismatch|invalid connect params|invalid handshake|invalid request frame)/;

function fromRefusal(error: ConnectionFailed): CommandFailed {
  const { answer, message } = error;
  const text = answer?.message ?? "";
  const other = answer?.code === "UNAVAILABLE" || NOT_ABOUT_ACCESS.test(text);
  const code = other ? EXIT.unreachable : EXIT.unauthorized;
  const hint = other ? undefined : accessHint(answer);
  if (answer === undefined) return new CommandFailed(code, message, hint);
  return new AnswerFailed({ code, ...(hint === undefined ? {} : { hint }) }, message, answer);
}

function accessHint(answer: AnsweredError | undefined): string {
  if (answer?.code === "NOT_PAIRED") {
    return "approve this device on the gateway's host: `devices list`, then `devices approve <id>`";
  }
  return "give the gateway's token with CLAWGATE_TOKEN or --token; " +
    "on its host, `token show` prints it";
}

function fromAnswer(error: CallFailed): CommandFailed {
  const { answer, code, message } = error;
  return new AnswerFailed({ code: answerCode(answer) }, `${code}: ${message}`, answer);
}

function answerCode({ code, message }: AnsweredError): ExitCode {
  const access = code === "NOT_PAIRED" || code === "FORBIDDEN" ||
    /^(?:missing scope|unauthorized)\b/.test(message);
  return access ? EXIT.unauthorized : EXIT.failed;
}

/** Does a command's work; what it throws is told as {@linkcode printFailure} does, and ends in its exit status. */
export async function concluded(
  work: () => Promise<ExitCode>,
  { terminal, json }: { readonly terminal: Terminal; readonly json: boolean },
): Promise<ExitCode> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof OutputClosed) return EXIT.outputClosed;
    const failed = toCommandFailed(error);
    printFailure(terminal, failed, { json });
    return failed.code;
  }
}
