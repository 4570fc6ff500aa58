/** Every method of the OpenClaw wire that this gateway has. */

import { type MethodTable, methodTable } from "../../core/method.ts";
import type { OpenClawContext } from "./context.ts";
import { agentMethods } from "./methods/agent.ts";
import { channelMethods } from "./methods/channels.ts";
import { chatMethods } from "./methods/chat.ts";
import { configMethods } from "./methods/config.ts";
import { deviceMethods } from "./methods/devices.ts";
import { sessionMethods } from "./methods/sessions.ts";
import { systemMethods } from "./methods/system.ts";

/** The table: dispatch, the advertised list, the wire page and the access matrix are derived from it. */
export const METHODS: MethodTable<OpenClawContext> = methodTable([
  systemMethods,
  agentMethods,
  sessionMethods,
  chatMethods,
  channelMethods,
  deviceMethods,
  configMethods,
]);
