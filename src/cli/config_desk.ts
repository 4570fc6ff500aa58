/** Where settings are read and changed: at the running gateway, or in the file. */

import { diskSettingsFile } from "../adapters/disk_settings_file.ts";
import { systemClock } from "../adapters/system_clock.ts";
import { CallFailed, ConnectionFailed } from "../client/client_error.ts";
import type { GatewayClient } from "../client/gateway_client.ts";
import { type Environment, settingsCodec, settingsFormat } from "../config.ts";
import type { Log } from "../ports/log.ts";
import { type ApplySettings, Settings } from "../services/settings.ts";
import { connect, connectOwn, type Invocation } from "./gateway_access.ts";
import { type HostState, readHostState } from "./host_state.ts";
import { object } from "./json_view.ts";
import { VERSION } from "../version.ts";

/** The settings, wherever they are reached. Answers have the shapes of the wire's `config.*`. */
export interface ConfigDesk extends AsyncDisposable {
  /** A running gateway answers, so that a change may be in effect at once. */
  readonly live: boolean;
  get(): Promise<unknown>;
  patch(change: ApplySettings): Promise<unknown>;
  /** The warnings that the settings bring, also after a change that ended the connection. */
  warnings(): Promise<unknown>;
}

/** The running gateway when there is one, else the file; with `--url`, that gateway alone. */
export async function openConfigDesk(invocation: Invocation): Promise<ConfigDesk> {
  const { flags, terminal } = invocation;
  if (flags.url !== undefined) return gatewayDesk(await connect(invocation));
  const state = await readHostState(flags, terminal.env);
  const file = await fileDesk(state, terminal.env);
  const own = await connectOwn(invocation, state);
  if (own === undefined) return file;
  const desk = gatewayDesk(own);
  return {
    ...desk,
    patch: (change) => patchAndOutlive(desk, { file, change }),
    warnings: () => desk.warnings().catch(() => file.warnings()),
  };
}

async function fileDesk(
  { paths, settings: { config } }: HostState,
  env: Environment,
): Promise<ConfigDesk> {
  const settings = new Settings(config, {
    file: diskSettingsFile(paths.config),
    codec: await settingsCodec({ format: settingsFormat(paths.config), env, foreignEnv: true }),
    clock: systemClock,
    log: SILENT,
    version: VERSION,
    writer: "host",
  });
  return {
    live: false,
    get: () => settings.get(),
    patch: (change) => settings.patch(change),
    warnings: async () => (await settings.get()).warnings,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function gatewayDesk(client: GatewayClient): ConfigDesk {
  return {
    live: true,
    get: () => client.call("config.get", {}),
    warnings: async () => object(await client.call("config.get", {})).warnings,
    patch: (change) => client.call("config.patch", change),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/**
 * What the gateway takes from the host's file alone is written there; the answer then has
 * `takenFrom: "file"`, as the gateway has yet to read it. A change of the shared secret ends every
 * connection that was made with the old one, this one too and perhaps before its answer; the file then
 * tells whether the change was made.
 */
async function patchAndOutlive(
  desk: ConfigDesk,
  { file, change }: { readonly file: ConfigDesk; readonly change: ApplySettings },
): Promise<unknown> {
  try {
    return await desk.patch(change);
  } catch (error) {
    // Whoever runs this can edit the file, from which the gateway takes the change.
    if (error instanceof CallFailed && object(error.answer.details).reason === "host") {
      return { ...object(await file.patch(change)), takenFrom: "file" };
    }
    if (!(error instanceof ConnectionFailed) || error.fault !== "closed") throw error;
    const { path, hash } = object(await file.get());
    if (hash === undefined || hash === change.baseHash) throw error;
    return { ok: true, path, restart: { ok: true, required: false } };
  }
}

/** Nothing follows the settings of a command, so nothing is ever logged. */
const SILENT: Log = { write: () => {}, child: () => SILENT };
