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
  /**
   * Its lane goes on when the promise settles, however it does. Another lane may have its turn as soon as `done` is
   * called, e.g. while what was worked out is stored.
   */
  readonly work: (done: () => void) => Promise<void>;
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
  /** Where it stands in line, while it has something that is ready. */
  line?: Set<Party>;
}

interface Ticket {
  readonly work: QueuedWork["work"];
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
 * turn is that of the party with the fewest running, equals taking turns; the lanes of a party take turns
 * too. So neither one who asks for much nor a lane with much to do keeps others waiting.
 */
export class RunQueue {
  readonly #maxConcurrent: () => number;
  readonly #lanes = new Map<string, Lane>();
  /** Those with something that waits or runs, by name. */
  readonly #parties = new Map<string, Party>();
  /** Parties with something ready, by how many of theirs run; in each line whoever came into it first is next. */
  readonly #lines: Set<Party>[] = [];
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
   * has come. Throws `UNAVAILABLE` (retryable) when the lane, the party's share or the queue is full.
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
      { name: party, ready: new Set(), waiting: 0, running: 0 };
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
    const before = lane.offered;
    lane.offered = party;
    if (before !== undefined && before !== party) {
      before.ready.delete(lane);
      this.#lineUp(before);
    }
    if (party !== undefined) {
      party.ready.add(lane);
      this.#lineUp(party);
    }
    if (!lane.running && head === undefined) this.#lanes.delete(lane.name);
  }

  /** Puts a party at the end of the line where it belongs now, unless it stands there. */
  #lineUp(party: Party): void {
    const line = party.ready.size === 0 ? undefined : this.#lines[party.running] ??= new Set();
    if (line === party.line) return;
    party.line?.delete(party);
    line?.add(party);
    party.line = line;
  }

  #turn(): void {
    while (this.#running < Math.max(1, this.#maxConcurrent())) {
      const party = this.#nextParty();
      const [lane] = party?.ready ?? [];
      const ticket = lane?.waiting.shift();
      if (party === undefined || lane === undefined || ticket === undefined) return;
      party.waiting--;
      this.#waiting--;
      this.#count(party, 1);
      lane.running = true;
      this.#offer(lane);
      let holds = true;
      const done = (): void => {
        if (!holds) return;
        holds = false;
        this.#count(party, -1);
        this.#forget(party);
        this.#turn();
      };
      const ended = (): void => {
        lane.running = false;
        this.#offer(lane);
        if (holds) done();
        else this.#turn();
      };
      ticket.work(done).then(ended, ended);
    }
  }

  #count(party: Party, runs: 1 | -1): void {
    party.running += runs;
    this.#running += runs;
    this.#lineUp(party);
  }

  #nextParty(): Party | undefined {
    for (const line of this.#lines) {
      for (const party of line ?? []) return party;
    }
    return undefined;
  }

  #forget(party: Party): void {
    // Another one of this name may have come since it was forgotten.
    if (party.waiting > 0 || party.running > 0) return;
    if (this.#parties.get(party.name) === party) this.#parties.delete(party.name);
  }
}

function full(what: string): GatewayError {
  return new GatewayError(
    "UNAVAILABLE",
    `${what}; wait for one to end or abort one, then send it again`,
    { retryable: true, retryAfterMs: QUEUE_RETRY_AFTER_MS },
  );
}
