/** What every door of a gateway has in common: whom it trusts, which hosts it serves, and who came through. */

import type { Config } from "../config.ts";
import type { Link } from "../core/link.ts";
import type { ServerSocket } from "../core/websocket.ts";
import { linkOf } from "../core/websocket_link.ts";
import type { Settings } from "../services/settings.ts";
import type { GatewayParts } from "./gateway_parts.ts";

/** A door for HTTP; asked at each request, so settings apply live. */
export interface Door {
  readonly trustedProxies: () => readonly string[];
  readonly allowedHosts: () => readonly string[];
  /** The link of a connection that was upgraded. */
  readonly link: (socket: ServerSocket) => Link;
}

/** The doors of this gateway. */
export function createDoor(
  { clock, hostNames }: Pick<GatewayParts, "clock" | "hostNames">,
  settings: Pick<Settings<Config>, "current">,
): Door {
  return {
    trustedProxies: () => settings.current.gateway.trustedProxies,
    allowedHosts: () => [...settings.current.gateway.allowedHosts, ...hostNames],
    link: (socket) => linkOf(socket, (delayMs, task) => clock.after(delayMs, task)),
  };
}
