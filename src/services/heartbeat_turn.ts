/** One turn of an agent for its heartbeat: it sees the main session, and speaks there only if it must. */

import type { SessionKey, TenantId } from "../core/id.ts";
import { ModelError } from "../ports/model.ts";
import type { Clock } from "../ports/clock.ts";
import type { Agents } from "./agents.ts";
import { systemPrompt } from "./conversation.ts";
import type { HeartbeatOutcome, HeartbeatTurn, RunHeartbeatTurn } from "./heartbeat.ts";
import { readAnswer } from "./heartbeat_report.ts";
import { modelName, type Models } from "./models.ts";
import type { Runs } from "./runs.ts";
import type { Sessions } from "./sessions.ts";

/** Newest messages of the main session that the agent is shown. */
export const HEARTBEAT_CONTEXT_MESSAGES = 40;

/** Longest answer to a heartbeat, in characters; more is a fault of the model. */
export const MAX_HEARTBEAT_CHARS = 64 * 1024;

/** What a turn is made of. */
export interface HeartbeatTurnParts {
  readonly agents: Agents;
  readonly models: Models;
  readonly runs: Pick<Runs, "active" | "inject">;
  readonly sessions: Pick<Sessions, "mainKey" | "history" | "get">;
  readonly clock: Clock;
}

/**
 * Makes the turns of heartbeats. The prompt and an answer that says that all is well leave no trace in
 * the transcript; any other answer is put into the agent's main session, labelled, for its people to read.
 * Throws what neither the model nor the signal caused.
 */
export function heartbeatTurns(parts: HeartbeatTurnParts): RunHeartbeatTurn {
  return async (tenant, turn) => {
    const key = parts.sessions.mainKey(turn.agentId);
    const busy = parts.runs.active(tenant).some((run) => run.sessionKey === key);
    if (busy) return { status: "busy", text: "" };
    try {
      const text = await ask(parts, { tenant, key, turn });
      const answer = readAnswer(text);
      if (answer.status === "sent") await tell(parts, { tenant, key, text: answer.text });
      return { status: "ok", text };
    } catch (error) {
      return failure(error);
    }
  };
}

interface Question {
  readonly tenant: TenantId;
  readonly key: SessionKey;
  readonly turn: HeartbeatTurn;
}

async function ask(parts: HeartbeatTurnParts, question: Question): Promise<string> {
  const { tenant, key, turn } = question;
  const agent = parts.agents.get(turn.agentId);
  const { messages } = await parts.sessions.history(tenant, key, {
    limit: HEARTBEAT_CONTEXT_MESSAGES,
  });
  const said = messages.map(({ role, text }) => `${role}: ${text}`).join("\n\n");
  const request = {
    model: modelName(parts.models.resolveConfigured(parts.agents.modelFor(turn.agentId))),
    system: systemPrompt({
      agent,
      date: new Date(parts.clock.now()).toISOString().slice(0, 10),
      extra: said === "" ? undefined : `What was said lately:\n\n${said}`,
    }),
    messages: [{ role: "user", text: turn.prompt }],
  } as const;
  let text = "";
  for await (const part of parts.models.stream(request, turn.signal)) {
    if (part.type === "end") {
      // What a model says after its time is up was reported as a failure and belongs nowhere.
      turn.signal.throwIfAborted();
      return text.trim();
    }
    if (part.type !== "text") continue;
    text += part.text;
    if (text.length > MAX_HEARTBEAT_CHARS) {
      throw new ModelError(`the answer is longer than ${MAX_HEARTBEAT_CHARS} characters`);
    }
  }
  throw new ModelError("the model's answer broke off");
}

/** A session that nobody has used yet is begun by nobody's message. */
async function tell(
  parts: HeartbeatTurnParts,
  note: { readonly tenant: TenantId; readonly key: SessionKey; readonly text: string },
): Promise<void> {
  const { tenant, key, text } = note;
  if (await parts.sessions.get(tenant, key) === undefined) return;
  await parts.runs.inject(tenant, {
    sessionKey: key,
    requestedKey: key,
    message: text,
    label: "Heartbeat",
  });
}

/** What the model or the time limit did; anything else is the caller's to log and to report. */
function failure(error: unknown): HeartbeatOutcome {
  if (error instanceof ModelError) return { status: "error", text: "", error: error.message };
  if (!(error instanceof Error) || error.name !== "AbortError") throw error;
  return { status: "error", text: "", error: "the model did not answer in time" };
}
