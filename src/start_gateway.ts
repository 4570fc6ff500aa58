/** Starts a gateway on this machine: finds its settings and state, listens, then loads. */

import { join, resolve } from "node:path";
import { ensurePrivateFolder, ensureSecret, SecretFileError } from "./adapters/disk_secret.ts";
import { diskSettingsFile, findSettingsFile } from "./adapters/disk_settings_file.ts";
import { consoleSink } from "./adapters/console_sink.ts";
import { FileLog } from "./adapters/file_log.ts";
import { watchFiles } from "./adapters/file_watch.ts";
import { openSqliteStore } from "./adapters/sqlite_store.ts";
import { systemClock } from "./adapters/system_clock.ts";
import { systemRandom } from "./adapters/system_random.ts";
import { listenWithWs } from "./adapters/ws_listener.ts";
import { createGateway } from "./app.ts";
import {
  type Config,
  defaultConfig,
  type Environment,
  type Resolved,
  resolvePlaces,
  resolveServe,
  secretProblem,
  type ServeFlags,
  SETTING_VARIABLES,
  SETTINGS_FILE_NAMES,
  settingsCodec,
  settingsFormat,
} from "./config.ts";
import { isLoopbackHost } from "./core/host.ts";
import { type Listener, ListenError } from "./ports/listener.ts";
import { LOG_LEVELS, type LogLevel } from "./ports/log.ts";
import { MAX_PAYLOAD_BYTES } from "./protocols/openclaw/hello.ts";
import type { SettingsIssue } from "./services/settings_codec.ts";
import { VERSION } from "./version.ts";

/** How long clients have to leave when the gateway stops, in milliseconds. */
export const STOP_GRACE_MS = 2_000;

/** Random bytes of a secret that the gateway makes. */
const TOKEN_BYTES = 24;

/** What to start. */
export interface StartOptions {
  /** Count before the environment, which counts before the settings file. */
  readonly flags?: ServeFlags;
  /** The environment; absent: empty. */
  readonly env?: Environment;
  /** Whether log lines also go to standard error; default false. */
  readonly console?: boolean;
}

/** A gateway that runs. */
export interface RunningGateway {
  /** Where clients connect, e.g. `ws://127.0.0.1:18789`. */
  readonly url: string;
  readonly stateDir: string;
  readonly configPath: string;
  /** The token that clients show, when it was made at this start. */
  readonly token?: string;
  /** What an operator should know: settings without effect, an open address. */
  readonly warnings: readonly string[];
  /** Resolves when all state is loaded; requests are answered before. */
  readonly ready: Promise<void>;
  /** Resolves when the gateway has stopped. */
  readonly finished: Promise<void>;
  /** Tells every client, stores what runs, closes everything. Safe to call twice. */
  stop(reason: string): Promise<void>;
}

/** The settings keep the gateway from starting; each issue names its flag, variable or key. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly issues: readonly SettingsIssue[];

  constructor(source: string, issues: readonly SettingsIssue[]) {
    const lines = issues.map(({ path, message }) =>
      `  ${path === "" ? "settings" : path} ${message}`
    );
    super(`${source} cannot be used:\n${lines.join("\n")}`);
    this.issues = issues;
  }
}

/**
 * Starts a gateway. Rejects with {@linkcode ConfigurationError} or a `ListenError`, both worded for
 * the person who started it, before anything was left running.
 */
export async function startGateway(options: StartOptions = {}): Promise<RunningGateway> {
  const { flags = {}, env = {} } = options;
  const home = env.HOME ?? env.USERPROFILE;
  const places = demand("the command line", resolvePlaces({ flags, env, home }));
  const stateDir = resolve(places.stateDir.value);
  await openStateFolder(stateDir);
  const found = places.config === undefined
    ? await findSettingsFile(stateDir, SETTINGS_FILE_NAMES)
    : { path: resolve(places.config.value), passedOver: [] };
  const settings = await readSettings(found.path, env);
  const serve = demand(
    found.path,
    resolveServe({
      flags,
      env,
      config: settings.config,
      document: settings.document,
      addresses: machineAddresses(),
    }),
  );
  const tokenPath = join(stateDir, "token");
  const given = serve.mode === "password" ? serve.password : serve.token;
  const secret = given === undefined
    ? await ensureSecret(tokenPath, () => systemRandom.hex(TOKEN_BYTES))
    : { value: given.value, created: false };
  refusePlaceholder(tokenPath, secret.value);
  const keyring = await ensureSecret(
    join(stateDir, "device-key"),
    () => systemRandom.hex(TOKEN_BYTES),
  );
  const ours = given === undefined || given.source === "flag" || given.source === "environment";
  let current = secret.value;

  const { level, file } = settings.config.logging;
  const log = new FileLog({
    path: file ?? join(stateDir, "logs", "clawgate.log"),
    level: () => logLevel(level),
    now: () => systemClock.now(),
    secrets: () => [current, keyring.value],
    console: options.console === true ? consoleSink() : undefined,
  });
  const store = openSqliteStore({ path: join(stateDir, "clawgate.db") });
  const gateway = createGateway({
    clock: systemClock,
    random: systemRandom,
    store,
    log,
    logs: log,
    settingsFile: diskSettingsFile(found.path),
    settingsCodec: await settingsCodec({ format: settingsFormat(found.path), env }),
    config: settings.config,
    secret: () => ({ mode: serve.mode, ...(ours ? { [serve.mode]: current } : {}) }),
    keyring: keyring.value,
    server: {
      version: VERSION,
      host: Deno.hostname(),
      platform: Deno.build.os,
      configPath: found.path,
      stateDir,
    },
    hostNames: [Deno.hostname()],
    pid: Deno.pid,
    memory: () => Deno.memoryUsage().rss,
  });

  const listeners = await listen(serve.host.host, serve.port.value, gateway.serve).catch(
    async (error) => {
      await store.close();
      await log.close();
      throw error;
    },
  );
  const unwatch = watchFiles([found.path, tokenPath], {
    clock: systemClock,
    changed: async (path) => {
      try {
        if (path === tokenPath && given === undefined) {
          const next = (await ensureSecret(tokenPath, () => current)).value;
          refusePlaceholder(tokenPath, next);
          current = next;
        }
        await gateway.reload();
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        log.write("error", "a changed file is not used", { path, reason });
      }
    },
  });
  const finished = Promise.withResolvers<void>();
  let stopping: Promise<void> | undefined;
  const stop = async (reason: string): Promise<void> => {
    unwatch();
    await gateway.stop(reason);
    await Promise.all(listeners.map((listener) => listener.stop(STOP_GRACE_MS)));
    await store.close();
    log.write("info", "stopped", { reason });
    await log.close();
    finished.resolve();
  };
  const [first] = listeners;
  const url = `ws://${reachable(serve.host.host)}:${first?.port ?? serve.port.value}`;
  log.write("info", "listening", { url, stateDir, version: VERSION });
  const warnings = [
    ...settings.warnings.map(({ path, message }) => `${path} ${message}`),
    ...found.passedOver.map((path) => `${path} is not read, as ${found.path} is`),
    ...(serve.host.note === undefined ? [] : [serve.host.note]),
    ...exposure(serve.host.host),
  ];
  for (const warning of warnings) log.write("warn", "settings", { warning });
  return {
    url,
    stateDir,
    configPath: found.path,
    token: secret.created ? secret.value : undefined,
    warnings,
    ready: gateway.start(),
    finished: finished.promise,
    stop: (reason) => stopping ??= stop(reason),
  };
}

async function openStateFolder(path: string): Promise<void> {
  try {
    await ensurePrivateFolder(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SecretFileError(
      `the state folder ${path} cannot be used: ${reason}; choose another with --state-dir`,
    );
  }
}

/** A token file that people wrote guards no better than a setting would. */
function refusePlaceholder(path: string, secret: string): void {
  const problem = secretProblem(secret);
  if (problem === undefined) return;
  throw new SecretFileError(`the token in ${path} ${problem}, or delete the file to have one made`);
}

interface ReadSettings {
  readonly config: Config;
  readonly document: { readonly [key: string]: unknown } | undefined;
  readonly warnings: readonly SettingsIssue[];
}

async function readSettings(path: string, env: Environment): Promise<ReadSettings> {
  const { raw } = await diskSettingsFile(path).read();
  if (raw === undefined) return { config: defaultConfig(), document: undefined, warnings: [] };
  const codec = await settingsCodec({ format: settingsFormat(path), env });
  const reading = codec.read(raw);
  if (!reading.ok) {
    const { message, line, column } = reading;
    const where = line === undefined ? "" : ` at line ${line}, column ${column ?? 1}`;
    throw new ConfigurationError(path, [{ path: "", message: `${message}${where}` }]);
  }
  const { document } = reading.text;
  const { config, issues, warnings } = codec.parse(document);
  if (issues.length > 0) throw new ConfigurationError(path, issues);
  return { config, document, warnings };
}

/** Listens on the address; for loopback on both of its addresses, as `localhost` may mean either. */
async function listen(
  hostname: string,
  port: number,
  serve: Parameters<typeof listenWithWs>[0]["serve"],
): Promise<readonly Listener[]> {
  const shared = { serve, maxMessageBytes: MAX_PAYLOAD_BYTES };
  const first = await listenWithWs({ ...shared, hostname, port });
  if (hostname !== "127.0.0.1") return [first];
  try {
    return [first, await listenWithWs({ ...shared, hostname: "::1", port: first.port })];
  } catch (error) {
    // A machine without IPv6, or another program there: IPv4 alone serves.
    if (error instanceof ListenError) return [first];
    throw error;
  }
}

function exposure(host: string): readonly string[] {
  if (isLoopbackHost(host)) return [];
  return [
    `the gateway listens on ${host}, beyond this machine; put TLS in front of it and keep its secret long`,
  ];
}

function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

/** The level of the log; the settings know words beside it, the quietest of which still tell of errors. */
function logLevel(word: string): LogLevel {
  return LOG_LEVELS.find((level) => level === word) ?? "error";
}

function machineAddresses(): readonly string[] {
  return Deno.networkInterfaces().map(({ address }) => address);
}

function demand<Value>(source: string, resolved: Resolved<Value>): Value {
  if (resolved.ok) return resolved.value;
  const { issues } = resolved;
  throw new ConfigurationError(sourceOf(issues) ?? source, issues);
}

/** Where the issues come from, when all of them come from outside the settings file. */
function sourceOf(issues: readonly SettingsIssue[]): string | undefined {
  const variables: readonly string[] = Object.values(SETTING_VARIABLES);
  if (issues.every(({ path }) => path.startsWith("--"))) return "the command line";
  return issues.every(({ path }) => variables.includes(path)) ? "the environment" : undefined;
}
