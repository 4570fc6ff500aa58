/** The gateway's own state: health, status, presence, heartbeats, log. */

import * as v from "valibot";
import { invalidRequest } from "../../../core/error.ts";
import type { Method } from "../../../core/method.ts";
import type { PresenceNote } from "../../../services/presence_entry.ts";
import { method, type OpenClawContext } from "../context.ts";
import { anyParams, count } from "../params.ts";

const READ = { role: "operator", scope: "operator.read" } as const;
const ADMIN = { role: "operator", scope: "operator.admin" } as const;

/** Lines that `logs.tail` answers with when the client does not say. Source: the reference gateway. */
const DEFAULT_LOG_LINES = 500;

/** Bytes that `logs.tail` reads when the client does not say. Source: the reference gateway. */
const DEFAULT_LOG_BYTES = 250_000;

const PROBE = { probe: true } as const;

/** A whole number from 1 on; one flat pipe, so that a refusal can name the bound that was missed. */
const upTo = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most));

const strings = v.pipe(v.array(v.string()), v.readonly());

const SessionsHealth = v.object({
  path: v.string(),
  count,
  recent: v.pipe(
    v.array(v.object({
      key: v.string(),
      updatedAt: v.nullable(v.number()),
      age: v.nullable(v.number()),
    })),
    v.readonly(),
  ),
});

const AgentHealth = v.object({
  agentId: v.string(),
  isDefault: v.boolean(),
  heartbeat: v.object({
    enabled: v.boolean(),
    every: v.string(),
    everyMs: v.nullable(v.number()),
    prompt: v.string(),
    target: v.string(),
    ackMaxChars: v.number(),
  }),
  sessions: SessionsHealth,
});

/** The document's HealthSummary. */
export const HealthResult = v.object({
  ok: v.literal(true),
  ts: v.number(),
  durationMs: v.number(),
  channels: v.record(v.string(), v.unknown()),
  channelOrder: strings,
  channelLabels: v.record(v.string(), v.string()),
  heartbeatSeconds: v.number(),
  defaultAgentId: v.string(),
  agents: v.pipe(v.array(AgentHealth), v.readonly()),
  sessions: SessionsHealth,
});

const SessionStatus = v.object({
  agentId: v.string(),
  key: v.string(),
  kind: v.picklist(["direct", "group", "global", "unknown"]),
  sessionId: v.string(),
  updatedAt: v.number(),
  age: v.number(),
  thinkingLevel: v.optional(v.string()),
  verboseLevel: v.optional(v.string()),
  reasoningLevel: v.optional(v.string()),
  elevatedLevel: v.optional(v.string()),
  systemSent: v.optional(v.boolean()),
  abortedLastRun: v.optional(v.boolean()),
  inputTokens: v.optional(v.number()),
  outputTokens: v.optional(v.number()),
  totalTokens: v.nullable(v.number()),
  remainingTokens: v.nullable(v.number()),
  percentUsed: v.nullable(v.number()),
  model: v.nullable(v.string()),
  contextTokens: v.nullable(v.number()),
  flags: strings,
});

/** The document's StatusSummary. */
export const StatusResult = v.object({
  linkChannel: v.optional(v.object({
    id: v.string(),
    label: v.string(),
    linked: v.boolean(),
    authAgeMs: v.nullable(v.number()),
  })),
  heartbeat: v.object({
    defaultAgentId: v.string(),
    agents: v.pipe(
      v.array(v.object({
        agentId: v.string(),
        enabled: v.boolean(),
        every: v.string(),
        everyMs: v.nullable(v.number()),
      })),
      v.readonly(),
    ),
  }),
  channelSummary: strings,
  queuedSystemEvents: strings,
  sessions: v.object({
    paths: strings,
    count,
    defaults: v.object({
      model: v.nullable(v.string()),
      contextTokens: v.nullable(v.number()),
    }),
    recent: v.pipe(v.array(SessionStatus), v.readonly()),
    byAgent: v.pipe(
      v.array(v.object({
        agentId: v.string(),
        path: v.string(),
        count,
        recent: v.pipe(v.array(SessionStatus), v.readonly()),
      })),
      v.readonly(),
    ),
  }),
  settings: v.optional(v.object({
    refused: v.optional(v.object({
      at: v.number(),
      issues: v.pipe(
        v.array(v.object({ path: v.string(), message: v.string() })),
        v.readonly(),
      ),
    })),
    disabledProviders: v.pipe(
      v.array(v.object({ provider: v.string(), variables: strings })),
      v.readonly(),
    ),
  })),
});

/** The document's PresenceEntry. */
const PresenceResult = v.object({
  host: v.optional(v.string()),
  ip: v.optional(v.string()),
  version: v.optional(v.string()),
  platform: v.optional(v.string()),
  deviceFamily: v.optional(v.string()),
  modelIdentifier: v.optional(v.string()),
  mode: v.optional(v.string()),
  lastInputSeconds: v.optional(v.number()),
  reason: v.optional(v.string()),
  tags: v.optional(strings),
  text: v.optional(v.string()),
  ts: v.number(),
  deviceId: v.optional(v.string()),
  roles: v.optional(strings),
  scopes: v.optional(strings),
  instanceId: v.optional(v.string()),
});

/** The document's HeartbeatEventPayload. */
const HeartbeatResult = v.object({
  ts: v.number(),
  status: v.picklist(["sent", "ok-empty", "ok-token", "skipped", "failed"]),
  to: v.optional(v.string()),
  preview: v.optional(v.string()),
  durationMs: v.optional(v.number()),
  hasMedia: v.optional(v.boolean()),
  reason: v.optional(v.string()),
  channel: v.optional(v.string()),
  silent: v.optional(v.boolean()),
  indicatorType: v.optional(v.picklist(["ok", "alert", "error"])),
});

/** The methods of this group. */
export const systemMethods: readonly Method<OpenClawContext>[] = [
  method({
    name: "health",
    access: READ,
    summary: "The health summary; at most a minute old unless `probe` is true.",
    params: anyParams,
    result: HealthResult,
    handler: (params, { health, principal }) =>
      params.probe === true
        ? health.summary(principal.tenant, PROBE)
        : health.summary(principal.tenant),
  }),
  method({
    name: "status",
    access: READ,
    summary: "Heartbeats and the sessions used last, over all agents and for each.",
    params: anyParams,
    result: StatusResult,
    handler: (_params, { health, principal }) => health.status(principal.tenant),
  }),
  method({
    name: "system-presence",
    access: READ,
    summary: "Who is connected, the gateway itself first.",
    params: anyParams,
    result: v.pipe(v.array(PresenceResult), v.readonly()),
    handler: (_params, { presence, principal }) => presence.list(principal.tenant),
  }),
  method({
    name: "system-event",
    access: ADMIN,
    summary: "Announces something about a machine or program; it appears in the presence list.",
    params: anyParams,
    result: v.object({ ok: v.literal(true) }),
    handler: (params, { presence, principal }) => {
      presence.note(principal.tenant, noteOf(params));
      return { ok: true } as const;
    },
  }),
  method({
    name: "last-heartbeat",
    access: READ,
    summary: "How the newest heartbeat went; null before the first.",
    params: anyParams,
    result: v.nullable(HeartbeatResult),
    handler: (_params, { heartbeat, principal }) => heartbeat.last(principal.tenant),
  }),
  method({
    name: "set-heartbeats",
    access: ADMIN,
    summary: "Switches all heartbeats on or off; it holds across restarts.",
    params: anyParams,
    result: v.object({ ok: v.literal(true), enabled: v.boolean() }),
    handler: async ({ enabled }, { heartbeat, principal }) => {
      if (typeof enabled !== "boolean") {
        throw invalidRequest("invalid set-heartbeats params: enabled (boolean) required");
      }
      await heartbeat.setEnabled(principal.tenant, enabled);
      return { ok: true, enabled } as const;
    },
  }),
  method({
    name: "logs.tail",
    access: READ,
    summary: "The newest lines of the log, or those since `cursor`.",
    params: v.strictObject({
      cursor: v.optional(count),
      limit: v.optional(upTo(5_000)),
      maxBytes: v.optional(upTo(1_000_000)),
    }),
    result: v.object({
      file: v.string(),
      cursor: count,
      size: count,
      lines: strings,
      truncated: v.optional(v.boolean()),
      reset: v.optional(v.boolean()),
    }),
    handler: ({ cursor, limit, maxBytes }, { logs }) =>
      logs.tail({
        cursor,
        limit: limit ?? DEFAULT_LOG_LINES,
        maxBytes: maxBytes ?? DEFAULT_LOG_BYTES,
      }),
  }),
];

/** Reads an announcement; members of another type than the document's count as absent. */
function noteOf(params: Readonly<Record<string, unknown>>): PresenceNote {
  const text = textOf(params.text);
  if (text === undefined) throw invalidRequest("text required");
  const { lastInputSeconds } = params;
  return {
    text,
    deviceId: textOf(params.deviceId),
    instanceId: textOf(params.instanceId),
    host: textOf(params.host),
    ip: textOf(params.ip),
    mode: textOf(params.mode),
    version: textOf(params.version),
    platform: textOf(params.platform),
    deviceFamily: textOf(params.deviceFamily),
    modelIdentifier: textOf(params.modelIdentifier),
    lastInputSeconds: typeof lastInputSeconds === "number" ? lastInputSeconds : undefined,
    reason: textOf(params.reason),
    roles: textsOf(params.roles),
    scopes: textsOf(params.scopes),
    tags: textsOf(params.tags),
  };
}

function textOf(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  return value.trim() || undefined;
}

function textsOf(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((text) => typeof text === "string") : undefined;
}
