/** Opens the platform's WebSocket as a promise. */

import { ConnectionFailed, foreign } from "./client_error.ts";

/** Runs `task` once, `delayMs` from now; what it returns takes that back. */
export type After = (delayMs: number, task: () => void) => () => void;

/** An {@linkcode After} by the platform's timers. */
export function afterTimeout(delayMs: number, task: () => void): () => void {
  const timer = setTimeout(task, delayMs);
  return () => clearTimeout(timer);
}

/**
 * Resolves with an open socket. Throws an `unreachable` {@linkcode ConnectionFailed}, or the reason of
 * `signal`, in which case no socket stays open.
 */
export function openSocket(url: URL, signal: AbortSignal): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const socket = new WebSocket(url);
    let why = "";
    const aborted = () => {
      reject(signal.reason);
      socket.close();
    };
    signal.addEventListener("abort", aborted);
    socket.onopen = () => {
      signal.removeEventListener("abort", aborted);
      resolve(socket);
    };
    socket.onerror = (event) => {
      if ("message" in event && typeof event.message === "string") why = event.message;
    };
    socket.onclose = () => {
      signal.removeEventListener("abort", aborted);
      reject(new ConnectionFailed("unreachable", `cannot connect to ${url.host}${because(why)}`));
    };
  });
}

/** The platform's words, without the prefix that repeats ours. */
function because(why: string): string {
  const short = foreign(why).replace(/^(?:NetworkError: )?failed to connect to WebSocket: /, "");
  if (short === "") return "";
  const status = /Invalid status code: (\d{3})/.exec(short)?.[1];
  return status === undefined
    ? `: ${short}`
    : `: it answered the WebSocket upgrade with HTTP status ${status}`;
}
