/**
 * Clawgate as a library and as a program. As a program, `deno run -A mod.ts` is the command line of
 * `cli.ts`; without a command it starts the gateway.
 *
 * ```ts
 * import { startGateway } from "./mod.ts";
 *
 * const stateDir = await Deno.makeTempDir();
 * const gateway = await startGateway({ flags: { port: "0", stateDir } });
 * await gateway.ready;
 * await gateway.stop("example over");
 * await Deno.remove(stateDir, { recursive: true });
 * ```
 *
 * @module
 */

export {
  ConfigurationError,
  type RunningGateway,
  startGateway,
  type StartOptions,
} from "./src/start_gateway.ts";
export { createGateway, type Gateway, type GatewayParts } from "./src/app.ts";
export * from "./src/client/mod.ts";

if (import.meta.main) {
  const { main } = await import("./src/cli/main.ts");
  Deno.exit(await main(Deno.args));
}
