/** What the baseline's server and its clients agree on. */

/** A message that begins with this is sent to every client instead of being echoed. */
export const TO_ALL = "*";

/** The servers that echo: `ws` on `node:http`, the runtime's own WebSocket, this package's listener. */
export const ECHO_KINDS = ["ws", "runtime", "own"] as const;

/** One of {@linkcode ECHO_KINDS}. */
export type EchoKind = typeof ECHO_KINDS[number];

/** Whether a text names a server that echoes. */
export function isEchoKind(text: string): text is EchoKind {
  return ECHO_KINDS.some((kind) => kind === text);
}

/** Has an echo collect its garbage. */
export const COLLECT_SIGNAL = "SIGUSR2";
