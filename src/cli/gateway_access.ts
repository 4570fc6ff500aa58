/** How a command finds the gateway and connects to it. */

import { ConnectionFailed } from "../client/client_error.ts";
import { GatewayClient } from "../client/gateway_client.ts";
import { gatewayUrl, isLoopback } from "../client/gateway_url.ts";
import { isJsonObject } from "../core/json.ts";
import { explainFailure } from "./connect_failure.ts";
import { CommandFailed, EXIT } from "./exit_code.ts";
import type { Flags } from "./flags.ts";
import { type HostState, readHostState } from "./host_state.ts";
import { strangerAt } from "./own_gateway.ts";
import { spin, type Terminal } from "./terminal.ts";
import { urlFlag } from "./url_flag.ts";
import { VERSION } from "../version.ts";

/** One run of a command. */
export interface Invocation {
  readonly flags: Flags;
  readonly terminal: Terminal;
}

/** Which gateway, and with what to authenticate. */
export interface Target {
  readonly url: string;
  readonly token?: string;
  readonly password?: string;
  /** Where the secret stands in the files of this state folder: nobody but its gateway is shown it. */
  readonly secretOf?: string;
}

/**
 * Flag, then the gateway that runs on this host's state folder, then environment and settings. A secret
 * that stands in files of this host goes to this host alone: an address given by `--url` that leads
 * elsewhere gets only what the command line or the environment says.
 */
export async function findTarget({ flags, terminal }: Invocation): Promise<Target> {
  const given = {
    ...(flags.token === undefined ? {} : { token: flags.token }),
    ...(flags.password === undefined ? {} : { password: flags.password }),
  };
  const explicit = flags.token !== undefined || flags.password !== undefined;
  if (flags.url !== undefined) {
    const url = urlFlag(flags.url);
    if (explicit) return { url: url.href, ...given };
    const fromEnv = terminal.env.CLAWGATE_TOKEN?.trim();
    if (fromEnv !== undefined && fromEnv !== "") return { url: url.href, token: fromEnv };
    if (!isLoopback(url)) return { url: url.href };
    return { url: url.href, ...shownSecret(await readHostState(flags, terminal.env)) };
  }
  const state = await readHostState(flags, terminal.env);
  if (state.anyPort) {
    throw new CommandFailed(
      EXIT.unreachable,
      "no gateway runs on this state folder, and its settings let it take any free port",
      "start it with `serve`, or name the address that it printed with --url",
    );
  }
  return { url: state.url, ...(explicit ? given : shownSecret(state)) };
}

function shownSecret({ secret, paths }: HostState): Omit<Target, "url"> {
  if (secret === undefined) return {};
  const { kind, value, source } = secret;
  return {
    ...(kind === "password" ? { password: value } : { token: value }),
    ...(source === "file" || source === "state folder" ? { secretOf: paths.stateDir } : {}),
  };
}

/** Connects to the target, showing a person that it takes a while. The caller closes the client. */
export async function connect(invocation: Invocation): Promise<GatewayClient> {
  return await connectTo(await findTarget(invocation), invocation);
}

/**
 * {@linkcode connect} to a target that is known. A secret of this host's files is not sent to a program
 * that is not their gateway: throws an `unreachable` {@linkcode ConnectionFailed} instead.
 */
export async function connectTo(
  { secretOf, ...target }: Target,
  { flags, terminal }: Invocation,
): Promise<GatewayClient> {
  const url = gatewayUrl(target.url);
  const stranger = secretOf === undefined ? undefined : await strangerAt(url, secretOf);
  if (stranger !== undefined) {
    const kept =
      `, so its secret was not sent to ${url.host}; --token names one to send all the same`;
    throw new ConnectionFailed(
      "unreachable",
      stranger.listening === false ? stranger.reason : `${stranger.reason}${kept}`,
    );
  }
  const secret = target.token ?? target.password;
  if (url.protocol === "ws:" && !isLoopback(url) && secret !== undefined) {
    terminal.err(
      `warning: the secret travels unencrypted to ${url.host}; prefer wss:// or a tunnel\n`,
    );
  }
  const done = spin(terminal, `connecting to ${url.host}`);
  try {
    return await GatewayClient.connect({
      ...target,
      client: { version: VERSION, platform: terminal.platform },
      ...(flags.timeout === undefined
        ? {}
        : { connectTimeoutMs: flags.timeout, callTimeoutMs: flags.timeout }),
    });
  } catch (error) {
    throw error instanceof ConnectionFailed ? explainFailure(error, url) : error;
  } finally {
    done();
  }
}

/** Runs `task` with a connection and closes it whatever happens. */
export async function withGateway<Result>(
  invocation: Invocation,
  task: (client: GatewayClient) => Promise<Result>,
): Promise<Result> {
  await using client = await connect(invocation);
  return await task(client);
}

/**
 * A connection to the gateway that serves exactly this host's state folder, or undefined when it does
 * not run: nothing listens, or what listens serves another folder or refuses this folder's secret. A
 * program that is not the gateway and would have been sent the secret is warned of.
 */
export async function connectOwn(
  invocation: Invocation,
  state: HostState,
): Promise<GatewayClient | undefined> {
  try {
    return await connectOwnOrThrow(invocation, state);
  } catch (error) {
    if (!(error instanceof ConnectionFailed)) throw error;
    const { secretOf } = shownSecret(state);
    const stranger = secretOf === undefined
      ? undefined
      : await strangerAt(gatewayUrl(state.url), secretOf);
    if (stranger?.listening === true) invocation.terminal.err(`warning: ${error.message}\n`);
    return undefined;
  }
}

/** {@linkcode connectOwn} that throws why there is no connection; undefined for another folder's gateway. */
export async function connectOwnOrThrow(
  invocation: Invocation,
  state: HostState,
): Promise<GatewayClient | undefined> {
  if (state.anyPort) return undefined;
  const client = await connectTo({ url: state.url, ...shownSecret(state) }, invocation);
  const { snapshot } = client.hello.payload;
  const stateDir = isJsonObject(snapshot) ? snapshot.stateDir : undefined;
  if (stateDir === undefined || stateDir === state.paths.stateDir) return client;
  await client.close();
  return undefined;
}

/** Runs a call, showing a person that it takes a while. */
export async function callWatched(
  client: GatewayClient,
  { terminal }: Invocation,
  request: { readonly method: string; readonly params?: unknown },
): Promise<unknown> {
  const done = spin(terminal, `waiting for ${request.method}`);
  try {
    return await client.call(request.method, request.params);
  } finally {
    done();
  }
}
