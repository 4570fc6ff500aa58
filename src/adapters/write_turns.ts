/** Decides when what is queued on connections is written: at the end of a turn, or a moment later in a crowd. */

/** A connection that has something to write. */
export interface Flushable {
  flush(): void;
}

/**
 * Connections above which messages that can wait do: with so many listeners, an event costs a system
 * call each, and two or three events that come close together share them.
 */
export const CROWD = 64;

/** How long such a message waits at the most, in milliseconds: too short to be noticed by a person. */
const CROWD_DELAY_MS = 8;

/** Only what comes this soon after the event before it waits, in milliseconds: a lone event goes at once. */
const CROWD_GAP_MS = 3;

/** Events that do not wait after a wait that no other event joined; doubled by each such wait in a row, up to the last. */
const UNJOINED_PAUSE = { first: 1, last: 16 } as const;

/** Puts what is sent close together on one connection into one write. */
export class WriteTurns {
  readonly #connections: () => number;
  readonly #now: () => number;
  #turn: Flushable[] = [];
  #crowd = new Set<Flushable>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastEventAt = -Infinity;
  #hurry: boolean | undefined;
  /** Another event came while this wait lasted. */
  #joined = false;
  /** Events that are yet to go at once, and how many the next wait in vain will let go. */
  #pause = 0;
  #nextPause: number = UNJOINED_PAUSE.first;

  /** `connections` tells how many there are now; `now`: a monotonic clock in milliseconds. */
  constructor(connections: () => number, now: () => number = () => performance.now()) {
    this.#connections = connections;
    this.#now = now;
  }

  /**
   * Has a connection written to: when the turn ends, or somewhat later for what can wait in a crowd.
   * `fresh`: nothing of it waits yet.
   */
  hold(connection: Flushable, { fresh, patient }: { fresh: boolean; patient: boolean }): void {
    const waits = patient && this.#connections() > CROWD && this.#hurried();
    if (fresh) {
      if (waits) return this.#wait(connection);
    } else if (waits || !this.#crowd.delete(connection)) return;
    if (this.#turn.push(connection) === 1) queueMicrotask(this.#endTurn);
  }

  /** Takes back a connection that is gone. */
  forget(connection: Flushable): void {
    this.#crowd.delete(connection);
  }

  /** All connections are gone. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Whether the events of this turn follow close upon others; one answer for all of the turn. */
  #hurried(): boolean {
    if (this.#hurry === undefined) {
      const now = this.#now();
      this.#hurry = this.#paysToWait(now - this.#lastEventAt);
      this.#lastEventAt = now;
      queueMicrotask(() => this.#hurry = undefined);
    }
    return this.#hurry;
  }

  #paysToWait(gapMs: number): boolean {
    if (gapMs >= CROWD_GAP_MS) return false;
    if (this.#timer !== undefined) return this.#joined = true;
    if (this.#pause === 0) return true;
    this.#pause--;
    return false;
  }

  #wait(connection: Flushable): void {
    this.#crowd.add(connection);
    this.#timer ??= setTimeout(this.#endWait, CROWD_DELAY_MS);
  }

  readonly #endTurn = (): void => {
    const held = this.#turn;
    this.#turn = [];
    for (const connection of held) connection.flush();
  };

  readonly #endWait = (): void => {
    this.#timer = undefined;
    this.#learn();
    const held = this.#crowd;
    this.#crowd = new Set();
    for (const connection of held) connection.flush();
  };

  /** A cause that waits for its effect before the next one, such as a caller, is only slowed down by waiting. */
  #learn(): void {
    if (this.#joined) this.#nextPause = UNJOINED_PAUSE.first;
    else {
      this.#pause = this.#nextPause;
      this.#nextPause = Math.min(2 * this.#nextPause, UNJOINED_PAUSE.last);
    }
    this.#joined = false;
  }
}
