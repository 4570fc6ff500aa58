/** HTTP requests as the routes see them, whichever listener they came through. */

import type { Link } from "./link.ts";

/** How a request arrived. */
export interface Arrival {
  /** The address of the TCP peer. */
  readonly remoteAddress: string;
  /** The connection is encrypted. */
  readonly secure: boolean;
  /**
   * Present when the request asks for a WebSocket: accepts it. Return the response that this gives;
   * `accept` receives the link once the handshake is done.
   */
  readonly upgrade?: (accept: (link: Link) => void) => Response;
}

/** Answers one request. Must not throw. */
export type Serve = (request: Request, arrival: Arrival) => Response | Promise<Response>;
