/** Whether the ports of the wires beside the gateway's own can be had, and who has them. */

import type { Config } from "../config.ts";
import { broken, type Diagnosis, fine, warning } from "./doctor_finding.ts";
import type { HostState } from "./host_state.ts";
import { portHolder } from "./port_holder.ts";

/** A port that the settings ask for, for one wire. */
interface WantedPort {
  readonly wire: string;
  /** The key that changes it. */
  readonly key: string;
  readonly port: number;
}

/** Looks at each port that the settings want; those that are any free one, and sockets, want none. */
export async function checkPorts(
  { settings, running, url, anyPort }: Pick<HostState, "settings" | "running" | "url" | "anyPort">,
  holderOf: typeof portHolder = portHolder,
): Promise<readonly Diagnosis[]> {
  const main = anyPort ? undefined : Number(new URL(url).port);
  return await Promise.all(
    wantedPorts(settings.config).map(async ({ wire, key, port }): Promise<Diagnosis> => {
      if (port === main) {
        const message = `port ${port} is wanted by the gateway and by ${wire}`;
        return broken("port", message, `choose another port with ${key}`);
      }
      const held = await holderOf(port);
      const own = running !== undefined && held?.holder?.pid === running.pid;
      if (held?.held === false && running !== undefined) {
        return warning(
          "port",
          `port ${port} of ${wire} is free, so the gateway that runs was started with other settings`,
          "restart it for these to take effect",
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

function wantedPorts({ control, channels }: Config): readonly WantedPort[] {
  const wanted: WantedPort[] = [];
  if (control.enabled && control.path === undefined) {
    wanted.push({ wire: "the control channel", key: "control.port", port: control.port });
  }
  const chat = channels.websocket;
  if (chat?.enabled === true) {
    wanted.push({ wire: "the chat channel", key: "channels.websocket.port", port: chat.port });
  }
  return wanted.filter(({ port }) => port !== 0);
}
