/** The control channel of a gateway, over the services that its methods use. */

import { DEFAULT_TENANT } from "../core/id.ts";
import { type Control, createControl } from "../protocols/control/mod.ts";
import type { Domain } from "./domain.ts";
import type { GatewayParts } from "./gateway_parts.ts";

/** Puts the channel into a gateway. */
export function createControlWire(parts: GatewayParts, domain: Domain): Control {
  const { clock, random, log, logFeed, pid } = parts;
  const { health, heartbeat, hub, lifecycle, metrics, settings } = domain;
  return createControl({
    services: { health, heartbeat, tenant: DEFAULT_TENANT },
    hub,
    life: () => lifecycle.current,
    clock,
    random,
    log: log.child("control"),
    metrics,
    pid,
    logs: () => settings.current.control.log ? logFeed : undefined,
  });
}
