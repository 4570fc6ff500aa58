/** Questions with options that people on a channel answer by writing the number or the words of one. */

import * as v from "valibot";
import type { TenantId } from "../core/id.ts";
import { type ChannelPeer, peerName } from "../ports/channel.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Store, StoreWrite } from "../ports/store.ts";
import { Collection } from "./collection.ts";

/** Polls remembered, closed ones included; the oldest is forgotten for a new one. */
export const MAX_POLLS = 1_000;

/** People whose answers one poll holds; answers of others go to the agent as any message. */
export const MAX_VOTERS = 10_000;

/** How long a poll takes answers where it does not say, and at the most, in hours. */
export const DEFAULT_POLL_HOURS = 24;
export const MAX_POLL_HOURS = 24 * 30;

/** Longest message that can be an answer, in characters. */
const MAX_ANSWER_CHARS = 512;

const KIND = "poll";

const PollSchema = v.object({
  channel: v.string(),
  peer: v.string(),
  question: v.string(),
  options: v.array(v.string()),
  maxSelections: v.number(),
  askedAt: v.number(),
  closesAt: v.number(),
  /** The options (from 0) that each person chose last, by `=` and their id, so that no name is special. */
  votes: v.record(v.string(), v.array(v.number())),
});

/** A question and the answers so far. */
export type Poll = Readonly<v.InferOutput<typeof PollSchema>>;

/** How often an option was chosen. */
export interface PollCount {
  readonly option: string;
  readonly count: number;
}

/** What polls are made of. */
export interface PollParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly tenant: TenantId;
}

/** Keeps polls; an answer is stored before it is confirmed. */
export class ChannelPolls {
  readonly #parts: PollParts;
  readonly #polls: Collection<Poll>;
  /** The newest poll of each conversation, by channel and peer. Bounded by {@linkcode MAX_POLLS}. */
  readonly #open = new Map<string, { readonly id: string; readonly closesAt: number }>();

  constructor(parts: PollParts) {
    this.#parts = parts;
    this.#polls = new Collection<Poll>(parts.store, {
      kind: KIND,
      schema: PollSchema,
      toJson: (poll) => ({ ...poll, options: [...poll.options], votes: { ...poll.votes } }),
      order: ({ askedAt }) => askedAt,
      log: parts.log,
    });
  }

  /** Reads the polls that were asked before. */
  async load(): Promise<void> {
    const items = await this.#polls.list(this.#parts.tenant, {
      limit: MAX_POLLS,
      newestFirst: true,
    });
    for (const { id, value } of items.toReversed()) this.#remember(id, value);
  }

  /** The poll of this name. */
  async get(id: string): Promise<Poll | undefined> {
    return (await this.#polls.get(this.#parts.tenant, id))?.value;
  }

  /** The writes that store a poll, new or asked once more, and forget the oldest where there are too many. */
  async asking(id: string, poll: Poll): Promise<readonly StoreWrite[]> {
    const { tenant } = this.#parts;
    const surplus = await this.#polls.count(tenant) - MAX_POLLS + 1;
    const old = surplus > 0 ? await this.#polls.list(tenant, { limit: surplus }) : [];
    return [
      this.#polls.put(tenant, id, poll),
      ...old.filter((item) => item.id !== id).map((item) => this.#polls.remove(tenant, item.id)),
    ];
  }

  /** The writes that take back what {@linkcode asking} stored. */
  unasking(id: string): readonly StoreWrite[] {
    return [this.#polls.remove(this.#parts.tenant, id)];
  }

  /** Takes answers to a poll that was stored from now on. */
  asked(id: string, poll: Poll): void {
    this.#remember(id, poll);
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
    const key = `${channel}\0${peerName(peer)}`;
    const open = this.#open.get(key);
    if (open === undefined || text.length > MAX_ANSWER_CHARS) return undefined;
    if (open.closesAt <= this.#parts.clock.now()) {
      this.#open.delete(key);
      return undefined;
    }
    let chosen: readonly number[] | undefined;
    const poll = await this.#polls.update(this.#parts.tenant, open.id, (current) => {
      chosen = current === undefined ? undefined : choose(current, text);
      if (current === undefined || chosen === undefined) return undefined;
      const voter = `=${sender}`;
      const known = Object.hasOwn(current.votes, voter);
      if (!known && Object.keys(current.votes).length >= MAX_VOTERS) {
        chosen = undefined;
        return undefined;
      }
      const votes = Object.fromEntries([...Object.entries(current.votes), [voter, [...chosen]]]);
      return { value: { ...current, votes } };
    });
    if (poll === undefined || chosen === undefined) return undefined;
    return `Noted: ${chosen.map((at) => poll.options[at] ?? "").join(", ")}`;
  }

  #remember(id: string, { channel, peer, closesAt }: Poll): void {
    const key = `${channel}\0${peer}`;
    this.#open.delete(key);
    this.#open.set(key, { id, closesAt });
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= MAX_POLLS) return;
      this.#open.delete(oldest);
    }
  }
}

/** How often each option was chosen. */
export function pollCounts({ options, votes }: Poll): readonly PollCount[] {
  const chosen = Object.values(votes).flat();
  return options.map((option, at) => ({
    option,
    count: chosen.filter((choice) => choice === at).length,
  }));
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
