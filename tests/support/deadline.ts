/** Waits that end: by what is waited for, or by an error that says what did not come. */

/** How long a test waits for something that should come at once, in milliseconds. */
export const PATIENCE_MS = 15_000;

/** The value of `promise`, or an error that names `what` when it does not come in time. */
export async function within<Value>(
  promise: Promise<Value>,
  what: string,
  milliseconds: number = PATIENCE_MS,
): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`waited ${milliseconds} ms in vain for ${what}`)),
      milliseconds,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves with the first value of `look` that is neither undefined nor false; it is asked again and again. */
export async function eventually<Value>(
  look: () => Value | undefined | false | Promise<Value | undefined | false>,
  what: string,
  milliseconds: number = PATIENCE_MS,
): Promise<Value> {
  const end = performance.now() + milliseconds;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > end) throw new Error(`waited ${milliseconds} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
