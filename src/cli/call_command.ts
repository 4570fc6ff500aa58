/** `call`: any method of the gateway. */

import { quote } from "../core/quote.ts";
import { CommandFailed, EXIT } from "./exit_code.ts";
import { jsonText } from "./foreign_text.ts";
import { type Invocation, withGateway } from "./gateway_access.ts";
import { spin } from "./terminal.ts";

/** Longest parameters read from standard input, in bytes; gateways take 512 KiB a message. */
const MAX_PARAMS_BYTES = 1_048_576;

/** What `call` is asked. */
export interface CallRequest {
  readonly method: string;
  /** JSON; `-` reads it from standard input. */
  readonly params?: string;
  /** Wait for the second answer of a method that accepts first and finishes later. */
  readonly final?: boolean;
}

/** Calls the method and prints its answer as JSON. */
export async function callCommand(invocation: Invocation, request: CallRequest): Promise<void> {
  const { terminal, flags } = invocation;
  const text = request.params === "-" ? await readParams(invocation) : request.params;
  const params = text === undefined ? undefined : parseParams(text);
  await withGateway(invocation, async (client) => {
    const done = spin(terminal, `waiting for ${request.method}`);
    let answer: unknown;
    try {
      if (request.final === true) {
        const { finished } = await client.callTwice(request.method, params, {
          ...(flags.timeout === undefined ? {} : { finishTimeoutMs: flags.timeout }),
        });
        answer = await finished;
      } else {
        answer = await client.call(request.method, params);
      }
    } finally {
      done();
    }
    terminal.out(`${jsonText(answer, flags.json === true ? 0 : 2)}\n`);
  });
}

async function readParams({ terminal }: Invocation): Promise<string> {
  try {
    return await terminal.readAll(MAX_PARAMS_BYTES);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CommandFailed(EXIT.usage, error.message, "send less at a time");
  }
}

function parseParams(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandFailed(
      EXIT.usage,
      `--params is not JSON: ${quote(text, 80)}`,
      `write it like --params '{"limit": 5}'; the outer quotes are for the shell`,
    );
  }
}
