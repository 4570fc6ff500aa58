/** Lets each agent look after its tasks at an interval, and reports how that went. */

import * as v from "valibot";
import type { AgentId, TenantId } from "../core/id.ts";
import { toGatewayError } from "../core/error.ts";
import { quote } from "../core/quote.ts";
import { type Cancel, type Clock, MAX_DELAY_MS } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Json, Store } from "../ports/store.ts";
import type { Agents } from "./agents.ts";
import { Collection } from "./collection.ts";
import { parseDuration } from "../core/duration.ts";
import {
  ACK_MAX_CHARS,
  answered,
  failed,
  HEARTBEAT_TOKEN,
  type HeartbeatReport,
  HeartbeatReportSchema,
  type HeartbeatStatus,
  skipped,
} from "./heartbeat_report.ts";
import type { Hub } from "./hub.ts";

export type { HeartbeatReport, HeartbeatStatus } from "./heartbeat_report.ts";

/** How often an agent beats whose configuration does not say. Source: the reference gateway. */
const DEFAULT_HEARTBEAT_EVERY = "30m";

/** Shortest interval, in milliseconds; a shorter one counts as this, since each beat may cost money. */
export const MIN_HEARTBEAT_INTERVAL_MS = 1_000;

/** How long a beat may take, in milliseconds; then its turn is aborted and the beat has failed. */
export const MAX_BEAT_MS = 600_000;

/** Where the answer of a heartbeat goes: to the channel last used, once there are channels. */
const TARGET = "last";

/** What an agent is asked at a beat when the configuration does not say. */
export const DEFAULT_HEARTBEAT_PROMPT =
  `This is a periodic check. Look at what you were asked to keep an eye on, and at nothing else. ` +
  `If something needs the user's attention, say so in a few words. ` +
  `If not, answer with ${HEARTBEAT_TOKEN} alone.`;

/** What the configuration says of heartbeats besides the intervals, which the agents carry. */
export interface HeartbeatOptions {
  /** What to ask an agent; when given, every beat asks, as the owner wants it so. */
  readonly prompt?: (agentId: AgentId) => string | undefined;
  /** Whether there is something for this agent to look at; absent: there never is. */
  readonly hasTasks?: (agentId: AgentId) => boolean;
}

/** A turn that a beat asks for. */
export interface HeartbeatTurn {
  readonly agentId: AgentId;
  readonly prompt: string;
  /** Aborted when the turn takes longer than {@linkcode MAX_BEAT_MS} or the gateway stops. */
  readonly signal: AbortSignal;
}

/** How the turn ended: `busy` when the agent's main session is at work for someone else. */
export interface HeartbeatOutcome {
  readonly status: "ok" | "error" | "busy";
  readonly text: string;
  readonly error?: string;
}

/**
 * Runs one turn in the agent's main session. A turn whose answer means that nothing needs attention
 * (`readAnswer` in `heartbeat_report.ts`) should leave no trace in the transcript that users see, so that an
 * idle gateway does not fill it; an answer that does need attention belongs there.
 */
export type RunHeartbeatTurn = (
  tenant: TenantId,
  turn: HeartbeatTurn,
) => Promise<HeartbeatOutcome>;

/** What heartbeats are made of. */
export interface HeartbeatParts {
  readonly clock: Clock;
  readonly hub: Hub;
  readonly log: Log;
  readonly store: Store;
  readonly agents: Pick<Agents, "list">;
  /** Read at each beat. */
  readonly options: () => HeartbeatOptions;
  readonly runTurn: RunHeartbeatTurn;
  /** Whose agents beat. */
  readonly tenants: () => readonly TenantId[];
}

const stateSchema = v.object({ enabled: v.boolean(), last: v.optional(HeartbeatReportSchema) });

/** What is stored of a tenant's heartbeats. */
type HeartbeatState = Readonly<v.InferOutput<typeof stateSchema>>;

const INITIAL: HeartbeatState = { enabled: true };
const STATE_ID = "state";

/** Whose heartbeat it is, and how often it comes. */
interface Beat {
  readonly tenant: TenantId;
  readonly agentId: AgentId;
  readonly intervalMs: number;
}

/**
 * Beats for every agent of every tenant, the first time one interval after the start. A beat asks the
 * agent only when the owner configured a prompt or there are tasks; else it is skipped at no cost.
 */
export class Heartbeat {
  readonly #parts: HeartbeatParts;
  readonly #stored: Collection<HeartbeatState>;
  readonly #states = new Map<TenantId, HeartbeatState>();
  /** By tenant and agent: what waits, and whose agent is being asked. */
  readonly #armed = new Map<string, { readonly intervalMs: number; readonly cancel: Cancel }>();
  readonly #asking = new Map<string, AbortController>();
  readonly #work = new Set<Promise<void>>();
  readonly #listeners = new Set<(tenant: TenantId) => void>();
  #started = false;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
    this.#stored = new Collection(parts.store, {
      kind: "heartbeat",
      schema: stateSchema,
      toJson: stateToJson,
      order: () => 0,
    });
  }

  /** Begins to beat where heartbeats are switched on. A tenant whose state cannot be read does not beat. */
  async start(): Promise<void> {
    this.#started = true;
    for (const tenant of this.#parts.tenants()) {
      try {
        await this.#state(tenant);
      } catch (error) {
        this.#parts.log.write("error", "heartbeats stay off: their state cannot be read", {
          tenant,
          error: String(error),
        });
      }
    }
    this.reload();
  }

  /** Takes over what changed in the configuration; an interval that changed counts from now. */
  reload(): void {
    if (this.#started) {
      const wanted = this.#wanted();
      for (const [key, armed] of this.#armed) {
        if (wanted.get(key)?.intervalMs === armed.intervalMs) continue;
        armed.cancel();
        this.#armed.delete(key);
      }
      for (const [key, beat] of wanted) if (!this.#armed.has(key)) this.#arm(key, beat);
    }
    for (const tenant of this.#parts.tenants()) {
      for (const listener of this.#listeners) listener(tenant);
    }
  }

  /** Switches the heartbeats of a tenant on or off; durable when it resolves. */
  async setEnabled(tenant: TenantId, enabled: boolean): Promise<void> {
    await this.#change(tenant, (state) => ({ ...state, enabled }));
    this.reload();
  }

  /** The newest report, also from before a restart; null when there never was one. */
  async last(tenant: TenantId): Promise<HeartbeatReport | null> {
    return (await this.#state(tenant)).last ?? null;
  }

  /** How each agent's heartbeat is set, in the order of the agents. */
  async describe(tenant: TenantId): Promise<readonly HeartbeatStatus[]> {
    const on = (await this.#state(tenant)).enabled;
    return this.#parts.agents.list().map(({ id, heartbeatEvery }) => {
      const everyMs = intervalOf(heartbeatEvery) ?? 0;
      const enabled = on && everyMs > 0;
      return {
        agentId: id,
        enabled,
        every: enabled ? heartbeatEvery ?? DEFAULT_HEARTBEAT_EVERY : "disabled",
        everyMs: enabled ? everyMs : null,
        prompt: this.#prompt(id) ?? DEFAULT_HEARTBEAT_PROMPT,
        target: TARGET,
        ackMaxChars: ACK_MAX_CHARS,
      };
    });
  }

  /** Tells `listener` when what {@linkcode describe} answers for a tenant may have changed. */
  onChange(listener: (tenant: TenantId) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the beats that run, unreported, and starts no more. Resolves when the last one is over. */
  async stop(): Promise<void> {
    this.#started = false;
    for (const { cancel } of this.#armed.values()) cancel();
    this.#armed.clear();
    for (const abort of this.#asking.values()) abort.abort();
    await Promise.all(this.#work);
  }

  #wanted(): ReadonlyMap<string, Beat> {
    const wanted = new Map<string, Beat>();
    for (const tenant of this.#parts.tenants()) {
      if (this.#states.get(tenant)?.enabled !== true) continue;
      for (const { id, heartbeatEvery } of this.#parts.agents.list()) {
        const intervalMs = intervalOf(heartbeatEvery);
        if (intervalMs === undefined) {
          this.#parts.log.write(
            "warn",
            "heartbeat is off: its interval is not a duration like 30m",
            {
              agent: id,
              every: quote(heartbeatEvery ?? ""),
            },
          );
        } else if (intervalMs > 0) {
          wanted.set(`${tenant}/${id}`, { tenant, agentId: id, intervalMs });
        }
      }
    }
    return wanted;
  }

  #arm(key: string, beat: Beat): void {
    const cancel = this.#parts.clock.after(beat.intervalMs, () => {
      this.#arm(key, beat);
      this.#beat(key, beat);
    });
    this.#armed.set(key, { intervalMs: beat.intervalMs, cancel });
  }

  #beat(key: string, beat: Beat): void {
    const done = this.#perform(key, beat).finally(() => this.#work.delete(done));
    this.#work.add(done);
  }

  async #perform(key: string, { tenant, agentId }: Beat): Promise<void> {
    const began = this.#parts.clock.monotonic();
    const report = await this.#attempt(key, { tenant, agentId });
    // A report that comes after the stop would be written to a store that closes.
    if (!this.#started) return;
    const durationMs = this.#parts.clock.monotonic() - began;
    await this.#record(tenant, report({ ts: this.#parts.clock.now(), durationMs }));
  }

  /** Asks the agent, or does not; never throws. */
  async #attempt(key: string, { tenant, agentId }: Omit<Beat, "intervalMs">): Promise<Finding> {
    const prompt = this.#prompt(agentId);
    if (this.#asking.has(key)) return (time) => skipped("busy", time);
    if (prompt === undefined && this.#parts.options().hasTasks?.(agentId) !== true) {
      return (time) => skipped("no-tasks", time);
    }
    const abort = new AbortController();
    this.#asking.set(key, abort);
    const deadline = this.#parts.clock.after(MAX_BEAT_MS, () => abort.abort());
    try {
      const turn = { agentId, prompt: prompt ?? DEFAULT_HEARTBEAT_PROMPT, signal: abort.signal };
      const outcome = await Promise.race([this.#parts.runTurn(tenant, turn), ended(abort.signal)]);
      switch (outcome.status) {
        case "ok":
          return (time) => answered(outcome.text, time);
        case "busy":
          return (time) => skipped("busy", time);
        case "error":
          return (time) => failed(outcome.error ?? "the agent's turn failed", time);
      }
    } catch (error) {
      this.#parts.log.write("error", "heartbeat failed", { agent: agentId, error: String(error) });
      const { message } = toGatewayError(error);
      return (time) => failed(message, time);
    } finally {
      deadline();
      this.#asking.delete(key);
    }
  }

  /** Keeps and publishes a report; one that cannot be stored is still told. */
  async #record(tenant: TenantId, report: HeartbeatReport): Promise<void> {
    try {
      await this.#change(tenant, (state) => ({ ...state, last: report }));
    } catch (error) {
      const state = this.#states.get(tenant) ?? INITIAL;
      this.#states.set(tenant, { ...state, last: report });
      this.#parts.log.write("error", "the heartbeat report was not stored", {
        tenant,
        error: String(error),
      });
    }
    this.#parts.hub.publish(tenant, { type: "heartbeat", report });
  }

  async #change(
    tenant: TenantId,
    change: (state: HeartbeatState) => HeartbeatState,
  ): Promise<void> {
    const state = await this.#stored.update(
      tenant,
      STATE_ID,
      (current) => ({ value: change(current ?? INITIAL) }),
    );
    this.#states.set(tenant, state ?? INITIAL);
  }

  async #state(tenant: TenantId): Promise<HeartbeatState> {
    const known = this.#states.get(tenant);
    if (known !== undefined) return known;
    const item = await this.#stored.get(tenant, STATE_ID);
    // A change that came in between is newer than what was read.
    const state = this.#states.get(tenant) ?? item?.value ?? INITIAL;
    this.#states.set(tenant, state);
    return state;
  }

  /** What the owner wants this agent to be asked, if anything. */
  #prompt(agentId: AgentId): string | undefined {
    return this.#parts.options().prompt?.(agentId)?.trim() || undefined;
  }
}

/** A report but for its time. */
type Finding = (time: { ts: number; durationMs: number }) => HeartbeatReport;

/** Settles when the signal is aborted, as a turn that does not heed it would not. */
function ended(signal: AbortSignal): Promise<HeartbeatOutcome> {
  return new Promise((resolve) => {
    const error = `no answer within ${MAX_BEAT_MS / 1_000} seconds; the turn was stopped`;
    signal.addEventListener("abort", () => resolve({ status: "error", text: "", error }));
  });
}

/** Milliseconds between beats; 0 when the agent does not beat, undefined when the text is no duration. */
function intervalOf(every: string | undefined): number | undefined {
  const interval = parseDuration(every ?? DEFAULT_HEARTBEAT_EVERY);
  if (interval === undefined || interval === 0) return interval;
  return Math.min(Math.max(interval, MIN_HEARTBEAT_INTERVAL_MS), MAX_DELAY_MS);
}

function stateToJson({ enabled, last }: HeartbeatState): Json {
  if (last === undefined) return { enabled };
  const json: Record<string, Json> = {};
  for (const [name, value] of Object.entries(last)) if (value !== undefined) json[name] = value;
  return { enabled, last: json };
}
