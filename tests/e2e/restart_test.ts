import assert from "node:assert/strict";
import { portHolder } from "../../src/cli/port_holder.ts";
import { eventually } from "../support/deadline.ts";
import { GatewayProcess } from "../support/gateway_process.ts";

/** Where the runtime opens its debugger at the signal. */
const DEBUGGER_PORT = 9_229;

Deno.test("a gateway that is started anew by the signal leaves no debugger open", async () => {
  await using gateway = await GatewayProcess.start();
  // The runtime hears the signal from some time after the start on.
  await eventually(async () => {
    gateway.signal("SIGUSR1");
    if (gateway.output.includes("Debugger listening on ")) return true;
    // Where another program has the port it never opens.
    return (await portHolder(DEBUGGER_PORT))?.held === true;
  }, "the debugger");
  await eventually(
    async () => (await portHolder(DEBUGGER_PORT))?.holder?.pid !== gateway.pid,
    "the debugger to be shut",
  );
  assert.equal(await gateway.stop(), 0);
});
