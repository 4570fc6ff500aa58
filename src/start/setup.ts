/** What a start reads before it opens anything: where all is, and the settings. */

import {
  type Config,
  defaultConfig,
  type Environment,
  type Places,
  portIssues,
  type Resolved,
  resolveServe,
  type ServeFlags,
  type ServeSettings,
  SETTING_VARIABLES,
  settingsCodec,
  settingsFormat,
} from "../config.ts";
import { CHAT_VARIABLES } from "../config/chat_options.ts";
import { type StatePaths, statePaths } from "../config/state_files.ts";
import { isLoopbackHost } from "../core/host.ts";
import type { SettingsIssue } from "../services/settings_codec.ts";
import { chatExposure, type ChatSetup, resolveChat } from "./chat_listener.ts";
import { openSettingsPlace, type SettingsPlace } from "./settings_place.ts";

/** What a start reads before it opens anything. */
export interface Setup {
  readonly flags: ServeFlags;
  readonly env: Environment;
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

/** Reads it; rejects with a {@linkcode ConfigurationError}. */
export async function readSetup(
  stateDir: string,
  { flags, env, places }: {
    readonly flags: ServeFlags;
    readonly env: Environment;
    readonly places: Places;
  },
): Promise<Setup> {
  const place = await openSettingsPlace(stateDir, places.config?.value);
  const passedOver = await place.passedOver();
  const configPath = place.path();
  const settings = await readSettings(place, env);
  const { config, document } = settings;
  const addresses = machineAddresses();
  const serve = demand(configPath, resolveServe({ flags, env, config, document, addresses }));
  const clashes = portIssues(config, { host: serve.host.host, port: serve.port.value });
  if (clashes.length > 0) throw new ConfigurationError(configPath, clashes);
  const paths = statePaths(stateDir);
  return {
    flags,
    env,
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

/** What an operator should know of it: settings without effect, an open address. */
export function warningsOf(setup: Setup): readonly string[] {
  const { settings, passedOver, configPath, serve, flags, env } = setup;
  const named = flags.config ?? env[SETTING_VARIABLES.config];
  const { host, note } = serve.host;
  const tls = settings.config.gateway.tls?.enabled === true;
  const missing = named !== undefined && settings.document === undefined;
  return [
    ...(missing ? [`${configPath} is not there; the defaults hold until it is made`] : []),
    ...settings.warnings.map(({ path, message }) => `${path} ${message}`),
    ...passedOver.map((path) => `${path} is not read, as ${configPath} is`),
    ...(note === undefined ? [] : [note]),
    ...(tls ? [] : exposure(host)),
    ...chatExposure(setup.chat, { host, tls }),
  ];
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

/** The settings as the file has them, or the defaults without a file. */
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
    `the gateway listens on ${host}, beyond this machine; switch gateway.tls on or put TLS in front of it, and keep its secret long`,
  ];
}

function machineAddresses(): readonly string[] {
  return Deno.networkInterfaces().map(({ address }) => address);
}

/** What `source` was resolved to; throws a {@linkcode ConfigurationError} with its issues where it was not. */
export function demand<Value>(source: string, resolved: Resolved<Value>): Value {
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
