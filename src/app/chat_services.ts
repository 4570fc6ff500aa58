/** What the chat channel alone needs of the domain: agents and files of its users, and its settings. */

import type { Config } from "../config.ts";
import { chatSettings } from "../config/chat_options.ts";
import { type AgentId, DEFAULT_TENANT } from "../core/id.ts";
import type { ChatSettings } from "../protocols/chat/mod.ts";
import { DynamicAgents } from "../services/dynamic_agents.ts";
import type { Settings } from "../services/settings.ts";
import { Uploads } from "../services/uploads.ts";
import type { GatewayParts } from "./gateway_parts.ts";

/** The services behind the channel, which may be switched off. */
export interface ChatServices {
  readonly dynamicAgents: DynamicAgents;
  readonly uploads: Uploads;
  /** The channel's settings on this machine, as they are now. */
  readonly settings: () => ChatSettings;
}

/** Makes them; undefined where the channel cannot be switched on. */
export function createChatServices(
  { chat, store, clock, random, log }: GatewayParts,
  { settings, configured }: {
    readonly settings: Settings<Config>;
    /** Whether the settings define an agent. */
    readonly configured: (id: AgentId) => boolean;
  },
): ChatServices | undefined {
  if (chat === undefined) return undefined;
  const { media, overrides, places, workspaces } = chat;
  const tenant = DEFAULT_TENANT;
  return {
    dynamicAgents: new DynamicAgents({
      store,
      clock,
      log: log.child("agents"),
      workspaces,
      tenant,
      configured,
    }),
    uploads: new Uploads({ store, media, clock, random, log: log.child("uploads"), tenant }),
    settings: settings.derive((config) => chatSettings(config, { overrides, places })),
  };
}
