/** The chat channel of a gateway: its wire over the services that it stands on, and its routes. */

import { timeOrderedUuid } from "../core/time_ordered_uuid.ts";
import { DEFAULT_TENANT } from "../core/id.ts";
import type { Serve } from "../core/serve.ts";
import { chatMount, type ChatRouteOptions, chatServe } from "../http/chat_routes.ts";
import type { Mount } from "../http/mount.ts";
import type { Channel } from "../ports/channel.ts";
import { type Chat, type ChatOptions, createChat } from "../protocols/chat/mod.ts";
import { ChannelInbox, type InboxParts } from "../services/channel_inbox.ts";
import { isPeerId } from "../services/channel_name.ts";
import type { Domain } from "./domain.ts";
import { createDoor } from "./door.ts";
import type { GatewayParts } from "./gateway_parts.ts";

/** The channel as the gateway sees it. */
export interface ChatWire {
  readonly channel: Channel;
  /** Answers at its path on the gateway's port. */
  readonly mount: Mount;
  /** Answers on the channel's own port. */
  readonly serve: Serve;
}

/** Puts the channel into a gateway, where it follows the settings; undefined where it cannot be switched on. */
export function createChatWire(parts: GatewayParts, domain: Domain): ChatWire | undefined {
  if (parts.chat === undefined || domain.chat === undefined) return undefined;
  const { clock, random, log } = parts;
  const { identities, media, ownPort } = parts.chat;
  const { agents, hub, metrics, polls, runs, settings } = domain;
  const chat = createChatChannel({
    ...domain.chat,
    tenant: DEFAULT_TENANT,
    agents,
    polls,
    runs,
    identities,
    media,
    hub,
    clock,
    random,
    log: log.child("chat"),
    metrics,
    ownPort,
  });
  let on = chat.settings().enabled;
  settings.onChange(() => {
    const before = on;
    on = chat.settings().enabled;
    if (on && !before) chat.begin();
    if (!on) chat.channel.disconnectAll();
  });
  const door = createDoor(parts, settings);
  const routes: ChatRouteOptions = {
    ...door,
    chat,
    connect: (socket, client) => chat.accept(door.link(socket), client),
  };
  return { channel: chat.channel, mount: chatMount(routes), serve: chatServe(routes) };
}

/** What the channel is made of: what its wire needs, and the services that take in what people write. */
export type ChatChannelParts =
  & Omit<ChatOptions, "inbox" | "isId">
  & Omit<InboxParts, "newRunId">;

/** Plugs the wire of the channel into the services. */
export function createChatChannel(parts: ChatChannelParts): Chat {
  const { tenant, agents, dynamicAgents, polls, runs, random, clock, ...wire } = parts;
  const newRunId = () => timeOrderedUuid(random.uuid(), clock.now());
  return createChat({
    ...wire,
    tenant,
    random,
    clock,
    inbox: new ChannelInbox({ tenant, agents, dynamicAgents, polls, runs, newRunId }),
    isId: isPeerId,
  });
}
