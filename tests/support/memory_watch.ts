/** Memory that must not grow with what is sent. */

import assert from "node:assert/strict";

/** The leak that is looked for: what is kept of each message, in bytes. */
export const LEAK_BYTES = 1_024;

/**
 * What each message may leave behind, in bytes: room for what a machine does besides, more of it for an
 * allocator, whose pages come in lots. Less than the leak, so that one would break it at any number of
 * messages.
 */
const TOLERATED_BYTES: MemoryReading = { heap: LEAK_BYTES / 2, resident: LEAK_BYTES * 3 / 4 };

/**
 * Fewest messages of a round: below, the tolerated growth is smaller than what a heap and an allocator
 * that lose nothing go up and down by.
 */
export const MIN_MESSAGES = 10_000;

/** Rounds before the first measurement, in which caches fill and code is compiled. */
const WARM_UPS = 2;

/**
 * Rounds in which memory has to settle. An allocator takes its time to find its size; what is never
 * given back makes every round grow.
 */
const MAX_ROUNDS = 8;

/** Rounds in a row that have to leave memory as it was: one alone may have met a moment of tidying. */
const FLAT_ROUNDS = 2;

/** Memory in use, in bytes. */
export interface MemoryReading {
  /** Objects that are reachable, buffers included, right after a collection. */
  readonly heap: number;
  /** Pages that the system keeps for the process. */
  readonly resident: number;
}

/** What is to leave no trace, and how its traces are measured. */
export interface MemoryLoad {
  readonly read: () => Promise<MemoryReading>;
  /** Sends one round and resolves when all of it has been dealt with; returns how many messages it was. */
  readonly round: () => Promise<number>;
}

/**
 * Repeats a load until {@linkcode FLAT_ROUNDS} of it in a row leave memory as it was; fails when that
 * does not come in {@linkcode MAX_ROUNDS}.
 */
export async function assertMemoryFlat({ read, round }: MemoryLoad): Promise<void> {
  for (let count = 0; count < WARM_UPS; count++) await round();
  const grown: string[] = [];
  let before = await read();
  for (let count = 0, flat = 0; count < MAX_ROUNDS; count++) {
    const messages = await round();
    assert.ok(messages >= MIN_MESSAGES, `${messages} messages are too few to tell a leak`);
    const after = await read();
    const heap = (after.heap - before.heap) / messages;
    const resident = (after.resident - before.resident) / messages;
    const { heap: mostHeap, resident: mostResident } = TOLERATED_BYTES;
    flat = heap < mostHeap && resident < mostResident ? flat + 1 : 0;
    if (flat === FLAT_ROUNDS) return;
    grown.push(`${Math.round(heap)} of heap and ${Math.round(resident)} resident`);
    before = after;
  }
  assert.fail(`each message leaves bytes behind, round after round: ${grown.join("; ")}`);
}
