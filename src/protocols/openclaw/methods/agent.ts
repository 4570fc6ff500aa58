/** `agent*` and `models.list`: who and what can be asked, and the call that asks and waits. */

import * as v from "valibot";
import { GatewayError, invalidRequest } from "../../../core/error.ts";
import { type AgentId, isAgentId, type SessionKey } from "../../../core/id.ts";
import type { Method } from "../../../core/method.ts";
import { quote } from "../../../core/quote.ts";
import type { AgentInfo } from "../../../services/agents.ts";
import type { RunRecord } from "../../../services/run_record.ts";
import { toImages } from "../attachments.ts";
import { method, type OpenClawContext } from "../context.ts";
import {
  blankKeyText,
  count,
  MAX_NAME_CHARS,
  nameText,
  nothing,
  runIdText,
  text,
} from "../params.ts";
import { failedRun } from "../transcript.ts";

const READ = { role: "operator", scope: "operator.read" } as const;
const WRITE = { role: "operator", scope: "operator.write" } as const;

/** Longest label, in characters. */
const MAX_LABEL_CHARS = 64;

const MS_PER_SECOND = 1_000;

const anyText = v.optional(v.string());
const anyName = v.optional(nameText);
const anyKey = v.optional(blankKeyText);

const AgentParams = v.strictObject({
  message: text,
  agentId: anyName,
  to: anyName,
  replyTo: anyName,
  sessionId: anyName,
  sessionKey: anyKey,
  thinking: anyName,
  deliver: v.optional(v.boolean()),
  attachments: v.optional(v.array(v.unknown())),
  channel: anyName,
  replyChannel: anyName,
  accountId: anyName,
  replyAccountId: anyName,
  threadId: anyName,
  groupId: anyName,
  groupChannel: anyName,
  groupSpace: anyName,
  /** Seconds. */
  timeout: v.optional(count),
  lane: anyName,
  extraSystemPrompt: anyText,
  idempotencyKey: runIdText,
  label: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_LABEL_CHARS))),
  spawnedBy: anyKey,
});

const Accepted = v.object({
  runId: v.string(),
  status: v.literal("accepted"),
  acceptedAt: v.number(),
});

const Finished = v.object({
  runId: v.string(),
  status: v.literal("ok"),
  summary: v.string(),
  result: v.object({
    payloads: v.array(v.object({ text: v.string(), mediaUrl: v.null() })),
    meta: v.object({
      durationMs: v.number(),
      aborted: v.optional(v.boolean()),
      stopReason: v.optional(v.string()),
      /** The text was cut to what is kept for repeated requests; the session's history has all of it. */
      textCut: v.optional(v.boolean()),
      agentMeta: v.object({
        sessionId: v.optional(v.string()),
        provider: v.optional(v.string()),
        model: v.optional(v.string()),
        usage: v.optional(v.object({
          input: v.number(),
          output: v.number(),
          cacheRead: v.number(),
          cacheWrite: v.number(),
          total: v.number(),
        })),
      }),
    }),
  }),
});

const AgentAnswer = v.union([Accepted, Finished]);

type AgentAnswer = v.InferInput<typeof AgentAnswer>;

const Identity = v.object({
  name: anyText,
  theme: anyText,
  emoji: anyText,
  avatar: anyText,
  avatarUrl: anyText,
});

const ListedAgent = v.object({
  id: v.string(),
  name: anyText,
  identity: v.optional(Identity),
});

/** The methods of this group. */
export const agentMethods: readonly Method<OpenClawContext>[] = [
  method({
    name: "agent",
    access: WRITE,
    summary:
      "Runs an agent on a message; answers at once and, under the same id, when it has ended.",
    params: AgentParams,
    result: AgentAnswer,
    handler: async (params, context): Promise<AgentAnswer> => {
      const { runs, principal, call } = context;
      const images = toImages(params.attachments);
      const { sessionKey, requestedKey } = await targetOf(params, context);
      const outcome = await runs.start(principal, {
        kind: "agent",
        sessionKey,
        requestedKey,
        idempotencyKey: params.idempotencyKey,
        params,
        message: params.message,
        images,
        thinking: params.thinking,
        timeoutMs: params.timeout === undefined ? undefined : params.timeout * MS_PER_SECOND,
        extraSystemPrompt: params.extraSystemPrompt,
        spawnedBy: params.spawnedBy ? context.sessions.canonicalKey(params.spawnedBy) : undefined,
      });
      switch (outcome.status) {
        case "accepted": {
          const { runId, acceptedAt, begin, ended } = outcome;
          call.interim({ runId, status: "accepted", acceptedAt });
          begin();
          return finished(runId, await ended);
        }
        case "in_flight":
          return { runId: outcome.runId, status: "accepted", acceptedAt: outcome.acceptedAt };
        case "ended":
          return finished(outcome.runId, outcome.record);
        case "stopped":
          throw invalidRequest("a stop command is for chat.send; use chat.abort");
      }
    },
  }),
  method({
    name: "agent.wait",
    access: WRITE,
    summary: "Waits until a run has ended, by default for 30 seconds, at most for 10 minutes.",
    params: v.strictObject({ runId: runIdText, timeoutMs: v.optional(count) }),
    result: v.object({
      runId: v.string(),
      status: v.picklist(["ok", "error", "timeout"]),
      startedAt: v.optional(v.number()),
      endedAt: v.optional(v.number()),
      error: anyText,
    }),
    handler: async ({ runId, timeoutMs }, { runs, principal, call }) =>
      await runs.wait(principal, { runId, timeoutMs, signal: call.signal }),
  }),
  method({
    name: "agent.identity.get",
    access: READ,
    summary: "How an agent presents itself: that of a session, or one that is named.",
    params: v.strictObject({
      agentId: v.optional(v.pipe(text, v.maxLength(MAX_NAME_CHARS))),
      sessionKey: anyKey,
    }),
    result: v.object({
      agentId: v.string(),
      name: anyText,
      avatar: anyText,
      emoji: anyText,
    }),
    handler: (params, { agents, sessions }) => {
      const named = knownAgent(params.agentId, { agents });
      const key = params.sessionKey;
      const agentId = key ? agents.ofSession(sessions.canonicalKey(key, named)) : named;
      if (named !== undefined && agentId !== named) throw mismatch(named, agentId);
      const agent = agents.get(agentId ?? agents.defaultId);
      return {
        agentId: agentId ?? agents.defaultId,
        name: agent?.identity?.name ?? agent?.name,
        avatar: agent?.identity?.avatar,
        emoji: agent?.identity?.emoji,
      };
    },
  }),
  method({
    name: "agents.list",
    access: READ,
    summary: "The configured agents.",
    params: nothing,
    result: v.object({
      defaultId: v.string(),
      mainKey: v.string(),
      scope: v.picklist(["per-sender", "global"]),
      agents: v.array(ListedAgent),
    }),
    handler: (_params, { agents, sessions }) => {
      const mainName = sessions.mainKey().split(":").slice(2).join(":");
      const [mainKey, scope] = mainName === "global"
        ? ["main", "global"] as const
        : [mainName, "per-sender"] as const;
      const { defaultId } = agents;
      return { defaultId, mainKey, scope, agents: agents.all().map(listed) };
    },
  }),
  method({
    name: "models.list",
    access: READ,
    summary: "The models that can be asked.",
    params: nothing,
    result: v.object({
      models: v.array(v.object({
        id: v.string(),
        name: v.string(),
        provider: v.string(),
        contextWindow: v.optional(v.number()),
        reasoning: v.optional(v.boolean()),
      })),
    }),
    handler: (_params, { models }) => ({
      models: models.list().map(({ id, name, provider, contextWindow, reasoning }) => ({
        id,
        name,
        provider,
        contextWindow,
        reasoning,
      })),
    }),
  }),
];

type Services = Pick<OpenClawContext, "agents" | "sessions" | "principal">;

/** The session that a call means; one that names none means the main session of its agent. */
async function targetOf(
  params: v.InferOutput<typeof AgentParams>,
  { agents, sessions, principal }: Services,
): Promise<{ readonly sessionKey: SessionKey; readonly requestedKey: string }> {
  const agentId = knownAgent(params.agentId, { agents });
  const requestedKey = params.sessionKey;
  const sessionId = params.sessionId?.trim();
  if (!requestedKey && !sessionId) {
    const sessionKey = sessions.mainKey(agentId);
    return { sessionKey, requestedKey: sessionKey };
  }
  const sessionKey = requestedKey
    ? sessions.canonicalKey(requestedKey, agentId)
    : (await sessions.resolve(principal.tenant, { sessionId })).key;
  const owner = agents.ofSession(sessionKey);
  if (agentId !== undefined && owner !== agentId) throw mismatch(agentId, owner);
  return { sessionKey, requestedKey: requestedKey || sessionKey };
}

function knownAgent(
  named: string | undefined,
  { agents }: Pick<OpenClawContext, "agents">,
): AgentId | undefined {
  const id = named?.trim().toLowerCase();
  if (!id) return undefined;
  if (isAgentId(id) && agents.has(id)) return id;
  throw invalidRequest(`unknown agent id ${quote(named ?? "", 80)}`);
}

function mismatch(named: AgentId, owner: AgentId | undefined): GatewayError {
  return invalidRequest(
    `agent ${quote(named)} does not match session key agent ${quote(owner ?? "")}`,
  );
}

/** The last answer of `agent`; a run that failed or took too long is answered with an error. */
function finished(runId: string, record: RunRecord): v.InferInput<typeof Finished> {
  const { state, startedAt, acceptedAt, endedAt, text: said = "", stopReason, textCut } = record;
  const late = state === "aborted" && stopReason === "timeout";
  if (state === "failed" || late) {
    const summary = record.error ?? "the run failed";
    const code = late ? "AGENT_TIMEOUT" : "UNAVAILABLE";
    throw new GatewayError(code, summary, failedRun(runId, summary));
  }
  const aborted = state === "aborted";
  const { sessionId, provider, model, usage } = record;
  return {
    runId,
    status: "ok",
    summary: aborted ? "aborted" : "completed",
    result: {
      payloads: said === "" ? [] : [{ text: said, mediaUrl: null }],
      meta: {
        durationMs: Math.max(0, (endedAt ?? acceptedAt) - (startedAt ?? endedAt ?? acceptedAt)),
        aborted: aborted ? true : undefined,
        stopReason,
        textCut,
        agentMeta: { sessionId, provider, model, usage },
      },
    },
  };
}

function listed({ id, name, identity }: AgentInfo): v.InferInput<typeof ListedAgent> {
  const avatar = identity?.avatar;
  const avatarUrl = avatar !== undefined && /^(https?:|data:image\/)/i.test(avatar)
    ? avatar
    : undefined;
  return { id, name, identity: identity && { ...identity, avatarUrl } };
}
