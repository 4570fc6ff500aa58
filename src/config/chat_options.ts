/** The chat channel's settings in the terms of its wire, with what the environment decides. */

import * as v from "valibot";
import type { ChatSettings } from "../protocols/chat/mod.ts";
import { quote } from "../core/quote.ts";
import type { SettingsIssue } from "../services/settings_codec.ts";
import { websocketChannel } from "./chat_schema.ts";
import type { Environment } from "./document.ts";
import type { Config } from "./schema.ts";
import { expandHome, HTTP_URL_WORDS, isHttpUrl } from "./setting_text.ts";

/** The variables that override the file. Source: the plugin that the channel stands for. */
export const CHAT_VARIABLES = { enabled: "WS_AUTH_ENABLED", endpoint: "WS_AUTH_ENDPOINT" } as const;

/** What the environment says of the channel's identity service. */
export interface ChatOverrides {
  readonly enabled?: boolean;
  readonly endpoint?: string;
}

/** Reads the variables; an issue names the one that is wrong. Blank ones count as absent. */
export function chatOverrides(
  env: Environment,
): { readonly overrides: ChatOverrides; readonly issues: readonly SettingsIssue[] } {
  const issues: SettingsIssue[] = [];
  const enabled = read(env, CHAT_VARIABLES.enabled)?.toLowerCase();
  const endpoint = read(env, CHAT_VARIABLES.endpoint);
  const on = enabled === "true" || enabled === "1";
  const off = enabled === "false" || enabled === "0";
  if (enabled !== undefined && !on && !off) {
    const message = `must be true, 1, false or 0; got ${quote(enabled, 80)}`;
    issues.push({ path: CHAT_VARIABLES.enabled, message });
  }
  const usable = endpoint === undefined || isHttpUrl(endpoint);
  if (!usable) issues.push({ path: CHAT_VARIABLES.endpoint, message: HTTP_URL_WORDS });
  return {
    overrides: {
      ...(on || off ? { enabled: on } : {}),
      ...(endpoint !== undefined && usable ? { endpoint } : {}),
    },
    issues,
  };
}

function read(env: Environment, name: string): string | undefined {
  const value = Object.hasOwn(env, name) ? env[name]?.trim() : undefined;
  return value === "" ? undefined : value;
}

/** Where the channel keeps what the settings give no place. */
export interface ChatPlaces {
  readonly stateDir: string;
  /** The home folder, for `~`. */
  readonly home: string;
}

/** What the wire reads. A gateway whose settings do not name the channel has it off. */
export function chatSettings(
  config: Config,
  { overrides, places }: { readonly overrides: ChatOverrides; readonly places: ChatPlaces },
): ChatSettings {
  const named = config.channels.websocket;
  const websocket = named ?? v.parse(websocketChannel, { enabled: false });
  const { stateDir, home } = places;
  const { auth, dynamicAgentCreation: agents, media } = websocket;
  const ownAgents = {
    workspaceTemplate: expandHome(
      agents.workspaceTemplate ?? `${stateDir}/workspace-{agentId}`,
      home,
    ),
    agentDirTemplate: expandHome(
      agents.agentDirTemplate ?? `${stateDir}/agents/{agentId}/agent`,
      home,
    ),
    ...(agents.maxAgents === undefined ? {} : { maxAgents: agents.maxAgents }),
    useConfigured: agents.useConfigured,
  };
  return {
    configured: named !== undefined,
    enabled: websocket.enabled,
    path: websocket.path,
    gatewayPath: websocket.gatewayPath,
    auth: { ...auth, ...overrides },
    allowPublicWithoutAuth: websocket.allowPublicWithoutAuth,
    allowedOrigins: websocket.allowedOrigins,
    ...(agents.enabled ? { ownAgents } : {}),
    manner: { streamMode: websocket.streamMode, blockChars: websocket.blockChars },
    messagesPerMinute: websocket.messagesPerMinute,
    maxConnectionsPerAddress: websocket.maxConnectionsPerAddress,
    media: {
      folder: expandHome(media.folder ?? `${stateDir}/media`, home),
      maxBytes: media.maxBytes,
      types: media.types,
    },
  };
}
