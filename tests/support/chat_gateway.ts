/** A gateway process with its chat channel on. */

import { eventually } from "./deadline.ts";
import { GatewayProcess, type GatewayProcessOptions } from "./gateway_process.ts";

/** Settings of a channel that asks nobody who they are. */
export const OPEN = { auth: { enabled: false } };

/** A gateway and where its chat channel is. */
export interface ChatGateway extends AsyncDisposable {
  readonly gateway: GatewayProcess;
  /** The channel's own port. */
  readonly url: string;
}

/** Starts a gateway with these settings of `channels.websocket`, on any free ports. */
export async function startChat(
  websocket: Readonly<Record<string, unknown>>,
  options: GatewayProcessOptions = {},
): Promise<ChatGateway> {
  const settings = { channels: { websocket: { port: 0, ...websocket } } };
  const gateway = await GatewayProcess.start({ settings, ...options });
  const url = await chatUrl(gateway);
  return { gateway, url, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() };
}

/** Where a gateway says that its chat channel is. */
export function chatUrl(gateway: GatewayProcess): Promise<string> {
  return eventually(
    () => /^chat channel +(ws:\S+)$/m.exec(gateway.output)?.[1],
    "the line that names the chat channel",
  );
}
