/** Commands on a host whose gateway does not run. */

import type { ExitCode } from "../../../src/cli/exit_code.ts";
import { run } from "../../../src/cli/program.ts";
import { FakeTerminal } from "./fake_terminal.ts";

/** A port on which nothing listens now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Runs a command whose settings name a port that nobody has, and tells what it printed. */
export async function stopped(
  folder: string,
  args: readonly string[],
  terminal = new FakeTerminal(),
): Promise<{ exit: ExitCode; stdout: string; stderr: string }> {
  terminal.env.CLAWGATE_STATE_DIR = folder;
  terminal.env.CLAWGATE_PORT ??= String(freePort());
  terminal.stdout = terminal.stderr = "";
  const exit = await run(args, {
    terminal,
    startGateway: () => Promise.reject(new Error("not here")),
  });
  return { exit, stdout: terminal.stdout, stderr: terminal.stderr };
}
