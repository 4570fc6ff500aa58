/** For whom sessions are read, and how many heavy readings happen at once. */

import { Gate } from "../core/gate.ts";

/** Who waits for a heavy reading. Those of one caller wait in one line. */
export interface Reader {
  /** Names the caller among all that read, such as its connection. */
  readonly caller: string;
  /** Aborted when the caller is gone: the reading then ends at its next page. */
  readonly signal?: AbortSignal;
  /** It reads for what was accepted, and is bounded as such: it is never refused because too many wait. */
  readonly owed?: boolean;
}

/** The gateway itself, as a reader: its heartbeats and summaries. */
export const GATEWAY_READER: Reader = { caller: "gateway" };

/** Heavy readings at once: each holds up to a transcript's bounds in memory. */
export const MAX_HEAVY_READS = 2;

/** Heavy readings of one caller that wait: more than a screen of sessions needs. */
export const MAX_WAITING_READS_PER_CALLER = 64;

/** Heavy readings of all callers that wait: each is a closure, not an answer. */
const MAX_WAITING_READS = 4_096;

/** The gate that heavy readings pass. */
export function readingGate(): Gate {
  return new Gate({
    running: MAX_HEAVY_READS,
    waitingPerCaller: MAX_WAITING_READS_PER_CALLER,
    waiting: MAX_WAITING_READS,
  });
}
