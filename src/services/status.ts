/** What an operator's overview shows: heartbeats and the sessions used last. */

import type { TenantId } from "../core/id.ts";
import type { Agents } from "./agents.ts";
import type { ChannelHealth } from "./health_summary.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { kindOf, type SessionKind } from "./session_key.ts";
import type { KeyedEntry } from "./session_records.ts";
import type { Sessions } from "./sessions.ts";
import type { SettingsRefusal } from "./settings.ts";

/** Sessions listed, over all agents and for each. Source: the reference gateway. */
const RECENT_STATUS_SESSIONS = 10;

/** Most issues of refused settings, and most disabled providers, that are told; the first ones say enough. */
const MAX_STATUS_ISSUES = 5;
const MAX_STATUS_PROVIDERS = 50;

/** What keeps settings from being in effect; this much is an addition of this gateway. */
export interface SettingsStatus {
  /** Why the settings file as it stands is not used; absent when it is. Earlier settings stay in effect. */
  readonly refused?: SettingsRefusal;
  /** Providers that are not called, and the variables of the environment that they wait for. */
  readonly disabledProviders: readonly {
    readonly provider: string;
    readonly variables: readonly string[];
  }[];
}

/** One session in a {@linkcode StatusSummary}; times in milliseconds, null where nothing is known. */
export interface SessionStatus {
  readonly agentId: string;
  readonly key: string;
  readonly kind: SessionKind;
  readonly sessionId: string;
  readonly updatedAt: number;
  readonly age: number;
  readonly thinkingLevel?: string;
  readonly verboseLevel?: string;
  readonly reasoningLevel?: string;
  readonly elevatedLevel?: string;
  readonly systemSent?: boolean;
  readonly abortedLastRun?: boolean;
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  readonly totalTokens: number | null;
  /** Tokens left in the model's context window. */
  readonly remainingTokens: number | null;
  /** Share of the context window in use, 0 to 100. */
  readonly percentUsed: number | null;
  readonly model: string | null;
  readonly contextTokens: number | null;
  /** What is set for this session, each in a word or two. */
  readonly flags: readonly string[];
}

/** The overview. Every call reads anew. */
export interface StatusSummary {
  readonly heartbeat: {
    readonly defaultAgentId: string;
    readonly agents: readonly {
      readonly agentId: string;
      readonly enabled: boolean;
      readonly every: string;
      readonly everyMs: number | null;
    }[];
  };
  /** A line for each channel. */
  readonly channelSummary: readonly string[];
  /** Events that wait for the next turn of the main session. */
  readonly queuedSystemEvents: readonly string[];
  readonly sessions: {
    readonly paths: readonly string[];
    readonly count: number;
    readonly defaults: { readonly model: string | null; readonly contextTokens: number | null };
    readonly recent: readonly SessionStatus[];
    readonly byAgent: readonly {
      readonly agentId: string;
      readonly path: string;
      readonly count: number;
      readonly recent: readonly SessionStatus[];
    }[];
  };
  readonly settings?: SettingsStatus;
}

/** What the overview is made from. */
export interface StatusSources {
  readonly agents: Pick<Agents, "defaultId" | "list" | "ofSession">;
  readonly sessions: Pick<Sessions, "count" | "recent" | "path" | "defaults">;
  readonly heartbeat: Pick<Heartbeat, "describe">;
  /** The channels that the settings name; absent: there are none. */
  readonly channels?: () =>
    readonly (ChannelHealth & { readonly id: string; readonly label: string })[];
  /** What the settings came to; absent: nothing is told of them. */
  readonly settings?: () => {
    readonly refusal: SettingsRefusal | undefined;
    /** By the id of the provider, the variables that it waits for. */
    readonly disabled: Readonly<Record<string, readonly string[]>>;
  };
}

/** Makes the overview of a tenant as of `now`, in milliseconds since the epoch. */
export async function describeStatus(
  sources: StatusSources,
  { tenant, now }: { tenant: TenantId; now: number },
): Promise<StatusSummary> {
  const { agents, sessions, heartbeat } = sources;
  const channels = sources.channels?.() ?? [];
  const limit = RECENT_STATUS_SESSIONS;
  const show = (found: readonly KeyedEntry[]): readonly SessionStatus[] =>
    found.map((one) => sessionStatus(one, { sources, now }));
  const [beats, count, recent, byAgent] = await Promise.all([
    heartbeat.describe(tenant),
    sessions.count(tenant),
    sessions.recent(tenant, { limit }),
    Promise.all(
      agents.list().map(async ({ id: agentId }) => ({
        agentId,
        path: sessions.path,
        count: await sessions.count(tenant, { agentId }),
        recent: show(await sessions.recent(tenant, { limit, agentId })),
      })),
    ),
  ]);
  const { model, contextTokens } = sessions.defaults(agents.defaultId);
  return {
    heartbeat: {
      defaultAgentId: agents.defaultId,
      agents: beats.map(({ agentId, enabled, every, everyMs }) => ({
        agentId,
        enabled,
        every,
        everyMs,
      })),
    },
    channelSummary: channels.map(({ label, connected }) =>
      `${label}: ${connected ? "connected" : "nobody is connected"}`
    ),
    queuedSystemEvents: [],
    sessions: {
      paths: [sessions.path],
      count,
      defaults: { model, contextTokens },
      recent: show(recent),
      byAgent,
    },
    ...(sources.settings === undefined ? {} : { settings: settingsStatus(sources.settings()) }),
  };
}

function settingsStatus(
  { refusal, disabled }: ReturnType<NonNullable<StatusSources["settings"]>>,
): SettingsStatus {
  return {
    ...(refusal === undefined
      ? {}
      : { refused: { at: refusal.at, issues: refusal.issues.slice(0, MAX_STATUS_ISSUES) } }),
    disabledProviders: Object.entries(disabled).slice(0, MAX_STATUS_PROVIDERS)
      .map(([provider, variables]) => ({ provider, variables })),
  };
}

function sessionStatus(
  { key, entry }: KeyedEntry,
  { sources, now }: { sources: StatusSources; now: number },
): SessionStatus {
  const agentId = sources.agents.ofSession(key);
  const defaults = sources.sessions.defaults(agentId);
  const contextTokens = entry.contextTokens ?? defaults.contextTokens;
  const totalTokens = entry.totalTokens ?? null;
  const known = totalTokens !== null && contextTokens !== null && contextTokens > 0;
  return {
    agentId,
    key,
    kind: kindOf(key),
    sessionId: entry.sessionId,
    updatedAt: entry.updatedAt,
    age: Math.max(0, now - entry.updatedAt),
    thinkingLevel: entry.thinkingLevel,
    verboseLevel: entry.verboseLevel,
    reasoningLevel: entry.reasoningLevel,
    elevatedLevel: entry.elevatedLevel,
    systemSent: entry.systemSent,
    abortedLastRun: entry.abortedLastRun,
    inputTokens: entry.inputTokens,
    outputTokens: entry.outputTokens,
    totalTokens,
    remainingTokens: known ? Math.max(0, contextTokens - totalTokens) : null,
    percentUsed: known ? Math.min(100, Math.round(totalTokens / contextTokens * 100)) : null,
    model: entry.modelOverride ?? entry.model ?? defaults.model,
    contextTokens,
    flags: flagsOf(entry),
  };
}

function flagsOf(entry: KeyedEntry["entry"]): readonly string[] {
  const levels = [
    ["think", entry.thinkingLevel],
    ["verbose", entry.verboseLevel],
    ["reasoning", entry.reasoningLevel],
    ["elevated", entry.elevatedLevel],
  ] as const;
  const flags: string[] = [];
  for (const [name, level] of levels) if (level !== undefined) flags.push(`${name}:${level}`);
  if (entry.systemSent === true) flags.push("system");
  if (entry.abortedLastRun === true) flags.push("aborted");
  return flags;
}
