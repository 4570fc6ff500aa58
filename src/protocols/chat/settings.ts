/** What the chat channel is set to; asked at each use, so that changes apply live. */

import type { MediaRules } from "../../ports/media.ts";
import type { DynamicAgentOptions } from "../../services/dynamic_agents.ts";
import type { AuthSettings } from "./identity.ts";
import type { ChatManner } from "./machine.ts";

/** The settings of the channel. */
export interface ChatSettings {
  /** Anybody may connect: false where the settings leave the channel off. */
  readonly enabled: boolean;
  /** The path of the channel's own port, and its path on the gateway's port. */
  readonly path: string;
  readonly gatewayPath: string;
  readonly auth: AuthSettings;
  /** Without auth, clients of other machines are served as well. */
  readonly allowPublicWithoutAuth: boolean;
  readonly allowedOrigins: readonly string[];
  /** Absent: one agent for all. */
  readonly ownAgents?: DynamicAgentOptions;
  readonly manner: ChatManner;
  readonly messagesPerMinute: number;
  readonly maxConnectionsPerAddress: number;
  readonly media: MediaRules;
  readonly configured: boolean;
}

/** How the channel's own port stands. Neither member: it has none, or is off. */
export interface OwnPort {
  /** Where it listens. */
  readonly port?: number;
  /** Why it does not listen, although the settings want it to. */
  readonly problem?: string;
}
