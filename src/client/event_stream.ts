/** Events of a gateway as an asynchronous iteration with a bound. */

import type { GatewayEvent } from "./server_frame.ts";

/**
 * Most events that wait for a slow reader; the oldest gives way, because what a run's or a state's
 * newest event says includes what the earlier ones said. {@linkcode EventStream.lost} counts them.
 */
export const MAX_WAITING_EVENTS = 1_000;

/**
 * Events from the moment of its making on, in order. One reader. The iteration ends when the stream is
 * closed or the connection ends, after the events that came before; it never throws.
 */
export class EventStream implements AsyncIterableIterator<GatewayEvent>, AsyncDisposable {
  readonly #names: ReadonlySet<string>;
  readonly #capacity: number;
  readonly #onClose: (stream: EventStream) => void;
  #waiting: GatewayEvent[] = [];
  #readers: ((result: IteratorResult<GatewayEvent>) => void)[] = [];
  #closed = false;
  #lost = 0;

  /** Takes the events called `names`, all of them when there are none. */
  constructor(
    names: readonly string[],
    options: { capacity?: number; onClose?: (stream: EventStream) => void } = {},
  ) {
    this.#names = new Set(names);
    this.#capacity = options.capacity ?? MAX_WAITING_EVENTS;
    this.#onClose = options.onClose ?? (() => {});
  }

  /** How many events gave way unread. */
  get lost(): number {
    return this.#lost;
  }

  /** Hands over one event; the client calls it. */
  push(event: GatewayEvent): void {
    if (this.#closed || (this.#names.size > 0 && !this.#names.has(event.event))) return;
    const reader = this.#readers.shift();
    if (reader !== undefined) return reader({ done: false, value: event });
    this.#waiting.push(event);
    if (this.#waiting.length > this.#capacity) {
      this.#waiting.shift();
      this.#lost++;
    }
  }

  /** No event follows; what waits can still be read. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(this);
    for (const reader of this.#readers.splice(0)) reader({ done: true, value: undefined });
  }

  /** The next event, once there is one. */
  next(): Promise<IteratorResult<GatewayEvent>> {
    const event = this.#waiting.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#closed) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  /** Leaving a `for await` closes the stream and drops what waits. */
  return(): Promise<IteratorResult<GatewayEvent>> {
    this.#waiting = [];
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
