/** The program's entry. */

import type { ExitCode } from "./exit_code.ts";
import { processTerminal } from "./process_terminal.ts";
import { run } from "./program.ts";

/** Runs a command line in this process; resolves with the exit status. Never throws. */
export function main(args: readonly string[]): Promise<ExitCode> {
  return run(args, {
    terminal: processTerminal(),
    startGateway: async () => (await import("../start_gateway.ts")).startGateway,
  });
}
