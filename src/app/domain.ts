/**
 * The domain of one gateway: its services, made and connected. Nothing runs and nothing is read yet, and
 * two domains in one process share nothing.
 */

import { LOCAL_MODEL_ALIASES } from "../adapters/local_model.ts";
import { modelCatalog } from "../adapters/model_catalog.ts";
import type { Config } from "../config.ts";
import { agentOptions, providerOptions } from "../config/service_options.ts";
import { modelChoice } from "../config/setting_text.ts";
import { DEFAULT_TENANT } from "../core/id.ts";
import { Metrics } from "../core/metrics.ts";
import type { Channel } from "../ports/channel.ts";
import type { ModelPort } from "../ports/model.ts";
import { Agents } from "../services/agents.ts";
import { ChannelPolls } from "../services/channel_polls.ts";
import { Channels } from "../services/channels.ts";
import { HealthMonitor } from "../services/health.ts";
import { Heartbeat } from "../services/heartbeat.ts";
import { heartbeatTurns } from "../services/heartbeat_turn.ts";
import { Hub } from "../services/hub.ts";
import { Lifecycle } from "../services/lifecycle.ts";
import { modelName, Models } from "../services/models.ts";
import { Presence } from "../services/presence.ts";
import { Runs } from "../services/runs.ts";
import { Sessions } from "../services/sessions.ts";
import { Settings } from "../services/settings.ts";
import { VersionCounters } from "../services/state_versions.ts";
import { Ticker } from "../services/ticker.ts";
import { type Access, createAccess } from "./access.ts";
import { type ChatServices, createChatServices } from "./chat_services.ts";
import type { GatewayParts } from "./gateway_parts.ts";
import { TENANTS } from "./tenants.ts";

/** What the wires of a gateway stand on. */
export interface Domain extends Access {
  readonly agents: Agents;
  readonly channels: Channels;
  /** Undefined: the chat channel cannot be switched on. */
  readonly chat: ChatServices | undefined;
  readonly health: HealthMonitor;
  readonly heartbeat: Heartbeat;
  readonly hub: Hub;
  readonly lifecycle: Lifecycle;
  readonly metrics: Metrics;
  readonly models: Models;
  readonly polls: ChannelPolls;
  readonly presence: Presence;
  readonly runs: Runs;
  readonly sessions: Sessions;
  readonly settings: Settings<Config>;
  readonly ticker: Ticker;
}

/** Makes the services of a gateway. Two that need each other are joined by functions that are called later. */
export function createDomain(
  parts: GatewayParts,
  wired: {
    /** The channels that the wires bring; asked only once everything is made. */
    readonly channels: () => readonly Channel[];
  },
): Domain {
  const { clock, random, store, log, server } = parts;
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
  const access = createAccess(parts, { hub, settings });

  const chat = createChatServices(parts, {
    settings,
    configured: (id) => agents.configured(id),
  });
  const agents: Agents = new Agents({
    options: settings.derive(agentOptions),
    added: chat?.dynamicAgents,
  });
  const models = new Models({
    port: parts.models ?? liveCatalog(parts, settings),
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
  settings.onChange(() => heartbeat.reload());

  const polls = new ChannelPolls({
    store,
    clock,
    log: log.child("channels"),
    tenant: DEFAULT_TENANT,
  });
  const channels = new Channels({
    channels: wired.channels,
    polls,
    runs,
    store,
    clock,
    random,
    log: log.child("channels"),
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
  return {
    ...access,
    agents,
    channels,
    chat,
    health,
    heartbeat,
    hub,
    lifecycle,
    metrics,
    models,
    polls,
    presence,
    runs,
    sessions,
    settings,
    ticker,
  };
}

/** The models of the settings as they are now. */
function liveCatalog(
  { clock, server }: GatewayParts,
  settings: Pick<Settings<Config>, "derive">,
): ModelPort {
  const catalog = settings.derive((config) =>
    modelCatalog({
      providers: providerOptions(config),
      clock,
      settingsFile: () => server.configPath,
    })
  );
  return {
    list: () => catalog().list(),
    stream: (request, signal) => catalog().stream(request, signal),
  };
}
