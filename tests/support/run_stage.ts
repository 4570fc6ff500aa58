/** Everything that a test of runs needs, on a manual clock, a scripted model and a store that can fail. */

import { createMemoryStore } from "../../src/adapters/memory_store.ts";
import type { Principal } from "../../src/core/access.ts";
import { GatewayError } from "../../src/core/error.ts";
import { checked, DEFAULT_TENANT, isConnectionId, isSessionKey } from "../../src/core/id.ts";
import {
  type CommitResult,
  type Store,
  StoreUnavailable,
  type StoreWrite,
} from "../../src/ports/store.ts";
import { type AgentOptions, Agents } from "../../src/services/agents.ts";
import type { DomainEvent } from "../../src/services/domain_event.ts";
import { Hub } from "../../src/services/hub.ts";
import { Models } from "../../src/services/models.ts";
import type { RunRequest, StartOutcome } from "../../src/services/run_request.ts";
import { type RunOptions, type RunParts, Runs } from "../../src/services/runs.ts";
import { Sessions } from "../../src/services/sessions.ts";
import { CountingRandom } from "./counting_random.ts";
import { ManualClock, settle } from "./manual_clock.ts";
import { MemoryLog } from "./memory_log.ts";
import { ScriptedModel } from "./scripted_model.ts";

/** A main session's key. */
export const MAIN = checked("agent:main:main", isSessionKey);

/** Another session's key. */
export const OTHER = checked("agent:main:other", isSessionKey);

/** Who asks, in these tests. */
export const PRINCIPAL: Principal = {
  tenant: DEFAULT_TENANT,
  role: "operator",
  scopes: ["operator.admin"],
  connection: checked("c1", isConnectionId),
  credential: "shared",
  subject: "shared",
  local: true,
};

/** A store that fails, and lets wait, the commits that a test chooses. */
export class TrippingStore implements Store {
  readonly #store: Store;
  /** Says of each commit whether it fails. */
  trips: (writes: readonly StoreWrite[]) => boolean = () => false;
  /** Says of each commit what it waits for; undefined: it goes on at once. */
  holds: (writes: readonly StoreWrite[]) => Promise<void> | undefined = () => undefined;
  /** What a commit that trips fails with. */
  failure: StoreUnavailable = new StoreUnavailable("the disk is full");
  /** Kinds of the records written by each commit that succeeded, and `append` for its messages. */
  readonly commits: string[][] = [];

  constructor(store: Store = createMemoryStore()) {
    this.#store = store;
  }

  get: Store["get"] = (key) => this.#store.get(key);
  stamp: Store["stamp"] = (key) => this.#store.stamp(key);
  list: Store["list"] = (query) => this.#store.list(query);
  count: Store["count"] = (query) => this.#store.count(query);
  read: Store["read"] = (stream, range) => this.#store.read(stream, range);
  length: Store["length"] = (stream) => this.#store.length(stream);
  close: Store["close"] = () => this.#store.close();

  async commit(writes: readonly StoreWrite[]): Promise<CommitResult> {
    if (this.trips(writes)) throw this.failure;
    const held = this.holds(writes);
    if (held !== undefined) await held;
    const result = await this.#store.commit(writes);
    this.commits.push(writes.map((write) => "key" in write ? write.key.kind : write.op));
    return result;
  }
}

/** A gateway's runs with all that they stand on. */
export interface Stage {
  readonly store: TrippingStore;
  readonly clock: ManualClock;
  readonly model: ScriptedModel;
  readonly sessions: Sessions;
  readonly agents: Agents;
  readonly models: Models;
  readonly runs: Runs;
  readonly log: MemoryLog;
  readonly hub: Hub;
  readonly events: DomainEvent[];
  /** Settings that a test may change while it goes on. */
  readonly settings: { runs: RunOptions; agents: AgentOptions };
}

/** Sets a stage; a second one on the store of the first is the gateway after a restart. */
export function setStage(
  given: { store?: TrippingStore; clock?: ManualClock; facts?: RunParts["facts"] } = {},
): Stage {
  const store = given.store ?? new TrippingStore();
  const clock = given.clock ?? new ManualClock();
  const settings: Stage["settings"] = { runs: {}, agents: { defaults: {}, list: [] } };
  const model = new ScriptedModel();
  const log = new MemoryLog();
  const hub = new Hub();
  const events: DomainEvent[] = [];
  hub.observe((_tenant, event) => {
    events.push(event);
  });
  const agents = new Agents({ options: () => settings.agents });
  const models = new Models({ port: model, defaultModel: () => settings.agents.defaults.model });
  const sessions: Sessions = new Sessions({
    store,
    clock,
    random: new CountingRandom(),
    agents,
    options: () => ({
      mainKey: "main",
      scope: "per-sender",
      abortRuns: async (tenant, sessionKey) => {
        await runs.abort(tenant, { sessionKey });
      },
    }),
  });
  const runs = new Runs({
    store,
    sessions,
    agents,
    models,
    hub,
    clock,
    log,
    options: () => settings.runs,
    facts: given.facts,
  });
  return { store, clock, model, sessions, agents, models, runs, log, hub, events, settings };
}

/** A chat request to the main session; its params are its own members. */
export function chat(idempotencyKey: string, change: Partial<RunRequest> = {}): RunRequest {
  const request = {
    kind: "chat" as const,
    sessionKey: MAIN,
    requestedKey: "main",
    idempotencyKey,
    message: `message ${idempotencyKey}`,
    ...change,
  };
  return { params: { ...request }, ...request };
}

/** Starts a run and begins it, as a method does once it has answered. */
export async function send(
  stage: Stage,
  request: RunRequest,
): Promise<Extract<StartOutcome, { status: "accepted" }>> {
  const outcome = await stage.runs.start(PRINCIPAL, request);
  if (outcome.status !== "accepted") throw new Error(`not accepted but ${outcome.status}`);
  outcome.begin();
  await settle();
  return outcome;
}

/** A stage on which run `r1` of the main session is under way and its model has said `parts` so far. */
export async function speakingStage(
  parts: readonly string[],
  given: { deaf?: boolean } = {},
): Promise<Stage> {
  const stage = setStage();
  stage.model.deaf = given.deaf ?? false;
  await send(stage, chat("r1"));
  stage.model.call().text(...parts);
  await settle();
  return stage;
}

/** The gateway on the same store and clock: another process beside this one, or the one after a restart. */
export function secondProcess({ store, clock }: Stage): Stage {
  return setStage({ store, clock });
}

/** Lets the model say `parts` to the run that it was asked for last, and end its answer. */
export async function finish(stage: Stage, ...parts: readonly string[]): Promise<void> {
  stage.model.call().text(...parts).end();
  await settle();
}

/** Aborts one run of the main session, or all of them. */
export function abortMain({ runs }: Stage, runId?: string): ReturnType<Runs["abort"]> {
  return runs.abort(DEFAULT_TENANT, { sessionKey: MAIN, runId });
}

/** The error that `work` rejects with; fails when it rejects with none of ours, or not at all. */
export async function refusal(work: Promise<unknown>): Promise<GatewayError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** A test whose name says that it is about runs. */
export function runTest(name: string, fn: () => Promise<void>): void {
  Deno.test(`runs: ${name}`, fn);
}

/** What happened, one short line for each event: `run sequence kind …`. */
export function told(stage: Stage): string[] {
  return stage.events.map((event) => {
    if (event.type === "session.message") return `${event.runId} ${event.sequence} note`;
    if (event.type !== "run") return event.type;
    const { runId, sequence, step } = event;
    const line = `${runId} ${sequence} ${step.kind}`;
    switch (step.kind) {
      case "start":
        return line;
      case "text":
        return `${line} ${JSON.stringify(step.delta)}${step.partial ? " shown" : ""}`;
      case "end":
        return `${line} ${JSON.stringify(step.text)}`;
      case "aborted":
        return `${line} ${step.stopReason} ${JSON.stringify(step.text)}`;
      case "failed":
        return `${line} ${step.message}`;
    }
  });
}

/** The lines of {@linkcode told} about runs that were aborted, sorted, as runs end side by side. */
export function toldAborts(stage: Stage): string[] {
  return told(stage).filter((line) => line.includes(" aborted ")).sort();
}

/** The transcript of the main session, one short line for each message. */
export async function transcript(stage: Stage): Promise<string[]> {
  const { messages } = await stage.sessions.history(DEFAULT_TENANT, MAIN, { limit: 1_000 });
  return messages.map(({ role, text, aborted, error }) =>
    [role, JSON.stringify(text), aborted === true ? "aborted" : "", error ?? ""].join(" ").trim()
  );
}
