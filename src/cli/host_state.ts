/** Reads what this host's files say of its gateway: where it listens, and the secret it asks for. */

import { resolve } from "node:path";
import { diskSettingsFile, findSettingsFile } from "../adapters/disk_settings_file.ts";
import {
  type Config,
  defaultConfig,
  type Environment,
  parseConfig,
  parseConfigText,
  type Resolved,
  resolvePlaces,
  resolveSecret,
  resolveServe,
  SETTINGS_FILE_NAMES,
  settingsFormat,
  type SettingSource,
} from "../config.ts";
import { type StatePaths, statePaths } from "../config/state_files.ts";
import { hostName, isLoopbackHost, reachableHost } from "../core/host.ts";
import { quote } from "../core/quote.ts";
import type { SettingsIssue } from "../services/settings_codec.ts";
import { CommandFailed, EXIT } from "./exit_code.ts";
import type { ServeFlags } from "./flags.ts";
import { printable } from "./foreign_text.ts";
import { type OwnGateway, ownGateway } from "./own_gateway.ts";

/** Where a gateway of this host keeps what it keeps. */
export interface LocalPaths extends StatePaths {
  readonly stateDir: string;
  readonly config: string;
  /** Settings files of the state folder that are there and do not count. */
  readonly passedOver: readonly string[];
}

/** What a settings text means. */
export interface ReadSettings {
  /** The defaults alone when there are issues. */
  readonly config: Config;
  readonly issues: readonly SettingsIssue[];
  readonly warnings: readonly SettingsIssue[];
}

/** A shared secret, and where it stands. */
export interface LocalSecret {
  readonly kind: "token" | "password";
  readonly value: string;
  readonly source: SettingSource;
}

/** The files of a gateway on this host, read once. Holds secrets: never printed as a whole. */
export interface HostState {
  readonly paths: LocalPaths;
  /** False when there is no settings file; the defaults hold then. */
  readonly configExists: boolean;
  readonly settings: ReadSettings;
  /** Absent when none was found. */
  readonly secret?: LocalSecret;
  /** The gateway that runs on the state folder. */
  readonly running?: OwnGateway;
  /** The gateway's address for a client on this host: where it listens, else where the settings have it. */
  readonly url: string;
  /** Whether others than this host reach it there. */
  readonly exposed: boolean;
  /** Whether the port is chosen at each start and none is in use, so that {@linkcode url} is not known. */
  readonly anyPort: boolean;
}

/** The flags that say where the files are. */
export type PlaceFlags = Pick<ServeFlags, "stateDir" | "config">;

/** Flag before environment before default. Throws `usage` when that names no place. */
export async function localPaths(flags: PlaceFlags, env: Environment): Promise<LocalPaths> {
  const home = env.HOME ?? env.USERPROFILE;
  const places = demand(resolvePlaces({ flags: placesOnly(flags), env, home }), EXIT.usage);
  const stateDir = resolve(places.stateDir.value);
  const { path: config, passedOver } = places.config === undefined
    ? await findSettingsFile(stateDir, SETTINGS_FILE_NAMES)
    : { path: resolve(places.config.value), passedOver: [] };
  return { ...statePaths(stateDir), stateDir, config, passedOver };
}

/**
 * Reads the settings, the token, and where a running gateway listens, whatever the settings say now. A
 * file that is missing is no error, one that cannot be read is.
 * Throws `configuration` for an environment that names no port or address.
 */
export async function readHostState(
  flags: PlaceFlags & Pick<ServeFlags, "port" | "bind">,
  env: Environment,
): Promise<HostState> {
  const paths = await localPaths(flags, env);
  const [{ raw }, tokenFile] = await Promise.all([
    diskSettingsFile(paths.config).read(),
    readIfThere(paths.token),
  ]);
  const settings = await readSettings(raw ?? "", { path: paths.config, env });
  const { port, bind } = flags;
  const serve = demand(
    resolveServe({
      flags: { ...(port === undefined ? {} : { port }), ...(bind === undefined ? {} : { bind }) },
      env,
      config: settings.config,
    }),
    EXIT.configuration,
  );
  const secret = localSecret(settings.config, { env, tokenFile });
  const running = await ownGateway(paths.stateDir);
  const address = running?.address;
  const host = address?.host ?? serve.host.host;
  return {
    paths,
    configExists: raw !== undefined,
    settings,
    ...(secret === undefined ? {} : { secret }),
    ...(running === undefined ? {} : { running }),
    url: address?.url ?? `ws://${reachableHost(host)}:${serve.port.value}`,
    exposed: !isLoopbackHost(hostName(host)),
    anyPort: address === undefined && serve.port.value === 0,
  };
}

/** The secret that the gateway of these files asks for, by the gateway's own rule. */
function localSecret(
  config: Config,
  { env, tokenFile }: { readonly env: Environment; readonly tokenFile: string | undefined },
): LocalSecret | undefined {
  const stored = tokenFile?.trim();
  const { mode, ...secrets } = resolveSecret({
    flags: {},
    env,
    auth: config.gateway.auth,
    ...(stored === undefined || stored === "" ? {} : { stateToken: stored }),
  });
  const secret = secrets[mode];
  return secret === undefined ? undefined : { kind: mode, ...secret };
}

/**
 * Reads a settings text in the format that the end of `path` names. A variable that this shell does not
 * have is a warning, as the gateway may have it.
 */
export async function readSettings(
  raw: string,
  options: { readonly path: string; readonly env: Environment },
): Promise<ReadSettings> {
  const { record, issues } = await parseConfigText(raw, { format: settingsFormat(options.path) });
  if (record === undefined) return { config: defaultConfig(), issues, warnings: [] };
  return parseConfig(record, { env: options.env, foreignEnv: true });
}

/** A file's text, or undefined when it is not there. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    const why = error instanceof Error ? error.name : "unknown error";
    throw new CommandFailed(
      EXIT.failed,
      `cannot read ${quote(path)}: ${why}`,
      "run this as the user that runs the gateway, or name its state folder with --state-dir",
    );
  }
}

function placesOnly({ stateDir, config }: PlaceFlags): PlaceFlags {
  return {
    ...(stateDir === undefined ? {} : { stateDir }),
    ...(config === undefined ? {} : { config }),
  };
}

function demand<Value>(outcome: Resolved<Value>, code: 2 | 5): Value {
  if (outcome.ok) return outcome.value;
  const text = outcome.issues.map(({ path, message }) => `${path} ${message}`).join("; ");
  throw new CommandFailed(code, printable(text));
}
