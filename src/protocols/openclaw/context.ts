/** What a handler of the OpenClaw wire is given besides its parameters. */

import type { Principal } from "../../core/access.ts";
import type { CallScope } from "../../core/driver.ts";
import { defineMethods } from "../../core/method.ts";
import { parseParams } from "../../core/parse_params.ts";
import type { Peer } from "../../core/peer.ts";
import type { LogReader } from "../../ports/log.ts";
import type { Agents } from "../../services/agents.ts";
import type { Channels } from "../../services/channels.ts";
import type { Devices } from "../../services/devices.ts";
import type { HealthMonitor } from "../../services/health.ts";
import type { Heartbeat } from "../../services/heartbeat.ts";
import type { Models } from "../../services/models.ts";
import type { Presence } from "../../services/presence.ts";
import type { Runs } from "../../services/runs.ts";
import type { Sessions } from "../../services/sessions.ts";
import type { Settings } from "../../services/settings.ts";

/** The parts of the domain that this wire's methods use. */
export interface OpenClawServices {
  readonly agents: Agents;
  readonly channels: Channels;
  readonly devices: Devices;
  readonly health: HealthMonitor;
  readonly heartbeat: Heartbeat;
  readonly logs: LogReader;
  readonly models: Models;
  readonly presence: Presence;
  readonly runs: Runs;
  readonly sessions: Sessions;
  readonly settings: Pick<Settings<unknown>, "get" | "schema" | "set" | "patch" | "apply">;
}

/** One call: the services, who calls, from where, and what the call may do with its connection. */
export interface OpenClawContext extends OpenClawServices {
  readonly principal: Principal;
  readonly peer: Peer;
  readonly call: CallScope;
}

/** Makes one method of this wire; see `core/method.ts`. */
export const method = defineMethods<OpenClawContext>(parseParams);
