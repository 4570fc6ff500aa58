/** Predictable identifiers for tests. */

import type { Random } from "../../src/ports/random.ts";

/** Each value differs from the last in its counter alone. */
export class CountingRandom implements Random {
  #next = 1;

  uuid(): string {
    return `00000000-0000-4000-8000-${(this.#next++).toString(16).padStart(12, "0")}`;
  }

  hex(bytes: number): string {
    return (this.#next++).toString(16).padStart(bytes * 2, "0");
  }

  fraction(): number {
    return 0.5;
  }
}
