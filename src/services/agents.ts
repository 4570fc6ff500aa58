/** The agents of the configuration: who can be talked to, and what each is set to. */

import { type AgentId, checked, isAgentId, type SessionKey } from "../core/id.ts";

/** How an agent presents itself; all of it is the owner's text. */
export interface AgentIdentity {
  readonly name?: string;
  readonly theme?: string;
  readonly emoji?: string;
  /** A picture: a path in the workspace, a URL or a data URL, as the configuration says. */
  readonly avatar?: string;
}

/** One entry of `agents.list`. An entry whose id is not a valid agent id is left out. */
export interface AgentSetting {
  readonly id: string;
  readonly name?: string;
  readonly default?: boolean;
  /** `provider/id`, a bare id or an alias. */
  readonly model?: string;
  readonly identity?: AgentIdentity;
  /** An interval as the configuration writes it, e.g. `30m`. */
  readonly heartbeatEvery?: string;
  /** What a heartbeat asks the agent. */
  readonly heartbeatPrompt?: string;
}

/** What holds for every agent that does not say otherwise. */
export interface AgentDefaults {
  readonly model?: string;
  readonly heartbeatEvery?: string;
  readonly heartbeatPrompt?: string;
}

/** The part of the configuration that this service reads. */
export interface AgentOptions {
  readonly defaults: AgentDefaults;
  readonly list: readonly AgentSetting[];
}

/** An agent with the defaults applied. */
export interface AgentInfo {
  readonly id: AgentId;
  readonly name?: string;
  readonly model?: string;
  readonly identity?: AgentIdentity;
  readonly heartbeatEvery?: string;
  readonly heartbeatPrompt?: string;
}

/** The agent of a gateway whose configuration names none. */
export const FALLBACK_AGENT_ID: AgentId = checked("main", isAgentId);

/** Agents that are in no configuration: they are talked to as the others, and have no heartbeat. */
export interface AddedAgents {
  get(id: AgentId): AgentSetting | undefined;
  list(): readonly AgentSetting[];
}

/** Reads the configured agents; every answer reflects the configuration of that moment. */
export class Agents {
  readonly #options: () => AgentOptions;
  readonly #added: AddedAgents | undefined;

  constructor({ options, added }: { options: () => AgentOptions; added?: AddedAgents }) {
    this.#options = options;
    this.#added = added;
  }

  /** The agent marked as default, else the first, else {@linkcode FALLBACK_AGENT_ID}. */
  get defaultId(): AgentId {
    const named = settings(this.#options());
    const chosen = named.find(({ setting }) => setting.default === true) ?? named[0];
    return chosen?.id ?? FALLBACK_AGENT_ID;
  }

  /** Whether the configuration defines such an agent. */
  configured(id: AgentId): boolean {
    return settings(this.#options()).some((known) => known.id === id);
  }

  /** Whether there is such an agent. */
  has(id: AgentId): boolean {
    return this.get(id) !== undefined;
  }

  /** The agents of the configuration, in its order; at least one. */
  list(): readonly AgentInfo[] {
    const options = this.#options();
    const named = settings(options);
    if (named.length === 0) {
      return [inform(FALLBACK_AGENT_ID, { id: FALLBACK_AGENT_ID }, options.defaults)];
    }
    return named.map(({ id, setting }) => inform(id, setting, options.defaults));
  }

  /** All agents, those that are in no configuration last. */
  all(): readonly AgentInfo[] {
    const added = (this.#added?.list() ?? []).flatMap(({ id }) => isAgentId(id) ? [id] : []);
    const configured = this.list();
    const known = new Set(configured.map(({ id }) => id));
    const others = added.filter((id) => !known.has(id)).map((id) => this.get(id));
    return [...configured, ...others.filter((agent) => agent !== undefined)];
  }

  get(id: AgentId): AgentInfo | undefined {
    const configured = this.list().find((agent) => agent.id === id);
    if (configured !== undefined) return configured;
    const added = this.#added?.get(id);
    if (added === undefined) return undefined;
    const { model } = this.#options().defaults;
    return inform(id, added, model === undefined ? {} : { model });
  }

  /** The model that the agent is set to, else the one of the defaults, as the configuration writes it. */
  modelFor(id: AgentId): string | undefined {
    return (this.get(id) ?? this.#options().defaults).model;
  }

  /** The agent that a session belongs to. It may be one that is no longer configured. */
  ofSession(key: SessionKey): AgentId {
    const id = key.split(":", 2)[1] ?? "";
    return isAgentId(id) ? id : this.defaultId;
  }
}

/** Entries with a valid id, ids lower-cased; of two with one id the first counts. */
function settings(options: AgentOptions): readonly { id: AgentId; setting: AgentSetting }[] {
  const found = new Map<AgentId, AgentSetting>();
  for (const setting of options.list) {
    const id = setting.id.trim().toLowerCase();
    if (isAgentId(id) && !found.has(id)) found.set(id, setting);
  }
  return [...found].map(([id, setting]) => ({ id, setting }));
}

function inform(id: AgentId, setting: AgentSetting, defaults: AgentDefaults): AgentInfo {
  return {
    id,
    name: setting.name,
    model: setting.model ?? defaults.model,
    identity: setting.identity,
    heartbeatEvery: setting.heartbeatEvery ?? defaults.heartbeatEvery,
    heartbeatPrompt: setting.heartbeatPrompt ?? defaults.heartbeatPrompt,
  };
}
