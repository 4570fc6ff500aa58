/** The chat channel at the start: what the environment says of it, and its own port. */

import type { Gateway } from "../app.ts";
import type { Config, Environment, Resolved } from "../config.ts";
import { type ChatOverrides, chatOverrides } from "../config/chat_options.ts";
import { isLoopbackHost, reachableHost } from "../core/host.ts";
import { quote } from "../core/quote.ts";
import type { ListenOptions } from "../ports/listener.ts";
import type { Log } from "../ports/log.ts";
import type { MediaFolder } from "../ports/media.ts";
import { MAX_CHAT_MESSAGE_BYTES } from "../protocols/chat/codec.ts";
import { openPort } from "./open_port.ts";

/** What a start knows of the channel. */
export interface ChatSetup {
  /** Absent: the settings do not name it. */
  readonly settings: Config["channels"]["websocket"];
  /** What the environment says of it. */
  readonly overrides: ChatOverrides;
  /** Its own port, once it listens. */
  readonly port: { value: number | undefined };
}

/** The channel of these settings, or what keeps the gateway from starting with it. */
export function resolveChat(config: Config, env: Environment): Resolved<ChatSetup> {
  const { websocket: settings } = config.channels;
  const { overrides, issues } = chatOverrides(env);
  if (issues.length > 0) return { ok: false, issues };
  const setup: ChatSetup = { settings, overrides, port: { value: undefined } };
  if (settings === undefined || !settings.enabled) return { ok: true, value: setup };
  const { host, allowPublicWithoutAuth } = settings;
  if (isLoopbackHost(host) || asks(setup) || allowPublicWithoutAuth) {
    return { ok: true, value: setup };
  }
  const message = `is ${quote(host)}, where everyone could connect unasked; switch auth on, ` +
    "listen on 127.0.0.1, or set allowPublicWithoutAuth";
  return { ok: false, issues: [{ path: "channels.websocket.host", message }] };
}

/** Listens until `opened` ends, where the settings want it; resolves to the URL. */
export async function openChat(
  { settings, port: ownPort }: ChatSetup,
  { gateway, log, tls, opened }: {
    readonly gateway: Pick<Gateway, "serveChat">;
    readonly log: Log;
    /** The gateway's own; absent: the port speaks plain HTTP. */
    readonly tls: ListenOptions["tls"];
    readonly opened: AsyncDisposableStack;
  },
): Promise<string | undefined> {
  const { serveChat } = gateway;
  if (settings === undefined || !settings.enabled || serveChat === undefined) return undefined;
  const { host, port, path, media } = settings;
  ownPort.value = await openPort({ hostname: host, port }, {
    name: "the chat listener",
    remedy: { port: "channels.websocket.port", address: "channels.websocket.host" },
    serve: serveChat,
    tls,
    maxMessageBytes: MAX_CHAT_MESSAGE_BYTES,
    maxBodyBytes: media.maxBytes,
    log,
    opened,
  });
  const scheme = tls === undefined ? "ws" : "wss";
  const url = `${scheme}://${reachableHost(host)}:${ownPort.value}${path}`;
  log.write("info", "the chat channel is listening", { url });
  return url;
}

/** What an operator of an open channel should know; `host` is where the gateway's own port listens. */
export function chatExposure(
  setup: ChatSetup,
  gateway: { readonly host: string; readonly tls: boolean },
): readonly string[] {
  const { settings } = setup;
  if (settings === undefined || !settings.enabled) return [];
  const { host, auth, allowPublicWithoutAuth } = settings;
  if (isLoopbackHost(host) && isLoopbackHost(gateway.host)) return [];
  if (!asks(setup) && !allowPublicWithoutAuth) return [];
  const whom = !asks(setup)
    ? "everyone who reaches it, without asking who they are"
    : auth.required
    ? "everyone whom its identity service knows"
    : "everyone who reaches it, strangers as guests";
  // With TLS and proof of who it is there is nothing to mend.
  const asked = asks(setup) && auth.required;
  if (gateway.tls && asked) return [];
  const remedy = gateway.tls ? "" : "; switch gateway.tls on or put TLS in front of it";
  return [`the chat channel is reached beyond this machine and lets in ${whom}${remedy}`];
}

/** What a request's body may hold for files to come in; undefined: what a listener takes by itself. */
export function uploadBytes({ settings }: ChatSetup): number | undefined {
  return settings?.enabled === true ? settings.media.maxBytes : undefined;
}

/** Whether clients are asked who they are. */
function asks({ settings, overrides }: ChatSetup): boolean {
  return overrides.enabled ?? settings?.auth.enabled ?? true;
}

/** The files of the chat channel; what they stand on is loaded with the first of them. */
export function chatMedia(): MediaFolder {
  let loaded: Promise<MediaFolder> | undefined;
  const folder = (): Promise<MediaFolder> =>
    loaded ??= import("../adapters/disk_media.ts").then(({ diskMedia }) => diskMedia());
  return {
    save: async (upload, rules) => await (await folder()).save(upload, rules),
    size: async (upload, place) => await (await folder()).size(upload, place),
    remove: async (upload, place) => await (await folder()).remove(upload, place),
    open: async (wanted, rules) => await (await folder()).open(wanted, rules),
  };
}
