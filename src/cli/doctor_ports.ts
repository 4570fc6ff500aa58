/** Whether the ports of the wires beside the gateway's own can be had, and who has them. */

import { type PortPlace, portsClash, wantedPorts } from "../config.ts";
import { hostName } from "../core/host.ts";
import { broken, type Diagnosis, fine, warning } from "./doctor_finding.ts";
import type { HostState } from "./host_state.ts";
import { portOf } from "./own_gateway.ts";
import { portHolder } from "./port_holder.ts";

/** Looks at each port that the settings want; those that are any free one, and sockets, want none. */
export async function checkPorts(
  { settings, running, url, exposed, anyPort }: Pick<
    HostState,
    "settings" | "running" | "url" | "exposed" | "anyPort"
  >,
  holderOf: typeof portHolder = portHolder,
): Promise<readonly Diagnosis[]> {
  const reached = new URL(url);
  const main: PortPlace = {
    // Which of its addresses others reach is not known.
    host: exposed ? "0.0.0.0" : hostName(reached.host),
    port: anyPort ? 0 : portOf(reached),
  };
  const wanted = wantedPorts(settings.config).filter(({ port }) => port !== 0);
  return await Promise.all(
    wanted.map(async (place): Promise<Diagnosis> => {
      const { wire, key, port } = place;
      if (portsClash(place, main)) {
        const message = `port ${port} is wanted by the gateway and by ${wire}`;
        return broken("port", message, `choose another port with ${key}`);
      }
      const held = await holderOf(port);
      const own = running !== undefined && held?.holder?.pid === running.pid;
      if (held?.held === false && running !== undefined) {
        return warning(
          "port",
          `port ${port} of ${wire} is free, although a gateway runs that should have it`,
          "restart it; if that does not help, its log says why",
        );
      }
      if (held?.held !== true || own) {
        const how = own ? "is in use by this gateway" : "is free";
        return fine("port", `port ${port} of ${wire} ${held === undefined ? "is wanted" : how}`);
      }
      const { holder } = held;
      const who = holder === undefined
        ? "another program"
        : `pid ${holder.pid} (${holder.program})`;
      return broken(
        "port",
        `port ${port} of ${wire} is held by ${who}, which is not the gateway of this state folder`,
        `stop it, or choose another port with ${key}`,
      );
    }),
  );
}
