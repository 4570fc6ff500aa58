/** Waits that end: a benchmark that hangs names what it waited for. */

/** The longest wait of any step, in milliseconds. */
export const STEP_TIMEOUT_MS = 30_000;

/** Resolves after `delayMs`. */
export function elapsed(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

/** What `promise` resolves with; rejects, naming `what`, when that takes longer than {@linkcode STEP_TIMEOUT_MS}. */
export async function within<Value>(what: string, promise: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`gave up waiting for ${what} after ${STEP_TIMEOUT_MS} ms`)),
      STEP_TIMEOUT_MS,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
