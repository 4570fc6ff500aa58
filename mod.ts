/**
 * Clawgate as a library and as a program.
 *
 * @module
 */

import { main } from "./src/cli/main.ts";

export {
  ConfigurationError,
  type RunningGateway,
  startGateway,
  type StartOptions,
} from "./src/start_gateway.ts";
export { createGateway, type Gateway, type GatewayParts } from "./src/app.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
