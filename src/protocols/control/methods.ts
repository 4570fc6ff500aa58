/** The methods of the control channel: the services' own answers, in the shapes of this older wire. */

import * as v from "valibot";
import { methodTable } from "../../core/method.ts";
import type { StatusSummary } from "../../services/status.ts";
import { type ControlContext, method } from "./context.ts";
import { olderHeartbeat } from "./events.ts";

const READ = { role: "operator", scope: "operator.read" } as const;
const ADMIN = { role: "operator", scope: "operator.admin" } as const;

/** Any object: this wire never looked at members that it does not know. */
const anyParams = v.looseObject({});

/** The channel that this wire knows of, which this gateway does not have. */
const UNLINKED = { linked: false, authAgeMs: null } as const;

const Link = v.object({ linked: v.boolean(), authAgeMs: v.nullable(v.number()) });

/** Where sessions are kept, how many there are, and those used last. */
const sessions = {
  path: v.string(),
  count: v.number(),
  recent: v.pipe(v.array(v.unknown()), v.readonly()),
};

/** The methods by name. */
export const METHODS = methodTable<ControlContext>([[
  method({
    name: "ping",
    access: READ,
    summary: "Says that the gateway answers, and its time.",
    params: anyParams,
    result: v.object({ pong: v.literal(true), ts: v.number() }),
    handler: (_params, { clock }) => ({ pong: true, ts: clock.now() } as const),
  }),
  method({
    name: "health",
    access: READ,
    summary: "The health summary, as `health --json` prints it, and `web`; at most a minute old.",
    params: anyParams,
    result: v.looseObject({
      ok: v.literal(true),
      ts: v.number(),
      durationMs: v.number(),
      web: Link,
      heartbeatSeconds: v.number(),
      sessions: v.object(sessions),
    }),
    handler: async (_params, { health, tenant }) => ({
      ...await health.summary(tenant),
      web: UNLINKED,
    }),
  }),
  method({
    name: "status",
    access: READ,
    summary: "The shorter summary: link, heartbeat, session counts.",
    params: anyParams,
    result: v.object({
      web: Link,
      heartbeatSeconds: v.number(),
      providerSummary: v.pipe(v.array(v.string()), v.readonly()),
      queuedSystemEvents: v.pipe(v.array(v.string()), v.readonly()),
      sessions: v.object({
        ...sessions,
        defaults: v.object({
          model: v.nullable(v.string()),
          contextTokens: v.nullable(v.number()),
        }),
      }),
    }),
    handler: async (_params, { health, tenant }) => olderStatus(await health.status(tenant)),
  }),
  method({
    name: "last-heartbeat",
    access: READ,
    summary: "How the newest heartbeat went; null before the first.",
    params: anyParams,
    result: v.nullable(v.object({
      ts: v.number(),
      status: v.picklist(["sent", "ok-empty", "ok-token", "skipped", "failed"]),
      to: v.optional(v.string()),
      preview: v.optional(v.string()),
      hasMedia: v.optional(v.boolean()),
      durationMs: v.optional(v.number()),
      reason: v.optional(v.string()),
    })),
    handler: async (_params, { heartbeat, tenant }) => {
      const report = await heartbeat.last(tenant);
      return report === null ? null : olderHeartbeat(report);
    },
  }),
  method({
    name: "set-heartbeats",
    access: ADMIN,
    summary: "Switches all heartbeats on or off; it holds across restarts.",
    params: v.looseObject({ enabled: v.boolean() }),
    result: v.object({ ok: v.literal(true) }),
    handler: async ({ enabled }, { heartbeat, tenant }) => {
      await heartbeat.setEnabled(tenant, enabled);
      return { ok: true } as const;
    },
  }),
]]);

function olderStatus(status: StatusSummary) {
  const { heartbeat, channelSummary, queuedSystemEvents } = status;
  const own = heartbeat.agents.find(({ agentId }) => agentId === heartbeat.defaultAgentId);
  const { paths: [path = ""], count, defaults, recent } = status.sessions;
  return {
    web: UNLINKED,
    heartbeatSeconds: Math.round((own?.everyMs ?? 0) / 1_000),
    providerSummary: channelSummary,
    queuedSystemEvents,
    sessions: { path, count, defaults, recent },
  };
}
