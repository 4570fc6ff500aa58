/**
 * The composition root: adapters and settings in, a gateway out. Every part of the domain is made and
 * connected here and nowhere else; two gateways in one process share nothing.
 */

import { LOCAL_MODEL_ALIASES } from "./adapters/local_model.ts";
import { modelCatalog } from "./adapters/model_catalog.ts";
import { createChatChannel } from "./chat_channel.ts";
import type { Config, ServeSettings } from "./config.ts";
import { type ChatOverrides, type ChatPlaces, chatSettings } from "./config/chat_options.ts";
import { agentOptions, providerOptions } from "./config/service_options.ts";
import { modelChoice } from "./config/setting_text.ts";
import { describeError, toGatewayError } from "./core/error.ts";
import { DEFAULT_TENANT, type TenantId } from "./core/id.ts";
import type { Link } from "./core/link.ts";
import { Metrics } from "./core/metrics.ts";
import type { Serve } from "./core/serve.ts";
import type { ServerSocket } from "./core/websocket.ts";
import { linkOf } from "./core/websocket_link.ts";
import { chatMount, chatServe } from "./http/chat_routes.ts";
import { createRoutes } from "./http/routes.ts";
import type { Clock } from "./ports/clock.ts";
import type { IdentityService } from "./ports/identity.ts";
import type { Log, LogFeed, LogReader } from "./ports/log.ts";
import type { MediaFolder } from "./ports/media.ts";
import type { ModelPort } from "./ports/model.ts";
import type { Random } from "./ports/random.ts";
import type { SettingsFile } from "./ports/settings_file.ts";
import type { Store } from "./ports/store.ts";
import type { Workspaces } from "./ports/workspace.ts";
import type { Chat, ChatSettings } from "./protocols/chat/mod.ts";
import { type Control, createControl } from "./protocols/control/mod.ts";
import { createOpenClaw } from "./protocols/openclaw/mod.ts";
import type { ServerIdentity } from "./protocols/openclaw/hello.ts";
import { Agents } from "./services/agents.ts";
import { Authenticator } from "./services/auth.ts";
import { ChannelPolls } from "./services/channel_polls.ts";
import { Channels } from "./services/channels.ts";
import { Devices } from "./services/devices.ts";
import { DynamicAgents } from "./services/dynamic_agents.ts";
import { HealthMonitor } from "./services/health.ts";
import { Heartbeat } from "./services/heartbeat.ts";
import { heartbeatTurns } from "./services/heartbeat_turn.ts";
import { Hub } from "./services/hub.ts";
import { Lifecycle } from "./services/lifecycle.ts";
import { modelName, Models } from "./services/models.ts";
import { Presence } from "./services/presence.ts";
import { Runs } from "./services/runs.ts";
import { Sessions } from "./services/sessions.ts";
import { type SettingOverride, Settings } from "./services/settings.ts";
import type { SettingsCodec } from "./services/settings_codec.ts";
import { Uploads } from "./services/uploads.ts";
import { VersionCounters } from "./services/state_versions.ts";
import { TICK_INTERVAL_MS, Ticker } from "./services/ticker.ts";
import statusPage from "./ui/status_page.html" with { type: "text" };

/** The adapters and facts that a gateway is made of. */
export interface GatewayParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly log: Log;
  readonly logs: LogReader;
  /** The log as it is written, for the control channel; absent: it shows none. */
  readonly logFeed?: LogFeed;
  readonly settingsFile: SettingsFile;
  readonly settingsCodec: SettingsCodec<Config>;
  /** The codec for the file at a path, where its format may change; absent: always the one above. */
  readonly settingsCodecOf?: (path: string) => Promise<SettingsCodec<Config>>;
  /** The settings at the start. */
  readonly config: Config;
  /** The secret that counts while the settings say this; asked again after each change. */
  readonly secret: (auth: Config["gateway"]["auth"]) => Pick<ServeSettings, "mode"> & {
    readonly token?: string;
    readonly password?: string;
  };
  /** Settings that flags or the environment decide, for the answer to a change of one. */
  readonly overrides?: readonly SettingOverride[];
  /** The secret that device tokens are derived from. */
  readonly keyring: string;
  readonly server: ServerIdentity & { readonly platform: string };
  /** Host names of this machine; requests that name one are served. */
  readonly hostNames: readonly string[];
  readonly pid?: number;
  /** In place of the models of the settings. */
  readonly models?: ModelPort;
  /** Resident memory in bytes, for the metrics. */
  readonly memory?: () => number;
  /** What the chat channel stands on; absent: it cannot be switched on. */
  readonly chat?: {
    readonly identities: IdentityService;
    readonly media: MediaFolder;
    readonly workspaces: Workspaces;
    readonly overrides: ChatOverrides;
    readonly places: ChatPlaces;
    /** The channel's own port, once it listens. */
    readonly port: () => number | undefined;
  };
}

/** How a gateway stops. */
export interface StopOptions {
  /** It is started again right away: clients are told to come back after so many milliseconds. */
  readonly restartExpectedMs?: number;
}

/** A gateway that serves requests. */
export interface Gateway {
  /** Answers HTTP and takes connections. */
  readonly serve: Serve;
  /** Answers on the chat channel's own port; absent where there is no such channel. */
  readonly serveChat?: Serve;
  /** Takes connections whose messages are lines. */
  readonly control: Pick<Control, "accept">;
  /** The settings in effect, their secrets for the log to leave out, and why the file is not in effect. */
  readonly settings: Pick<Settings<Config>, "current" | "secrets" | "refusal">;
  /** Loads what the services need; requests are answered meanwhile. Where it rejects, {@linkcode Gateway.stop} remains. */
  start(): Promise<void>;
  /** Takes in settings and secrets that were changed on disk. Settings that are not valid change nothing. */
  reload(): Promise<void>;
  /** Tells every client, ends what runs, and leaves the store ready to be closed. */
  stop(reason: string, options?: StopOptions): Promise<void>;
}

/** Tenants that this gateway serves. */
const TENANTS: readonly TenantId[] = [DEFAULT_TENANT];

/** Makes a gateway. Nothing runs and nothing is read until {@linkcode Gateway.start}. */
export function createGateway(parts: GatewayParts): Gateway {
  const { clock, random, store, log, logs, server } = parts;
  const metrics = new Metrics();
  const hub = new Hub();
  const lifecycle = new Lifecycle({ hub, tenants: () => TENANTS });
  const versions = new VersionCounters();
  const settings = new Settings<Config>(parts.config, {
    file: parts.settingsFile,
    codec: parts.settingsCodec,
    codecOf: parts.settingsCodecOf,
    clock,
    log: log.child("settings"),
    version: server.version,
    pid: parts.pid,
    overrides: parts.overrides,
  });
  const config = (): Config => settings.current;
  const secrets = () => parts.secret(config().gateway.auth);

  const dynamicAgents = parts.chat && new DynamicAgents({
    store,
    clock,
    log: log.child("agents"),
    workspaces: parts.chat.workspaces,
    tenant: DEFAULT_TENANT,
    configured: (id) => agents.configured(id),
  });
  const agents: Agents = new Agents({
    options: settings.derive(agentOptions),
    added: dynamicAgents,
  });
  const catalog = liveCatalog(settings, { clock, settingsFile: () => server.configPath });
  const models = new Models({
    port: parts.models ?? catalog,
    defaultModel: () => modelChoice(config().agents.defaults.model).primary,
    aliases: () => LOCAL_MODEL_ALIASES,
  });
  const sessions: Sessions = new Sessions({
    store,
    log: log.child("sessions"),
    clock,
    random,
    agents,
    options: () => ({
      mainKey: config().session.mainKey,
      scope: config().session.scope,
      defaults: (agent) => models.described(agents.modelFor(agent)),
      changed: (tenant) => health.invalidate(tenant),
      resolveModel: (wanted) => {
        const model = models.resolve(wanted);
        return { modelProvider: model.provider, model: model.id };
      },
      abortRuns: async (tenant, key) => {
        await runs.abort(tenant, { sessionKey: key });
      },
    }),
  });
  const runs = new Runs({
    store,
    sessions,
    agents,
    models,
    hub,
    clock,
    log: log.child("runs"),
    options: () => ({ maxConcurrent: config().agents.defaults.maxConcurrent }),
    facts: async (tenant) => ({
      version: server.version,
      host: server.host,
      sessions: String(await sessions.count(tenant)),
      model: modelName(models.resolve(undefined)),
      time: new Date(clock.now()).toISOString(),
    }),
  });
  const heartbeat = new Heartbeat({
    clock,
    hub,
    log: log.child("heartbeat"),
    store,
    agents,
    options: () => ({ prompt: (agentId) => agents.get(agentId)?.heartbeatPrompt }),
    runTurn: heartbeatTurns({ agents, models, runs, sessions, clock }),
    tenants: () => TENANTS,
  });
  const presence = new Presence({ clock, hub, self: server, versions });
  const health = new HealthMonitor({
    clock,
    hub,
    log: log.child("health"),
    sessions,
    agents,
    heartbeat,
    versions,
    channels: () =>
      channels.list().channels.flatMap(({ channel: { id, label }, state }) =>
        state.configured ? [{ id, label, ...state }] : []
      ),
    settings: () => ({
      refusal: settings.refusal,
      disabled: config().models.disabled ?? {},
    }),
  });
  const ticker = new Ticker({ clock, hub, health, tenants: () => TENANTS });
  const auth = new Authenticator({
    clock,
    options: () => ({ ...config().gateway.auth, ...secrets() }),
  });
  const devices = new Devices({ store, clock, random, hub, keyring: { secret: parts.keyring } });
  const checkSecret = secretWatch(secrets, () => {
    for (const tenant of TENANTS) hub.publish(tenant, { type: "secret.changed" });
  });
  settings.onChange(checkSecret);
  settings.onChange(() => heartbeat.reload());

  const polls = new ChannelPolls({
    store,
    clock,
    log: log.child("channels"),
    tenant: DEFAULT_TENANT,
  });
  const uploads = parts.chat && new Uploads({
    store,
    media: parts.chat.media,
    clock,
    random,
    log: log.child("uploads"),
    tenant: DEFAULT_TENANT,
  });
  const chat = parts.chat && dynamicAgents && uploads && createChatChannel({
    tenant: DEFAULT_TENANT,
    agents,
    dynamicAgents,
    polls,
    runs,
    identities: parts.chat.identities,
    media: parts.chat.media,
    uploads,
    hub,
    clock,
    random,
    log: log.child("chat"),
    metrics,
    settings: settings.derive(chatSettingsOf(parts.chat)),
    port: parts.chat.port,
  });
  const link = (socket: ServerSocket): Link =>
    linkOf(socket, (delayMs, task) => clock.after(delayMs, task));
  const chatRoutes = chat && {
    chat,
    trustedProxies: () => config().gateway.trustedProxies,
    allowedHosts: () => [...config().gateway.allowedHosts, ...parts.hostNames],
    connect: (socket: ServerSocket, client: Parameters<Chat["accept"]>[1]) =>
      chat.accept(link(socket), client),
  };
  if (chat !== undefined) {
    settings.onChange(() => {
      if (!chat.settings().enabled) chat.channel.disconnectAll();
    });
  }
  const channels = new Channels({
    channels: chat === undefined ? [] : [chat.channel],
    polls,
    runs,
    store,
    clock,
    random,
    log: log.child("channels"),
  });

  const openClaw = createOpenClaw({
    services: {
      agents,
      auth,
      channels,
      devices,
      health,
      heartbeat,
      logs,
      models,
      presence,
      runs,
      sessions,
      settings,
      allowedOrigins: () => config().gateway.controlUi.allowedOrigins,
      tenant: DEFAULT_TENANT,
    },
    hub,
    clock,
    random,
    log: log.child("openclaw"),
    metrics,
    server,
    tickIntervalMs: TICK_INTERVAL_MS,
    sessionDefaults: () => ({
      defaultAgentId: agents.defaultId,
      mainKey: config().session.mainKey,
      mainSessionKey: sessions.mainKey(),
      scope: config().session.scope,
    }),
  });
  const control = createControl({
    services: { health, heartbeat, tenant: DEFAULT_TENANT },
    hub,
    life: () => lifecycle.current,
    clock,
    random,
    log: log.child("control"),
    metrics,
    pid: parts.pid,
    logs: () => config().control.log ? parts.logFeed : undefined,
  });
  gauges(metrics, { runs, hub, memory: parts.memory });

  let started: Promise<void> | undefined;
  const load = async (): Promise<void> => {
    await dynamicAgents?.load();
    await polls.load();
    for (const tenant of TENANTS) await runs.recover(tenant);
    await heartbeat.start();
    health.start();
    ticker.start();
    if (chat !== undefined) uploads?.start(() => chat.settings().enabled);
  };
  const start = async (): Promise<void> => {
    try {
      await load();
    } catch (error) {
      log.write("error", "the gateway could not be started", { error: describeError(error) });
      lifecycle.failed(toGatewayError(error).message);
      throw error;
    }
    lifecycle.started();
  };
  return {
    settings,
    control,
    ...(chatRoutes === undefined ? {} : { serveChat: chatServe(chatRoutes) }),
    serve: createRoutes({
      mounts: chatRoutes === undefined ? [] : [chatMount(chatRoutes)],
      trustedProxies: () => config().gateway.trustedProxies,
      allowedOrigins: () => config().gateway.controlUi.allowedOrigins,
      allowedHosts: () => [...config().gateway.allowedHosts, ...parts.hostNames],
      ready: () => lifecycle.ready,
      authorize: async (header, peer) => (await auth.authorizeBearer(header, peer)).ok,
      metrics: () => metrics.render(),
      page: statusPage,
      connect: (socket, peer) => openClaw.accept(link(socket), peer),
    }),
    start: () => started ??= start(),
    async reload() {
      checkSecret();
      const { valid, issues } = await settings.reload();
      const [first] = issues;
      if (!valid) {
        log.write("warn", "changed settings are not valid and not used", {
          path: first?.path,
          issue: first?.message,
        });
      }
    },
    async stop(reason, options = {}) {
      const restartExpectedMs = options.restartExpectedMs ?? null;
      // What has begun to load would otherwise set timers up behind the stop; whoever started it hears of a failure.
      await started?.catch(() => {});
      lifecycle.leave();
      ticker.stop();
      health.stop();
      presence.stop();
      await uploads?.stop();
      await heartbeat.stop();
      lifecycle.ended(reason, restartExpectedMs);
      await runs.stop();
    },
  };
}

/** The models of the settings as they are now. */
function liveCatalog(
  settings: Settings<Config>,
  parts: { readonly clock: Clock; readonly settingsFile: () => string },
): ModelPort {
  const catalog = settings.derive((config) =>
    modelCatalog({ providers: providerOptions(config), ...parts })
  );
  return {
    list: () => catalog().list(),
    stream: (request, signal) => catalog().stream(request, signal),
  };
}

/** The chat channel's settings on this machine. */
function chatSettingsOf(
  { overrides, places }: NonNullable<GatewayParts["chat"]>,
): (config: Config) => ChatSettings {
  return (config) => chatSettings(config, { overrides, places });
}

/** Calls `changed` when the secret that counts is another one than before. */
function secretWatch(
  secrets: () => { mode: "token" | "password"; token?: string; password?: string },
  changed: () => void,
): () => void {
  const counting = () => {
    const { mode, ...values } = secrets();
    return values[mode];
  };
  let known = counting();
  return () => {
    const now = counting();
    if (now === known) return;
    known = now;
    changed();
  };
}

function gauges(
  metrics: Metrics,
  parts: { runs: Runs; hub: Hub; memory: (() => number) | undefined },
): void {
  const { runs, hub, memory } = parts;
  metrics.gauge("clawgate_runs_running", "Runs that run.", () => runs.counts.running);
  metrics.gauge(
    "clawgate_runs_waiting",
    "Runs that wait for their turn.",
    () => runs.counts.waiting,
  );
  metrics.gauge("clawgate_subscribers", "Connections that receive events.", () => hub.size);
  if (memory !== undefined) {
    metrics.gauge("clawgate_resident_memory_bytes", "Resident memory.", memory);
  }
}
