/** Agents that are made for the users of a channel, each with a workspace of its own. */

import * as v from "valibot";
import { describeError, GatewayError } from "../core/error.ts";
import { type AgentId, checked, isAgentId, type TenantId } from "../core/id.ts";
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

/** Records read at a time. */
const PAGE = 500;

const KIND = "dynamic-agent";

const RecordSchema = v.object({
  /** Whom it was made for, as its channel names them; `namespace` tells apart who proved it and who did not. */
  userId: v.string(),
  namespace: v.string(),
  workspace: v.string(),
  agentDir: v.string(),
  createdAt: v.number(),
});

type AgentRecord = v.InferOutput<typeof RecordSchema>;

/** How agents are made. */
export interface DynamicAgentOptions {
  /** Paths with `{userId}` and `{agentId}`. */
  readonly workspaceTemplate: string;
  readonly agentDirTemplate: string;
  /** Absent: {@linkcode MAX_DYNAMIC_AGENTS}. */
  readonly maxAgents?: number;
}

/** For whom an agent is wanted. */
export interface AgentWanted {
  readonly userId: string;
  /** Tells apart users of one id, e.g. those who did not prove it; empty: proven. */
  readonly namespace: string;
  readonly options: DynamicAgentOptions;
}

/** What dynamic agents are made of. */
export interface DynamicAgentParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly workspaces: Workspaces;
  readonly tenant: TenantId;
}

/** Makes agents once and remembers them, across restarts too. */
export class DynamicAgents implements AddedAgents {
  readonly #parts: DynamicAgentParts;
  readonly #records: Collection<AgentRecord>;
  /** Bounded by {@linkcode MAX_DYNAMIC_AGENTS}. */
  readonly #agents = new Map<AgentId, AgentSetting>();
  readonly #turns = new KeyedMutex();
  #loaded: Promise<void> | undefined;

  constructor(parts: DynamicAgentParts) {
    const { store, log } = parts;
    this.#parts = parts;
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
   * The agent of a user, made where there is none. Throws `UNAVAILABLE` when there are as many as there
   * may be or its folders cannot be made.
   */
  async ensure(wanted: AgentWanted): Promise<AgentId> {
    const { userId, namespace } = wanted;
    await this.load();
    // No id holds the character between the two.
    const part = await agentPart(namespace === "" ? userId : `${namespace}\0${userId}`);
    const id = checked(`ws-${part}`, isAgentId);
    if (this.#agents.has(id)) return id;
    // One after the other, so that the bound holds.
    return await this.#turns.run(KIND, {
      name: "agents",
      work: async () => {
        if (!this.#agents.has(id)) await this.#make(id, { part, wanted });
        return id;
      },
    });
  }

  async #make(
    id: AgentId,
    { part, wanted }: { readonly part: string; readonly wanted: AgentWanted },
  ): Promise<void> {
    const { workspaces, clock, log, store, tenant } = this.#parts;
    const { options, userId, namespace } = wanted;
    const most = Math.min(options.maxAgents ?? MAX_DYNAMIC_AGENTS, MAX_DYNAMIC_AGENTS);
    if (this.#agents.size >= most) {
      throw new GatewayError("UNAVAILABLE", "no more agents can be made; ask who runs the gateway");
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
    const record = { userId, namespace, workspace, agentDir, createdAt: clock.now() };
    try {
      await store.commit([this.#records.put(tenant, id, record, 0)]);
    } catch (error) {
      // Another process made it meanwhile.
      if (!(error instanceof StoreConflict)) throw error;
    }
    this.#agents.set(id, { id });
    log.write("info", "agent made", { agent: id });
  }

  async #read(): Promise<void> {
    const { tenant } = this.#parts;
    let after: { order: number; id: string } | undefined;
    for (;;) {
      const { items, last } = await this.#records.page(tenant, { limit: PAGE, after });
      for (const { id } of items) if (isAgentId(id)) this.#agents.set(id, { id });
      if (last === undefined || this.#agents.size >= MAX_DYNAMIC_AGENTS) return;
      after = last;
    }
  }
}
