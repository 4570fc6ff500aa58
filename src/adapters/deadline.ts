/** Timers that blame nobody for a process that stood still. */

/** A timer that comes this late shows that the process was busy, and nothing of its peers, in milliseconds. */
const BUSY_MS = 2_000;

/** How much longer such a timer waits, in milliseconds: what came meanwhile has not been read yet. */
const CATCH_UP_MS = 1_000;

/** How a timer runs. */
export interface DeadlineOptions {
  /** It does not keep the process alive. */
  readonly unref?: boolean;
  /** A monotonic clock in milliseconds. */
  readonly now?: () => number;
}

/**
 * Runs `task` once, `delayMs` from now; a moment later where the process could not do it in time, so that who kept
 * the deadline is heard first. The returned function cancels, and is safe to call twice.
 */
export function deadline(
  delayMs: number,
  task: () => void,
  { unref = false, now = () => performance.now() }: DeadlineOptions = {},
): () => void {
  const dueAt = now() + delayMs;
  const run = (wait: number, then: () => void): ReturnType<typeof setTimeout> => {
    const started = setTimeout(then, wait);
    if (unref) Deno.unrefTimer(started);
    return started;
  };
  let timer = run(delayMs, () => {
    if (now() - dueAt <= BUSY_MS) task();
    else timer = run(CATCH_UP_MS, task);
  });
  return () => clearTimeout(timer);
}
