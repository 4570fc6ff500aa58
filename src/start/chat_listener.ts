/** The chat channel of these settings: whether it may be opened, and what an operator should know of it. */

import type { Config, Environment, Resolved } from "../config.ts";
import { type ChatOverrides, chatOverrides } from "../config/chat_options.ts";
import { isLoopbackHost } from "../core/host.ts";
import { quote } from "../core/quote.ts";
import type { MediaFolder } from "../ports/media.ts";
import type { SettingsIssue } from "../services/settings_codec.ts";

/** What is known of the channel. */
export interface ChatSetup {
  /** Absent: the settings do not name it. */
  readonly settings: Config["channels"]["websocket"];
  /** What the environment says of it. */
  readonly overrides: ChatOverrides;
}

/** The channel of these settings, or what keeps the gateway from starting with it. */
export function resolveChat(config: Config, env: Environment): Resolved<ChatSetup> {
  const { websocket: settings } = config.channels;
  const { overrides, issues } = chatOverrides(env);
  if (issues.length > 0) return { ok: false, issues };
  const setup: ChatSetup = { settings, overrides };
  const issue = publicIssue(setup);
  return issue === undefined ? { ok: true, value: setup } : { ok: false, issues: [issue] };
}

/** That everyone could connect unasked, where nobody said that they may. */
export function publicIssue(setup: ChatSetup): SettingsIssue | undefined {
  const { settings } = setup;
  if (settings === undefined || !settings.enabled) return undefined;
  const { host, allowPublicWithoutAuth } = settings;
  if (isLoopbackHost(host) || asks(setup) || allowPublicWithoutAuth) return undefined;
  const message = `is ${quote(host)}, where everyone could connect unasked; switch auth on, ` +
    "listen on 127.0.0.1, or set allowPublicWithoutAuth";
  return { path: "channels.websocket.host", message };
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
