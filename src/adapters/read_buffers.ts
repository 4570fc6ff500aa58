/** Buffers that connections read into: small while they are quiet, large while much comes. */

/** What a quiet connection keeps for the next message, in bytes; with thousands of them it counts. */
const QUIET_BYTES = 512;

/** What a busy connection reads at once, in bytes. */
const BUSY_BYTES = 32 * 1024;

/** Large buffers that are kept for later; enough for all that are busy at one time on one thread. */
const MAX_KEPT = 32;

/** Large buffers shared by the connections of a listener. */
export class ReadBuffers {
  readonly #kept: Uint8Array<ArrayBuffer>[] = [];

  /** A buffer of a connection's own. */
  quiet(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(QUIET_BYTES);
  }

  /** A large buffer; give it back with {@linkcode give}. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#kept.pop() ?? new Uint8Array(BUSY_BYTES);
  }

  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (this.#kept.length < MAX_KEPT) this.#kept.push(buffer);
  }
}

/** Chooses the buffer of a connection's next read by what the one before brought. */
export class ReadBuffer {
  readonly #shared: ReadBuffers;
  readonly #quiet: Uint8Array<ArrayBuffer>;
  #busy: Uint8Array<ArrayBuffer> | undefined;

  constructor(shared: ReadBuffers) {
    this.#shared = shared;
    this.#quiet = shared.quiet();
  }

  get current(): Uint8Array<ArrayBuffer> {
    return this.#busy ?? this.#quiet;
  }

  /** Notes how many bytes a read brought, once they have been used. */
  used(bytes: number): void {
    if (this.#busy === undefined) {
      if (bytes === QUIET_BYTES) this.#busy = this.#shared.take();
    } else if (bytes <= QUIET_BYTES) this.release();
  }

  /** Gives up what is shared. */
  release(): void {
    if (this.#busy !== undefined) this.#shared.give(this.#busy);
    this.#busy = undefined;
  }
}
