/** The ports that the settings ask for beside the gateway's own, and which of them cannot be had together. */

import { isAddress } from "../core/host.ts";
import type { SettingsIssue } from "../services/settings_codec.ts";
import type { Config } from "./schema.ts";

/** A port on an address of this machine; 0 is any free one. */
export interface PortPlace {
  readonly host: string;
  readonly port: number;
}

/** A port that the settings ask for, for one wire. */
export interface WantedPort extends PortPlace {
  readonly wire: string;
  /** The key that changes it. */
  readonly key: string;
}

/** The ports of the wires beside the gateway's own; sockets have none. */
export function wantedPorts(
  { control, channels }: Pick<Config, "control" | "channels">,
): readonly WantedPort[] {
  const wanted: WantedPort[] = [];
  if (control.enabled && control.path === undefined) {
    const { host, port } = control;
    wanted.push({ wire: "the control channel", key: "control.port", host, port });
  }
  const chat = channels.websocket;
  if (chat?.enabled === true) {
    const { host, port } = chat;
    wanted.push({ wire: "the chat channel", key: "channels.websocket.port", host, port });
  }
  return wanted;
}

/** Whether one of two keeps the other from its port. */
export function portsClash(one: PortPlace, other: PortPlace): boolean {
  if (one.port === 0 || one.port !== other.port) return false;
  const [a, b] = [plain(one.host), plain(other.host)];
  return a === b || covers(a, b) || covers(b, a);
}

/** Ports of the settings that are the gateway's own, wherever that comes from. */
export function portIssues(
  config: Pick<Config, "control" | "channels">,
  gateway: PortPlace,
): readonly SettingsIssue[] {
  return wantedPorts(config).filter((place) => portsClash(place, gateway)).map((
    { key, port },
  ) => ({ path: key, message: `is ${port}, which is the gateway's own port; choose another` }));
}

/** Loopback is held on both of its addresses. */
function plain(host: string): string {
  const name = host.toLowerCase();
  return name === "localhost" || name === "::1" ? "127.0.0.1" : name;
}

function covers(every: string, host: string): boolean {
  if (every === "::") return true;
  return every === "0.0.0.0" && isAddress(host) && !host.includes(":");
}
