/** What a handler of the control channel is given besides its parameters. */

import type { TenantId } from "../../core/id.ts";
import { defineMethods } from "../../core/method.ts";
import { parseParams } from "../../core/parse_params.ts";
import type { Clock } from "../../ports/clock.ts";
import type { HealthMonitor } from "../../services/health.ts";
import type { Heartbeat } from "../../services/heartbeat.ts";

/** The parts of the gateway that this wire's methods use, and whose gateway it is. */
export interface ControlContext {
  readonly tenant: TenantId;
  readonly clock: Pick<Clock, "now">;
  readonly health: Pick<HealthMonitor, "summary" | "status">;
  readonly heartbeat: Pick<Heartbeat, "last" | "setEnabled">;
}

/** Makes one method of this wire; see `core/method.ts`. */
export const method = defineMethods<ControlContext>(parseParams);
