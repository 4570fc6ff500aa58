/** Starts a gateway on this machine: finds its settings and state, listens, then loads. */

import { resolve } from "node:path";
import { consoleSink } from "../adapters/console_sink.ts";
import { ensurePrivateFolder, ensureSecret, SecretFileError } from "../adapters/disk_secret.ts";
import { diskWorkspaces } from "../adapters/disk_workspace.ts";
import { FileLog } from "../adapters/file_log.ts";
import { httpIdentity } from "../adapters/http_identity.ts";
import { logFileProblem } from "../adapters/rotating_file.ts";
import { openSqliteStore } from "../adapters/sqlite_store.ts";
import { lockStateFolder } from "../adapters/state_lock.ts";
import { systemClock } from "../adapters/system_clock.ts";
import { systemRandom } from "../adapters/system_random.ts";
import { createGateway, type Gateway, type StopOptions } from "../app.ts";
import {
  type Config,
  type Environment,
  type GatewaySecret,
  overriddenSettings,
  resolvePlaces,
  resolveSecret,
  type ServeFlags,
  settingsCodec,
  settingsFormat,
  type SettingSource,
} from "../config.ts";
import { reachableHost } from "../core/host.ts";
import { LOG_LEVELS, type LogLevel } from "../ports/log.ts";
import type { OwnPort } from "../protocols/chat/mod.ts";
import { VERSION } from "../version.ts";
import { ChatDoor } from "./chat_door.ts";
import { chatMedia } from "./chat_listener.ts";
import { openControl } from "./control_listener.ts";
import { openGatewayPort, readTlsFiles } from "./gateway_listener.ts";
import { watchSettings } from "./settings_watch.ts";
import { ConfigurationError, demand, readSetup, type Setup, warningsOf } from "./setup.ts";
import { makeSecret, openStateToken, type StateToken } from "./state_token.ts";

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
  /** Where the chat channel's own port is now, e.g. `ws://127.0.0.1:18800/ws`; absent: it is closed. */
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
  /** Resolves when all state is loaded; requests are answered before. Where it rejects, the gateway is to be stopped. */
  readonly ready: Promise<void>;
  /** Resolves when the gateway has stopped. */
  readonly finished: Promise<void>;
  /** Tells every client, stores what runs, closes everything. Safe to call twice; the first call counts. */
  stop(reason: string, options?: StopOptions): Promise<void>;
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
  const setup = await readSetup(stateDir, { flags, env, places });
  const secrets = await openSecrets(setup);
  const doors: { chat?: ChatDoor } = {};
  const parts = await openGateway(setup, {
    secrets,
    opened,
    console: options.console === true,
    ownPort: () => doors.chat?.state ?? {},
  });
  const { gateway, log } = parts;
  const tls = await readTlsFiles(setup);
  const port = await openGatewayPort(setup, { ...parts, opened, tls });
  const { host } = setup.serve.host;
  const chat = doors.chat = opened.use(
    await ChatDoor.open({
      serve: gateway.serveChat,
      log,
      config: () => gateway.settings.current,
      overrides: setup.chat.overrides,
      gateway: { host, port },
      tls: tls?.pem,
    }),
  );
  opened.defer(gateway.settings.onChange(() => void chat.follow()));
  const control = await openControl({ ...parts, ...setup }, opened);
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
    beside: async () => {
      await chat.follow();
      return chat.lines();
    },
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
  const stop = async (reason: string, how?: StopOptions): Promise<void> => {
    try {
      unwatch();
      await gateway.stop(reason, how);
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
    get chat() {
      return chat.url;
    },
    control: control?.address,
    stateDir,
    configPath: setup.configPath,
    token: stateToken.created ? stateToken.value : undefined,
    secret: { mode, source: setup.serve[mode]?.source ?? "state folder" },
    warnings,
    ready,
    finished: finished.promise,
    stop: (reason, how) => stopping ??= stop(reason, how),
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
  { secrets, opened, console, ownPort }: {
    /** How the chat channel's own port stands. */
    readonly ownPort: () => OwnPort;
    readonly secrets: Secrets;
    readonly opened: AsyncDisposableStack;
    readonly console: boolean;
  },
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
  const log = openLog(setup, { secrets, inEffect: () => inEffect, console });
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
      media: chatMedia(),
      workspaces: diskWorkspaces(),
      overrides: setup.chat.overrides,
      places: { stateDir, home: env.HOME ?? env.USERPROFILE ?? "~" },
      ownPort,
    },
  });
  inEffect = gateway.settings;
  return { gateway, log };
}

/** The log, which knows every secret that it must not show. */
function openLog(
  { logPath, flags, env }: Setup,
  { secrets, inEffect, console }: {
    readonly secrets: Secrets;
    readonly console: boolean;
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

/** The level of the log; the settings know words beside it, the quietest of which still tell of errors. */
function logLevel(word: string): LogLevel {
  return LOG_LEVELS.find((level) => level === word) ?? "error";
}
