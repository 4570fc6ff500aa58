/** The health summary: what clients show of the gateway's state. */

import type { HeartbeatStatus } from "./heartbeat_report.ts";

/** Sessions with the newest change, and how long ago that was in milliseconds. */
export interface SessionsHealth {
  /** Where sessions are kept, for people. */
  readonly path: string;
  readonly count: number;
  readonly recent: readonly {
    readonly key: string;
    readonly updatedAt: number | null;
    readonly age: number | null;
  }[];
}

/** One agent in a {@linkcode HealthSummary}. */
export interface AgentHealth {
  readonly agentId: string;
  readonly isDefault: boolean;
  readonly heartbeat: Omit<HeartbeatStatus, "agentId">;
  readonly sessions: SessionsHealth;
}

/** How a channel stands. */
export interface ChannelHealth {
  readonly configured: boolean;
  readonly running: boolean;
  /** Somebody is connected. */
  readonly connected: boolean;
}

/** The state of the gateway as its clients show it. Frozen: the same object until the next refresh. */
export interface HealthSummary {
  readonly ok: true;
  /** When the summary was made. */
  readonly ts: number;
  /** How long making it took. */
  readonly durationMs: number;
  /** Those that the settings name, by id. */
  readonly channels: Readonly<Record<string, ChannelHealth>>;
  readonly channelOrder: readonly string[];
  readonly channelLabels: Readonly<Record<string, string>>;
  /** Interval of the default agent's heartbeat; 0 when it does not beat. */
  readonly heartbeatSeconds: number;
  readonly defaultAgentId: string;
  readonly agents: readonly AgentHealth[];
  readonly sessions: SessionsHealth;
}
