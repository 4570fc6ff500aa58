/** `chat`: send a message and watch the answer stream. */

import { ConnectionFailed } from "../client/client_error.ts";
import type { EventStream } from "../client/event_stream.ts";
import type { GatewayClient } from "../client/gateway_client.ts";
import { isJsonObject } from "../core/json.ts";
import { AnswerPrinter, type RunEnd } from "./answer_printer.ts";
import { CommandFailed, EXIT, type ExitCode } from "./exit_code.ts";
import { printFailure, toCommandFailed } from "./failure.ts";
import { jsonText } from "./foreign_text.ts";
import { type Invocation, withGateway } from "./gateway_access.ts";
import { object } from "./json_view.ts";
import { spin } from "./terminal.ts";

/** Longest message read from standard input, in bytes; a gateway's frames hold 512 KiB. */
export const MAX_INPUT_BYTES = 400_000;

/** What `chat` is asked. */
export interface ChatRequest {
  /** Absent: standard input, line by line when a person types it. */
  readonly message?: string;
  /** Default `main`. */
  readonly session?: string;
  readonly thinking?: string;
}

/** Sends one message, or a conversation; returns how the program should exit. */
export async function chatCommand(
  invocation: Invocation,
  request: ChatRequest,
): Promise<ExitCode> {
  const { terminal } = invocation;
  const interactive = request.message === undefined && terminal.tty.input;
  const message = request.message ?? (interactive ? undefined : await readMessage(invocation));
  return await withGateway(invocation, async (client) => {
    if (message === undefined) return await converse(client, invocation, request);
    return await sendOne(client, invocation, { ...request, message });
  });
}

async function readMessage({ terminal }: Invocation): Promise<string> {
  let text: string;
  try {
    text = await terminal.readAll(MAX_INPUT_BYTES);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CommandFailed(EXIT.usage, error.message, "send it in parts");
  }
  if (text.trim() !== "") return text;
  throw new CommandFailed(EXIT.usage, "there is no message", 'write it like chat "hello"');
}

/** A prompt until the input ends. One run at a time; a failed one does not end the conversation. */
async function converse(
  client: GatewayClient,
  invocation: Invocation,
  request: ChatRequest,
): Promise<ExitCode> {
  const { terminal, flags } = invocation;
  terminal.err("Type a message; Ctrl-C stops an answer, Ctrl-D ends the conversation.\n");
  for (;;) {
    terminal.err("> ");
    const line = await nextLine(client, invocation);
    if (line === "interrupted") return EXIT.interrupted;
    if (line === "closed") throw lost();
    if (line === undefined || /^\/(?:quit|exit)$/.test(line.text.trim())) {
      terminal.err("\n");
      return EXIT.ok;
    }
    if (line.text.trim() === "") continue;
    try {
      await sendOne(client, invocation, { ...request, message: line.text });
    } catch (error) {
      if (error instanceof ConnectionFailed || !(error instanceof Error)) throw error;
      printFailure(terminal, toCommandFailed(error), { json: flags.json === true });
    }
  }
}

/** A typed line; undefined at the end of the input. Also ends with a Ctrl-C or the connection. */
async function nextLine(
  client: GatewayClient,
  { terminal }: Invocation,
): Promise<{ readonly text: string } | "interrupted" | "closed" | undefined> {
  const signal = Promise.withResolvers<"interrupted">();
  const stop = terminal.onSignal(() => signal.resolve("interrupted"));
  try {
    return await Promise.race([
      terminal.readLine().then((text) => text === undefined ? undefined : { text }),
      signal.promise,
      client.closed.then(() => "closed" as const),
    ]);
  } finally {
    stop();
  }
}

/** Sends one message and prints its answer until the run ends. */
async function sendOne(
  client: GatewayClient,
  invocation: Invocation,
  request: ChatRequest & { readonly message: string },
): Promise<ExitCode> {
  const { terminal, flags } = invocation;
  const runId = crypto.randomUUID();
  const sessionKey = request.session ?? "main";
  const interrupts = watchInterrupts(client, invocation, { runId, sessionKey });
  const settled = spin(terminal, "waiting for the answer");
  // Before the message is sent, so that no event of the run is missed.
  const events = client.events("chat");
  try {
    const answer = await client.call("chat.send", {
      sessionKey,
      message: request.message,
      idempotencyKey: runId,
      ...(request.thinking === undefined ? {} : { thinking: request.thinking }),
    });
    // A command such as /stop is answered at once, without a run.
    if (object(answer).runId !== runId) {
      settled();
      terminal.out(`${flags.json === true ? jsonText(answer, 0) : "(done)"}\n`);
      return EXIT.ok;
    }
    const end = await Promise.race([
      follow(events, runId, (payload) => {
        settled();
        if (flags.json === true) terminal.out(`${jsonText(payload, 0)}\n`);
      }, flags.json === true ? () => {} : (text) => terminal.out(text)),
      interrupts.forced,
    ]);
    return report(end, invocation, interrupts.interrupted());
  } finally {
    settled();
    events.close();
    interrupts.stop();
  }
}

async function follow(
  events: EventStream,
  runId: string,
  seen: (payload: Readonly<Record<string, unknown>>) => void,
  write: (text: string) => void,
): Promise<RunEnd> {
  const printer = new AnswerPrinter(write);
  for await (const { payload } of events) {
    if (!isJsonObject(payload) || payload.runId !== runId) continue;
    seen(payload);
    const end = printer.take(payload);
    if (end !== undefined) return end;
  }
  throw lost();
}

function lost(): ConnectionFailed {
  return new ConnectionFailed(
    "closed",
    "the connection ended before the answer; what was sent may still be answered: " +
      "see chat.history",
  );
}

function report(
  end: RunEnd | "forced",
  { terminal, flags }: Invocation,
  interrupted: boolean,
): ExitCode {
  if (end === "forced") return EXIT.interrupted;
  switch (end.state) {
    case "final":
      return EXIT.ok;
    case "aborted":
      if (flags.json !== true) {
        terminal.err(end.reason === "timeout" ? "(stopped: it took too long)\n" : "(stopped)\n");
      }
      return interrupted ? EXIT.interrupted : EXIT.failed;
    case "error":
      // Its event, which says the same, is printed already.
      if (flags.json === true) return EXIT.failed;
      throw new CommandFailed(EXIT.failed, end.message);
  }
}

/** The first Ctrl-C asks the gateway to stop the run; the second one stops waiting. */
function watchInterrupts(
  client: GatewayClient,
  { terminal }: Invocation,
  run: { readonly runId: string; readonly sessionKey: string },
): {
  readonly forced: Promise<"forced">;
  readonly interrupted: () => boolean;
  readonly stop: () => void;
} {
  const forced = Promise.withResolvers<"forced">();
  let interrupted = false;
  const stop = terminal.onSignal(() => {
    if (interrupted) return forced.resolve("forced");
    interrupted = true;
    client.call("chat.abort", run).catch(() => forced.resolve("forced"));
  });
  return { forced: forced.promise, interrupted: () => interrupted, stop };
}
