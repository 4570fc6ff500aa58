/**
 * Decides which run goes next: one at a time in a session, a limited number of sessions at once, those
 * who ask taking turns.
 */

import { GatewayError } from "../core/error.ts";
import { quote } from "../core/quote.ts";

/** Runs that may wait in one session; the next is refused, as nobody reads that many answers. */
export const MAX_WAITING_PER_SESSION = 32;

/** Runs that may wait in all sessions together; the next is refused, to bound memory and delay. */
export const MAX_WAITING_RUNS = 1_000;

/** Runs of one party that may wait; the next is refused, so that no client takes the places of all. */
export const MAX_WAITING_PER_PARTY = 250;

/** When a refused client should try again, in milliseconds. */
const QUEUE_RETRY_AFTER_MS = 2_000;

/** A run's place in the queue. */
export interface Place {
  /** The run may start as soon as its turn comes. Idempotent. */
  begin(): void;
  /** Gives the place up. False when the run has already started or the place was given up before. */
  leave(): boolean;
}

/** What is run, and for whom. */
export interface QueuedWork {
  readonly work: () => Promise<void>;
  /** Who asked for it: parties take turns. */
  readonly party: string;
  /** Names the lane in a refusal. */
  readonly label: string;
}

/** One who has runs that wait or run. */
interface Party {
  readonly name: string;
  /** Lanes whose first run is this party's and could start now, in the order of their turns. */
  readonly ready: Set<Lane>;
  waiting: number;
  running: number;
  /** The number of the turn in which it was served last; 0 for never. */
  servedAt: number;
}

interface Ticket {
  readonly work: () => Promise<void>;
  readonly party: Party;
  begun: boolean;
}

interface Lane {
  readonly name: string;
  readonly waiting: Ticket[];
  running: boolean;
  /** The party among whose ready lanes it is. */
  offered?: Party;
}

/**
 * Runs work in lanes (one per session): in a lane strictly in the order of the reservations. The next
 * turn is that of the party with the fewest running, among equals of the one served longest ago; the
 * lanes of a party take turns too. So neither one who asks for much nor a lane with much to do keeps
 * others waiting.
 */
export class RunQueue {
  readonly #maxConcurrent: () => number;
  readonly #lanes = new Map<string, Lane>();
  /** Those with something that waits or runs, by name. */
  readonly #parties = new Map<string, Party>();
  #turns = 0;
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
   * (retryable) when the lane, the party's share or the queue is full.
   */
  reserve(name: string, { work, party, label }: QueuedWork): Place {
    const lane = this.#lanes.get(name) ?? { name, waiting: [], running: false };
    if (lane.waiting.length >= MAX_WAITING_PER_SESSION) {
      throw full(
        `session ${quote(label)} has ${MAX_WAITING_PER_SESSION} messages waiting for an answer`,
      );
    }
    if (this.#waiting >= MAX_WAITING_RUNS) {
      throw full(`the gateway has ${MAX_WAITING_RUNS} messages waiting for an answer`);
    }
    const asking = this.#parties.get(party) ??
      { name: party, ready: new Set(), waiting: 0, running: 0, servedAt: 0 };
    if (asking.waiting >= MAX_WAITING_PER_PARTY) {
      throw full(`this client has ${MAX_WAITING_PER_PARTY} messages waiting for an answer`);
    }
    const ticket: Ticket = { work, party: asking, begun: false };
    this.#lanes.set(name, lane);
    this.#parties.set(party, asking);
    lane.waiting.push(ticket);
    asking.waiting++;
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
        asking.waiting--;
        this.#offer(lane);
        this.#forget(asking);
        this.#turn();
        return true;
      },
    };
  }

  /** Puts a lane among the ready ones, or takes it out, as its first run says. */
  #offer(lane: Lane): void {
    const [head] = lane.waiting;
    const party = !lane.running && head?.begun === true ? head.party : undefined;
    if (lane.offered !== party) lane.offered?.ready.delete(lane);
    lane.offered = party;
    party?.ready.add(lane);
    if (!lane.running && head === undefined) this.#lanes.delete(lane.name);
  }

  #turn(): void {
    while (this.#running < Math.max(1, this.#maxConcurrent())) {
      const party = this.#nextParty();
      const [lane] = party?.ready ?? [];
      const ticket = lane?.waiting.shift();
      if (party === undefined || lane === undefined || ticket === undefined) return;
      party.servedAt = ++this.#turns;
      party.waiting--;
      party.running++;
      this.#waiting--;
      this.#running++;
      lane.running = true;
      this.#offer(lane);
      const ended = (): void => {
        party.running--;
        this.#running--;
        lane.running = false;
        this.#offer(lane);
        this.#forget(party);
        this.#turn();
      };
      ticket.work().then(ended, ended);
    }
  }

  #nextParty(): Party | undefined {
    let next: Party | undefined;
    for (const party of this.#parties.values()) {
      if (party.ready.size > 0 && (next === undefined || isBefore(party, next))) next = party;
    }
    return next;
  }

  #forget(party: Party): void {
    if (party.waiting === 0 && party.running === 0) this.#parties.delete(party.name);
  }
}

function isBefore(left: Party, right: Party): boolean {
  return left.running === right.running
    ? left.servedAt < right.servedAt
    : left.running < right.running;
}

function full(what: string): GatewayError {
  return new GatewayError(
    "UNAVAILABLE",
    `${what}; wait for one to end or abort one, then send it again`,
    { retryable: true, retryAfterMs: QUEUE_RETRY_AFTER_MS },
  );
}
