/** Buffers for bytes on their way out, used again so that a small write costs no allocation. */

/** The largest buffer that is used again, in bytes; what is larger is made for its purpose and forgotten. */
export const LARGEST_POOLED_BYTES = 32_768;

/** Sizes that are kept, in bytes. */
const SIZES = [512, 2_048, 8_192, LARGEST_POOLED_BYTES] as const;

/** Bytes of each size that are kept for later; more than a busy moment needs is given up. */
const MAX_KEPT_BYTES = 1024 * 1024;

/** A bounded stock of buffers. */
export class BufferPool {
  readonly #kept: Uint8Array[][] = SIZES.map(() => []);

  /** A buffer of at least `bytes` bytes; its content is not defined. */
  take(bytes: number): Uint8Array {
    const index = SIZES.findIndex((size) => size >= bytes);
    const size = SIZES[index];
    return size === undefined
      ? new Uint8Array(bytes)
      : this.#kept[index]?.pop() ?? new Uint8Array(size);
  }

  /** Takes back a buffer that {@linkcode take} gave and that nothing reads or writes any more. */
  give(buffer: Uint8Array): void {
    const index = SIZES.findIndex((size) => size === buffer.length);
    const kept = this.#kept[index];
    if (kept !== undefined && kept.length * buffer.length < MAX_KEPT_BYTES) kept.push(buffer);
  }
}
