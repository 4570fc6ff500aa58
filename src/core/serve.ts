/** HTTP requests as the routes see them, whichever listener they came through. */

import type { ServerSocket } from "./websocket.ts";

/** How a request arrived. */
export interface Arrival {
  /** The address of the TCP peer. */
  readonly remoteAddress: string;
  /** The connection is encrypted. */
  readonly secure: boolean;
  /** Present when the request asks for a WebSocket: accepts it. Return the response that this gives. */
  readonly upgrade?: Upgrade;
}

/**
 * Accepts a WebSocket. `accept` receives the socket once the handshake is done, and gives it a listener
 * before it returns; `protocol` is the one of the client's subprotocols that the route speaks, absent: none.
 */
export type Upgrade = (
  accept: (socket: ServerSocket) => void,
  options?: UpgradeOptions,
) => Response;

/** How a WebSocket is accepted. */
export interface UpgradeOptions {
  readonly protocol?: string;
  /** Closes the connection with 1009 at a shorter message than the listener would. */
  readonly maxMessageBytes?: number;
}

/** Answers one request, whose signal is aborted when its client leaves before the answer was sent. Must not throw. */
export type Serve = (request: Request, arrival: Arrival) => Response | Promise<Response>;
