/** Takes in what people write on a channel: finds its agent and session, and starts the run that answers. */

import type { ConnectionId, SessionKey, TenantId } from "../core/id.ts";
import { checked, isSessionKey } from "../core/id.ts";
import { escapeText } from "../core/quote.ts";
import { type ChannelPeer, DEFAULT_ACCOUNT, peerName } from "../ports/channel.ts";
import type { ModelImage } from "../ports/model.ts";
import type { Json } from "../ports/store.ts";
import type { Agents } from "./agents.ts";
import { keyPart } from "./channel_name.ts";
import type { ChannelPolls } from "./channel_polls.ts";
import type { RunId } from "./domain_event.ts";
import type { DynamicAgentOptions, DynamicAgents } from "./dynamic_agents.ts";
import type { SessionOrigin } from "./run_request.ts";
import type { Runs } from "./runs.ts";

/** Who wrote a message. */
export interface ChannelSender {
  readonly id: string;
  readonly name?: string;
  /** The channel's identity service vouches for the id. */
  readonly verified: boolean;
}

/** A message as a channel hands it over. */
export interface ChannelMessage {
  /** The channel's id. */
  readonly channel: string;
  /** Who takes turns with the others. */
  readonly connection: ConnectionId;
  readonly sender: ChannelSender;
  /** The conversation: the sender's own, or a group's. */
  readonly peer: ChannelPeer;
  readonly groupSubject?: string;
  readonly text: string;
  readonly images?: readonly ModelImage[];
  /** What came along; it goes to the agent beside the sender and the conversation, under its own keys. */
  readonly context: Readonly<Record<string, Json>>;
  /** Makes an agent for whoever writes directly; absent: the default agent answers. */
  readonly ownAgent?: DynamicAgentOptions;
}

/** What became of a message. */
export type Receipt =
  /** A run answers it once `begin` is called. */
  | {
    readonly kind: "run";
    readonly runId: RunId;
    readonly sessionKey: SessionKey;
    readonly begin: () => void;
  }
  /** It is answered already. */
  | { readonly kind: "answered"; readonly text: string };

/** What the inbox is made of. */
export interface InboxParts {
  readonly tenant: TenantId;
  readonly agents: Agents;
  readonly dynamicAgents: DynamicAgents;
  readonly polls: Pick<ChannelPolls, "asks" | "answer">;
  readonly runs: Pick<Runs, "start">;
  /** A name that no run ever had; those made one after the other are cheapest to store in that order. */
  readonly newRunId: () => string;
}

/** The way from every channel into the gateway's own sessions. */
export class ChannelInbox {
  readonly #parts: InboxParts;

  constructor(parts: InboxParts) {
    this.#parts = parts;
  }

  /**
   * Stores the message in its session and returns how it is answered. The session is named by the
   * conversation alone: `agent:<agent>:<channel>:direct:<sender>` or `…:group:<group>`, with `guest:` before
   * the kind for those who did not prove who they are. Throws as {@linkcode Runs.start}.
   */
  async receive(message: ChannelMessage): Promise<Receipt> {
    const { tenant, polls, runs, newRunId } = this.#parts;
    const { channel, connection, peer, sender, text, images } = message;
    if (polls.asks({ channel, peer })) {
      const vote = await polls.answer({ channel, peer, sender: sender.id, text });
      if (vote !== undefined) return { kind: "answered", text: vote };
    }
    const sessionKey = await this.#session(message);
    const runId = newRunId();
    const party = { tenant, connection, subject: peerName(peer) };
    const outcome = await runs.start(party, {
      kind: "channel",
      sessionKey,
      requestedKey: sessionKey,
      idempotencyKey: runId,
      message: text,
      ...(images === undefined ? {} : { images }),
      context: contextOf(message),
      origin: originOf(message),
    });
    // A new id is in no other state, and a channel's message is no directive.
    if (outcome.status !== "accepted") throw new Error(`unexpected outcome ${outcome.status}`);
    return { kind: "run", runId: outcome.runId, sessionKey, begin: outcome.begin };
  }

  async #session({ channel, peer, sender, ownAgent }: ChannelMessage): Promise<SessionKey> {
    const { agents, dynamicAgents } = this.#parts;
    const agent = ownAgent === undefined || peer.kind === "group"
      ? agents.defaultId
      : await dynamicAgents.ensure({
        userId: peer.id,
        namespace: peer.guest ? "guest" : "",
        proven: sender.verified,
        options: ownAgent,
      });
    const name = `${peer.guest ? "guest:" : ""}${peer.kind}:${await keyPart(peer.id)}`;
    return checked(`agent:${agent}:${channel}:${name}`, isSessionKey);
  }
}

function contextOf(message: ChannelMessage): Readonly<Record<string, Json>> {
  const { channel, sender, peer, groupSubject, context } = message;
  const { id, name, verified } = sender;
  return {
    channel,
    chatType: peer.kind,
    sender: { id, ...(name === undefined ? {} : { name }), verified },
    ...(peer.kind === "group"
      ? { group: { id: peer.id, ...(groupSubject === undefined ? {} : { subject: groupSubject }) } }
      : {}),
    ...context,
  };
}

function originOf({ channel, sender, peer, groupSubject }: ChannelMessage): SessionOrigin {
  // Lists show these: foreign text becomes one line of visible characters.
  const subject = groupSubject === undefined ? undefined : escapeText(groupSubject);
  const name = sender.name === undefined ? undefined : escapeText(sender.name);
  const called = peer.kind === "group" ? subject : name;
  return {
    channel,
    chatType: peer.kind,
    ...(called === undefined ? {} : { displayName: called }),
    ...(subject === undefined ? {} : { subject }),
    lastChannel: channel,
    lastTo: escapeText(peerName(peer)),
    lastAccountId: DEFAULT_ACCOUNT,
  };
}
