/** Assertions on bytes that stay quick and short where long ones differ. */

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";

/** Bytes that are shown of what differs. */
const SHOWN_BYTES = 24;

/** Two byte sequences are the same. */
export function assertSameBytes(
  actual: Uint8Array,
  expected: Uint8Array,
  message: string = "bytes",
): void {
  if (isDeepStrictEqual(actual, expected)) return;
  const at = expected.findIndex((byte, index) => byte !== actual[index]);
  const from = Math.max(0, (at < 0 ? expected.length : at) - 4);
  assert.fail(
    `${message}: from byte ${from} on ${shown(actual, from)} instead of ${shown(expected, from)}`,
  );
}

/** The first bytes from `from` on, and how many there are in all. */
export function shown(bytes: Uint8Array, from: number = 0): string {
  return `${bytes.subarray(from, from + SHOWN_BYTES).toHex()} (of ${bytes.length} bytes)`;
}
