/** Whether what listens on this host is the gateway of a state folder, so that it may see the folder's secret. */

import { lockHolder, ownPidNamespace } from "../adapters/state_lock.ts";
import { quote } from "../core/quote.ts";
import { listenersAt, socketsOf } from "./port_holder.ts";

/** Root may listen for anyone: whoever is root reads the secret anyway. */
const ROOT = 0;

/** Why a secret is not sent. */
export interface Stranger {
  /** In words, to be followed by what is not done for it. */
  readonly reason: string;
  /** Something listens there that would have had it. */
  readonly listening: boolean;
}

/**
 * Why the secret of a state folder must not be sent to `url`; undefined when it may be. It may when a
 * gateway has the folder locked, and every socket that would take the connection is that process's. Where
 * its files cannot be seen (it runs as another user, or in a container), the socket has to be this user's
 * or root's. Only Linux tells whose a socket is: elsewhere the lock alone decides.
 */
export async function strangerAt(url: URL, stateDir: string): Promise<Stranger | undefined> {
  const holder = await lockHolder(stateDir);
  const sockets = await listenersAt(url.hostname, portOf(url));
  if (holder === undefined || holder.purpose === "command") {
    const reason = `no gateway runs on the state folder ${quote(stateDir)}`;
    return { reason, listening: sockets !== undefined && sockets.length > 0 };
  }
  // Nothing listens: connecting fails by itself.
  if (sockets === undefined || sockets.length === 0) return undefined;
  const stranger: Stranger = {
    reason: `${url.host} belongs to another program than the gateway of the state folder ` +
      `${quote(stateDir)} (pid ${holder.pid})`,
    listening: true,
  };
  const visible = holder.pidNamespace !== undefined &&
    holder.pidNamespace === await ownPidNamespace();
  const inodes = new Set(sockets.map(({ inode }) => inode));
  const held = visible ? await socketsOf(holder.pid, inodes) : undefined;
  if (held !== undefined) return held.size === inodes.size ? undefined : stranger;
  const user = Deno.uid();
  return sockets.every(({ uid }) => uid === user || uid === ROOT) ? undefined : stranger;
}

function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "wss:" ? 443 : 80;
}
