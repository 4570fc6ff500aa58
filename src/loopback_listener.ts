/** Listens where the settings say, on both addresses of loopback. */

import { listenTcp } from "./adapters/tcp_listener.ts";
import { type Listener, ListenError, type ListenOptions } from "./ports/listener.ts";

/** How often a free port is looked for that both addresses of loopback have. */
const PORT_ATTEMPTS = 10;

/**
 * Listens on the address; for loopback on both of its addresses, as `localhost` may mean either: a
 * program that had the other one would be shown the secrets of clients. A machine without IPv6 has
 * no other.
 */
export async function listen(
  address: Pick<ListenOptions, "hostname" | "port">,
  shared: Omit<ListenOptions, "hostname" | "port">,
): Promise<readonly Listener[]> {
  const { hostname, port } = address;
  for (let attempt = 1;; attempt++) {
    const first = await listenTcp({ ...shared, hostname, port });
    if (hostname !== "127.0.0.1") return [first];
    try {
      return [first, await listenTcp({ ...shared, hostname: "::1", port: first.port })];
    } catch (error) {
      const taken = error instanceof ListenError && error.reason === "in-use";
      if (error instanceof ListenError && !taken) return [first];
      await first.stop(0);
      if (!taken || port !== 0 || attempt >= PORT_ATTEMPTS) throw error;
    }
  }
}
