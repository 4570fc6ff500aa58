/** Who hears what on the chat channel: the connections that were identified, and their conversations. */

import type { ConnectionId } from "../../core/id.ts";
import { type ChannelPeer, peerName } from "../../ports/channel.ts";
import type { ChatEvent } from "./machine.ts";

/** Conversations that one connection hears of; the one that it wrote to longest ago gives way, its user's own never. */
export const MAX_CONVERSATIONS = 64;

/** What a connection is told with; it returns whether the connection may be told that. */
export type Listener = (event: ChatEvent) => boolean;

/** A connection that was identified. */
interface Member {
  readonly listener: Listener;
  /** The conversation of its own user, by its name. */
  readonly own: string;
  /** The conversations that it hears of, the newest last. Bounded by {@linkcode MAX_CONVERSATIONS}. */
  readonly conversations: Set<string>;
}

/** The connections that hear what is said. */
export class Audience {
  readonly #members = new Map<ConnectionId, Member>();
  /** Those who hear of a conversation, by its name. */
  readonly #conversations = new Map<string, Set<ConnectionId>>();

  /** Connections that hear anything. */
  get size(): number {
    return this.#members.size;
  }

  /** Tells a connection what concerns it, until the returned function is called. `own`: the conversation of its user. */
  enter(
    id: ConnectionId,
    { own, listener }: { readonly own: ChannelPeer; readonly listener: Listener },
  ): () => void {
    this.#members.set(id, { listener, own: peerName(own), conversations: new Set() });
    this.join(id, own);
    return () => this.#leave(id);
  }

  /** Lets a connection hear of the conversation with `peer`, once it entered. */
  join(id: ConnectionId, peer: ChannelPeer): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    const { conversations, own } = member;
    const name = peerName(peer);
    if (conversations.delete(name)) {
      conversations.add(name);
      return;
    }
    for (const oldest of conversations) {
      if (conversations.size < MAX_CONVERSATIONS) break;
      if (oldest === own) continue;
      conversations.delete(oldest);
      this.#part(oldest, id);
    }
    conversations.add(name);
    const heard = this.#conversations.get(name);
    if (heard === undefined) this.#conversations.set(name, new Set([id]));
    else heard.add(id);
  }

  /** Those who hear of the conversation of this name as it stands. */
  of(name: string): readonly ConnectionId[] {
    return [...this.#conversations.get(name) ?? []];
  }

  /** Tells one connection; whether it is there and may be told. */
  tell(id: ConnectionId, event: ChatEvent): boolean {
    return this.#members.get(id)?.listener(event) === true;
  }

  /** Tells every connection; how many there were. */
  tellAll(event: ChatEvent): number {
    const members = [...this.#members.values()];
    for (const { listener } of members) listener(event);
    return members.length;
  }

  #leave(id: ConnectionId): void {
    const member = this.#members.get(id);
    this.#members.delete(id);
    for (const name of member?.conversations ?? []) this.#part(name, id);
  }

  #part(name: string, id: ConnectionId): void {
    const heard = this.#conversations.get(name);
    heard?.delete(id);
    if (heard?.size === 0) this.#conversations.delete(name);
  }
}
