/** The platform's cryptographic random generator. */

import type { Random } from "../ports/random.ts";

/** Bytes that are fetched at once: to ask for a few each time costs more than the bytes. */
const POOL_BYTES = 4_096;

/** A generator that asks the platform for many bytes at a time and hands each of them out once. */
export function pooledRandom(): Random {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  const hex = (bytes: number): string => {
    // Neither more than the pool holds nor what is no size may move its place: bytes that were wiped would come next.
    if (!Number.isInteger(bytes) || bytes < 0 || bytes > POOL_BYTES) {
      return crypto.getRandomValues(new Uint8Array(bytes)).toHex();
    }
    if (used + bytes > POOL_BYTES) {
      crypto.getRandomValues(pool);
      used = 0;
    }
    const taken = pool.subarray(used, used += bytes);
    const text = taken.toHex();
    // What was given out is kept nowhere else.
    taken.fill(0);
    return text;
  };
  return { uuid: () => crypto.randomUUID(), hex, fraction: () => Math.random() };
}

/** Values that nobody can foretell. */
export const systemRandom: Random = pooledRandom();
