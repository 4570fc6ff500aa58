/** Listens on a port for HTTP and WebSockets, where the settings say and on both addresses of loopback. */

import { httpGate, listenBehind } from "../adapters/tcp_listener.ts";
import { type Listener, ListenError, type ListenOptions } from "../ports/listener.ts";
import type { Log } from "../ports/log.ts";

/** How often a free port is looked for that both addresses of loopback have. */
const PORT_ATTEMPTS = 10;

/** How long clients have to leave when the gateway stops, in milliseconds. */
export const STOP_GRACE_MS = 2_000;

/** Where a port is; 0 takes any free one. */
type Address = Pick<ListenOptions, "hostname" | "port">;

/** A port to open. */
export interface PortOptions extends Omit<ListenOptions, keyof Address | "failed"> {
  /** What listens there, for the log. */
  readonly name: string;
  readonly log: Log;
  /** The port stays open until this ends. */
  readonly opened: AsyncDisposableStack;
}

/** Opens a port; resolves to its number, rejects with a `ListenError`. */
export async function openPort(
  address: Address,
  { name, log, opened, ...rest }: PortOptions,
): Promise<number> {
  const listeners = await listen(address, {
    ...rest,
    failed: (error) => log.write("error", `a request upset ${name}`, { error: String(error) }),
  });
  opened.defer(async () => {
    await Promise.all(listeners.map((listener) => listener.stop(STOP_GRACE_MS)));
  });
  return listeners[0]?.port ?? address.port;
}

/**
 * Listens on the address; for loopback on both of its addresses, as `localhost` may mean either: a
 * program that had the other one would be shown the secrets of clients. A machine without IPv6 has
 * no other.
 */
async function listen(
  { hostname, port }: Address,
  shared: Omit<ListenOptions, keyof Address>,
): Promise<readonly Listener[]> {
  // One gate, so that the bounds hold for both.
  const gate = httpGate();
  const place = hostname.toLowerCase() === "localhost" ? "127.0.0.1" : hostname;
  for (let attempt = 1;; attempt++) {
    const first = await listenBehind(gate, { ...shared, hostname: place, port });
    if (place !== "127.0.0.1") return [first];
    try {
      return [first, await listenBehind(gate, { ...shared, hostname: "::1", port: first.port })];
    } catch (error) {
      const taken = error instanceof ListenError && error.reason === "in-use";
      if (error instanceof ListenError && !taken) return [first];
      await first.stop(0);
      if (!taken || port !== 0 || attempt >= PORT_ATTEMPTS) throw error;
    }
  }
}
