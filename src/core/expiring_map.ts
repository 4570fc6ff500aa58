/** A map whose entries end with time and whose size has a bound: the oldest entry gives way. */
export class ExpiringMap<K, V> {
  readonly #entries = new Map<K, { readonly value: V; readonly expiresAt: number }>();
  readonly #now: () => number;
  readonly #ttlMs: number;
  readonly #capacity: number;

  /** Entries live `ttlMs` milliseconds of `now`; at most `capacity` are held. */
  constructor(options: { now: () => number; ttlMs: number; capacity: number }) {
    this.#now = options.now;
    this.#ttlMs = options.ttlMs;
    this.#capacity = options.capacity;
  }

  /** Entries held, expired ones that were not swept yet included. */
  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresAt > this.#now()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** Stores a value for the full time, as the newest entry. */
  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#sweep();
    this.#entries.set(key, { value, expiresAt: this.#now() + this.#ttlMs });
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }

  /** Live values, oldest first. */
  *values(): IterableIterator<V> {
    for (const entry of this.#entries.values()) {
      if (entry.expiresAt > this.#now()) yield entry.value;
    }
  }

  /** Entries are in the order of their expiry, so the sweep stops at the first live one. */
  #sweep(): void {
    for (const [key, entry] of this.#entries) {
      if (entry.expiresAt > this.#now() && this.#entries.size < this.#capacity) return;
      this.#entries.delete(key);
    }
  }
}
