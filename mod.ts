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

export { type RunningGateway, startGateway, type StartOptions } from "./src/start/start_gateway.ts";
export { ConfigurationError } from "./src/start/setup.ts";
export { createGateway, type Gateway, type GatewayParts, type StopOptions } from "./src/app.ts";
export * from "./src/client/mod.ts";

// What `createGateway` is made of: the ports as types, and the adapters that this package has.
export { createMemoryStore } from "./src/adapters/memory_store.ts";
export { openSqliteStore, type SqliteStoreOptions } from "./src/adapters/sqlite_store.ts";
export { listenNatively, serveNatively } from "./src/adapters/native_listener.ts";
export { systemClock } from "./src/adapters/system_clock.ts";
export { systemRandom } from "./src/adapters/system_random.ts";
export { listenTcp } from "./src/adapters/tcp_listener.ts";
export { type Config, defaultConfig, settingsCodec, type SettingsFormat } from "./src/config.ts";
export type { Arrival, Serve, Upgrade } from "./src/core/serve.ts";
export type { Link, LinkListener, Outgoing, SendOptions } from "./src/core/link.ts";
export type { Envelope, SharedText } from "./src/core/shared_text.ts";
export type { CloseNote, MessageNote, ServerSocket } from "./src/core/websocket.ts";
export type { Clock } from "./src/ports/clock.ts";
export { type Listener, ListenError, type ListenOptions } from "./src/ports/listener.ts";
export type { Log, LogReader } from "./src/ports/log.ts";
export type { ModelPort } from "./src/ports/model.ts";
export type { Random } from "./src/ports/random.ts";
export type { SettingsFile } from "./src/ports/settings_file.ts";
export type { Store } from "./src/ports/store.ts";

if (import.meta.main) {
  const { main } = await import("./src/cli/main.ts");
  Deno.exit(await main(Deno.args));
}
