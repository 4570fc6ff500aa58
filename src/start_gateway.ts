/** Starts a gateway on this machine: finds its settings and state, listens, then loads. */

import { dirname, resolve } from "node:path";
import { ensurePrivateFolder, ensureSecret, SecretFileError } from "./adapters/disk_secret.ts";
import { diskWorkspaces } from "./adapters/disk_workspace.ts";
import { consoleSink } from "./adapters/console_sink.ts";
import { FileLog } from "./adapters/file_log.ts";
import { httpIdentity } from "./adapters/http_identity.ts";
import { logFileProblem } from "./adapters/rotating_file.ts";
import { openSqliteStore } from "./adapters/sqlite_store.ts";
import { lockStateFolder } from "./adapters/state_lock.ts";
import { systemClock } from "./adapters/system_clock.ts";
import { systemRandom } from "./adapters/system_random.ts";
import { createGateway, type Gateway } from "./app.ts";
import {
  type Config,
  defaultConfig,
  type Environment,
  type GatewaySecret,
  overriddenSettings,
  type Resolved,
  resolvePlaces,
  resolveSecret,
  resolveServe,
  type ServeFlags,
  type ServeSettings,
  SETTING_VARIABLES,
  settingsCodec,
  settingsFormat,
  type SettingSource,
} from "./config.ts";
import { CHAT_VARIABLES } from "./config/channel_options.ts";
import type { Places } from "./config/sources.ts";
import { type StatePaths, statePaths } from "./config/state_files.ts";
import { isLoopbackHost, reachableHost } from "./core/host.ts";
import { quote } from "./core/quote.ts";
import { ListenError, type ListenOptions } from "./ports/listener.ts";
import { LOG_LEVELS, type LogLevel } from "./ports/log.ts";
import { MAX_PAYLOAD_BYTES } from "./protocols/openclaw/hello.ts";
import type { SettingsIssue } from "./services/settings_codec.ts";
import { openControl } from "./open_control.ts";
import { listen } from "./loopback_listener.ts";
import {
  chatExposure,
  chatMedia,
  type ChatSetup,
  openChat,
  resolveChat,
  uploadBytes,
} from "./open_chat.ts";
import { openSettingsPlace, type SettingsPlace } from "./settings_place.ts";
import { watchSettings } from "./settings_watch.ts";
import { makeSecret, openStateToken, type StateToken } from "./state_token.ts";
import { VERSION } from "./version.ts";

/** How long clients have to leave when the gateway stops, in milliseconds. */
export const STOP_GRACE_MS = 2_000;

/** What to start. */
export interface StartOptions {
  /** Count before the environment, which counts before the settings file. */
  readonly flags?: ServeFlags;
  /** The environment; absent: empty. */
  readonly env?: Environment;
  /** Whether log lines also go to standard error; default false. */
  readonly console?: boolean;
  /**
   * Hears, while the gateway runs, of what an operator should know and would have been a warning or a
   * refusal at the start: changed settings that are not used, a provider that is disabled. One line each.
   */
  readonly tell?: (line: string) => void;
}

/** A gateway that runs. */
export interface RunningGateway {
  /** Where clients of this machine connect, e.g. `ws://127.0.0.1:18789`. */
  readonly url: string;
  /** The address that it is bound to; `0.0.0.0` and `::` are those of every interface. */
  readonly host: string;
  /** Where the chat channel's own port is, e.g. `ws://127.0.0.1:18800/ws`; absent: it is off. */
  readonly chat?: string;
  /** Where the control channel is, such as `127.0.0.1:18791` or the path of a socket; absent: it is off. */
  readonly control?: string;
  readonly stateDir: string;
  readonly configPath: string;
  /** The token that clients show, when it was made at this start. */
  readonly token?: string;
  /** Which kind of secret clients show, and where it stands. */
  readonly secret: { readonly mode: "token" | "password"; readonly source: SettingSource };
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
  await using opened = new AsyncDisposableStack();
  const lock = opened.use(await lockStateFolder(stateDir));
  const setup = await readSetup(stateDir, { options, places });
  const secrets = await openSecrets(setup);
  const parts = await openGateway(setup, { secrets, opened });
  const { gateway, log } = parts;
  const tls = await readTlsFiles(setup);
  const port = await openListeners(setup, { parts, opened, tls });
  const chat = await openChat(setup.chat, { ...parts, opened, graceMs: STOP_GRACE_MS });
  const control = await openControl({ ...parts, ...setup, graceMs: STOP_GRACE_MS }, opened);
  const { host } = setup.serve.host;
  const scheme = tls === undefined ? "ws" : "wss";
  await lock.announce({ scheme, host, port });
  const unwatch = watchSettings({
    gateway,
    log,
    place: setup.place,
    tokenPath: setup.paths.token,
    stateToken: secrets.stateToken,
    guard: secrets.guard,
    clock: systemClock,
    tell: options.tell ?? (() => {}),
  });
  opened.defer(unwatch);

  const url = `${scheme}://${reachableHost(host)}:${port}`;
  log.write("info", "listening", { url, stateDir, version: VERSION });
  control?.tell(url);
  const warnings = warningsOf(setup);
  for (const warning of warnings) log.write("warn", "settings", { warning });
  const { stateToken } = secrets;
  const { mode } = setup.serve;
  const finished = Promise.withResolvers<void>();
  const ready = gateway.start();
  const running = opened.move();
  const stop = async (reason: string): Promise<void> => {
    try {
      unwatch();
      await gateway.stop(reason);
      log.write("info", "stopped", { reason });
    } finally {
      await running.disposeAsync();
    }
    finished.resolve();
  };
  let stopping: Promise<void> | undefined;
  return {
    url,
    host,
    chat,
    control: control?.address,
    stateDir,
    configPath: setup.configPath,
    token: stateToken.created ? stateToken.value : undefined,
    secret: { mode, source: setup.serve[mode]?.source ?? "state folder" },
    warnings,
    ready,
    finished: finished.promise,
    stop: (reason) => stopping ??= stop(reason),
  };
}

/** What a start reads before it opens anything. */
interface Setup {
  readonly flags: ServeFlags;
  readonly env: Environment;
  readonly console: boolean;
  readonly stateDir: string;
  readonly paths: StatePaths;
  readonly place: SettingsPlace;
  /** Where the settings were at the start. */
  readonly configPath: string;
  /** Settings files that are there and do not count. */
  readonly passedOver: readonly string[];
  readonly settings: ReadSettings;
  readonly serve: ServeSettings;
  readonly chat: ChatSetup;
  readonly logPath: string;
}

async function readSetup(
  stateDir: string,
  { options, places }: { readonly options: StartOptions; readonly places: Places },
): Promise<Setup> {
  const { flags = {}, env = {} } = options;
  const place = await openSettingsPlace(stateDir, places.config?.value);
  const passedOver = await place.passedOver();
  const configPath = place.path();
  const settings = await readSettings(place, env);
  const { config, document } = settings;
  const addresses = machineAddresses();
  const serve = demand(configPath, resolveServe({ flags, env, config, document, addresses }));
  const paths = statePaths(stateDir);
  return {
    flags,
    env,
    console: options.console === true,
    stateDir,
    paths,
    place,
    configPath,
    passedOver,
    settings,
    serve,
    chat: demand(configPath, resolveChat(config, env)),
    logPath: config.logging.file ?? paths.log,
  };
}

/** The secrets of a gateway. */
interface Secrets {
  readonly stateToken: StateToken;
  /** The key of device tokens. */
  readonly keyring: string;
  /** The secret that guards the gateway under these settings. */
  guard(auth: Config["gateway"]["auth"]): GatewaySecret;
}

async function openSecrets({ paths, serve, flags, env }: Setup): Promise<Secrets> {
  const stateToken = await openStateToken(paths.token, {
    counts: serve[serve.mode] === undefined,
  });
  const keyring = await ensureSecret(paths.deviceKey, makeSecret);
  return {
    stateToken,
    keyring: keyring.value,
    guard: (auth) => resolveSecret({ flags, env, auth, stateToken: stateToken.value }),
  };
}

/** A gateway that is not reached yet, and its log. */
interface Parts {
  readonly gateway: Gateway;
  readonly log: FileLog;
}

/** Opens log and store, which `opened` closes, and makes the gateway of them. */
async function openGateway(
  setup: Setup,
  { secrets, opened }: { readonly secrets: Secrets; readonly opened: AsyncDisposableStack },
): Promise<Parts> {
  const { place, configPath, settings, logPath, stateDir, flags, env } = setup;
  const unfit = await logFileProblem(logPath);
  if (unfit !== undefined) {
    throw new ConfigurationError(configPath, [{ path: "logging.file", message: unfit }]);
  }
  const codec = await settingsCodec({ format: settingsFormat(configPath), env });
  let inEffect: Pick<Gateway["settings"], "current" | "secrets"> = {
    current: settings.config,
    secrets: () => [],
  };
  const log = openLog(setup, { secrets, inEffect: () => inEffect });
  opened.defer(() => log.close());
  const store = openSqliteStore({ path: setup.paths.database });
  opened.defer(() => store.close());
  const gateway = createGateway({
    clock: systemClock,
    random: systemRandom,
    store,
    log,
    logs: log,
    logFeed: log,
    settingsFile: place.file,
    settingsCodec: codec,
    settingsCodecOf: (path) => settingsCodec({ format: settingsFormat(path), env }),
    config: settings.config,
    secret: (auth) => {
      const { mode, token, password } = secrets.guard(auth);
      return { mode, token: token?.value, password: password?.value };
    },
    overrides: overriddenSettings(flags, env),
    keyring: secrets.keyring,
    server: {
      version: VERSION,
      host: Deno.hostname(),
      platform: Deno.build.os,
      get configPath() {
        return place.path();
      },
      stateDir,
    },
    hostNames: [Deno.hostname()],
    pid: Deno.pid,
    memory: () => Deno.memoryUsage().rss,
    chat: {
      identities: httpIdentity(),
      media: chatMedia(systemRandom),
      workspaces: diskWorkspaces(),
      overrides: setup.chat.overrides,
      places: { stateDir, home: env.HOME ?? env.USERPROFILE ?? "~" },
      port: () => setup.chat.port.value,
    },
  });
  inEffect = gateway.settings;
  return { gateway, log };
}

/** The log, which knows every secret that it must not show. */
function openLog(
  { logPath, flags, env, console }: Setup,
  { secrets, inEffect }: {
    readonly secrets: Secrets;
    readonly inEffect: () => Pick<Gateway["settings"], "current" | "secrets">;
  },
): FileLog {
  return new FileLog({
    path: logPath,
    level: () => logLevel(inEffect().current.logging.level),
    now: () => systemClock.now(),
    secrets: () => [
      ...(flags.token === undefined ? [] : [flags.token]),
      ...(env.CLAWGATE_TOKEN === undefined ? [] : [env.CLAWGATE_TOKEN]),
      secrets.stateToken.value,
      secrets.keyring,
      ...inEffect().secrets(),
    ],
    console: console ? consoleSink() : undefined,
  });
}

/** What TLS is spoken with, and where it stands. */
interface TlsFiles {
  readonly pem: NonNullable<ListenOptions["tls"]>;
  readonly certPath: string;
  readonly keyPath: string;
}

/** How the parts of a PEM file that are needed begin. */
const PEM_CERTIFICATE = /^-----BEGIN CERTIFICATE-----/m;
const PEM_KEY = /^-----BEGIN (?:RSA |EC )?PRIVATE KEY-----/m;

/** The certificate and key that the settings name, from where the settings file is; undefined without TLS. */
async function readTlsFiles({ settings, configPath }: Setup): Promise<TlsFiles | undefined> {
  const { tls } = settings.config.gateway;
  if (tls?.enabled !== true) return undefined;
  const place = (path: string = "") => resolve(dirname(configPath), path);
  const certPath = place(tls.certPath);
  const keyPath = place(tls.keyPath);
  const unfit = (key: "certPath" | "keyPath", message: string) =>
    new ConfigurationError(configPath, [{ path: `gateway.tls.${key}`, message }]);
  const read = async (key: "certPath" | "keyPath", path: string): Promise<string> => {
    try {
      return await Deno.readTextFile(path);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw unfit(key, `names a file that cannot be read: ${reason}`);
    }
  };
  const cert = await read("certPath", certPath);
  if (!PEM_CERTIFICATE.test(cert)) {
    throw unfit("certPath", `names ${quote(certPath)}, which holds no certificate as PEM`);
  }
  const key = await read("keyPath", keyPath);
  if (!PEM_KEY.test(key)) {
    throw unfit("keyPath", `names ${quote(keyPath)}, which holds no unencrypted key as PEM`);
  }
  return { pem: { cert, key }, certPath, keyPath };
}

/** Listens until `opened` ends; resolves to the port. */
async function openListeners(
  { serve, configPath, chat }: Setup,
  { parts, opened, tls }: {
    readonly parts: Parts;
    readonly opened: AsyncDisposableStack;
    readonly tls: TlsFiles | undefined;
  },
): Promise<number> {
  const { gateway, log } = parts;
  const listeners = await listen({ hostname: serve.host.host, port: serve.port.value }, {
    serve: gateway.serve,
    maxMessageBytes: MAX_PAYLOAD_BYTES,
    maxBodyBytes: uploadBytes(chat),
    tls: tls?.pem,
    failed: (error) => log.write("error", "a request upset the listener", { error: String(error) }),
  }).catch((error) => {
    if (tls === undefined || !(error instanceof ListenError) || error.reason !== "other") {
      throw error;
    }
    const { certPath, keyPath } = tls;
    const message = `names ${quote(keyPath)}, which cannot be used with the certificate ` +
      `${quote(certPath)}: ${error.message}`;
    throw new ConfigurationError(configPath, [{ path: "gateway.tls.keyPath", message }]);
  });
  opened.defer(async () => {
    await Promise.all(listeners.map((listener) => listener.stop(STOP_GRACE_MS)));
  });
  return listeners[0]?.port ?? serve.port.value;
}

function warningsOf(setup: Setup): readonly string[] {
  const { settings, passedOver, configPath, serve, flags, env } = setup;
  const named = flags.config ?? env[SETTING_VARIABLES.config];
  const missing = named !== undefined && settings.document === undefined;
  return [
    ...(missing ? [`${configPath} is not there; the defaults hold until it is made`] : []),
    ...settings.warnings.map(({ path, message }) => `${path} ${message}`),
    ...passedOver.map((path) => `${path} is not read, as ${configPath} is`),
    ...(serve.host.note === undefined ? [] : [serve.host.note]),
    ...(settings.config.gateway.tls?.enabled === true ? [] : exposure(serve.host.host)),
    ...chatExposure(setup.chat, serve.host.host),
  ];
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

interface ReadSettings {
  readonly config: Config;
  readonly document: { readonly [key: string]: unknown } | undefined;
  readonly warnings: readonly SettingsIssue[];
}

async function readSettings(place: SettingsPlace, env: Environment): Promise<ReadSettings> {
  const { path, raw } = await place.file.read();
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

function exposure(host: string): readonly string[] {
  if (isLoopbackHost(host)) return [];
  return [
    `the gateway listens on ${host}, beyond this machine; put TLS in front of it and keep its secret long`,
  ];
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
  const variables: readonly string[] = [
    ...Object.values(SETTING_VARIABLES),
    ...Object.values(CHAT_VARIABLES),
  ];
  if (issues.every(({ path }) => path.startsWith("--"))) return "the command line";
  return issues.every(({ path }) => variables.includes(path)) ? "the environment" : undefined;
}
