/** The platform's cryptographic random generator. */

import type { Random } from "../ports/random.ts";

/** Values that nobody can foretell. */
export const systemRandom: Random = {
  uuid: () => crypto.randomUUID(),
  hex: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)).toHex(),
  fraction: () => Math.random(),
};
