/** Agents that are made for the users of a channel, each with a workspace of its own. */

import * as v from "valibot";
import { describeError, GatewayError } from "../core/error.ts";
import { type AgentId, checked, isAgentId, type TenantId } from "../core/id.ts";
import { RateLimiter } from "../core/rate.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { type Store, StoreConflict } from "../ports/store.ts";
import type { Workspaces } from "../ports/workspace.ts";
import type { AddedAgents, AgentSetting } from "./agents.ts";
import { agentPart } from "./channel_name.ts";
import { Collection } from "./collection.ts";
import { KeyedMutex } from "./keyed_mutex.ts";

/** Most agents that are made, whatever the settings say; users beyond it are refused. */
export const MAX_DYNAMIC_AGENTS = 10_000;

/**
 * The part of them that guests may take where others prove who they are, rounded up: a name costs a guest nothing. An
 * agent never gives way to another, as its folders and conversations are somebody's.
 */
export const GUEST_SHARE = 0.5;

/** Most that are remembered: those of guests beyond their share, from when nobody was asked, stay. */
const MAX_HELD = MAX_DYNAMIC_AGENTS * (1 + GUEST_SHARE);

/** Lines of the log in a minute that say that there is no room. */
const FULL_TOLD_PER_MINUTE = 1;

/** Records read at a time. */
const PAGE = 500;

const KIND = "dynamic-agent";

const RecordSchema = v.object({
  /** Whom it was made for, as its channel names them; see {@linkcode AgentWanted} for the two below. */
  userId: v.string(),
  namespace: v.string(),
  proven: v.optional(v.boolean(), false),
  workspace: v.string(),
  agentDir: v.string(),
  createdAt: v.number(),
});

type AgentRecord = v.InferOutput<typeof RecordSchema>;

/** How agents are made. */
export interface DynamicAgentOptions {
  /**
   * Paths in which `{agentId}` stands for the agent's id and `{userId}` for what follows `ws-` in it: the user's id
   * where that is fit for a path, else `-` and a digest.
   */
  readonly workspaceTemplate: string;
  readonly agentDirTemplate: string;
  /** Absent: {@linkcode MAX_DYNAMIC_AGENTS}. */
  readonly maxAgents?: number;
  /** An agent that the settings define may be a user's own, where its id is the user's. */
  readonly useConfigured?: boolean;
}

/** For whom an agent is wanted. */
export interface AgentWanted {
  readonly userId: string;
  /** Tells apart users of one id: empty for those who are whom they say, `guest` for those who were not proved to be. */
  readonly namespace: string;
  /** The user proved who they are; where nobody is asked, nobody does. */
  readonly proven: boolean;
  readonly options: DynamicAgentOptions;
}

/** What dynamic agents are made of. */
export interface DynamicAgentParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly workspaces: Workspaces;
  readonly tenant: TenantId;
  /** Whether the settings define an agent of this id. */
  readonly configured: (id: AgentId) => boolean;
}

/** Makes agents once and remembers them, across restarts too. Two users never share one. */
export class DynamicAgents implements AddedAgents {
  readonly #parts: DynamicAgentParts;
  readonly #records: Collection<AgentRecord>;
  /** Bounded by {@linkcode MAX_HELD}. */
  readonly #agents = new Map<AgentId, AgentSetting>();
  readonly #turns = new KeyedMutex();
  #loaded: Promise<void> | undefined;
  /** Those of users who had proved who they are. */
  #proven = 0;
  readonly #telling: RateLimiter;

  constructor(parts: DynamicAgentParts) {
    const { clock, store, log } = parts;
    this.#parts = parts;
    this.#telling = new RateLimiter(() => clock.monotonic());
    this.#records = new Collection<AgentRecord>(store, {
      kind: KIND,
      schema: RecordSchema,
      toJson: (record) => ({ ...record }),
      order: ({ createdAt }) => createdAt,
      log,
    });
  }

  get(id: AgentId): AgentSetting | undefined {
    return this.#agents.get(id);
  }

  list(): readonly AgentSetting[] {
    return [...this.#agents.values()];
  }

  /** Reads the agents that were made before; tried again at the next use where it fails. */
  load(): Promise<void> {
    return this.#loaded ??= this.#read().catch((error) => {
      this.#loaded = undefined;
      throw error;
    });
  }

  /**
   * The agent of a user, made where there is none. One that the settings define is nobody's own, unless
   * `useConfigured` says so: the user's then has another id. Throws `UNAVAILABLE` when there are as many as
   * there may be (of guests: {@linkcode GUEST_SHARE} of them) or its folders cannot be made.
   */
  async ensure(wanted: AgentWanted): Promise<AgentId> {
    const { configured, log } = this.#parts;
    await this.load();
    let part = await agentPart(nameOf(wanted));
    let id = checked(`ws-${part}`, isAgentId);
    const usual = id;
    if (configured(id)) {
      if (wanted.options.useConfigured === true) return id;
      // The name of nobody.
      part = await agentPart(`\0${nameOf(wanted)}`);
      id = checked(`ws-${part}`, isAgentId);
      if (configured(id)) throw noMore();
    }
    if (this.#agents.has(id)) return id;
    // One after the other, so that the bound holds.
    return await this.#turns.run(KIND, {
      name: "agents",
      work: async () => {
        if (this.#agents.has(id)) return id;
        await this.#make(id, { part, wanted });
        if (id !== usual) {
          log.write("warn", "the settings define a user's agent, so another was made", {
            agent: id,
            defined: usual,
          });
        }
        return id;
      },
    });
  }

  async #make(
    id: AgentId,
    { part, wanted }: { readonly part: string; readonly wanted: AgentWanted },
  ): Promise<void> {
    const { workspaces, clock, log, store, tenant } = this.#parts;
    const { options, userId, namespace, proven } = wanted;
    if (!this.#room(wanted)) {
      this.#tellFull(id);
      throw noMore();
    }
    const fill = (template: string): string =>
      template.replaceAll("{agentId}", id).replaceAll("{userId}", part);
    const workspace = fill(options.workspaceTemplate);
    const agentDir = fill(options.agentDirTemplate);
    try {
      await workspaces.ensure(workspace);
      await workspaces.ensure(agentDir);
    } catch (error) {
      log.write("error", "folders of an agent not made", {
        agent: id,
        error: describeError(error),
      });
      const message =
        "the agent's folders could not be made; who runs the gateway finds why in its log";
      throw new GatewayError("UNAVAILABLE", message);
    }
    const record = { userId, namespace, proven, workspace, agentDir, createdAt: clock.now() };
    try {
      await store.commit([this.#records.put(tenant, id, record, 0)]);
    } catch (error) {
      // Another process made it meanwhile.
      if (!(error instanceof StoreConflict)) throw error;
    }
    this.#agents.set(id, { id });
    if (proven) this.#proven++;
    log.write("info", "agent made", { agent: id });
  }

  /** Says in the log, now and then, that users are refused for want of agents, as they are not told why. */
  #tellFull(wanted: AgentId): void {
    if (this.#telling.take("full", FULL_TOLD_PER_MINUTE) > 0) return;
    this.#parts.log.write(
      "warn",
      "agent not made, as there are as many as may be; see dynamicAgentCreation.maxAgents",
      {
        agent: wanted,
        agents: this.#agents.size,
      },
    );
  }

  /** Whether there may be one more for this user. */
  #room({ namespace, options, proven }: AgentWanted): boolean {
    const most = Math.min(options.maxAgents ?? MAX_DYNAMIC_AGENTS, MAX_DYNAMIC_AGENTS);
    const share = Math.ceil(most * GUEST_SHARE);
    const others = this.#agents.size - this.#proven;
    // Who came when nobody was asked may have taken more than guests may.
    if (proven) return this.#proven + Math.min(others, share) < most;
    return this.#agents.size < most && (namespace === "" || others < share);
  }

  async #read(): Promise<void> {
    const { tenant } = this.#parts;
    let after: { order: number; id: string } | undefined;
    for (;;) {
      const { items, last } = await this.#records.page(tenant, { limit: PAGE, after });
      for (const { id, value } of items) {
        if (!isAgentId(id) || this.#agents.has(id)) continue;
        this.#agents.set(id, { id });
        if (value.proven) this.#proven++;
      }
      if (last === undefined || this.#agents.size >= MAX_HELD) return;
      after = last;
    }
  }
}

/** What tells users apart; no id holds the character between the two. */
function nameOf({ userId, namespace }: AgentWanted): string {
  return namespace === "" ? userId : `${namespace}\0${userId}`;
}

function noMore(): GatewayError {
  return new GatewayError("UNAVAILABLE", "no more agents can be made; ask who runs the gateway");
}
