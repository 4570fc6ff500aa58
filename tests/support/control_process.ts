/** The control channel of a gateway process. */

import { eventually } from "./deadline.ts";
import { GatewayProcess, type GatewayProcessOptions } from "./gateway_process.ts";
import { LinePeer, type LineTarget } from "./line_peer.ts";
import type { Parsed } from "./wire_client.ts";

/** A gateway whose control channel is on, and where that is. */
export interface ControlProcess extends AsyncDisposable {
  readonly gateway: GatewayProcess;
  readonly target: LineTarget;
  /** Connects, and reads the line which says that the gateway runs. */
  join(): Promise<LinePeer>;
}

/** Starts one; `control` are settings of the channel besides that it is on. */
export async function startControl(
  options: Omit<GatewayProcessOptions, "settings"> & {
    readonly control?: Readonly<Record<string, unknown>>;
    readonly settings?: Readonly<Record<string, unknown>>;
  } = {},
): Promise<ControlProcess> {
  const { control = {}, settings = {}, ...rest } = options;
  const gateway = await GatewayProcess.start({
    ...rest,
    settings: { ...settings, control: { enabled: true, port: 0, ...control } },
  });
  try {
    const address = await eventually(
      () => controlAddress(gateway),
      "the channel's line in the log",
    );
    const port = /^127\.0\.0\.1:(\d+)$/.exec(address)?.[1];
    const target = port === undefined ? { path: address } : { port: Number(port) };
    return {
      gateway,
      target,
      async join() {
        const peer = await LinePeer.open(target);
        await peer.frame(saysRunning);
        return peer;
      },
      [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
    };
  } catch (error) {
    await gateway[Symbol.asyncDispose]();
    throw error;
  }
}

/** Whether a line says that the gateway runs; who comes early is told before that it starts. */
export function saysRunning({ event, payload }: Parsed): boolean {
  return event === "gateway-status" && payload.state === "running";
}

/** Where the newest start in the log has put the channel; undefined: nowhere yet. */
export async function controlAddress(gateway: GatewayProcess): Promise<string | undefined> {
  const log = await gateway.logText().catch(() => "");
  const lines = log.trim().split("\n").filter((line) => line.includes("deprecated"));
  const last = lines.at(-1);
  return last === undefined ? undefined : JSON.parse(last).control;
}
