/**
 * The settings of the WebSocket chat channel. Keys of the plugin that it stands for mean the same here; defaults are
 * the plugin's but for the address and the folders of agents.
 */

import * as v from "valibot";
import { flag, listOf, mark, name, oneOf, section, text, whole } from "./setting_schema.ts";
import { HTTP_URL_WORDS, isHost, isHttpUrl, isOrigin } from "./setting_text.ts";

/** The channel's own port where none is set. */
const DEFAULT_CHAT_PORT = 18_800;

/** Its path on the gateway's port where none is set. */
const DEFAULT_CHAT_GATEWAY_PATH = "/chat";

/** Media types that are accepted where the settings name none. */
const DEFAULT_MEDIA_TYPES = [
  "image/png",
  "image/jpeg",
  "image/gif",
  "image/webp",
  "application/pdf",
  "text/plain",
  "audio/mpeg",
  "audio/ogg",
  "audio/wav",
  "video/mp4",
] as const;

const path = () =>
  v.pipe(
    text(),
    v.check(
      (value) => /^\/[A-Za-z0-9._~/-]{1,128}$/.test(value) && !value.endsWith("/"),
      "must be a path such as /ws",
    ),
  );

/** Paths of the gateway's port on which programs and people rely, so that no channel takes them. */
const OWN_PATHS: ReadonlySet<string> = new Set([
  "/health",
  "/healthz",
  "/metrics",
  "/ready",
  "/readyz",
]);

const gatewayPath = () =>
  v.pipe(
    path(),
    v.check((value) => !OWN_PATHS.has(value), "is a path of the gateway's own; choose another"),
  );

const template = () =>
  v.pipe(
    name(),
    v.check(
      (value) => value.includes("{agentId}") || value.includes("{userId}"),
      "must hold {agentId} or {userId}, so that every agent has a folder of its own",
    ),
  );

const endpoint = () => v.pipe(text(), v.check(isHttpUrl, HTTP_URL_WORDS));

const auth = section({
  enabled: v.optional(
    mark(flag(), { label: "Ask who it is", help: "Asks the service below at each connection." }),
    true,
  ),
  endpoint: v.optional(
    mark(endpoint(), { label: "Identity service", environment: true }),
    "http://localhost:3000/api/auth/verify",
  ),
  timeout: v.optional(
    mark(whole(1_000, 60_000), { label: "Time-out", help: "Of the service, in milliseconds." }),
    5_000,
  ),
  required: v.optional(
    mark(flag(), { label: "Required", help: "Off lets clients in as guests." }),
    true,
  ),
});

const dynamicAgentCreation = section({
  enabled: v.optional(
    mark(flag(), { label: "An agent for each user", help: "Of direct chats." }),
    false,
  ),
  workspaceTemplate: v.optional(
    mark(template(), { label: "Workspace", placeholder: "~/agents/{agentId}", host: true }),
  ),
  agentDirTemplate: v.optional(
    mark(template(), {
      label: "Agent folder",
      placeholder: "~/agents/{agentId}/agent",
      host: true,
    }),
  ),
  maxAgents: v.optional(
    mark(whole(1, 10_000), {
      label: "Most agents",
      help: "Guests take at most half of them where others prove who they are.",
    }),
  ),
  useConfigured: v.optional(
    mark(flag(), {
      label: "Agents of the settings as well",
      help: "Off makes another agent for a user whose agent's id the settings define.",
      advanced: true,
    }),
    false,
  ),
});

const media = section({
  folder: v.optional(
    mark(name(), { label: "Upload folder", help: "Files elsewhere are refused.", host: true }),
  ),
  maxBytes: v.optional(
    mark(whole(1, 100 * 1024 * 1024), { label: "Largest file", help: "In bytes." }),
    10 * 1024 * 1024,
  ),
  types: v.optional(
    mark(
      listOf(
        v.pipe(
          text(),
          v.regex(/^[a-z]+\/[a-z0-9][a-z0-9.+-]*$/, "must be a type such as image/png"),
        ),
      ),
      { label: "Types" },
    ),
    [...DEFAULT_MEDIA_TYPES],
  ),
});

/** `channels.websocket`. */
export const websocketChannel = section({
  enabled: v.optional(mark(flag(), { label: "On" }), true),
  port: v.optional(mark(whole(0, 65_535), { label: "Port" }), DEFAULT_CHAT_PORT),
  host: v.optional(
    mark(v.pipe(text(), v.check(isHost, "must be an IP address or a host name")), {
      label: "Address",
      help: "Where its port listens; 0.0.0.0 is everywhere.",
    }),
    "127.0.0.1",
  ),
  path: v.optional(mark(path(), { label: "Path", help: "On its own port." }), "/ws"),
  gatewayPath: v.optional(
    mark(gatewayPath(), { label: "Path on the gateway's port" }),
    DEFAULT_CHAT_GATEWAY_PATH,
  ),
  auth: v.optional(mark(auth, { label: "Identity" }), {}),
  allowPublicWithoutAuth: v.optional(
    mark(flag(), {
      label: "Serve everyone unasked",
      help: "Serves other machines although nobody is asked who they are.",
      advanced: true,
    }),
    false,
  ),
  dynamicAgentCreation: v.optional(mark(dynamicAgentCreation, { label: "Agents of users" }), {}),
  allowedOrigins: v.optional(
    mark(
      listOf(v.pipe(text(), v.check(isOrigin, "must be an origin such as https://example.org"))),
      { label: "Allowed origins", help: "Web pages elsewhere that may connect." },
    ),
    [],
  ),
  streamMode: v.optional(
    mark(oneOf(["cumulative", "delta"]), {
      label: "Parts of answers",
      help: "All so far each time, or what is new.",
    }),
    "cumulative",
  ),
  blockChars: v.optional(
    mark(whole(100, 100_000), { label: "Longest block", help: "Of an answer, in characters." }),
    4_000,
  ),
  messagesPerMinute: v.optional(
    mark(whole(1, 1_000_000), { label: "Messages a minute", help: "Of one sender." }),
    120,
  ),
  maxConnectionsPerAddress: v.optional(
    mark(whole(1, 20_000), { label: "Connections of one address" }),
    256,
  ),
  media: v.optional(mark(media, { label: "Files" }), {}),
});
