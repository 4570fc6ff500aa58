/** Settings that come from several places: a flag counts before the environment, the file, the default. */

import { quote } from "../core/quote.ts";
import type { SettingsIssue } from "../services/settings_codec.ts";
import type { Environment } from "./document.ts";
import { DEFAULT_PORT } from "./gateway_schema.ts";
import type { Config } from "./schema.ts";
import { secretProblem } from "./secret_text.ts";
import { type BindHost, bindHost, expandHome, isBindAddress } from "./setting_text.ts";

/** The flags of `serve`, as typed. */
export interface ServeFlags {
  readonly port?: string;
  readonly bind?: string;
  readonly token?: string;
  readonly stateDir?: string;
  readonly config?: string;
}

/** Where a value came from. */
export type SettingSource = "flag" | "environment" | "file" | "state folder" | "default";

/** A value and where it came from. */
export interface Sourced<Value> {
  readonly value: Value;
  readonly source: SettingSource;
}

/** The variables of the environment that stand in for flags. */
export const SETTING_VARIABLES = {
  port: "CLAWGATE_PORT",
  bind: "CLAWGATE_BIND",
  token: "CLAWGATE_TOKEN",
  stateDir: "CLAWGATE_STATE_DIR",
  config: "CLAWGATE_CONFIG",
} as const;

const FLAGS = {
  port: "--port",
  bind: "--bind",
  token: "--token",
  stateDir: "--state-dir",
  config: "--config",
} as const;

/** The state folder's name in the home folder. */
const STATE_FOLDER = ".clawgate";

/** Where the gateway keeps its state and looks for its settings. */
export interface Places {
  readonly stateDir: Sourced<string>;
  /** The settings file that was named; absent: the first of {@linkcode SETTINGS_FILE_NAMES} there is. */
  readonly config: Sourced<string> | undefined;
}

/** What the settings file may be called in the state folder; the first that exists counts. */
export const SETTINGS_FILE_NAMES = ["clawgate.json", "clawgate.yaml", "clawgate.yml"] as const;

/** A value, or the issues that keep it from being one; the path of each is its flag, variable or key. */
export type Resolved<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly issues: readonly SettingsIssue[] };

/** The folder and file to start from, with `~` filled in. `home` is absent where there is none. */
export function resolvePlaces(options: {
  readonly flags: ServeFlags;
  readonly env: Environment;
  readonly home: string | undefined;
}): Resolved<Places> {
  const { flags, env, home } = options;
  const issues: SettingsIssue[] = [];
  const path = (name: "stateDir" | "config"): Sourced<string> | undefined => {
    const given = fromOutside(name, flags, env);
    if (given === undefined) return undefined;
    const problem = pathProblem(given.value, home);
    if (problem !== undefined) issues.push({ path: given.path, message: problem });
    return { value: expandHome(given.value, home ?? "~"), source: given.source };
  };
  const config = path("config");
  let stateDir = path("stateDir");
  if (stateDir === undefined && home === undefined) {
    const message = "is required, as there is no home folder for the default";
    issues.push({ path: FLAGS.stateDir, message });
  }
  stateDir ??= { value: expandHome(`~/${STATE_FOLDER}`, home ?? "~"), source: "default" };
  return issues.length > 0 ? { ok: false, issues } : { ok: true, value: { stateDir, config } };
}

/** Where to listen and who may enter: without a secret where none is set, as one is made on first start. */
export interface ServeSettings extends GatewaySecret {
  readonly port: Sourced<number>;
  /** As set: a word or an address. */
  readonly bind: Sourced<string>;
  /** What {@linkcode ServeSettings.bind} stands for on this machine. */
  readonly host: BindHost;
}

/**
 * What to serve with. The mode is the file's; where it names none, `password` if a password is set and
 * no token is, else `token`. `addresses` are the machine's own, for `bind: "tailnet"`.
 */
export function resolveServe(options: {
  readonly flags: ServeFlags;
  readonly env: Environment;
  /** The file's settings; absent where there is no file. */
  readonly config: Config;
  /** The file itself, to tell what it sets from what is a default. */
  readonly document?: { readonly [key: string]: unknown };
  readonly addresses?: readonly string[];
}): Resolved<ServeSettings> {
  const { flags, env, config, document, addresses } = options;
  const { gateway } = config;
  const issues: SettingsIssue[] = [];
  const inFile = (key: "port" | "bind"): SettingSource => {
    const section = document?.gateway;
    return typeof section === "object" && section !== null && Object.hasOwn(section, key)
      ? "file"
      : "default";
  };

  let port: Sourced<number> = { value: gateway.port, source: inFile("port") };
  const portText = fromOutside("port", flags, env);
  if (portText !== undefined) {
    const value = portNumber(portText.value);
    if (value === undefined) {
      const message =
        `must be a port, a whole number from 0 to 65535, such as ${DEFAULT_PORT}; got ${
          quote(portText.value)
        }`;
      issues.push({ path: portText.path, message });
    } else {
      port = { value, source: portText.source };
    }
  }

  let bind: Sourced<string> = { value: gateway.bind, source: inFile("bind") };
  const bindText = fromOutside("bind", flags, env);
  if (bindText !== undefined) {
    if (!isBindAddress(bindText.value)) {
      const message =
        `must be loopback, lan, auto, tailnet, custom, an IP address or a host name; got ${
          quote(bindText.value)
        }`;
      issues.push({ path: bindText.path, message });
    } else if (bindText.value === "custom" && gateway.customBindHost === undefined) {
      const message = "is custom, which needs gateway.customBindHost in the settings file";
      issues.push({ path: bindText.path, message });
    }
    bind = { value: bindText.value, source: bindText.source };
  }

  const tokenText = fromOutside("token", flags, env);
  if (tokenText !== undefined) {
    const problem = secretProblem(tokenText.value);
    if (problem !== undefined) issues.push({ path: tokenText.path, message: problem });
  }
  const secret = resolveSecret({ flags, env, auth: gateway.auth });

  if (issues.length > 0) return { ok: false, issues };
  const host = bindHost(bind.value, {
    ...(gateway.customBindHost === undefined ? {} : { customBindHost: gateway.customBindHost }),
    ...(addresses === undefined ? {} : { addresses }),
  });
  return { ok: true, value: { port, bind, host, ...secret } };
}

/** The secret that guards the gateway. */
export interface GatewaySecret {
  /** Which of the two counts: what clients show. */
  readonly mode: "token" | "password";
  readonly token: Sourced<string> | undefined;
  readonly password: Sourced<string> | undefined;
}

/**
 * The gateway's secret, at the start and whenever the settings change: a token of flag, environment,
 * file, then state folder; a password of the file. The mode is the file's; where it names none,
 * `password` if a password is set and no token is, that of the state folder aside. A secret that the file
 * takes from an environment that is not known here is set, and absent.
 */
export function resolveSecret(options: {
  readonly flags: ServeFlags;
  readonly env: Environment;
  /** The file's `gateway.auth`. */
  readonly auth: Pick<Config["gateway"]["auth"], "mode" | "token" | "password" | "unset">;
  /** The token in the state folder; absent where there is none. */
  readonly stateToken?: string;
}): GatewaySecret {
  const { flags, env, auth, stateToken } = options;
  const outside = fromOutside("token", flags, env);
  const token: Sourced<string> | undefined = outside !== undefined
    ? { value: outside.value, source: outside.source }
    : auth.token !== undefined
    ? { value: auth.token, source: "file" }
    : undefined;
  const password: Sourced<string> | undefined = auth.password === undefined
    ? undefined
    : { value: auth.password, source: "file" };
  const unset = auth.unset ?? [];
  const set = {
    token: token !== undefined || unset.includes("token"),
    password: password !== undefined || unset.includes("password"),
  };
  return {
    mode: auth.mode ?? (set.password && !set.token ? "password" : "token"),
    token: token ?? (set.token || stateToken === undefined ? undefined : {
      value: stateToken,
      source: "state folder",
    }),
    password,
  };
}

/** The settings that flags and the environment decide, whatever the file says. */
export function overriddenSettings(
  flags: ServeFlags,
  env: Environment,
): readonly { readonly path: readonly string[]; readonly by: string }[] {
  const settings = {
    port: ["gateway", "port"],
    bind: ["gateway", "bind"],
    token: ["gateway", "auth", "token"],
  } as const;
  return (["port", "bind", "token"] as const).flatMap((name) => {
    const outside = fromOutside(name, flags, env);
    return outside === undefined ? [] : [{ path: settings[name], by: outside.path }];
  });
}

function fromOutside(
  name: keyof typeof FLAGS,
  flags: ServeFlags,
  env: Environment,
): (Sourced<string> & { readonly path: string }) | undefined {
  const flag = flags[name];
  if (flag !== undefined) return { value: flag, source: "flag", path: FLAGS[name] };
  const variable = SETTING_VARIABLES[name];
  const value = Object.hasOwn(env, variable) ? env[variable] : undefined;
  return value === undefined ? undefined : { value, source: "environment", path: variable };
}

function portNumber(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65_535 ? port : undefined;
}

function pathProblem(path: string, home: string | undefined): string | undefined {
  if (path.trim() === "") return "must not be blank; name a path or leave it out";
  if (path === "undefined" || path === "null") {
    return `is ${
      quote(path)
    }, which a script has put there by mistake; name a path or leave it out`;
  }
  if (path.includes("\0")) return "must not contain a NUL character";
  if (/^~([\\/]|$)/.test(path) && home === undefined) {
    return `begins with ~, but there is no home folder; got ${quote(path)}`;
  }
  return undefined;
}
