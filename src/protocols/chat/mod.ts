/** The chat channel's wire: applications talk to agents for their users, in five kinds of frames. */

import { drive, type Schedule } from "../../core/driver.ts";
import { network } from "../../core/host.ts";
import type { Link } from "../../core/link.ts";
import type { Peer } from "../../core/peer.ts";
import type { Channel } from "../../ports/channel.ts";
import type { MediaFile } from "../../ports/media.ts";
import { ChatConnection } from "./connection.ts";
import { ChatHouse, type ChatOptions } from "./connection_house.ts";
import type { ChatSettings } from "./settings.ts";

export { MediaRefused } from "../../ports/media.ts";
export type { ChatOptions } from "./connection_house.ts";
export type { ChatSettings, OwnPort } from "./settings.ts";

/** Connections that the channel serves at once; one more is turned away. */
export const MAX_CONNECTIONS = 20_000;

/** What may wait for a client that does not keep up, in bytes; more closes its connection with 1008. */
export const MAX_BUFFERED_BYTES = 1024 * 1024;

/** A file that a user brings. */
export interface Upload {
  readonly type: string;
  readonly body: ReadableStream<Uint8Array> | null;
  /** The parameters of the URL, among them the token. */
  readonly shown: Readonly<Record<string, string>>;
}

/** The channel, ready to serve. */
export interface Chat {
  readonly channel: Channel;
  settings(): ChatSettings;
  /** Notes that it was switched on again. */
  begin(): void;
  /** Serves one connection until it closes; `shown` are the parameters of its URL. */
  accept(
    link: Link,
    client: { readonly peer: Peer; readonly shown: Readonly<Record<string, string>> },
  ): void;
  /** Stores a file of a client that may come in; rejects as identifying does, or with a `MediaRefused`. */
  upload(
    upload: Upload,
    options: { readonly peer: Peer; readonly signal: AbortSignal },
  ): Promise<MediaFile>;
}

/** Puts the channel together. */
export function createChat(options: ChatOptions): Chat {
  const house = new ChatHouse(options);
  const { clock, settings, uploads } = options;
  const schedule: Schedule = (delayMs, task) => clock.after(delayMs, task);
  return {
    channel: house,
    settings,
    begin: () => house.begin(),
    accept(link, { peer, shown }) {
      const full = house.connections >= MAX_CONNECTIONS;
      if (full || !house.arrive(peer.ip)) return link.close(1013, "too many connections");
      const connection = new ChatConnection(house, { link, arrival: { shown, address: peer.ip } });
      drive(connection, { link, schedule, maxBufferedBytes: MAX_BUFFERED_BYTES });
    },
    async upload({ type, body, shown }, { peer, signal }) {
      const identity = await house.identify({ shown, address: peer.ip }, signal);
      const { guest, passing, userId, verified } = identity;
      const whose = passing ? peer.ip : userId;
      house.charge(`upload:${whose}`, { guest, address: peer.ip });
      // A name costs a stranger nothing; programs of this machine speak for users whom they know.
      const known = verified || !guest && !passing && peer.local;
      const owner = known ? `user:${userId}` : `address:${network(peer.ip)}`;
      return await uploads.save({ owner, guest: !known, type, body }, settings().media);
    },
  };
}
