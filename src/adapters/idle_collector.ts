/**
 * Gives memory back when nothing goes on. The runtime's heap grows with a rush of work, such as thousands of clients
 * that come back at once, and is swept by the next rush; a process that then rests keeps what the last one took.
 */

import type { Cancel, Clock } from "../ports/clock.ts";

/** How often to look, in milliseconds. */
export const LOOK_EVERY_MS = 10_000;

/** Processor time between two looks below which a process rests, in milliseconds: a collection is in nobody's way. */
export const RESTING_MS = 100;

/** Growth of the heap since the last collection that is worth another, in bytes. */
export const WORTHWHILE_BYTES = 12 * 1024 * 1024;

/** How many times as long as a collection took the process is left alone afterwards, as nothing goes on meanwhile. */
export const LEFT_ALONE_TIMES = 1_000;

/** What it looks at, and what it does. */
export interface IdleCollectorParts {
  readonly clock: Pick<Clock, "after" | "monotonic">;
  /** Processor time of this process so far, in milliseconds. */
  readonly spentMs: () => number;
  /** What the runtime holds for its heap, in bytes. */
  readonly heapBytes: () => number;
  /** Sweeps the heap, at once. */
  readonly collect: () => void | Promise<void>;
}

/** Collects whenever the process rests and its heap has grown, until it is cancelled. */
export function collectWhenIdle(parts: IdleCollectorParts): Cancel {
  const { clock, spentMs, heapBytes, collect } = parts;
  let spent = spentMs();
  let kept = 0;
  let notBefore = -Infinity;
  let cancelled = false;
  const look = async (): Promise<void> => {
    const now = spentMs();
    const resting = now - spent < RESTING_MS;
    spent = now;
    const began = clock.monotonic();
    if (resting && began >= notBefore && heapBytes() >= kept + WORTHWHILE_BYTES) {
      await collect();
      kept = heapBytes();
      const ended = clock.monotonic();
      notBefore = ended + (ended - began) * LEFT_ALONE_TIMES;
    }
    if (!cancelled) cancel = clock.after(LOOK_EVERY_MS, look);
  };
  let cancel = clock.after(LOOK_EVERY_MS, look);
  return () => {
    cancelled = true;
    cancel();
  };
}

/** Has V8 collect its garbage, all of it. The means are loaded when they are first needed. */
export async function collectGarbage(): Promise<void> {
  const [{ setFlagsFromString }, { runInNewContext }] = await Promise.all([
    import("node:v8"),
    import("node:vm"),
  ]);
  // The collector's name is in contexts that are made while the flag is set.
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof collect === "function") collect();
}
