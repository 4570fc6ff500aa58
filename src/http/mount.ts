/** Routes that stand beside the gateway's own. */

import type { Peer } from "../core/peer.ts";
import type { Arrival } from "../core/serve.ts";

/** Routes beside the gateway's own: answers what is theirs, and checks its origin; undefined for the rest. */
export type Mount = (
  request: Request,
  arrival: { readonly peer: Peer; readonly upgrade: Arrival["upgrade"] },
) => Response | Promise<Response> | undefined;
