/** One connection of the chat channel: its machine, its codec, and what its calls do. */

import type { CallScope, Wire } from "../../core/driver.ts";
import { describeError } from "../../core/error.ts";
import { WaitingLink } from "../../core/handshake_gate.ts";
import { checked, type ConnectionId, isConnectionId } from "../../core/id.ts";
import type { Link, Outgoing } from "../../core/link.ts";
import type { Machine } from "../../core/machine.ts";
import type { Delivery } from "../../core/outbox.ts";
import { peerName } from "../../ports/channel.ts";
import {
  type ClientFrame,
  decodeFrame,
  deliveryOf,
  encodeFrame,
  type ServerFrame,
} from "./codec.ts";
import type { ChatHouse } from "./connection_house.ts";
import { type Arrival, type Identity, identityVoid, stillCounts } from "./identity.ts";
import {
  type ChatCall,
  type ChatEvent,
  chatMachine,
  type ChatTypes,
  type ChatValue,
  MAX_EARLY_MESSAGES,
} from "./machine.ts";
import { enclose, placeMessage } from "./message.ts";

/** What a client may send before it is identified, in bytes over all messages. */
export const MAX_EARLY_BYTES = MAX_EARLY_MESSAGES * 8 * 1024;

/** A connection from its acceptance to its end. */
export class ChatConnection implements Wire<ChatTypes> {
  readonly machine: Machine<ChatTypes>;
  readonly #house: ChatHouse;
  readonly #id: ConnectionId;
  readonly #arrival: Arrival;
  readonly #waiting: WaitingLink;

  constructor(
    house: ChatHouse,
    { link, arrival }: { readonly link: Link; readonly arrival: Arrival },
  ) {
    const { random, settings } = house.options;
    this.#house = house;
    this.#arrival = arrival;
    this.#id = checked(random.uuid(), isConnectionId);
    this.machine = chatMachine(house.manner);
    this.#waiting = new WaitingLink(link, {
      // Where nobody is asked, nobody waits.
      gate: settings().auth.enabled ? house.gate : undefined,
      address: arrival.address,
      maxBytes: MAX_EARLY_BYTES,
    });
  }

  decode(data: string | Uint8Array): ClientFrame {
    return decodeFrame(data, this.#house.newId);
  }

  encode(frame: ServerFrame): Outgoing {
    return encodeFrame(frame);
  }

  delivery(frame: ServerFrame): Delivery {
    return deliveryOf(frame);
  }

  call(call: ChatCall, scope: CallScope<ChatValue>): Promise<ChatValue> {
    return call.kind === "identify" ? this.#identify(scope) : this.#send(call, scope);
  }

  subscribe(identity: Identity, listener: (event: ChatEvent) => void): () => void {
    const { userId: id, guest } = identity;
    const { settings } = this.#house.options;
    return this.#house.enter(this.#id, {
      own: { kind: "direct", id, guest },
      // Settings that changed since may not let it in any more, so that nothing is told to it either.
      listener: (event) => {
        const counts = event.kind === "leave" || stillCounts(identity, settings().auth);
        listener(counts ? event : { kind: "leave", reason: "connect again with a token" });
        return counts;
      },
    });
  }

  defect(error: unknown): void {
    const { log } = this.#house.options;
    log.write("error", "defect", { connection: this.#id, error: describeError(error) });
  }

  ended(): void {
    this.#waiting.leave();
    this.#house.depart(this.#arrival.address);
  }

  async #identify({ signal }: CallScope<ChatValue>): Promise<ChatValue> {
    const identity = await this.#house.identify(this.#arrival, signal);
    this.#waiting.pass();
    return { kind: "identified", identity };
  }

  async #send(
    { message, messageId, identity }: Extract<ChatCall, { kind: "send" }>,
    scope: CallScope<ChatValue>,
  ): Promise<ChatValue> {
    const house = this.#house;
    const { inbox, isId, media, settings } = house.options;
    const { auth, ownAgents, media: rules } = settings();
    if (!stillCounts(identity, auth)) throw identityVoid();
    const { sender, peer, lasting } = placeMessage(message, { identity, isId });
    const rated = `${identity.guest ? "guest" : "user"}:${sender.id}`;
    house.charge(rated, { guest: identity.guest, address: this.#arrival.address });
    house.received();
    house.join(this.#id, peer);
    using held = new DisposableStack();
    if (message.media.length > 0) held.defer(house.pictures.hold(rated));
    const enclosed = await enclose(message, { identity, media, rules });
    if (enclosed.images === undefined) held.dispose();
    const receipt = await inbox.receive({
      channel: house.id,
      connection: this.#id,
      sender,
      peer,
      text: message.content,
      ...enclosed,
      ...(message.groupSubject === undefined ? {} : { groupSubject: message.groupSubject }),
      ...(ownAgents !== undefined && lasting ? { ownAgent: ownAgents } : {}),
    });
    if (receipt.kind === "answered") return { kind: "answered", messageId, text: receipt.text };
    // What the run holds is held until it ends.
    const kept = enclosed.images === undefined ? undefined : held.move();
    house.watch(receipt.runId, {
      connection: this.#id,
      messageId,
      ...(peer.kind === "group" ? { group: peerName(peer) } : {}),
      ...(kept === undefined ? {} : { ended: () => kept.dispose() }),
    });
    // Said first that it was accepted; told in any case, as a run needs nobody's connection.
    scope.afterAnswer(receipt.begin);
    return { kind: "accepted", messageId };
  }
}
