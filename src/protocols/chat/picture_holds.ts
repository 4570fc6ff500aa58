/** Bounds the messages whose pictures are held in memory until they are answered. */

import { GatewayError } from "../../core/error.ts";

/** Messages with files that may wait for their answer: of one sender, and in all. Each holds up to 7 MB of pictures. */
export const MAX_HELD_OF_SENDER = 4;
export const MAX_HELD = 32;

/** Counts them. */
export class PictureHolds {
  readonly #held = new Map<string, number>();
  #total = 0;

  /** Counts one more until what it returns is called, once. Throws `UNAVAILABLE` where there are too many. */
  hold(sender: string): () => void {
    const held = this.#held.get(sender) ?? 0;
    if (held >= MAX_HELD_OF_SENDER || this.#total >= MAX_HELD) {
      throw new GatewayError(
        "UNAVAILABLE",
        "too many messages with files wait for an answer; send it again when some are answered",
        { retryable: true },
      );
    }
    this.#held.set(sender, held + 1);
    this.#total++;
    return () => this.#release(sender);
  }

  #release(sender: string): void {
    const left = (this.#held.get(sender) ?? 1) - 1;
    if (left > 0) this.#held.set(sender, left);
    else this.#held.delete(sender);
    this.#total--;
  }
}
