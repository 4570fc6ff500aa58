/** What the gateway can say about itself, in short. */

import { describeError } from "../core/error.ts";
import type { SessionKey, TenantId } from "../core/id.ts";
import type { Log } from "../ports/log.ts";
import type { Agents } from "./agents.ts";
import { modelName, type Models } from "./models.ts";
import { chooseModel, type Facts } from "./run_answer.ts";
import type { SessionEntry } from "./session_entry.ts";

/** Where facts come from. */
export interface FactParts {
  readonly agents: Agents;
  readonly models: Models;
  readonly log: Log;
  /** Facts about the gateway that runs do not know. */
  readonly facts?: (tenant: TenantId) => Facts | Promise<Facts>;
  readonly counts: { readonly running: number; readonly waiting: number };
  readonly now: number;
}

/** The facts about a session and the gateway around it, those of the gateway first; what fails is left out. */
export async function gatherFacts(
  parts: FactParts,
  { tenant, sessionKey, entry }: {
    tenant: TenantId;
    sessionKey: SessionKey;
    entry: SessionEntry | undefined;
  },
): Promise<Facts> {
  const { agents, models, counts, now } = parts;
  const agent = agents.ofSession(sessionKey);
  let given: Facts = {};
  try {
    given = await parts.facts?.(tenant) ?? {};
  } catch (error) {
    parts.log.write("warn", "facts not available", { error: describeError(error) });
  }
  return {
    ...given,
    agent,
    session: sessionKey,
    model: modelText({ entry, agentModel: agents.modelFor(agent), models }),
    runs: `${counts.running} running, ${counts.waiting} waiting`,
    time: `${new Date(now).toISOString().slice(0, 16).replace("T", " ")} UTC`,
  };
}

function modelText(choice: Parameters<typeof chooseModel>[0]): string {
  try {
    return modelName(chooseModel(choice));
  } catch {
    return "none that is known";
  }
}
