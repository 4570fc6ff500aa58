/** How the gateway is: a summary that is made in the background and served from a cache. */

import type { AgentId, TenantId } from "../core/id.ts";
import type { Cancel, Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { DomainEvent, StateVersions } from "./domain_event.ts";
import type { HealthSummary, SessionsHealth } from "./health_summary.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { Hub } from "./hub.ts";
import { Pacer } from "./pacer.ts";
import { describeStatus, type StatusSources, type StatusSummary } from "./status.ts";
import type { VersionCounters } from "./state_versions.ts";

export type { HealthSummary } from "./health_summary.ts";

/** How long a summary of a state that does not change is served, in milliseconds. Source: the reference gateway. */
export const HEALTH_MAX_AGE_MS = 60_000;

/** Shortest time between two broadcasts to a tenant, in milliseconds; the newest summary is sent. */
export const HEALTH_BROADCAST_INTERVAL_MS = 1_000;

/** Sessions listed in a summary, over all agents and for each. Source: the reference gateway. */
const RECENT_HEALTH_SESSIONS = 5;

/** What health is made of. */
export interface HealthParts extends Omit<StatusSources, "heartbeat"> {
  readonly clock: Clock;
  readonly hub: Hub;
  readonly log: Log;
  readonly heartbeat: Pick<Heartbeat, "describe" | "onChange">;
  /** Shared with presence, as events carry both versions. */
  readonly versions: VersionCounters;
}

/**
 * The summaries of all tenants. One refresh runs at a time; each raises the tenant's health version and
 * is broadcast, at most one a second.
 */
export class HealthMonitor {
  readonly #parts: HealthParts;
  readonly #boards = new Map<TenantId, Board>();
  #observing: readonly Cancel[] = [];

  constructor(parts: HealthParts) {
    this.#parts = parts;
  }

  /**
   * The summary: the cached one, at once, when nothing that it shows has changed since it was begun and
   * it is at most {@linkcode HEALTH_MAX_AGE_MS} old; else a new one. With `probe` it is always made after
   * the call. Rejects when the store does not answer.
   */
  summary(
    tenant: TenantId,
    options?: { readonly probe?: boolean },
  ): HealthSummary | Promise<HealthSummary> {
    const board = this.#board(tenant);
    return options?.probe === true ? board.probe() : board.summary();
  }

  /** The newest summary, whatever its age; undefined before the first. */
  cached(tenant: TenantId): HealthSummary | undefined {
    return this.#boards.get(tenant)?.current;
  }

  /** Something that the summary shows has changed: no later call is answered with an earlier summary. */
  invalidate(tenant: TenantId): void {
    this.#boards.get(tenant)?.invalidate();
  }

  /** Makes a new summary in the background and broadcasts it; a failure is logged. */
  refresh(tenant: TenantId): void {
    this.#board(tenant).refreshInBackground();
  }

  /** The overview for operators, read anew. */
  status(tenant: TenantId): Promise<StatusSummary> {
    return describeStatus(this.#parts, { tenant, now: this.#parts.clock.now() });
  }

  /** What an event about this tenant's state carries. */
  versions(tenant: TenantId): StateVersions {
    return this.#parts.versions.of(tenant);
  }

  /** Begins to notice changes: those of runs, sessions and heartbeats. */
  start(): void {
    for (const cancel of this.#observing) cancel();
    this.#observing = [
      this.#parts.hub.observe((tenant, event) => {
        if (changesHealth(event)) this.invalidate(tenant);
      }),
      this.#parts.heartbeat.onChange((tenant) => this.invalidate(tenant)),
    ];
  }

  /** Notices and broadcasts nothing more. */
  stop(): void {
    for (const cancel of this.#observing) cancel();
    this.#observing = [];
    for (const board of this.#boards.values()) board.stop();
  }

  #board(tenant: TenantId): Board {
    let board = this.#boards.get(tenant);
    if (board === undefined) {
      const { clock, hub, log, versions } = this.#parts;
      board = new Board({
        clock,
        read: () => describeHealth(this.#parts, tenant),
        renewed: () => versions.raise(tenant, "health"),
        broadcast: (health) =>
          hub.publish(tenant, { type: "health", health, versions: versions.of(tenant) }),
        failed: (error) =>
          log.write("warn", "the health summary was not renewed", { tenant, error: String(error) }),
      });
      this.#boards.set(tenant, board);
    }
    return board;
  }
}

/** What one tenant's cache is made of. */
interface BoardParts {
  readonly clock: Clock;
  readonly read: () => Promise<HealthSummary>;
  readonly renewed: () => void;
  readonly broadcast: (summary: HealthSummary) => void;
  readonly failed: (error: unknown) => void;
}

/** The cache of one tenant. */
class Board {
  readonly #parts: BoardParts;
  readonly #pacer: Pacer;
  current: HealthSummary | undefined;
  /** When the current summary was begun, monotonic. */
  #madeAt = 0;
  /** How often what the summary shows has changed, and which of these states the reads are of. */
  #version = 0;
  #madeOf = 0;
  #refreshingOf = 0;
  #refreshing: Promise<HealthSummary> | undefined;
  #probing: Promise<HealthSummary> | undefined;

  constructor(parts: BoardParts) {
    this.#parts = parts;
    this.#pacer = new Pacer({
      clock: parts.clock,
      intervalMs: HEALTH_BROADCAST_INTERVAL_MS,
      task: () => {
        if (this.current !== undefined) parts.broadcast(this.current);
      },
    });
  }

  summary(): HealthSummary | Promise<HealthSummary> {
    const { current } = this;
    const age = this.#parts.clock.monotonic() - this.#madeAt;
    if (current !== undefined && this.#madeOf === this.#version && age <= HEALTH_MAX_AGE_MS) {
      return current;
    }
    // A refresh that began before the last change may have read what was before it.
    const late = this.#refreshing !== undefined && this.#refreshingOf !== this.#version;
    return late ? this.probe() : this.#refresh();
  }

  /** All who ask while a refresh runs share the one that follows it. */
  probe(): Promise<HealthSummary> {
    const running = this.#refreshing;
    if (running === undefined) return this.#refresh();
    return this.#probing ??= running.catch(() => {}).then(() => {
      this.#probing = undefined;
      return this.#refresh();
    });
  }

  refreshInBackground(): void {
    this.#refresh().catch(this.#parts.failed);
  }

  invalidate(): void {
    this.#version++;
  }

  stop(): void {
    this.#pacer.stop();
  }

  #refresh(): Promise<HealthSummary> {
    return this.#refreshing ??= this.#renew().finally(() => this.#refreshing = undefined);
  }

  async #renew(): Promise<HealthSummary> {
    const began = this.#parts.clock.monotonic();
    // Changes that come while the store is read make the outcome stale.
    const version = this.#refreshingOf = this.#version;
    this.current = await this.#parts.read();
    this.#madeAt = began;
    this.#madeOf = version;
    this.#parts.renewed();
    this.#pacer.request();
    return this.current;
  }
}

/** Runs that begin or end and messages move the sessions' times; what is said in between does not. */
function changesHealth(event: DomainEvent): boolean {
  return event.type === "session.message" || (event.type === "run" && event.step.kind !== "text");
}

async function describeHealth(parts: HealthParts, tenant: TenantId): Promise<HealthSummary> {
  const { clock, agents, heartbeat } = parts;
  const began = clock.monotonic();
  const ts = clock.now();
  const defaultAgentId = agents.defaultId;
  const channels = parts.channels?.() ?? [];
  const [beats, sessions, ...ofAgents] = await Promise.all([
    heartbeat.describe(tenant),
    sessionsHealth(parts, { tenant, ts }),
    ...agents.list().map(({ id }) => sessionsHealth(parts, { tenant, ts, agentId: id })),
  ]);
  const described = beats.map(({ agentId, ...beat }, at) => ({
    agentId,
    isDefault: agentId === defaultAgentId,
    heartbeat: beat,
    sessions: ofAgents[at] ?? { path: parts.sessions.path, count: 0, recent: [] },
  }));
  const ownBeat = beats.find(({ agentId }) => agentId === defaultAgentId);
  return Object.freeze({
    ok: true,
    ts,
    durationMs: Math.round(clock.monotonic() - began),
    channels: Object.fromEntries(
      channels.map(({ id, configured, running, connected }) => [id, {
        configured,
        running,
        connected,
      }]),
    ),
    channelOrder: channels.map(({ id }) => id),
    channelLabels: Object.fromEntries(channels.map(({ id, label }) => [id, label])),
    heartbeatSeconds: Math.round((ownBeat?.everyMs ?? 0) / 1_000),
    defaultAgentId,
    agents: described,
    sessions,
  });
}

async function sessionsHealth(
  { sessions }: HealthParts,
  { tenant, ts, agentId }: { tenant: TenantId; ts: number; agentId?: AgentId },
): Promise<SessionsHealth> {
  const [count, recent] = await Promise.all([
    sessions.count(tenant, { agentId }),
    sessions.recent(tenant, { limit: RECENT_HEALTH_SESSIONS, agentId }),
  ]);
  return {
    path: sessions.path,
    count,
    recent: recent.map(({ key, entry: { updatedAt } }) => ({
      key,
      updatedAt,
      age: Math.max(0, ts - updatedAt),
    })),
  };
}
