/** The OpenClaw gateway wire: everything between a link and the services. */

import { drive, type Schedule } from "../../core/driver.ts";
import type { Link } from "../../core/link.ts";
import type { Peer } from "../../core/peer.ts";
import { Connection } from "./connection.ts";
import { ConnectionHouse, type OpenClawOptions } from "./connection_house.ts";
import { MAX_BUFFERED_BYTES } from "./hello.ts";

export type { OpenClawOptions } from "./connection_house.ts";

/** The wire, ready to serve links. */
export interface OpenClaw {
  /** Serves one connection until it closes. */
  accept(link: Link, peer: Peer): void;
}

/** Connections that one gateway serves at once; one more is turned away. */
export const MAX_CONNECTIONS = 20_000;

/** Puts the wire together. */
export function createOpenClaw(options: OpenClawOptions): OpenClaw {
  const { clock } = options;
  const house = new ConnectionHouse(options);
  const schedule: Schedule = (delayMs, task) => clock.after(delayMs, task);
  return {
    accept(link, peer) {
      if (house.connections >= MAX_CONNECTIONS) return link.close(1013, "too many connections");
      const connection = new Connection(house, { link, peer });
      drive(connection, { link, schedule, maxBufferedBytes: MAX_BUFFERED_BYTES });
    },
  };
}
