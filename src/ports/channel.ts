/** A channel: a way by which people who are no operators talk to agents, and can be written to. */

/** Whom to write to on a channel. `guest`: one who did not prove who they are where others do. */
export interface ChannelPeer {
  readonly kind: "direct" | "group";
  readonly id: string;
  readonly guest: boolean;
}

/** A message that is not the answer to one. */
export interface OutboundMessage {
  readonly to: ChannelPeer;
  readonly messageId: string;
  readonly text: string;
}

/** How a channel's account stands. Times are milliseconds since the Unix epoch. */
export interface ChannelState {
  readonly enabled: boolean;
  readonly configured: boolean;
  /** It does all that its settings want of it; {@linkcode ChannelState.lastError} tells what it does not. */
  readonly running: boolean;
  /** Somebody is connected. */
  readonly connected: boolean;
  readonly connections: number;
  readonly port?: number;
  readonly lastError?: string;
  readonly lastStartAt?: number;
  readonly lastConnectedAt?: number;
  readonly lastInboundAt?: number;
  readonly lastOutboundAt?: number;
}

/** One channel with its one account. */
export interface Channel {
  /** Its name in the settings and in session keys, e.g. `websocket`. */
  readonly id: string;
  /** Its name for people. */
  readonly label: string;
  state(): ChannelState;
  /** How many connections {@linkcode deliver} would reach now. */
  reach(to: ChannelPeer): number;
  /** Writes to everyone of the conversation; returns how many it was given to. */
  deliver(message: OutboundMessage): number;
  /** Ends every connection; returns how many they were. They may come back. */
  disconnectAll(): number;
}

/** The one account of a channel that has no accounts of its own. */
export const DEFAULT_ACCOUNT = "default";

/**
 * A peer by what an operator writes: `alice`, `user:alice`, `direct:alice`, `group:team`, `guest:bob`,
 * `guest:group:team`.
 */
export function peerOf(to: string): ChannelPeer {
  const guest = to.startsWith("guest:");
  const rest = guest ? to.slice("guest:".length) : to;
  const [, kind, id] = /^(user|direct|group):(.+)$/su.exec(rest) ?? [];
  if (id === undefined) return { kind: "direct", id: rest, guest };
  return { kind: kind === "group" ? "group" : "direct", id, guest };
}

/** The one name of a peer. */
export function peerName({ kind, id, guest }: ChannelPeer): string {
  return `${guest ? "guest:" : ""}${kind}:${id}`;
}
