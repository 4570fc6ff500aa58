/** The channels of the gateway: how they stand, and what operators send to the people on them. */

import * as v from "valibot";
import { GatewayError, invalidRequest } from "../core/error.ts";
import { type SessionKey, type TenantId, tenantKey } from "../core/id.ts";
import { quote } from "../core/quote.ts";
import {
  type Channel,
  type ChannelPeer,
  type ChannelState,
  DEFAULT_ACCOUNT,
  peerName,
  peerOf,
} from "../ports/channel.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import type { Store, StoreWrite } from "../ports/store.ts";
import { isPeerId } from "./channel_name.ts";
import {
  type ChannelPolls,
  DEFAULT_POLL_HOURS,
  MAX_POLL_HOURS,
  type PollResults,
  pollText,
} from "./channel_polls.ts";
import { Collection } from "./collection.ts";
import { KeyedMutex } from "./keyed_mutex.ts";
import { fingerprintOf } from "./run_record.ts";
import type { Runs } from "./runs.ts";

/** How long the key of a message that was sent is remembered, in milliseconds; that of a poll at least until it closes. */
export const SENT_RETENTION_MS = 24 * 60 * 60_000;

/** Most keys remembered; beyond it the oldest is forgotten before its time. */
export const MAX_SENT_RECORDS = 10_000;

/** Longest message that is sent, in characters. */
export const MAX_OUTBOUND_CHARS = 64 * 1024;

/** Most options of a poll, and the longest of them, in characters. */
export const MAX_POLL_OPTIONS = 12;
const MAX_POLL_TEXT_CHARS = 512;

/** Records removed at a time. */
const SWEEP_PAGE = 200;

/** A sweep follows every so many messages. */
const SWEEP_EVERY = 64;

const HOUR_MS = 60 * 60_000;

const SentSchema = v.object({
  fingerprint: v.string(),
  channel: v.string(),
  messageId: v.string(),
  chatId: v.string(),
  sentAt: v.number(),
  /** When a poll closes, whose key counts until then; absent: {@linkcode SENT_RETENTION_MS} is long enough. */
  closesAt: v.optional(v.number()),
});

type Sent = v.InferOutput<typeof SentSchema>;

/** To whom, on which channel, under which key. */
export interface Addressed {
  readonly to: string;
  /** Absent: the one channel that there is. */
  readonly channel?: string;
  readonly accountId?: string;
  readonly idempotencyKey: string;
}

/** A message to send. */
export interface SendRequest extends Addressed {
  readonly message: string;
  readonly mediaUrls: readonly string[];
  /** A session that shall hold the message as well. */
  readonly mirror?: { readonly sessionKey: SessionKey; readonly requestedKey: string };
}

/** A question to ask. */
export interface PollRequest extends Addressed {
  readonly question: string;
  readonly options: readonly string[];
  readonly maxSelections?: number;
  readonly durationHours?: number;
}

/** A message that was sent; the same again for the same key. */
export interface SendReceipt {
  readonly runId: string;
  readonly messageId: string;
  readonly channel: string;
  readonly chatId: string;
}

/** The same of a poll, with the answers so far. */
export interface PollReceipt extends SendReceipt, PollResults {
  readonly pollId: string;
}

/** What channels are made of. */
export interface ChannelParts {
  /** The first is the one that is meant where none is named. Not asked before the first use. */
  readonly channels: () => readonly Channel[];
  readonly polls: ChannelPolls;
  readonly runs: Pick<Runs, "inject">;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Everything that operators do with channels. */
export class Channels {
  readonly #parts: ChannelParts;
  readonly #sent: Collection<Sent>;
  readonly #turns = new KeyedMutex();
  #count = 0;

  constructor(parts: ChannelParts) {
    this.#parts = parts;
    this.#sent = new Collection<Sent>(parts.store, {
      kind: "sent",
      schema: SentSchema,
      toJson: (record) => ({ ...record }),
      order: ({ sentAt }) => sentAt,
      log: parts.log,
    });
  }

  /** Every channel and how it stands; `at` is the time of that. */
  list(): {
    readonly at: number;
    readonly channels: readonly { readonly channel: Channel; readonly state: ChannelState }[];
  } {
    const { channels, clock } = this.#parts;
    const states = channels().map((channel) => ({ channel, state: channel.state() }));
    return { at: clock.now(), channels: states };
  }

  /** Ends the connections of a channel. Throws `INVALID_REQUEST` for one that there is not. */
  logout(
    wanted: { readonly channel: string; readonly accountId?: string },
  ): { readonly channel: string; readonly accountId: string; readonly closed: number } {
    const channel = this.#channel(wanted);
    return { channel: channel.id, accountId: DEFAULT_ACCOUNT, closed: channel.disconnectAll() };
  }

  /**
   * Writes to everyone of a conversation who is connected. Throws `INVALID_REQUEST` for what cannot be
   * sent, and `UNAVAILABLE` when nobody was reached, also where the last of them left meanwhile; the key is
   * not used up then.
   */
  async send(tenant: TenantId, request: SendRequest): Promise<SendReceipt> {
    const text = [request.message, ...request.mediaUrls].filter((part) => part !== "").join("\n");
    if (text.trim() === "") throw invalidRequest("message or mediaUrl required");
    if (text.length > MAX_OUTBOUND_CHARS) {
      const { length } = text;
      throw invalidRequest(
        `message has ${length} characters; at most ${MAX_OUTBOUND_CHARS} are accepted`,
      );
    }
    const print = await fingerprintOf(["send", request]);
    return await this.#once(tenant, { request, print, text: () => text });
  }

  /** Asks a question; the same key later tells the answers so far. Refusals as of {@linkcode send}. */
  async poll(tenant: TenantId, request: PollRequest): Promise<PollReceipt> {
    const { options, question, maxSelections = 1, durationHours = DEFAULT_POLL_HOURS } = request;
    checkPoll(request);
    const { clock, polls, random } = this.#parts;
    const print = await fingerprintOf(["poll", request]);
    const channel = this.#channel(request);
    const askedAt = clock.now();
    const poll = {
      channel: channel.id,
      peer: peerName(peerFor(request.to)),
      question,
      options: [...options],
      maxSelections,
      askedAt,
      closesAt: askedAt + durationHours * HOUR_MS,
      ballot: random.uuid(),
    };
    const pollId = `${tenant}:${request.idempotencyKey}`;
    const receipt = await this.#once(tenant, {
      request,
      print,
      text: () => pollText(poll),
      closesAt: poll.closesAt,
      stands: () => polls.wasAsked(pollId),
      alongside: () => polls.asking(pollId, poll),
      reached: () => polls.asked(pollId, poll),
      undo: () => polls.unasking(pollId),
    });
    return { ...receipt, pollId, ...await polls.results(pollId, poll) };
  }

  /**
   * Sends once for each key. The key is stored first, so that nothing is said twice; a process that dies between
   * the two has said it to nobody although its key counts as used. A poll of which is not known whether anybody
   * saw it is asked once more when its key comes again: better twice than never.
   */
  #once(
    tenant: TenantId,
    { request, print, text, closesAt, stands, alongside, reached, undo }: {
      readonly request: Addressed & Pick<Partial<SendRequest>, "mirror">;
      readonly print: string;
      readonly text: () => string;
      readonly closesAt?: number;
      /** Whether the key, which is known, still stands for what was sent; absent: it does. */
      readonly stands?: () => Promise<boolean>;
      readonly alongside?: () => Promise<readonly StoreWrite[]>;
      /** Called in the turn in which people got it. */
      readonly reached?: () => Promise<void>;
      /** Takes back what was stored alongside, where nobody was reached. */
      readonly undo?: () => readonly StoreWrite[];
    },
  ): Promise<SendReceipt> {
    const { idempotencyKey: key, mirror } = request;
    const { clock, random, runs, store } = this.#parts;
    const work = async (): Promise<SendReceipt> => {
      const known = await this.#sent.current(tenant, key);
      if (known.value !== undefined && remembered(known.value, clock.now())) {
        if (known.value.fingerprint !== print) throw keyUsed(key);
        if (await stands?.() !== false) return receiptOf(key, known.value);
      }
      const channel = this.#channel(request);
      const to = peerFor(request.to);
      if (!channel.state().enabled) throw switchedOff(channel);
      if (channel.reach(to) === 0) throw nobody(to);
      const messageId = random.uuid();
      const sent: Sent = {
        fingerprint: print,
        channel: channel.id,
        messageId,
        chatId: peerName(to),
        sentAt: clock.now(),
        ...(closesAt === undefined ? {} : { closesAt }),
      };
      const put = this.#sent.put(tenant, key, sent, known.revision);
      await store.commit([put, ...await alongside?.() ?? []]);
      if (channel.deliver({ to, messageId, text: text() }) === 0) {
        await store.commit([this.#sent.remove(tenant, key), ...undo?.() ?? []]);
        throw nobody(to);
      }
      await reached?.();
      if (mirror !== undefined) await runs.inject(tenant, { ...mirror, message: text() });
      this.#sweep(tenant);
      return receiptOf(key, sent);
    };
    return this.#turns.run(tenantKey(tenant, key), { name: key, work });
  }

  #channel({ channel: id, accountId }: { channel?: string; accountId?: string }): Channel {
    const channels = this.#parts.channels();
    const found = id === undefined || id === ""
      ? channels[0]
      : channels.find((channel) => channel.id === id.trim().toLowerCase());
    if (found === undefined) {
      const names = channels.map((channel) => channel.id).join(", ");
      const known = names === "" ? "this gateway has none" : `use ${names}`;
      throw invalidRequest(`unknown channel ${quote(id ?? "", 80)}; ${known}`);
    }
    if (accountId !== undefined && accountId !== "" && accountId !== DEFAULT_ACCOUNT) {
      throw invalidRequest(
        `unknown account ${quote(accountId, 80)} of channel ${found.id}; use ${DEFAULT_ACCOUNT}`,
      );
    }
    return found;
  }

  /** Forgets what is past its time, and the oldest of too many. */
  #sweep(tenant: TenantId): void {
    this.#count++;
    if (this.#count % SWEEP_EVERY !== 0) return;
    const { clock, log, store } = this.#parts;
    const now = clock.now();
    const work = async (): Promise<void> => {
      const surplus = await this.#sent.count(tenant) - MAX_SENT_RECORDS;
      const oldest = await this.#sent.list(tenant, { limit: SWEEP_PAGE });
      const gone = oldest.filter(({ value }, at) => !remembered(value, now) || at < surplus);
      await store.commit(gone.map(({ id, revision }) => this.#sent.remove(tenant, id, revision)));
    };
    work().catch((error) => log.write("warn", "old keys not removed", { error: String(error) }));
  }
}

/** Whether the key of this message still stands for it. */
function remembered({ sentAt, closesAt = 0 }: Sent, now: number): boolean {
  return now < Math.max(sentAt + SENT_RETENTION_MS, closesAt);
}

function receiptOf(runId: string, { messageId, channel, chatId }: Sent): SendReceipt {
  return { runId, messageId, channel, chatId };
}

function peerFor(to: string): ChannelPeer {
  const peer = peerOf(to.trim());
  if (isPeerId(peer.id)) return peer;
  throw invalidRequest(
    `to ${quote(to, 80)} names nobody; use a user's id, or group:<id> for a group`,
  );
}

function switchedOff({ id }: Channel): GatewayError {
  return new GatewayError(
    "UNAVAILABLE",
    `channel ${id} is off; switch it on in the settings`,
    { details: { reason: "off" } },
  );
}

function nobody(to: ChannelPeer): GatewayError {
  const id = quote(to.id, 80);
  const whom = to.kind === "group"
    ? `nobody of the group ${id} is connected`
    : `${id} is not connected`;
  return new GatewayError(
    "UNAVAILABLE",
    `${whom}; send again when they are`,
    { retryable: true, details: { reason: "not-connected", to: peerName(to) } },
  );
}

function keyUsed(key: string): GatewayError {
  return invalidRequest(
    `idempotency key ${quote(key, 80)} was used with different parameters; use a new key`,
  );
}

function checkPoll({ options, question, maxSelections = 1, durationHours = 1 }: PollRequest): void {
  const texts = [question, ...options];
  if (texts.some((text) => text.trim() === "" || text.length > MAX_POLL_TEXT_CHARS)) {
    throw invalidRequest(
      `question and options must be texts of 1 to ${MAX_POLL_TEXT_CHARS} characters`,
    );
  }
  if (options.length < 2 || options.length > MAX_POLL_OPTIONS) {
    throw invalidRequest(`a poll has 2 to ${MAX_POLL_OPTIONS} options; got ${options.length}`);
  }
  if (maxSelections < 1 || maxSelections > options.length) {
    throw invalidRequest(
      `maxSelections must be from 1 to the number of options; got ${maxSelections}`,
    );
  }
  if (durationHours < 1 || durationHours > MAX_POLL_HOURS) {
    throw invalidRequest(`durationHours must be from 1 to ${MAX_POLL_HOURS}; got ${durationHours}`);
  }
}
