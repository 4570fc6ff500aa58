/** Asks a model and follows its answer until it ends, fails or is given up. */

import type { Clock } from "../ports/clock.ts";
import { ModelError, type ModelPart, type ModelRequest, type ModelUsage } from "../ports/model.ts";
import { beginning, RunText, type TextStep } from "./run_text.ts";

/** Most text of one answer, in characters; a longer one fails, to bound a run's memory. */
export const MAX_RUN_TEXT_CHARS = 4 * 1024 * 1024;

/** What a failure that is a defect is called to the person who asked; the log has the rest. */
export const GENERIC_FAILURE = "the model failed unexpectedly; see the gateway's log";

/** How an answer ended. `text` is all that came, as it came. */
export type Outcome =
  | {
    readonly kind: "ok";
    readonly text: string;
    readonly stopReason: string;
    readonly usage?: ModelUsage;
  }
  | { readonly kind: "aborted"; readonly text: string }
  /** `message` is for the person who asked; `defect` is what was thrown, where it was no model's error. */
  | {
    readonly kind: "failed";
    readonly text: string;
    readonly message: string;
    readonly defect?: unknown;
  };

/** The outcome that is stored and told: one that was given up counts as that, blank ends are cut. */
export function settledOutcome(outcome: Outcome, { aborted }: { aborted: boolean }): Outcome {
  const text = outcome.text.trim();
  return aborted ? { kind: "aborted", text } : { ...outcome, text };
}

/** What is told where the outcome could not be stored: an answer that nobody can read again is none. */
export function unsavedOutcome(
  outcome: Outcome,
  why = "the answer could not be stored; send the message again with a new idempotency key",
): Outcome {
  return outcome.kind === "ok" ? { kind: "failed", text: outcome.text, message: why } : outcome;
}

/** What {@linkcode followAnswer} needs besides the request. */
export interface FollowOptions {
  readonly stream: (request: ModelRequest, signal: AbortSignal) => AsyncIterable<ModelPart>;
  readonly clock: Clock;
  /** Once it is aborted, no further step is told and the outcome comes at once, whatever the model does. */
  readonly signal: AbortSignal;
  readonly onText: (step: TextStep) => void;
}

/** Streams one answer; never throws. An answer that ends or fails was told to its last part before. */
export async function followAnswer(
  request: ModelRequest,
  { stream, clock, signal, onText }: FollowOptions,
): Promise<Outcome> {
  const said = new RunText({ clock, onText });
  let interrupt = (): void => {};
  const onAbort = (): void => interrupt();
  signal.addEventListener("abort", onAbort, { once: true });
  let parts: AsyncIterator<ModelPart> | undefined;
  try {
    if (signal.aborted) return { kind: "aborted", text: said.text };
    const iterator = stream(request, signal)[Symbol.asyncIterator]();
    parts = iterator;
    for (;;) {
      const next = await new Promise<IteratorResult<ModelPart> | undefined>((resolve, reject) => {
        interrupt = () => resolve(undefined);
        iterator.next().then(resolve, reject);
      });
      if (next === undefined || signal.aborted) return { kind: "aborted", text: said.text };
      if (next.done === true) {
        said.flush();
        const message = "the model's answer broke off; send it again";
        return { kind: "failed", text: said.text, message };
      }
      const part = next.value;
      if (part.type === "end") {
        said.flush();
        return { kind: "ok", text: said.text, stopReason: part.stopReason, usage: part.usage };
      }
      if (part.type !== "text" || part.text === "") continue;
      said.add(part.text);
      if (said.text.length > MAX_RUN_TEXT_CHARS) {
        const message =
          `the answer is longer than ${MAX_RUN_TEXT_CHARS} characters and was cut off; ask for less`;
        return { kind: "failed", text: beginning(said.text, MAX_RUN_TEXT_CHARS), message };
      }
    }
  } catch (thrown) {
    const { text } = said;
    if (signal.aborted) return { kind: "aborted", text };
    said.flush();
    if (thrown instanceof ModelError) return { kind: "failed", text, message: thrown.message };
    return { kind: "failed", text, message: GENERIC_FAILURE, defect: thrown };
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Not awaited: a model that ignores the signal must not hold its session.
    parts?.return?.().then(undefined, () => {});
  }
}
