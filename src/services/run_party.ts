/** Whom the use of what all clients share is counted for. */

import type { Principal } from "../core/access.ts";

/** What of a principal says whose allowance a run takes; all that one who is no operator has. */
export type RunParty = Pick<Principal, "tenant" | "device" | "subject" | "connection">;

/**
 * The party whose runs and waits share one allowance: a device with all its connections; of those who
 * proved themselves by the shared secret alone, which tells nobody apart, each connection.
 */
export function partyOf({ tenant, device, subject, connection }: RunParty): string {
  return `${tenant}\0${device === undefined ? `connection:${connection}` : subject}`;
}
