/** Bounds the connections that have not proved yet who they are. */

import { network } from "./host.ts";
import type { Link } from "./link.ts";

/** How many connections may wait at a gate. */
export interface GateBounds {
  /** Unproved connections of one source; one more closes another of that source. */
  readonly perSource: number;
  /** Unproved connections in all; one more closes one of the source that has most. */
  readonly total: number;
}

/** The bounds of a handshake in which a party proves who it is. */
export const HANDSHAKE_BOUNDS: GateBounds = { perSource: 64, total: 1_024 };

/** A connection at a gate. */
interface Waiting {
  readonly evict: () => void;
  readonly waitingSince: (() => number | undefined) | undefined;
}

/**
 * Counts connections in their handshake. When a bound is reached another one gives way, not the new one: an
 * honest client finishes its handshake in milliseconds, so it is never the one that is closed. Where connections
 * tell since when they wait, the one that has waited longest gives way, else the oldest.
 */
export class HandshakeGate {
  readonly #sources = new Map<string, Set<Waiting>>();
  readonly #bounds: GateBounds;
  #pending = 0;

  constructor(bounds: GateBounds = HANDSHAKE_BOUNDS) {
    this.#bounds = bounds;
  }

  /** Connections in their handshake. */
  get pending(): number {
    return this.#pending;
  }

  /**
   * Enters a connection from `address`; `evict` closes it. The returned function takes it out again and is
   * safe to call twice. Addresses of one network count as one source. `waitingSince`: a time on any clock that all
   * at the gate share; undefined while the connection is being served.
   */
  enter(
    address: string,
    evict: () => void,
    { waitingSince }: { readonly waitingSince?: () => number | undefined } = {},
  ): () => void {
    const source = network(address);
    const own = this.#sources.get(source);
    if (own !== undefined && own.size >= this.#bounds.perSource) evictOne(own);
    else if (this.#pending >= this.#bounds.total) evictOne(this.#largest());
    let entries = this.#sources.get(source);
    if (entries === undefined) this.#sources.set(source, entries = new Set());
    const entry = { evict, waitingSince };
    entries.add(entry);
    this.#pending++;
    return () => this.#leave(source, entry);
  }

  #leave(source: string, entry: Waiting): void {
    const entries = this.#sources.get(source);
    if (entries === undefined || !entries.delete(entry)) return;
    this.#pending--;
    if (entries.size === 0) this.#sources.delete(source);
  }

  #largest(): Set<Waiting> | undefined {
    let largest: Set<Waiting> | undefined;
    for (const entries of this.#sources.values()) {
      if (largest === undefined || entries.size > largest.size) largest = entries;
    }
    return largest;
  }
}

/** How a link waits. */
export interface WaitingOptions {
  /** Whom it waits with; absent: it need not prove anything, so that it gives way to nobody. */
  readonly gate: HandshakeGate | undefined;
  readonly address: string;
  /** What may be sent before it passes, in bytes over all messages. */
  readonly maxBytes: number;
}

/** A link whose peer has not proved yet who it is. One that must give way at the gate is dropped. */
export class WaitingLink {
  readonly #link: Link;
  /** Absent once it has left the gate. */
  #leave: (() => void) | undefined;

  constructor(link: Link, { gate, address, maxBytes }: WaitingOptions) {
    this.#link = link;
    link.allow(maxBytes);
    this.#leave = gate?.enter(address, () => {
      this.leave();
      link.terminate();
    });
  }

  /** It has proved who it is and may send what it likes. */
  pass(): void {
    this.leave();
    this.#link.allow(undefined);
  }

  /** It waits no more, as it passed or is gone. Safe to call twice. */
  leave(): void {
    this.#leave?.();
    this.#leave = undefined;
  }
}

/** Closing runs the entry's own way out, which counts it off. */
function evictOne(entries: Iterable<Waiting> = []): void {
  let chosen: Waiting | undefined;
  let longest = Infinity;
  for (const entry of entries) {
    chosen ??= entry;
    const since = entry.waitingSince?.() ?? Infinity;
    if (since >= longest) continue;
    chosen = entry;
    longest = since;
  }
  chosen?.evict();
}
