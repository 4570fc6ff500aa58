/** The newest values of a sequence, at most a fixed number of them. */
export class Ring<T> {
  readonly #slots: (T | undefined)[] = [];
  readonly #capacity: number;
  #pushed = 0;

  /** Holds the newest `capacity` values, at least one. */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`ring capacity must be a whole number of at least 1, not ${capacity}`);
    }
    this.#capacity = capacity;
  }

  /** Adds a value, overwriting the oldest when full. Returns its offset: 0 for the first ever pushed. */
  push(value: T): number {
    this.#slots[this.#pushed % this.#capacity] = value;
    return this.#pushed++;
  }

  /** How many values were ever pushed: the offset that the next one will have. */
  get end(): number {
    return this.#pushed;
  }

  /** The offset of the oldest value still held. */
  get start(): number {
    return Math.max(0, this.#pushed - this.#capacity);
  }

  /** The value at an offset, or undefined when it was overwritten or never pushed. */
  at(offset: number): T | undefined {
    if (offset < this.start || offset >= this.#pushed) return undefined;
    return this.#slots[offset % this.#capacity];
  }
}
