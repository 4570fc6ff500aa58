/** The chat channel over the services that it stands on. */

import { timeOrderedUuid } from "./core/time_ordered_uuid.ts";
import { type Chat, type ChatOptions, createChat } from "./protocols/chat/mod.ts";
import { ChannelInbox, type InboxParts } from "./services/channel_inbox.ts";
import { isPeerId } from "./services/channel_name.ts";

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
