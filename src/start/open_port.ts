/** Listens on a port for HTTP and WebSockets, where the settings say and on both addresses of loopback. */

import { openBoth } from "../adapters/both_loopbacks.ts";
import { httpGate, listenBehind } from "../adapters/tcp_listener.ts";
import type { ListenOptions } from "../ports/listener.ts";
import type { Log } from "../ports/log.ts";

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
  // One gate, so that the bounds hold for both addresses of loopback.
  const gate = httpGate();
  const shared = {
    ...rest,
    failed: (error: unknown) =>
      log.write("error", `a request upset ${name}`, { error: String(error) }),
  };
  const listeners = await openBoth(address, {
    open: (place) => listenBehind(gate, { ...shared, ...place }),
    close: (listener) => listener.stop(0),
  });
  opened.defer(async () => {
    await Promise.all(listeners.map((listener) => listener.stop(STOP_GRACE_MS)));
  });
  return listeners[0].port;
}
