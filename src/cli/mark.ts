/** The marks before a finding. */

import type { Terminal } from "./terminal.ts";

/** How a finding is. */
export type Finding = "fine" | "warning" | "broken";

const SIGNS = {
  fine: { plain: "ok", sign: "✓", colour: 32 },
  warning: { plain: "!", sign: "!", colour: 33 },
  broken: { plain: "x", sign: "✗", colour: 31 },
} as const;

/** A coloured sign for a person, plain ASCII for a file, a pipe or a terminal without colours. */
export function mark({ tty, env }: Pick<Terminal, "tty" | "env">, finding: Finding): string {
  const { plain, sign, colour } = SIGNS[finding];
  if (!tty.output || env.TERM === "dumb") return plain.padEnd(2);
  return (env.NO_COLOR ?? "") !== "" ? sign : `\x1b[${colour}m${sign}\x1b[0m`;
}
