/** Bounds the connections that have not proved yet who they are. */

/** Unproved connections of one source; one more closes that source's oldest. */
export const MAX_PENDING_PER_SOURCE = 64;

/** Unproved connections in all; one more closes the oldest of the source that has most. */
export const MAX_PENDING = 1_024;

/**
 * Counts connections in their handshake. When a bound is reached an older one gives way, not the new
 * one: an honest client finishes its handshake in milliseconds, so it is never the one that is closed.
 */
export class HandshakeGate {
  readonly #sources = new Map<string, Set<() => void>>();
  #pending = 0;

  /** Connections in their handshake. */
  get pending(): number {
    return this.#pending;
  }

  /** Enters a connection of `source`; `evict` closes it. The returned function takes it out again. */
  enter(source: string, evict: () => void): () => void {
    const own = this.#sources.get(source);
    if (own !== undefined && own.size >= MAX_PENDING_PER_SOURCE) this.#evictOldest(own);
    else if (this.#pending >= MAX_PENDING) this.#evictOldest(this.#largest());
    let entries = this.#sources.get(source);
    if (entries === undefined) this.#sources.set(source, entries = new Set());
    entries.add(evict);
    this.#pending++;
    return () => this.#leave(source, evict);
  }

  #leave(source: string, evict: () => void): void {
    const entries = this.#sources.get(source);
    if (entries === undefined || !entries.delete(evict)) return;
    this.#pending--;
    if (entries.size === 0) this.#sources.delete(source);
  }

  /** Closing runs the entry's own way out, which counts it off. */
  #evictOldest(entries: Set<() => void> | undefined): void {
    for (const evict of entries ?? []) return evict();
  }

  #largest(): Set<() => void> | undefined {
    let largest: Set<() => void> | undefined;
    for (const entries of this.#sources.values()) {
      if (largest === undefined || entries.size > largest.size) largest = entries;
    }
    return largest;
  }
}
