/** Buffers that connections read into: small while they are quiet, large while much comes. */

/** What a quiet connection keeps for the next message, in bytes; with thousands of them it counts. */
const QUIET_BYTES = 512;

/** Such buffers are cut from one of so many bytes: each on its own would cost the runtime half as much again. */
const SHEET_BYTES = 32 * 1024;

/** Buffers of quiet connections that are kept for the next ones; more are given up with their sheets. */
const MAX_QUIET_KEPT = 1_024;

/** What connections with more to say read at once, in bytes: several messages, or as much as comes. */
const SHARED_BYTES = [2 * 1024, 32 * 1024] as const;

/** Buffers of each of those sizes that are kept for later; enough for all that are busy on one thread. */
const MAX_KEPT = 32;

type Bytes = Uint8Array<ArrayBuffer>;

/** Buffers shared by the connections of a listener. */
export class ReadBuffers {
  readonly #kept: readonly Bytes[][] = SHARED_BYTES.map(() => []);
  readonly #quiet: Bytes[] = [];
  #sheet = new ArrayBuffer(0);
  /** Bytes of the sheet that have been cut off. */
  #cut = 0;

  /** A buffer of a connection's own, until it is given back with {@linkcode ReadBuffers.giveQuiet}. */
  quiet(): Bytes {
    const kept = this.#quiet.pop();
    if (kept !== undefined) return kept;
    if (this.#cut === this.#sheet.byteLength) {
      this.#sheet = new ArrayBuffer(SHEET_BYTES);
      this.#cut = 0;
    }
    const buffer = new Uint8Array(this.#sheet, this.#cut, QUIET_BYTES);
    this.#cut += QUIET_BYTES;
    return buffer;
  }

  /** Takes back what {@linkcode ReadBuffers.quiet} gave and nothing reads into any more. */
  giveQuiet(buffer: Bytes): void {
    if (this.#quiet.length < MAX_QUIET_KEPT) this.#quiet.push(buffer);
  }

  /** A buffer of the size at `level` of the shared ones; give it back with {@linkcode give}. */
  take(level: number): Bytes {
    return this.#kept[level]?.pop() ?? new Uint8Array(SHARED_BYTES[level] ?? QUIET_BYTES);
  }

  give(buffer: Bytes): void {
    const kept = this.#kept[SHARED_BYTES.findIndex((size) => size === buffer.length)];
    if (kept !== undefined && kept.length < MAX_KEPT) kept.push(buffer);
  }
}

/**
 * Chooses the buffer of a connection's next read by what the one before brought: a larger one when it was
 * full, else the smallest that would have done. So nobody rests with much more than its last message.
 */
export class ReadBuffer {
  readonly #shared: ReadBuffers;
  readonly #quiet: Bytes;
  #busy: Bytes | undefined;

  constructor(shared: ReadBuffers) {
    this.#shared = shared;
    this.#quiet = shared.quiet();
  }

  get current(): Bytes {
    return this.#busy ?? this.#quiet;
  }

  /** Notes how many bytes a read brought, once they have been used. */
  used(bytes: number): void {
    const { length } = this.current;
    const wanted = bytes < length ? bytes : bytes + 1;
    if (wanted <= QUIET_BYTES) return this.release();
    const fitting = SHARED_BYTES.findIndex((size) => size >= wanted);
    const level = fitting < 0 ? SHARED_BYTES.length - 1 : fitting;
    if (SHARED_BYTES[level] === length) return;
    this.release();
    this.#busy = this.#shared.take(level);
  }

  /** Gives up what is shared. */
  release(): void {
    if (this.#busy !== undefined) this.#shared.give(this.#busy);
    this.#busy = undefined;
  }

  /** Gives up all, when nothing is read any more. To be called once. */
  end(): void {
    this.release();
    this.#shared.giveQuiet(this.#quiet);
  }
}
