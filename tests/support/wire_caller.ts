/** Calls methods of the OpenClaw wire as its driver does, and keeps answers and events in order. */

import assert from "node:assert/strict";
import * as v from "valibot";
import { createDispatch } from "../../src/core/dispatch.ts";
import { GatewayError } from "../../src/core/error.ts";
import { type Method, methodTable } from "../../src/core/method.ts";
import type { OpenClawContext } from "../../src/protocols/openclaw/context.ts";
import { settle } from "./manual_clock.ts";
import { PRINCIPAL, type Stage } from "./run_stage.ts";

/** What became of one call. */
export interface CallTrace {
  /** Every answer as JSON, the last one last. */
  readonly answers: unknown[];
  error: GatewayError | undefined;
}

/** A client of a stage. */
export interface WireCaller {
  /** Answers as `method answer`, errors as `method error`, run events as `run kind`, in order. */
  readonly order: string[];
  /** Starts a call and waits for its first answer or its error. */
  call(method: string, params?: unknown, scopes?: readonly string[]): Promise<CallTrace>;
  /** Starts a call that is not answered yet. */
  begin(method: string, params?: unknown): Promise<CallTrace>;
  /** The only answer of a call; fails when there was an error or more than one. */
  answer(method: string, params?: unknown): Promise<unknown>;
  /** The error of a call; fails when there was none. */
  refusal(method: string, params?: unknown, scopes?: readonly string[]): Promise<GatewayError>;
  /** Ends the signal of all calls, as a connection that closes does. */
  disconnect(): void;
}

/** A client that can call these methods. Every answer is checked against the method's result schema. */
export function wireCaller(
  stage: Stage,
  methods: readonly Method<OpenClawContext>[],
): WireCaller {
  const table = methodTable([methods]);
  const dispatch = createDispatch(table);
  const connection = new AbortController();
  const order: string[] = [];
  stage.hub.observe((_tenant, event) => {
    if (event.type === "run") order.push(`${event.runId} ${event.step.kind}`);
    if (event.type === "session.message") order.push(`${event.runId} note`);
  });

  function start(
    method: string,
    params: unknown,
    scopes: readonly string[],
  ): { trace: CallTrace; first: Promise<void> } {
    const first = Promise.withResolvers<void>();
    const trace: CallTrace = { answers: [], error: undefined };
    const tasks: (() => void)[] = [];
    const answered = (value: unknown): void => {
      const json: unknown = JSON.parse(JSON.stringify(value));
      const schema = table.get(method)?.result;
      assert.ok(schema !== undefined);
      assert.deepEqual(v.parse(schema, json), json);
      trace.answers.push(json);
      order.push(`${method} answer`);
      first.resolve();
    };
    const principal = { ...PRINCIPAL, scopes };
    const context: OpenClawContext = Object.assign(Object.create(null), {
      agents: stage.agents,
      models: stage.models,
      runs: stage.runs,
      sessions: stage.sessions,
      principal,
      call: {
        signal: connection.signal,
        interim: answered,
        afterAnswer: (task: () => void) => tasks.push(task),
      },
    });
    void (async () => {
      try {
        answered(await dispatch({ method, params, principal }, context));
        for (const task of tasks) task();
      } catch (thrown) {
        if (!(thrown instanceof GatewayError)) return first.reject(thrown);
        trace.error = thrown;
        order.push(`${method} error`);
        first.resolve();
      }
    })();
    return { trace, first: first.promise };
  }

  async function call(
    method: string,
    params?: unknown,
    scopes: readonly string[] = ["operator.admin"],
  ): Promise<CallTrace> {
    const { trace, first } = start(method, params, scopes);
    await first;
    await settle();
    return trace;
  }

  return {
    order,
    call,
    async begin(method, params): Promise<CallTrace> {
      const { trace } = start(method, params, ["operator.admin"]);
      await settle();
      return trace;
    },
    async answer(method, params): Promise<unknown> {
      const { answers, error } = await call(method, params);
      assert.equal(error, undefined);
      assert.equal(answers.length, 1);
      return answers[0];
    },
    async refusal(method, params, scopes): Promise<GatewayError> {
      const { error, answers } = await call(method, params, scopes);
      assert.ok(error !== undefined, `answered ${JSON.stringify(answers)}`);
      return error;
    },
    disconnect: () => connection.abort(),
  };
}
