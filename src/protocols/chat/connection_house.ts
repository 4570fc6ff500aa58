/** What the connections of the chat channel share: whose answer goes where, and the bounds. */

import { type GateBounds, HandshakeGate } from "../../core/handshake_gate.ts";
import { network } from "../../core/host.ts";
import type { ConnectionId, TenantId } from "../../core/id.ts";
import { LockNotice } from "../../core/lock_notice.ts";
import type { Counter, Metrics } from "../../core/metrics.ts";
import { FailureLimiter, type FailureLimits, RateLimiter } from "../../core/rate.ts";
import {
  type Channel,
  type ChannelPeer,
  type ChannelState,
  type OutboundMessage,
  peerName,
} from "../../ports/channel.ts";
import type { Clock } from "../../ports/clock.ts";
import type { IdentityService } from "../../ports/identity.ts";
import type { Log } from "../../ports/log.ts";
import type { MediaFolder } from "../../ports/media.ts";
import type { Random } from "../../ports/random.ts";
import type { ChannelInbox } from "../../services/channel_inbox.ts";
import type { DomainEvent, RunId } from "../../services/domain_event.ts";
import type { Hub } from "../../services/hub.ts";
import type { Uploads } from "../../services/uploads.ts";
import { Audience, type Listener } from "./audience.ts";
import { type Arrival, identify, type Identity } from "./identity.ts";
import type { ChatManner } from "./machine.ts";
import { tooMany } from "./message.ts";
import { PictureHolds } from "./picture_holds.ts";
import type { ChatSettings, OwnPort } from "./settings.ts";
import { TEXTS } from "./texts.ts";

/** Lines of the log in a minute that say the same of the identity service. */
const SILENCE_TOLD_PER_MINUTE = 1;

/** Guests of one address may together send as much as so many senders, as names cost them nothing. */
export const GUESTS_OF_ADDRESS = 10;

/** Wrong tokens of one source in a minute that lock it out for five. */
export const WRONG_TOKENS: FailureLimits = { failures: 10, windowMs: 60_000, lockMs: 5 * 60_000 };

/**
 * Connections that wait for the identity service: of one address, which may be a proxy's, and in all. One more
 * closes the oldest of the address, or of the one that has most.
 */
export const IDENTIFYING_BOUNDS: GateBounds = { perSource: 256, total: 2_048 };

/** What the channel needs from the rest of the gateway. */
export interface ChatOptions {
  readonly tenant: TenantId;
  readonly inbox: Pick<ChannelInbox, "receive">;
  readonly identities: IdentityService;
  readonly media: Pick<MediaFolder, "open">;
  readonly uploads: Pick<Uploads, "save">;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings: () => ChatSettings;
  /** Whether text can be the id of a user or a group. */
  readonly isId: (text: string) => boolean;
  /** How the channel's own port stands now. */
  readonly ownPort: () => OwnPort;
}

/** Whose message a run answers. */
interface Watch {
  readonly connection: ConnectionId;
  readonly messageId: string;
  /** The group whose members hear the answer as well. */
  readonly group?: string;
  /** Called when the run is over. */
  readonly ended?: () => void;
}

/** The channel beyond single connections, and what the gateway sees of it. */
export class ChatHouse implements Channel {
  readonly id = "websocket";
  readonly label = "WebSocket";
  readonly options: ChatOptions;
  /** Bounds the connections that were not identified yet. */
  readonly gate: HandshakeGate = new HandshakeGate(IDENTIFYING_BOUNDS);
  readonly #failures: FailureLimiter;
  readonly #notice: LockNotice;
  readonly #rate: RateLimiter;
  readonly #telling: RateLimiter;
  readonly messages: Counter;
  readonly pictures: PictureHolds = new PictureHolds();
  /** How answers are told now; one function for all connections. */
  readonly manner: () => ChatManner = () => this.options.settings().manner;
  /** Makes the id of a message that has none; one function for all connections. */
  readonly newId: () => string = () => this.options.random.uuid();
  /** The connections that were identified, and what each of them hears. */
  readonly #audience = new Audience();
  /** Answers that are awaited; bounded by the runs that may wait. */
  readonly #watches = new Map<RunId, Watch>();
  /** Connections by the network that they come from. */
  readonly #addresses = new Map<string, number>();
  #startedAt: number;
  #connections = 0;
  #lastConnectedAt: number | undefined;
  #lastInboundAt: number | undefined;
  #lastOutboundAt: number | undefined;

  constructor(options: ChatOptions) {
    const { clock, hub, log, metrics, tenant } = options;
    this.options = options;
    this.#startedAt = clock.now();
    const now = () => clock.monotonic();
    this.#failures = new FailureLimiter(now, WRONG_TOKENS);
    this.#notice = new LockNotice({
      now,
      tell: (facts) => log.write("warn", "locked out after too many wrong tokens", facts),
    });
    this.#rate = new RateLimiter(now);
    this.#telling = new RateLimiter(now);
    hub.observe((whose, event) => {
      if (whose === tenant) this.#hear(event);
    });
    this.messages = metrics.counter(
      "clawgate_chat_messages_total",
      "Messages of the chat channel received and sent.",
      "direction",
    );
    metrics.gauge("clawgate_chat_connections", "Open chat connections.", () => this.#connections);
  }

  /** Connections that are open, those that were not identified yet included. */
  get connections(): number {
    return this.#connections;
  }

  /** Notes that the channel was switched on again. */
  begin(): void {
    this.#startedAt = this.options.clock.now();
  }

  // Connections.

  /** Counts a connection from `address`, unless there are too many from there. */
  arrive(address: string): boolean {
    const source = network(address);
    const before = this.#addresses.get(source) ?? 0;
    if (before >= this.options.settings().maxConnectionsPerAddress) return false;
    this.#addresses.set(source, before + 1);
    this.#connections++;
    return true;
  }

  /** Counts a connection off that {@linkcode arrive} counted. */
  depart(address: string): void {
    const source = network(address);
    const left = (this.#addresses.get(source) ?? 1) - 1;
    if (left > 0) this.#addresses.set(source, left);
    else this.#addresses.delete(source);
    this.#connections--;
  }

  /** Finds out who a client is; throws a `Disconnect` where it may not come in. */
  identify(arrival: Arrival, signal: AbortSignal): Promise<Identity> {
    const { identities, isId, settings } = this.options;
    const service: IdentityService = {
      verify: async (question, signal) => {
        const answer = await identities.verify(question, signal);
        const silent = !answer.ok && !answer.refused && !signal.aborted;
        if (silent) this.#tellOfSilence(question.endpoint, answer.code);
        return answer;
      },
    };
    return identify(arrival, {
      auth: settings().auth,
      service,
      failures: {
        lockedFor: (source) => this.#failures.lockedFor(source),
        fail: (source) => this.#fail(source),
      },
      newId: this.newId,
      isId,
      signal,
    });
  }

  /** Counts a wrong token; the log says where a lock begins. */
  #fail(source: string): number {
    const lockMs = this.#failures.fail(source);
    this.#notice.failed(source, { lockMs, facts: { address: source } });
    return lockMs;
  }

  /** Says in the log, now and then, that clients stay out for want of the operator's service. */
  #tellOfSilence(endpoint: string, code: string): void {
    if (this.#telling.take("silence", SILENCE_TOLD_PER_MINUTE) > 0) return;
    // The rest of the address may hold a secret.
    const { origin } = new URL(endpoint);
    this.options.log.write(
      "warn",
      "the identity service gives no usable answer; see channels.websocket.auth",
      {
        service: origin,
        code,
      },
    );
  }

  /** Tells a connection, from now on, what concerns it. `own`: the conversation of its user. */
  enter(
    id: ConnectionId,
    member: { readonly own: ChannelPeer; readonly listener: Listener },
  ): () => void {
    this.#lastConnectedAt = this.options.clock.now();
    return this.#audience.enter(id, member);
  }

  /** Lets a connection hear of a conversation that it writes to. */
  join(id: ConnectionId, peer: ChannelPeer): void {
    this.#audience.join(id, peer);
  }

  /** Tells those concerned how a run goes, from now until it ends. */
  watch(runId: RunId, watch: Watch): void {
    this.#watches.set(runId, watch);
  }

  /** Counts a message or an upload of `sender`. Throws `UNAVAILABLE` where there were too many in a minute. */
  charge(
    sender: string,
    { guest, address }: { readonly guest: boolean; readonly address: string },
  ): void {
    const { messagesPerMinute: most } = this.options.settings();
    const own = this.#rate.take(sender, most);
    if (own > 0) throw tooMany(most, own);
    if (!guest) return;
    const all = this.#rate.take(`guests:${network(address)}`, most * GUESTS_OF_ADDRESS);
    if (all > 0) throw tooMany(most * GUESTS_OF_ADDRESS, all);
  }

  /** Notes that a message came in. */
  received(): void {
    this.#lastInboundAt = this.options.clock.now();
    this.messages.add("in");
  }

  // Events.

  #hear(event: DomainEvent): void {
    if (event.type === "shutdown") {
      this.#audience.tellAll({ kind: "leave", reason: TEXTS.stopping });
    }
    if (event.type !== "run") return;
    const watch = this.#watches.get(event.runId);
    if (watch === undefined) return;
    const { runId, step } = event;
    const { connection, messageId, group } = watch;
    if (step.kind !== "start" && step.kind !== "text") {
      this.#watches.delete(runId);
      watch.ended?.();
      this.#lastOutboundAt = event.at;
      this.messages.add("out");
    }
    const told = { kind: "step", runId, messageId, step } as const;
    this.#audience.tell(connection, { ...told, own: true });
    if (group === undefined) return;
    for (const id of this.#audience.of(group)) {
      if (id !== connection) this.#audience.tell(id, { ...told, own: false });
    }
  }

  // What the gateway sees.

  state(): ChannelState {
    const { enabled, configured } = this.options.settings();
    const { port, problem } = this.options.ownPort();
    return {
      enabled,
      configured,
      running: enabled && problem === undefined,
      connected: this.#audience.size > 0,
      connections: this.#connections,
      ...(port === undefined ? {} : { port }),
      ...(problem === undefined ? {} : { lastError: problem }),
      ...(enabled ? { lastStartAt: this.#startedAt } : {}),
      ...(this.#lastConnectedAt === undefined ? {} : { lastConnectedAt: this.#lastConnectedAt }),
      ...(this.#lastInboundAt === undefined ? {} : { lastInboundAt: this.#lastInboundAt }),
      ...(this.#lastOutboundAt === undefined ? {} : { lastOutboundAt: this.#lastOutboundAt }),
    };
  }

  reach(to: ChannelPeer): number {
    return this.#audience.of(peerName(to)).length;
  }

  deliver({ to, messageId, text }: OutboundMessage): number {
    let reached = 0;
    for (const id of this.#audience.of(peerName(to))) {
      if (this.#audience.tell(id, { kind: "told", messageId, text })) reached++;
    }
    if (reached > 0) {
      this.#lastOutboundAt = this.options.clock.now();
      this.messages.add("out");
    }
    return reached;
  }

  disconnectAll(): number {
    return this.#audience.tellAll({ kind: "leave", reason: "logged out" });
  }
}
