/** How a run comes to its answer: session, model, conversation, stream. */

import { GatewayError } from "../core/error.ts";
import type { Clock } from "../ports/clock.ts";
import type { ModelInfo } from "../ports/model.ts";
import { StoreUnavailable } from "../ports/store.ts";
import type { Agents } from "./agents.ts";
import { MAX_CONVERSATION_MESSAGES, systemPrompt, toConversation } from "./conversation.ts";
import type { LiveRun } from "./live_run.ts";
import { modelName, type Models } from "./models.ts";
import { followAnswer, GENERIC_FAILURE, type Outcome } from "./run_execution.ts";
import type { TextStep } from "./run_text.ts";
import type { SessionEntry } from "./session_entry.ts";
import type { Sessions } from "./sessions.ts";

/** Live facts by name, in the order in which people read them. */
export type Facts = Readonly<Record<string, string>>;

/** What an answer is made with. */
export interface AnswerParts {
  readonly sessions: Pick<Sessions, "history">;
  readonly agents: Agents;
  readonly models: Models;
  readonly clock: Clock;
  /** The runs of the session that wait for their turn. */
  readonly waiting: () => ReadonlySet<string>;
  readonly facts: (entry: SessionEntry) => Promise<Facts>;
  readonly onText: (step: TextStep) => void;
}

/** Asks the model that the session, else its agent, else the configuration names. Never throws. */
export async function answer(run: LiveRun, parts: AnswerParts): Promise<Outcome> {
  const { agents, models, sessions, clock, waiting, onText } = parts;
  const { tenant, runId, signal, terms } = run;
  try {
    const limit = MAX_CONVERSATION_MESSAGES;
    // In a line of its own, so that no crowd of readers keeps it waiting for long.
    const reader = { caller: `run ${runId}`, signal, owed: true };
    const { entry, messages, chars, told } = await sessions.history(tenant, terms.sessionKey, {
      limit,
      forModel: true,
      reader,
    });
    if (entry === undefined || entry.sessionId !== run.sessionId) return failed(SESSION_GONE);
    const agentId = agents.ofSession(terms.sessionKey);
    const model = chooseModel({ entry, agentModel: agents.modelFor(agentId), models });
    run.model = model;
    const conversation = toConversation(messages, {
      runId,
      waiting: waiting(),
      chars,
      told,
      contextWindow: model.contextWindow,
    });
    if (conversation === undefined) return failed(SESSION_GONE);
    const now = new Date(clock.now()).toISOString();
    const system = systemPrompt({
      agent: agents.get(agentId),
      date: now.slice(0, 10),
      extra: terms.extraSystemPrompt,
    });
    // Whoever writes from a channel is no operator: the time is all they may learn of the gateway.
    const facts: Facts = terms.kind === "channel" ? { time: now } : await parts.facts(entry);
    const request = {
      model: modelName(model),
      system,
      messages: conversation,
      thinking: terms.thinking || entry.thinkingLevel,
      facts,
    };
    const stream: typeof models.stream = (asked, until) => models.stream(asked, until);
    return await followAnswer(request, { stream, clock, signal, onText });
  } catch (thrown) {
    if (thrown instanceof GatewayError) return failed(thrown.message);
    if (thrown instanceof StoreUnavailable) {
      return failed("the conversation could not be read; send the message again", thrown);
    }
    return failed(GENERIC_FAILURE, thrown);
  }
}

/** The model of a session: its own choice, else its agent's. Throws `INVALID_REQUEST` for an unknown one. */
export function chooseModel(
  { entry, agentModel, models }: {
    entry: Pick<SessionEntry, "providerOverride" | "modelOverride"> | undefined;
    agentModel: string | undefined;
    models: Models;
  },
): ModelInfo {
  const { providerOverride: provider, modelOverride: id } = entry ?? {};
  if (id === undefined) return models.resolveConfigured(agentModel);
  return models.resolveConfigured(provider === undefined ? id : modelName({ provider, id }));
}

const SESSION_GONE =
  "the session was reset or deleted before the run began; send the message again";

function failed(message: string, defect?: unknown): Outcome {
  return { kind: "failed", text: "", message, defect };
}
