/** Opens a port on both addresses of loopback. */

import { ListenError } from "../ports/listener.ts";

/** How often a free port is looked for that both addresses have. */
const PORT_ATTEMPTS = 10;

/** Something that holds a port. */
interface Held {
  readonly port: number;
}

/** A port on one address; 0 takes any free one. */
interface Address {
  readonly hostname: string;
  readonly port: number;
}

/**
 * Opens a port where `address` says; for loopback on both of its addresses, as `localhost` may mean either: a
 * program that had the other one would be shown what clients say. A machine without IPv6 has no other. At least one;
 * rejects as `open` does, which rejects with {@linkcode ListenError}.
 */
export async function openBoth<Door extends Held>(
  { hostname, port }: Address,
  { open, close }: {
    readonly open: (address: Address) => Promise<Door>;
    /** Closes one that nobody has used. */
    readonly close: (door: Door) => Promise<void>;
  },
): Promise<readonly [Door, ...Door[]]> {
  const place = hostname.toLowerCase() === "localhost" ? "127.0.0.1" : hostname;
  for (let attempt = 1;; attempt++) {
    const first = await open({ hostname: place, port });
    if (place !== "127.0.0.1") return [first];
    try {
      return [first, await open({ hostname: "::1", port: first.port })];
    } catch (error) {
      const taken = error instanceof ListenError && error.reason === "in-use";
      if (error instanceof ListenError && !taken) return [first];
      await close(first);
      if (!taken || port !== 0 || attempt >= PORT_ATTEMPTS) throw error;
    }
  }
}
