/** Events that take access from connections that have it, or are just being given it. */

import type { Principal } from "../../core/access.ts";
import type { DomainEvent } from "../../services/domain_event.ts";

/** Why an event ends a principal's access; undefined when it does not concern it. */
export function withdrawal(event: DomainEvent, principal: Principal): string | undefined {
  switch (event.type) {
    case "access.revoked": {
      const concerned = event.deviceId === principal.device &&
        (event.role === undefined || event.role === principal.role);
      return concerned ? "device access was revoked" : undefined;
    }
    case "secret.changed":
      return principal.credential === "shared"
        ? "the gateway's token or password was changed"
        : undefined;
    default:
      return undefined;
  }
}

/** Whether an event takes access from anyone. */
export function withdraws(event: DomainEvent): boolean {
  return event.type === "access.revoked" || event.type === "secret.changed";
}
