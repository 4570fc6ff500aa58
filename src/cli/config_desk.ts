/** Where settings are read and changed: at the running gateway, or in the file. */

import { diskSettingsFile } from "../adapters/disk_settings_file.ts";
import { systemClock } from "../adapters/system_clock.ts";
import { settingsCodec, settingsFormat } from "../config.ts";
import type { Log } from "../ports/log.ts";
import { type ApplySettings, Settings } from "../services/settings.ts";
import { connect, connectOwn, type Invocation } from "./gateway_access.ts";
import { readHostState } from "./host_state.ts";
import { VERSION } from "../version.ts";

/** The settings, wherever they are reached. Answers have the shapes of the wire's `config.*`. */
export interface ConfigDesk extends AsyncDisposable {
  /** A running gateway answers, so that a change may be in effect at once. */
  readonly live: boolean;
  get(): Promise<unknown>;
  patch(change: ApplySettings): Promise<unknown>;
}

/** The running gateway when there is one, else the file; with `--url`, that gateway alone. */
export async function openConfigDesk(invocation: Invocation): Promise<ConfigDesk> {
  const { flags, terminal } = invocation;
  if (flags.url !== undefined) return gatewayDesk(await connect(invocation));
  const state = await readHostState(flags, terminal.env);
  const own = await connectOwn(invocation, state);
  if (own !== undefined) return gatewayDesk(own);
  const { config } = state.paths;
  const settings = new Settings(state.settings.config, {
    file: diskSettingsFile(config),
    codec: settingsCodec({ format: settingsFormat(config), env: terminal.env }),
    clock: systemClock,
    log: SILENT,
    version: VERSION,
  });
  return {
    live: false,
    get: () => settings.get(),
    patch: (change) => settings.patch(change),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function gatewayDesk(client: Awaited<ReturnType<typeof connect>>): ConfigDesk {
  return {
    live: true,
    get: () => client.call("config.get", {}),
    patch: (change) => client.call("config.patch", change),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/** Nothing follows the settings of a command, so nothing is ever logged. */
const SILENT: Log = { write: () => {}, child: () => SILENT };
