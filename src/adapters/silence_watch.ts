/** Finds peers that are gone without a word: asks the silent for a sign of life, and drops the dead. */

/** A connection that is cared for. */
export interface Watched {
  /** One round more; how many rounds the peer has said nothing. */
  age(): number;
  /** Takes rounds back that the peer cannot be blamed for: what it sent over so many milliseconds comes only now. */
  rejuvenate(unheardMs: number): void;
  /** Asks the peer for a sign of life. */
  probe(): void;
  /** Drops the connection. */
  terminate(): void;
}

/** Time between two rounds, in milliseconds; by so much less than the times below a peer may have been silent. */
const ROUND_MS = 15_000;

/** Silence by which a peer is asked for a sign of life, in milliseconds. */
export const ASK_BY_MS = 45_000;

/** Silence by which a peer is given up, in milliseconds. */
export const DROP_BY_MS = 90_000;

/** A round that comes this late shows that the process was busy, and nothing of its peers, in milliseconds. */
const BUSY_MS = 2_000;

/** Looks after a listener's connections while there are any. */
export class SilenceWatch {
  readonly #watched: ReadonlySet<Watched>;
  readonly #now: () => number;
  #timer: ReturnType<typeof setInterval> | undefined;
  #expected = 0;

  /** `now`: a monotonic clock in milliseconds. */
  constructor(watched: ReadonlySet<Watched>, now: () => number = () => performance.now()) {
    this.#watched = watched;
    this.#now = now;
  }

  /** Starts when it does not run. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#expected = this.#now() + ROUND_MS;
    this.#timer = setInterval(() => this.round(), ROUND_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** One round. Stops by itself when nobody is left. */
  round(): void {
    if (this.#watched.size === 0) return this.stop();
    const now = this.#now();
    const lateMs = now - this.#expected;
    this.#expected = now + ROUND_MS;
    for (const connection of this.#watched) {
      // What the peers sent meanwhile has not been read: nobody has been silent.
      if (lateMs > BUSY_MS) connection.rejuvenate(ROUND_MS + lateMs);
      const silenceMs = connection.age() * ROUND_MS;
      if (silenceMs >= DROP_BY_MS) connection.terminate();
      else if (silenceMs >= ASK_BY_MS) connection.probe();
    }
  }
}
