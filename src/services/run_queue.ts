/** Decides which run goes next: one at a time in a session, a limited number of sessions at once. */

import { GatewayError } from "../core/error.ts";
import { quote } from "../core/quote.ts";

/** Runs that may wait in one session; the next is refused, as nobody reads that many answers. */
export const MAX_WAITING_PER_SESSION = 32;

/** Runs that may wait in all sessions together; the next is refused, to bound memory and delay. */
export const MAX_WAITING_RUNS = 1_000;

/** When a refused client should try again, in milliseconds. */
export const QUEUE_RETRY_AFTER_MS = 2_000;

/** A run's place in the queue. */
export interface Place {
  /** The run may start as soon as its turn comes. Idempotent. */
  begin(): void;
  /** Gives the place up. False when the run has already started or the place was given up before. */
  leave(): boolean;
}

interface Ticket {
  readonly work: () => Promise<void>;
  begun: boolean;
}

interface Lane {
  readonly name: string;
  readonly waiting: Ticket[];
  running: boolean;
}

/**
 * Runs work in lanes (one per session): in a lane strictly in the order of the reservations, the lanes
 * taking turns, so that a lane with much to do does not keep others waiting.
 */
export class RunQueue {
  readonly #maxConcurrent: () => number;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes whose first run could start now, in the order in which they are served. */
  readonly #ready = new Set<Lane>();
  #running = 0;
  #waiting = 0;

  /** `maxConcurrent`: how many may run at once; read at every turn. */
  constructor({ maxConcurrent }: { maxConcurrent: () => number }) {
    this.#maxConcurrent = maxConcurrent;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Takes the next place in a lane. `work` is called once, after {@linkcode Place.begin}, when its turn
   * has come; its lane goes on when the promise settles, however it does. Throws `UNAVAILABLE`
   * (retryable) when the lane or the queue is full; `label` names the lane in the message.
   */
  reserve(name: string, { work, label }: { work: () => Promise<void>; label: string }): Place {
    const lane = this.#lanes.get(name) ?? { name, waiting: [], running: false };
    if (lane.waiting.length >= MAX_WAITING_PER_SESSION) {
      throw full(
        `session ${quote(label)} has ${MAX_WAITING_PER_SESSION} messages waiting for an answer`,
      );
    }
    if (this.#waiting >= MAX_WAITING_RUNS) {
      throw full(`the gateway has ${MAX_WAITING_RUNS} messages waiting for an answer`);
    }
    const ticket: Ticket = { work, begun: false };
    this.#lanes.set(name, lane);
    lane.waiting.push(ticket);
    this.#waiting++;
    return {
      begin: () => {
        if (ticket.begun || !lane.waiting.includes(ticket)) return;
        ticket.begun = true;
        this.#offer(lane);
        this.#turn();
      },
      leave: () => {
        const at = lane.waiting.indexOf(ticket);
        if (at === -1) return false;
        lane.waiting.splice(at, 1);
        this.#waiting--;
        this.#offer(lane);
        this.#turn();
        return true;
      },
    };
  }

  /** Puts a lane among the ready ones, or takes it out, as its first run says. */
  #offer(lane: Lane): void {
    const [head] = lane.waiting;
    if (!lane.running && head?.begun === true) this.#ready.add(lane);
    else this.#ready.delete(lane);
    if (!lane.running && head === undefined) this.#lanes.delete(lane.name);
  }

  #turn(): void {
    for (const lane of this.#ready) {
      if (this.#running >= Math.max(1, this.#maxConcurrent())) return;
      this.#ready.delete(lane);
      const ticket = lane.waiting.shift();
      if (ticket === undefined) continue;
      this.#waiting--;
      this.#running++;
      lane.running = true;
      const ended = (): void => {
        this.#running--;
        lane.running = false;
        this.#offer(lane);
        this.#turn();
      };
      ticket.work().then(ended, ended);
    }
  }
}

function full(what: string): GatewayError {
  return new GatewayError(
    "UNAVAILABLE",
    `${what}; wait for one to end or abort one, then send it again`,
    { retryable: true, retryAfterMs: QUEUE_RETRY_AFTER_MS },
  );
}
