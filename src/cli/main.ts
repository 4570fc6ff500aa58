/** The program's entry. */

import type { ExitCode } from "./exit_code.ts";
import { concluded } from "./failure.ts";
import { processTerminal } from "./process_terminal.ts";

/** Runs a command line in this process; resolves with the exit status. Never throws. */
export async function main(args: readonly string[]): Promise<ExitCode> {
  const terminal = processTerminal();
  const startGateway = async () => (await import("../start/start_gateway.ts")).startGateway;
  if (args.length > 0) {
    const { run } = await import("./program.ts");
    return await run(args, { terminal, startGateway });
  }
  // The plain start goes without the parser of command lines, which takes as much memory as the wires.
  return await concluded(async () => {
    const { serveCommand } = await import("./serve_command.ts");
    return await serveCommand(terminal, {}, await startGateway());
  }, { terminal, json: false });
}
