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
  /** Connections that are open now, those in their handshake included. */
  readonly connections: number;
}

/** Puts the wire together. */
export function createOpenClaw(options: OpenClawOptions): OpenClaw {
  return new OpenClawWire(options);
}

/** Connections that one gateway serves at once; one more is turned away. */
export const MAX_CONNECTIONS = 20_000;

class OpenClawWire implements OpenClaw {
  readonly #house: ConnectionHouse;
  readonly #schedule: Schedule;

  constructor(options: OpenClawOptions) {
    const { clock } = options;
    this.#house = new ConnectionHouse(options);
    this.#schedule = (delayMs, task) => clock.after(delayMs, task);
  }

  get connections(): number {
    return this.#house.connections;
  }

  accept(link: Link, peer: Peer): void {
    if (this.connections >= MAX_CONNECTIONS) return link.close(1013, "too many connections");
    const connection = new Connection(this.#house, { link, peer });
    drive(connection, { link, schedule: this.#schedule, maxBufferedBytes: MAX_BUFFERED_BYTES });
  }
}
