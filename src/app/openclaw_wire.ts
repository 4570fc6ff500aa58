/** The OpenClaw wire of a gateway, over the services that its methods use. */

import { DEFAULT_TENANT } from "../core/id.ts";
import { createOpenClaw, type OpenClaw } from "../protocols/openclaw/mod.ts";
import { TICK_INTERVAL_MS } from "../services/ticker.ts";
import type { Domain } from "./domain.ts";
import type { GatewayParts } from "./gateway_parts.ts";

/** Puts the wire into a gateway. */
export function createOpenClawWire(parts: GatewayParts, domain: Domain): OpenClaw {
  const { clock, random, log, logs, server } = parts;
  const { agents, hub, metrics, sessions, settings } = domain;
  const { auth, channels, devices, health, heartbeat, models, presence, runs } = domain;
  return createOpenClaw({
    // Each by its name: what a call is given is copied with every call.
    services: {
      agents,
      auth,
      channels,
      devices,
      health,
      heartbeat,
      logs,
      models,
      presence,
      runs,
      sessions,
      settings,
      allowedOrigins: () => settings.current.gateway.controlUi.allowedOrigins,
      tenant: DEFAULT_TENANT,
    },
    hub,
    clock,
    random,
    log: log.child("openclaw"),
    metrics,
    server,
    tickIntervalMs: TICK_INTERVAL_MS,
    sessionDefaults: () => ({
      defaultAgentId: agents.defaultId,
      mainKey: settings.current.session.mainKey,
      mainSessionKey: sessions.mainKey(),
      scope: settings.current.session.scope,
    }),
  });
}
