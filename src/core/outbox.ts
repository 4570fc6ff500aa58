/**
 * What waits to be sent on one connection: bounded, numbered, with a verdict for each kind of frame
 * when the peer does not keep up.
 */

import type { Link, Outgoing, SendOptions } from "./link.ts";

/**
 * What happens to a frame when the peer is behind: `drop` leaves it out (its loss is harmless),
 * `coalesce` replaces the waiting frame of the same key, `hold` keeps it (reading from the peer has
 * stopped by then, so answers cannot pile up) and `disconnect` keeps it until the bound, then ends the
 * connection, because a silent gap would be worse.
 */
export type Overflow = "drop" | "coalesce" | "hold" | "disconnect";

/** How a frame is to be delivered. */
export interface Delivery {
  /** Takes the connection's next sequence number. */
  readonly sequenced: boolean;
  readonly overflow: Overflow;
  /** For `coalesce`: frames with equal keys replace each other. */
  readonly key?: string;
}

/** How answers are delivered: whoever waits for one gets it, and asks for nothing more meanwhile. */
export const ANSWER_DELIVERY: Delivery = { sequenced: false, overflow: "hold" };

/** Bytes in the link above which frames wait here, where they can still be coalesced or overtaken. */
export const LINK_HIGH_WATER_BYTES = 64 * 1024;

/** Bytes of held frames, answers included, above which even they end the connection. */
export const MAX_HELD_BYTES = 32 * 1024 * 1024;

/** Events can wait a moment to share a write; somebody waits for an answer. */
const PATIENT: SendOptions = { patient: true };

interface Waiting {
  data: Outgoing;
  readonly sequence: number;
  readonly delivery: Delivery;
}

/** Whom an outbox works for. */
export interface OutboxOwner<Frame> {
  encode(frame: Frame, sequence: number): Outgoing;
  /** Told once, when too much waited; nothing is sent afterwards. */
  overflowed(): void;
}

/** The queue of a peer that keeps up. Never written to. */
const NONE: Waiting[] = [];

function added(queue: Waiting[], waiting: Waiting): Waiting[] {
  if (queue === NONE) return [waiting];
  queue.push(waiting);
  return queue;
}

/** The outgoing side of one connection. */
export class Outbox<Frame> {
  readonly #link: Link;
  readonly #owner: OutboxOwner<Frame>;
  readonly #maxBytes: number;
  // Made when a peer is behind for the first time, which most never are.
  #urgent: Waiting[] = NONE;
  #waiting: Waiting[] = NONE;
  #urgentBytes = 0;
  #waitingBytes = 0;
  #sequence = 0;
  /** Bytes given to the link, as it counts them. */
  #handed = 0;
  #closed = false;

  /** `maxBytes`: how much may wait for a peer before a `disconnect` frame ends the connection. */
  constructor(link: Link, options: { owner: OutboxOwner<Frame>; maxBytes: number }) {
    this.#link = link;
    this.#owner = options.owner;
    this.#maxBytes = options.maxBytes;
  }

  /** The sequence number of the newest numbered frame, 0 before the first. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Bytes that wait here and in the link. Counted in UTF-16 units, so exact for ASCII. */
  get buffered(): number {
    return this.#urgentBytes + this.#waitingBytes + this.#link.buffered;
  }

  /** Bytes that have left the link; what comes to wait meanwhile does not count. */
  get taken(): number {
    return this.#handed - this.#link.buffered;
  }

  /** Sends or queues one frame. False when it was dropped or the outbox is closed. */
  send(frame: Frame, delivery: Delivery): boolean {
    if (this.#closed) return false;
    const blocked = this.#urgentBytes + this.#waitingBytes > 0 ||
      this.#link.buffered > LINK_HIGH_WATER_BYTES;
    if (!blocked) {
      const data = this.#owner.encode(frame, this.#take(delivery));
      this.#hand(data, delivery.sequenced ? PATIENT : undefined);
      return true;
    }
    if (delivery.overflow === "drop") return false;
    if (delivery.overflow === "coalesce" && this.#replace(frame, delivery)) return true;
    const sequence = this.#take(delivery);
    const data = this.#owner.encode(frame, sequence);
    // Events have a bound of their own: a client that reads a long answer is not late with them.
    const beyond = delivery.overflow === "hold"
      ? this.buffered + data.length > MAX_HELD_BYTES
      : this.#waitingBytes + data.length > this.#maxBytes;
    if (beyond) {
      this.close();
      this.#owner.overflowed();
      return false;
    }
    // A numbered frame may not overtake another; answers carry no number and go first.
    const waiting = { data, sequence, delivery };
    if (delivery.sequenced) {
      this.#waiting = added(this.#waiting, waiting);
      this.#waitingBytes += data.length;
    } else {
      this.#urgent = added(this.#urgent, waiting);
      this.#urgentBytes += data.length;
    }
    return true;
  }

  /** The link has room: passes on what waits, answers first. */
  drain(): void {
    this.#urgentBytes -= this.#pass(this.#urgent);
    if (this.#urgent.length === 0) this.#waitingBytes -= this.#pass(this.#waiting);
  }

  /** Hands the link what it has room for; the length of it. */
  #pass(queue: Waiting[]): number {
    let length = 0;
    let sent = 0;
    for (const item of queue) {
      if (this.#link.buffered > LINK_HIGH_WATER_BYTES) break;
      this.#hand(item.data);
      length += item.data.length;
      sent++;
    }
    if (sent > 0) queue.splice(0, sent);
    return length;
  }

  /** Forgets what waits; later frames are refused. */
  close(): void {
    this.#closed = true;
    this.#urgent = NONE;
    this.#waiting = NONE;
    this.#urgentBytes = 0;
    this.#waitingBytes = 0;
  }

  #hand(data: Outgoing, options?: SendOptions): void {
    const before = this.#link.buffered;
    this.#link.send(data, options);
    this.#handed += this.#link.buffered - before;
  }

  #take(delivery: Delivery): number {
    return delivery.sequenced ? ++this.#sequence : 0;
  }

  #replace(frame: Frame, delivery: Delivery): boolean {
    const older = this.#waiting.find((item) =>
      item.delivery.overflow === "coalesce" && item.delivery.key === delivery.key
    );
    if (older === undefined) return false;
    const data = this.#owner.encode(frame, older.sequence);
    this.#waitingBytes += data.length - older.data.length;
    older.data = data;
    return true;
  }
}
