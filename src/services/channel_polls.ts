/** Questions with options that people on a channel answer by writing the number or the words of one. */

import * as v from "valibot";
import type { TenantId } from "../core/id.ts";
import { type ChannelPeer, peerName } from "../ports/channel.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { type Store, StoreConflict, type StoreWrite } from "../ports/store.ts";
import { Collection, type Item } from "./collection.ts";

/** Polls remembered, closed ones included; the oldest is forgotten for a new one. */
export const MAX_POLLS = 1_000;

/** People whose answers one poll holds; answers of others go to the agent as any message. */
export const MAX_VOTERS = 10_000;

/** How long a poll takes answers where it does not say, and at the most, in hours. */
export const DEFAULT_POLL_HOURS = 24;
export const MAX_POLL_HOURS = 24 * 30;

/** Longest message that can be an answer, in characters. */
const MAX_ANSWER_CHARS = 512;

/** How often a vote is stored anew when another of the same person was faster. */
const MAX_VOTE_ATTEMPTS = 8;

/** Votes read or removed at a time. */
const PAGE = 500;

const PollSchema = v.object({
  channel: v.string(),
  peer: v.string(),
  question: v.string(),
  options: v.array(v.string()),
  maxSelections: v.number(),
  askedAt: v.number(),
  closesAt: v.number(),
  /** A UUID by which its votes are found; another one each time the question is asked. */
  ballot: v.string(),
  /** It is not known to have reached anybody, so what people write is no answer to it. */
  pending: v.optional(v.literal(true)),
});

/** A question. */
export type Poll = Readonly<v.InferOutput<typeof PollSchema>>;

const VoteSchema = v.object({
  ballot: v.string(),
  /** The options (from 0) that the person chose last. */
  chosen: v.array(v.number()),
});

type Vote = v.InferOutput<typeof VoteSchema>;

/** How often an option was chosen. */
export interface PollCount {
  readonly option: string;
  readonly count: number;
}

/** The answers so far. */
export interface PollResults {
  readonly voters: number;
  readonly answers: readonly PollCount[];
}

/** A poll that takes answers. */
interface OpenPoll {
  readonly id: string;
  readonly closesAt: number;
  /** How many have answered; read from the store with the first answer. */
  voters?: Promise<{ count: number }>;
}

/** What polls are made of. */
export interface PollParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly tenant: TenantId;
}

/**
 * Keeps polls; an answer is stored before it is confirmed. Each person's answer is a record of its own, so that it
 * costs the same however many there are.
 */
export class ChannelPolls {
  readonly #parts: PollParts;
  readonly #polls: Collection<Poll>;
  readonly #votes: Collection<Vote>;
  /** The newest poll of each conversation, by channel and peer. Bounded by {@linkcode MAX_POLLS}. */
  readonly #open = new Map<string, OpenPoll>();

  constructor(parts: PollParts) {
    this.#parts = parts;
    this.#polls = new Collection<Poll>(parts.store, {
      kind: "poll",
      schema: PollSchema,
      toJson: (poll) => ({ ...poll, options: [...poll.options] }),
      order: ({ askedAt }) => askedAt,
      log: parts.log,
    });
    this.#votes = new Collection<Vote>(parts.store, {
      kind: "poll-vote",
      schema: VoteSchema,
      toJson: (vote) => ({ ...vote, chosen: [...vote.chosen] }),
      // A choice that is changed while they are read is met once.
      order: () => 0,
      tag: ({ ballot }) => ballot,
      log: parts.log,
    });
  }

  /** Reads the polls that were asked before; one that a killed process left pending takes no answers. */
  async load(): Promise<void> {
    const items = await this.#polls.list(this.#parts.tenant, {
      limit: MAX_POLLS,
      newestFirst: true,
    });
    for (const { id, value } of items.toReversed()) {
      if (value.pending === undefined) this.#remember(id, value);
    }
  }

  /** Whether a poll was asked, as far as is known; where the store did not take that, it is told again. */
  async wasAsked(id: string): Promise<boolean> {
    const poll = (await this.#polls.get(this.#parts.tenant, id))?.value;
    if (poll?.pending === undefined) return true;
    if (this.#open.get(keyOf(poll))?.id !== id) return false;
    const { pending: _, ...asked } = poll;
    await this.asked(id, asked);
    return true;
  }

  /** The answers to a poll so far; none to one that is forgotten. */
  async results(id: string, { options }: Pick<Poll, "options">): Promise<PollResults> {
    const poll = (await this.#polls.get(this.#parts.tenant, id))?.value;
    const counts = options.map((option) => ({ option, count: 0 }));
    let voters = 0;
    if (poll === undefined) return { voters, answers: counts };
    for await (const votes of this.#votesOf(poll)) {
      voters += votes.length;
      for (const at of votes.flatMap(({ value }) => value.chosen)) {
        const counted = counts[at];
        if (counted !== undefined) counted.count++;
      }
    }
    return { voters, answers: counts };
  }

  /**
   * The writes that store a poll as pending, new or asked once more, and forget the oldest where there are too
   * many. The answers to what is forgotten go before it.
   */
  async asking(id: string, poll: Poll): Promise<readonly StoreWrite[]> {
    const { tenant } = this.#parts;
    const surplus = await this.#polls.count(tenant) - MAX_POLLS + 1;
    const old = surplus > 0 ? await this.#polls.list(tenant, { limit: surplus }) : [];
    const before = await this.#polls.get(tenant, id);
    const gone = [...old.filter((item) => item.id !== id), ...before === undefined ? [] : [before]];
    for (const item of gone) {
      const key = keyOf(item.value);
      if (this.#open.get(key)?.id === item.id) this.#open.delete(key);
      await this.#forgetVotes(item.value);
    }
    return [
      this.#polls.put(tenant, id, { ...poll, pending: true }),
      ...old.filter((item) => item.id !== id).map((item) => this.#polls.remove(tenant, item.id)),
    ];
  }

  /** The writes that take back what {@linkcode asking} stored. */
  unasking(id: string): readonly StoreWrite[] {
    return [this.#polls.remove(this.#parts.tenant, id)];
  }

  /**
   * Takes answers to a stored poll from now on, and stores that it was asked. To be called in the turn in which
   * people get it: so that is stored before any answer is.
   */
  async asked(id: string, poll: Poll): Promise<void> {
    const { store, tenant } = this.#parts;
    this.#remember(id, poll);
    await store.commit([this.#polls.put(tenant, id, poll)]);
  }

  /** Whether a poll may be open in a conversation. */
  asks({ channel, peer }: { readonly channel: string; readonly peer: ChannelPeer }): boolean {
    return this.#open.size > 0 && this.#open.has(keyOf({ channel, peer: peerName(peer) }));
  }

  /** Counts the message where it answers an open poll, and says so; undefined where it is no answer. */
  async answer(
    { channel, peer, sender, text }: {
      readonly channel: string;
      readonly peer: ChannelPeer;
      readonly sender: string;
      readonly text: string;
    },
  ): Promise<string | undefined> {
    const key = keyOf({ channel, peer: peerName(peer) });
    const open = this.#open.get(key);
    if (open === undefined || text.length > MAX_ANSWER_CHARS) return undefined;
    if (open.closesAt <= this.#parts.clock.now()) {
      this.#open.delete(key);
      return undefined;
    }
    const poll = (await this.#polls.get(this.#parts.tenant, open.id))?.value;
    const chosen = poll === undefined ? undefined : choose(poll, text);
    if (poll === undefined || chosen === undefined) return undefined;
    if (!await this.#vote(open, { poll, sender, chosen })) return undefined;
    return `Noted: ${chosen.map((at) => poll.options[at] ?? "").join(", ")}`;
  }

  /** Stores the one vote of a person; false where there are too many people. */
  async #vote(
    open: OpenPoll,
    { poll: { ballot }, sender, chosen }: {
      readonly poll: Poll;
      readonly sender: string;
      readonly chosen: readonly number[];
    },
  ): Promise<boolean> {
    const { store, tenant } = this.#parts;
    const voters = await (open.voters ??= this.#countVoters(open, ballot));
    const id = `${ballot}=${sender}`;
    const vote: Vote = { ballot, chosen: [...chosen] };
    for (let attempt = 1;; attempt++) {
      const { revision } = await this.#votes.current(tenant, id);
      const fresh = revision === 0 ? 1 : 0;
      if (voters.count + fresh > MAX_VOTERS) return false;
      voters.count += fresh;
      try {
        await store.commit([this.#votes.put(tenant, id, vote, revision)]);
        return true;
      } catch (error) {
        voters.count -= fresh;
        if (!(error instanceof StoreConflict) || attempt >= MAX_VOTE_ATTEMPTS) throw error;
      }
    }
  }

  /** Read once; tried again at the next answer where it fails. */
  async #countVoters(open: OpenPoll, ballot: string): Promise<{ count: number }> {
    try {
      return { count: await this.#votes.count(this.#parts.tenant, { tag: ballot }) };
    } catch (error) {
      open.voters = undefined;
      throw error;
    }
  }

  async *#votesOf({ ballot }: Pick<Poll, "ballot">): AsyncGenerator<readonly Item<Vote>[], void> {
    let after: { order: number; id: string } | undefined;
    do {
      const query = { tag: ballot, limit: PAGE, after };
      const { items, last } = await this.#votes.page(this.#parts.tenant, query);
      yield items;
      after = last;
    } while (after !== undefined);
  }

  async #forgetVotes(poll: Poll): Promise<void> {
    const { store, tenant } = this.#parts;
    for await (const votes of this.#votesOf(poll)) {
      if (votes.length > 0) {
        await store.commit(votes.map(({ id }) => this.#votes.remove(tenant, id)));
      }
    }
  }

  #remember(id: string, poll: Poll): void {
    const key = keyOf(poll);
    this.#open.delete(key);
    this.#open.set(key, { id, closesAt: poll.closesAt });
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= MAX_POLLS) return;
      this.#open.delete(oldest);
    }
  }
}

/** The conversation that a poll is asked in. */
function keyOf({ channel, peer }: { readonly channel: string; readonly peer: string }): string {
  return `${channel}\0${peer}`;
}

/** The question as text, with how to answer it. */
export function pollText({ question, options, maxSelections }: Poll): string {
  const lines = options.map((option, at) => `${at + 1}. ${option}`);
  const how = maxSelections > 1
    ? `Answer with up to ${maxSelections} numbers, such as 1, 2.`
    : "Answer with a number.";
  return [question, ...lines, how].join("\n");
}

/** The options that a message names: numbers with commas or blanks between, or the words of one. */
function choose({ options, maxSelections }: Poll, text: string): readonly number[] | undefined {
  const said = text.trim().toLowerCase();
  const worded = options.findIndex((option) => option.trim().toLowerCase() === said);
  if (worded >= 0) return [worded];
  if (!/^\d{1,2}(?:[\s,;]+\d{1,2}){0,11}$/.test(said)) return undefined;
  const chosen = [...new Set(said.split(/[\s,;]+/).map((number) => Number(number) - 1))];
  if (chosen.length > maxSelections) return undefined;
  return chosen.every((at) => at >= 0 && at < options.length) ? chosen : undefined;
}
