/** The chat channel over HTTP: its WebSocket and the upload of files, on a port of its own or beside other routes. */

import { Disconnect, GatewayError } from "../core/error.ts";
import { originAllowed } from "../core/host.ts";
import { plainType } from "../core/media_type.ts";
import type { Peer } from "../core/peer.ts";
import type { Arrival, Serve } from "../core/serve.ts";
import type { ServerSocket } from "../core/websocket.ts";
import { MAX_CHAT_MESSAGE_BYTES } from "../protocols/chat/codec.ts";
import { type Chat, MediaRefused } from "../protocols/chat/mod.ts";
import type { Mount } from "./mount.ts";
import { peerOf } from "./peer.ts";
import { hostRefusal, problem, SECURITY_HEADERS } from "./refusal.ts";

/** Most parameters of a URL that are looked at; more are left out. */
const MAX_PARAMETERS = 64;

/** What the routes are made of. */
export interface ChatRouteOptions {
  readonly chat: Chat;
  readonly trustedProxies: () => readonly string[];
  readonly allowedHosts: () => readonly string[];
  /** Serves one connection. */
  readonly connect: (
    socket: ServerSocket,
    client: { readonly peer: Peer; readonly shown: Readonly<Record<string, string>> },
  ) => void;
}

/** The channel at its path on the gateway's port. */
export function chatMount({ chat, connect }: ChatRouteOptions): Mount {
  const serve = chatPaths({ chat, connect });
  return (request, arrival) => serve(request, { ...arrival, path: chat.settings().gatewayPath });
}

/** The channel on its own port. */
export function chatServe(options: ChatRouteOptions): Serve {
  const serve = chatPaths(options);
  return (request, { remoteAddress, upgrade }) => {
    const trustedProxies = options.trustedProxies();
    const peer = peerOf(request.headers, { remoteAddress, trustedProxies });
    const refusal = hostRefusal(peer, options.allowedHosts());
    if (refusal !== undefined) return refusal;
    const { path } = options.chat.settings();
    return serve(request, { peer, upgrade, path }) ?? problem(404, "Not found");
  };
}

interface PathArrival {
  readonly peer: Peer;
  readonly upgrade: Arrival["upgrade"];
  readonly path: string;
}

function chatPaths(
  { chat, connect }: Pick<ChatRouteOptions, "chat" | "connect">,
): (request: Request, arrival: PathArrival) => ReturnType<Serve> | undefined {
  return (request, { peer, upgrade, path }) => {
    const settings = chat.settings();
    const url = new URL(request.url);
    const uploads = url.pathname === `${path}/media`;
    if (!settings.enabled || !uploads && url.pathname !== path) return undefined;
    if (peer.origin !== undefined) {
      const rules = { host: peer.host, allowedOrigins: settings.allowedOrigins };
      if (!originAllowed(peer.origin, rules)) {
        return problem(403, "origin not allowed; name it in channels.websocket.allowedOrigins");
      }
    }
    if (!settings.auth.enabled && !settings.allowPublicWithoutAuth && !peer.local) {
      return problem(403, "without auth the chat channel serves this machine alone");
    }
    const shown = parameters(url);
    if (uploads) return upload(request, { chat, peer, shown });
    if (upgrade === undefined) return problem(426, "this is a WebSocket", { upgrade: "websocket" });
    return upgrade((socket) => connect(socket, { peer, shown }), {
      maxMessageBytes: MAX_CHAT_MESSAGE_BYTES,
    });
  };
}

/** Of two parameters of one name the first. */
function parameters({ searchParams }: URL): Readonly<Record<string, string>> {
  const found = new Map<string, string>();
  for (const [name, value] of searchParams) {
    if (found.size >= MAX_PARAMETERS) break;
    if (!found.has(name)) found.set(name, value);
  }
  return Object.fromEntries(found);
}

async function upload(
  request: Request,
  { chat, peer, shown }: {
    readonly chat: Chat;
    readonly peer: Peer;
    readonly shown: Readonly<Record<string, string>>;
  },
): Promise<Response> {
  const readable: Readonly<Record<string, string>> = peer.origin === undefined
    ? {}
    : { "access-control-allow-origin": peer.origin, vary: "origin" };
  if (request.method === "OPTIONS") {
    const headers = {
      ...SECURITY_HEADERS,
      ...readable,
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": "authorization, content-type",
    };
    return new Response(null, { status: 204, headers });
  }
  if (request.method !== "POST") return problem(405, "POST a file", { ...readable, allow: "POST" });
  const type = plainType(request.headers.get("content-type"));
  if (type === undefined) return problem(415, "content-type must name the file's type", readable);
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  const proof = bearer === undefined ? shown : { ...shown, token: bearer };
  const { body, signal } = request;
  try {
    const file = await chat.upload({ type, body, shown: proof }, { peer, signal });
    const answer = { ok: true, mediaPath: file.path, mediaType: file.type, size: file.size };
    return Response.json(answer, { status: 201, headers: { ...SECURITY_HEADERS, ...readable } });
  } catch (error) {
    return refusalOf(error, readable);
  }
}

const STATUS: Readonly<Record<MediaRefused["reason"], number>> = {
  type: 415,
  size: 413,
  empty: 400,
  path: 400,
  full: 507,
};

function refusalOf(error: unknown, headers: Readonly<Record<string, string>>): Response {
  if (error instanceof Disconnect) {
    return problem(401, error.answer?.message ?? error.reason, headers);
  }
  if (error instanceof GatewayError) return problem(429, error.message, headers);
  if (error instanceof MediaRefused) return problem(STATUS[error.reason], error.message, headers);
  throw error;
}
