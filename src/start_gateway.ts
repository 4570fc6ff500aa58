/** Starts a gateway on this machine: finds its settings and state, listens, then loads. */

import { join, resolve } from "node:path";
import { ensurePrivateFolder, ensureSecret, SecretFileError } from "./adapters/disk_secret.ts";
import { diskSettingsFile, findSettingsFile } from "./adapters/disk_settings_file.ts";
import { consoleSink } from "./adapters/console_sink.ts";
import { FileLog } from "./adapters/file_log.ts";
import { watchFiles } from "./adapters/file_watch.ts";
import { logFileProblem } from "./adapters/rotating_file.ts";
import { openSqliteStore } from "./adapters/sqlite_store.ts";
import { lockStateFolder, type StateLock } from "./adapters/state_lock.ts";
import { systemClock } from "./adapters/system_clock.ts";
import { systemRandom } from "./adapters/system_random.ts";
import { listenWithWs } from "./adapters/ws_listener.ts";
import { createGateway, type Gateway } from "./app.ts";
import {
  type Config,
  defaultConfig,
  type Environment,
  overriddenSettings,
  type Resolved,
  resolvePlaces,
  resolveSecret,
  resolveServe,
  secretProblem,
  type ServeFlags,
  SETTING_VARIABLES,
  SETTINGS_FILE_NAMES,
  settingsCodec,
  settingsFormat,
} from "./config.ts";
import type { Places } from "./config/sources.ts";
import { isLoopbackHost } from "./core/host.ts";
import { type Listener, ListenError, type ListenOptions } from "./ports/listener.ts";
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
 * Starts a gateway. Rejects with {@linkcode ConfigurationError}, a `SecretFileError`, a
 * `StateLockError` or a `ListenError`, all worded for the person who started it, before anything was
 * left running.
 */
export async function startGateway(options: StartOptions = {}): Promise<RunningGateway> {
  const { flags = {}, env = {} } = options;
  const home = env.HOME ?? env.USERPROFILE;
  const places = demand("the command line", resolvePlaces({ flags, env, home }));
  const stateDir = resolve(places.stateDir.value);
  await openStateFolder(stateDir);
  const lock = await lockStateFolder(stateDir);
  try {
    return await startIn(stateDir, { options, places, lock });
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Starts a gateway in a state folder that nobody else uses; the lock is released when it stops. */
async function startIn(
  stateDir: string,
  start: { readonly options: StartOptions; readonly places: Places; readonly lock: StateLock },
): Promise<RunningGateway> {
  const { options, places, lock } = start;
  const { flags = {}, env = {} } = options;
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
  const stateToken = await openStateToken(tokenPath, { counts: serve[serve.mode] === undefined });
  const secret = (auth: Config["gateway"]["auth"]) =>
    resolveSecret({ flags, env, auth, stateToken: stateToken.value });
  const keyring = await ensureSecret(
    join(stateDir, "device-key"),
    () => systemRandom.hex(TOKEN_BYTES),
  );

  const logPath = settings.config.logging.file ?? join(stateDir, "logs", "clawgate.log");
  const unfit = await logFileProblem(logPath);
  if (unfit !== undefined) {
    throw new ConfigurationError(found.path, [{ path: "logging.file", message: unfit }]);
  }
  let inEffect: Gateway["settings"] = { current: settings.config, secrets: () => [] };
  const log = new FileLog({
    path: logPath,
    level: () => logLevel(inEffect.current.logging.level),
    now: () => systemClock.now(),
    secrets: () => [
      ...(flags.token === undefined ? [] : [flags.token]),
      ...(env.CLAWGATE_TOKEN === undefined ? [] : [env.CLAWGATE_TOKEN]),
      stateToken.value,
      keyring.value,
      ...inEffect.secrets(),
    ],
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
    secret: (auth) => {
      const { mode, token, password } = secret(auth);
      return { mode, token: token?.value, password: password?.value };
    },
    overrides: overriddenSettings(flags, env),
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
  inEffect = gateway.settings;
  const stateTokenCounts = () => {
    const now = secret(gateway.settings.current.gateway.auth);
    return now[now.mode]?.source === "state folder";
  };

  const listeners = await listen({ hostname: serve.host.host, port: serve.port.value }, {
    serve: gateway.serve,
    failed: (error) => log.write("error", "a request upset the listener", { error: String(error) }),
  }).catch(async (error) => {
    await store.close();
    await log.close();
    throw error;
  });
  const unwatch = watchFiles([found.path, tokenPath], {
    clock: systemClock,
    changed: async (path) => {
      try {
        if (path === tokenPath) await stateToken.refresh({ counts: stateTokenCounts() });
        await gateway.reload();
        // Settings that no longer bring a secret leave it to the state folder, as at a start.
        if (stateTokenCounts() && !stateToken.stored) {
          await stateToken.refresh({ counts: true });
          await gateway.reload();
        }
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
    lock.release();
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
    token: stateToken.created ? stateToken.value : undefined,
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
    if (error instanceof SecretFileError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SecretFileError(
      `the state folder ${path} cannot be used: ${reason}; choose another with --state-dir`,
    );
  }
}

/** The token in the state folder. */
interface StateToken {
  /** The token; one that nobody knows yet where none is stored. */
  readonly value: string;
  /** Whether the value lies in the folder. */
  readonly stored: boolean;
  /** Whether it was made at this start. */
  readonly created: boolean;
  /** Reads the file again; where there is none and the token counts, it is stored. */
  refresh(options: { readonly counts: boolean }): Promise<void>;
}

/** Reads the token file; a token is made only where it counts, so that nobody takes it for the one in use. */
async function openStateToken(
  path: string,
  { counts }: { readonly counts: boolean },
): Promise<StateToken> {
  let value = systemRandom.hex(TOKEN_BYTES);
  let stored = false;
  const refresh = async (options: { readonly counts: boolean }): Promise<boolean> => {
    if (!options.counts && !await isThere(path)) return false;
    try {
      const secret = await ensureSecret(path, () => value);
      refusePlaceholder(path, secret.value);
      value = secret.value;
      stored = true;
      return secret.created;
    } catch (error) {
      // A file that does not count may be as it is.
      if (options.counts || !(error instanceof SecretFileError)) throw error;
      return false;
    }
  };
  const created = await refresh({ counts });
  return {
    get value() {
      return value;
    },
    get stored() {
      return stored;
    },
    created,
    refresh: async (options) => void await refresh(options),
  };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
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

/** How often a free port is looked for that both addresses of loopback have. */
const PORT_ATTEMPTS = 10;

/**
 * Listens on the address; for loopback on both of its addresses, as `localhost` may mean either: a
 * program that had the other one would be shown the secrets of clients. A machine without IPv6 has
 * no other.
 */
async function listen(
  address: Pick<ListenOptions, "hostname" | "port">,
  handlers: Pick<ListenOptions, "serve" | "failed">,
): Promise<readonly Listener[]> {
  const { hostname, port } = address;
  const shared = { ...handlers, maxMessageBytes: MAX_PAYLOAD_BYTES };
  for (let attempt = 1;; attempt++) {
    const first = await listenWithWs({ ...shared, hostname, port });
    if (hostname !== "127.0.0.1") return [first];
    try {
      return [first, await listenWithWs({ ...shared, hostname: "::1", port: first.port })];
    } catch (error) {
      const taken = error instanceof ListenError && error.reason === "in-use";
      if (error instanceof ListenError && !taken) return [first];
      await first.stop(0);
      if (!taken || port !== 0 || attempt >= PORT_ATTEMPTS) throw error;
    }
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
