/** What the gateway answers over HTTP, and which requests become connections. */

import { Hono } from "hono";
import { originAllowed } from "../core/host.ts";
import type { Peer } from "../core/peer.ts";
import type { Serve } from "../core/serve.ts";
import type { ServerSocket } from "../core/websocket.ts";
import type { Mount } from "./mount.ts";
import { peerOf } from "./peer.ts";
import { hostRefusal, problem, SECURITY_HEADERS } from "./refusal.ts";

/** What the routes are made of; every function is asked at each request, so settings apply live. */
export interface RouteOptions {
  readonly trustedProxies: () => readonly string[];
  readonly allowedOrigins: () => readonly string[];
  readonly allowedHosts: () => readonly string[];
  /** All state is loaded and the gateway serves. */
  readonly ready: () => boolean;
  /** Decides whether a bearer credential may see what is not public. */
  readonly authorize: (authorization: string | undefined, peer: Peer) => Promise<boolean>;
  /** The metrics in the Prometheus text format. */
  readonly metrics: () => string;
  /** The page at `/`. */
  readonly page: string;
  /** Serves one connection. */
  readonly connect: (socket: ServerSocket, peer: Peer) => void;
  /** Routes that are asked first. */
  readonly mounts?: readonly Mount[];
}

/** The routes. Every request is checked for its Host and Origin before anything else is looked at. */
export function createRoutes(options: RouteOptions): Serve {
  const app = createApp(options);
  return (request, arrival) => {
    const { remoteAddress, upgrade } = arrival;
    const trustedProxies = options.trustedProxies();
    const peer = peerOf(request.headers, { remoteAddress, trustedProxies });
    const rebound = hostRefusal(peer, options.allowedHosts());
    if (rebound !== undefined) return rebound;
    for (const mount of options.mounts ?? []) {
      const answer = mount(request, { peer, upgrade });
      if (answer !== undefined) return answer;
    }
    const refusal = refuse(peer, options);
    if (refusal !== undefined) return refusal;
    if (upgrade !== undefined) return upgrade((socket) => options.connect(socket, peer));
    return app.fetch(request, { peer });
  };
}

/** The answer to a request that a foreign page sends; undefined when it is fine. */
function refuse(peer: Peer, options: RouteOptions): Response | undefined {
  if (peer.origin === undefined) return undefined;
  const rules = { host: peer.host, allowedOrigins: options.allowedOrigins() };
  if (originAllowed(peer.origin, rules)) return undefined;
  return problem(403, "origin not allowed; name it in gateway.controlUi.allowedOrigins");
}

function createApp(options: RouteOptions): Hono<{ Bindings: { peer: Peer } }> {
  const app = new Hono<{ Bindings: { peer: Peer } }>();
  app.use(async (context, next) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) context.header(name, value);
    await next();
  });
  for (const path of ["/healthz", "/health"]) {
    app.get(path, (context) => context.json({ ok: true, status: "live" }));
  }
  for (const path of ["/readyz", "/ready"]) {
    app.get(path, (context) => {
      const ready = options.ready();
      return context.json({ ready, status: ready ? "ready" : "starting" }, ready ? 200 : 503);
    });
  }
  app.get("/metrics", async (context) => {
    const allowed = await options.authorize(context.req.header("authorization"), context.env.peer);
    if (!allowed) {
      return context.json({ error: { message: "Unauthorized", type: "unauthorized" } }, 401, {
        "www-authenticate": "Bearer",
      });
    }
    return context.text(options.metrics(), 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
    });
  });
  let policy: Promise<string> | undefined;
  app.get(
    "/",
    async (context) =>
      context.html(options.page, 200, {
        "content-security-policy": await (policy ??= pagePolicy(options.page)),
      }),
  );
  app.notFound((context) => context.json({ error: { message: "Not found" } }, 404));
  app.onError((_error, context) => context.json({ error: { message: "Internal error" } }, 500));
  return app;
}

/** What the page may do: run its own script, known by its hash, and speak to this gateway. */
async function pagePolicy(page: string): Promise<string> {
  const script = /<script>([^]*?)<\/script>/.exec(page)?.[1] ?? "";
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script));
  const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return [
    "default-src 'none'",
    `script-src 'sha256-${hash}'`,
    "style-src 'unsafe-inline'",
    "connect-src 'self'",
    "img-src data:",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
