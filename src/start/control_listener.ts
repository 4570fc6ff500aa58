/** Opens the control channel where the settings want it. */

import { resolve } from "node:path";
import type { LineAddress } from "../adapters/line_listener.ts";
import type { Gateway } from "../app.ts";
import { type Config, type Environment, expandHome } from "../config.ts";
import { MAX_LINE_BYTES } from "../core/lines.ts";
import type { Log } from "../ports/log.ts";
import { lastWord } from "../protocols/control/mod.ts";
import { STOP_GRACE_MS } from "./open_port.ts";

/** What the channel is opened for. */
export interface ControlPlace {
  readonly gateway: Pick<Gateway, "control">;
  readonly log: Log;
  readonly settings: { readonly config: Pick<Config, "control"> };
  /** Where a relative path of a socket begins. */
  readonly stateDir: string;
  readonly env: Environment;
}

/** A channel that is open. */
export interface OpenControl {
  /** `127.0.0.1:18791`, or the path of a socket. */
  readonly address: string;
  /** Says in the log where the channel is, and where its programs should rather be: at `url`. */
  tell(url: string): void;
}

/** Listens until `opened` ends; undefined where the settings leave the channel off. Rejects with a `ListenError`. */
export async function openControl(
  { gateway, log, settings, stateDir, env }: ControlPlace,
  opened: AsyncDisposableStack,
): Promise<OpenControl | undefined> {
  const { enabled, path, host, port } = settings.config.control;
  if (!enabled) return undefined;
  const home = env.HOME ?? env.USERPROFILE ?? "~";
  const address: LineAddress = path === undefined
    ? { transport: "tcp", hostname: host, port }
    : { transport: "unix", path: resolve(stateDir, expandHome(path, home)) };
  // Loaded where it is wanted: most gateways have no such channel.
  const { listenLines } = await import("../adapters/line_listener.ts");
  const listener = await listenLines({
    address,
    remedy: { port: "control.port", address: "control.host" },
    maxLineBytes: MAX_LINE_BYTES,
    accept: (link) => gateway.control.accept(link),
    lastWord,
    failed: (error) =>
      log.write("error", "a connection upset the control channel", { error: String(error) }),
  });
  opened.defer(() => listener.stop(STOP_GRACE_MS));
  return {
    address: listener.name,
    tell: (url) =>
      log.write("warn", "the control channel is deprecated; use the WebSocket instead", {
        control: listener.name,
        instead: url,
      }),
  };
}
