/** Which gateway runs on a state folder, and whether what listens on an address is it. */

import { type LockHolder, lockHolder, ownNamespace } from "../adapters/state_lock.ts";
import { isLoopback } from "../client/gateway_url.ts";
import { reachableHost } from "../core/host.ts";
import { quote } from "../core/quote.ts";
import { listenersAt, socketsOf } from "./port_holder.ts";

/** Root may listen for anyone: whoever is root reads the secret anyway. */
const ROOT = 0;

/** A gateway that runs. */
export interface OwnGateway {
  /** 0: not told. */
  readonly pid: number;
  /**
   * Where it listens. Absent while it starts, and where it has other addresses than this process, as in
   * a container.
   */
  readonly address?: {
    /** For a client on this host: an address that stands for every interface is loopback here. */
    readonly url: string;
    /** As bound, as a URL has it: `0.0.0.0`, `[::1]`. */
    readonly host: string;
  };
}

/** The gateway that has a state folder locked, which ends when it does; undefined when none runs. */
export async function ownGateway(stateDir: string): Promise<OwnGateway | undefined> {
  const holder = await lockHolder(stateDir);
  if (holder === undefined || holder.purpose === "command") return undefined;
  const { pid } = holder;
  const listening = await listeningUrl(holder);
  if (listening === undefined) return { pid };
  const { protocol, hostname } = listening;
  const url = `${protocol}//${reachableHost(hostname)}:${portOf(listening)}`;
  return { pid, address: { url, host: hostname } };
}

async function listeningUrl({ listening }: LockHolder): Promise<URL | undefined> {
  if (listening === undefined) return undefined;
  return listening.netNamespace === await ownNamespace("net") ? new URL(listening.url) : undefined;
}

/** Why a secret is not sent. */
export interface Stranger {
  /** In words, to be followed by what is not done for it. */
  readonly reason: string;
  /** Whether something listens there that would have had it; absent where the system does not tell. */
  readonly listening?: boolean;
}

/**
 * Why the secret of a state folder must not be sent to `url`; undefined when it may be. It may when a
 * gateway has the folder locked, says there that it listens at this address, and has every socket that
 * would take the connection. Where its files cannot be seen (it runs as another user, or in a container),
 * the socket has to be this user's or root's. Only Linux tells whose a socket is: elsewhere the lock alone
 * decides.
 */
export async function strangerAt(url: URL, stateDir: string): Promise<Stranger | undefined> {
  const holder = await lockHolder(stateDir);
  const sockets = await listenersAt(url.hostname, portOf(url));
  const known = sockets === undefined ? {} : { listening: sockets.length > 0 };
  if (holder === undefined || holder.purpose === "command") {
    const reason = `no gateway runs on the state folder ${quote(stateDir)}`;
    return { reason, ...known };
  }
  const said = await listeningUrl(holder);
  if (said !== undefined && !leadsTo(url, said, { checked: sockets !== undefined })) {
    const reason = `the gateway of the state folder ${quote(stateDir)} listens at ${said.host}`;
    return { reason, ...known };
  }
  // Nothing listens: connecting fails by itself.
  if (sockets === undefined || sockets.length === 0) return undefined;
  const stranger: Stranger = {
    reason: `${url.host} belongs to another program than the gateway of the state folder ` +
      `${quote(stateDir)} (pid ${holder.pid})`,
    listening: true,
  };
  const visible = holder.pidNamespace !== undefined &&
    holder.pidNamespace === await ownNamespace("pid");
  const inodes = new Set(sockets.map(({ inode }) => inode));
  const held = visible ? await socketsOf(holder.pid, inodes) : undefined;
  if (held !== undefined) return held.size === inodes.size ? undefined : stranger;
  const user = Deno.uid();
  return sockets.every(({ uid }) => uid === user || uid === ROOT) ? undefined : stranger;
}

/** Addresses of loopback that a gateway on 127.0.0.1 has, too. */
const LOOPBACK = ["127.0.0.1", "[::1]", "localhost"];

/**
 * Whether a connection to `url` may end at a gateway that listens at `said`. Where it is `checked` whose
 * the sockets are, any name of loopback will do for one that listens on loopback or everywhere.
 */
export function leadsTo(
  url: URL,
  said: URL,
  { checked }: { readonly checked: boolean },
): boolean {
  if (portOf(url) !== portOf(said)) return false;
  const host = reachableHost(said.hostname);
  if (host === url.hostname) return true;
  if (checked) return isLoopback(url) && LOOPBACK.includes(host);
  return said.hostname === "127.0.0.1" && LOOPBACK.includes(url.hostname);
}

/** The port of a URL, also where it is left out as the usual one. */
export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "wss:" ? 443 : 80;
}
