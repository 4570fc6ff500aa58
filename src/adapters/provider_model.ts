/** A configured model provider, asked over HTTP. */

import { escapeText, quote } from "../core/quote.ts";
import type { Clock } from "../ports/clock.ts";
import {
  ModelError,
  type ModelInfo,
  type ModelPart,
  type ModelPort,
  type ModelRequest,
} from "../ports/model.ts";
import { pause } from "./pause.ts";
import {
  faultSource,
  type ProviderEndpoint,
  type ProviderModelOptions,
  type ProviderOptions,
  readEndpoint,
} from "./provider_endpoint.ts";
import { brokenFault, type Fault, fault, type FaultSource, streamFault } from "./provider_fault.ts";
import { exchange } from "./provider_http.ts";
import {
  libraryMessages,
  libraryModel,
  libraryReasoning,
  libraryUsage,
  loadStreamText,
} from "./provider_library.ts";

/** How often a request is sent again; only before the first part of its answer has come. */
export const MAX_RETRIES = 2;

/** Wait before the first retry, in milliseconds; it doubles for the next. */
const RETRY_DELAY_MS = 500;

/**
 * Longest wait before a retry, in milliseconds. Verdict: a provider that asks for more is not asked
 * again, and the person reads its error now rather than after that time.
 */
const MAX_RETRY_DELAY_MS = 20_000;

/** Most text and reasoning of one answer, in UTF-16 code units. Verdict: {@linkcode ModelError}. */
export const MAX_ANSWER_CHARS = 4 * 1024 * 1024;

/** What a provider's models are made with. */
export interface ProviderDeps {
  readonly clock: Clock;
  /** The name of the settings file that counts, read at each failure; absent: it is not named. */
  readonly settingsFile?: () => string;
}

/**
 * The models of one provider. Texts, thinking and usage are streamed as the provider sends them;
 * the stop reason is `stop`, `length`, `content-filter`, `tool-calls` or `other`.
 *
 * `stream` takes `provider/id` with an id that is listed, or any id if the provider lists none. No
 * message of a {@linkcode ModelError} holds a key, a header's value or credentials of the address.
 * Ending the iteration, or aborting the signal, closes the connection to the provider.
 */
export function providerModel(options: ProviderOptions, deps: ProviderDeps): ModelPort {
  const endpoint = readEndpoint(options);
  const { settingsFile = () => "the settings file" } = deps;
  const infos = options.models.map((model): ModelInfo => ({
    id: model.id,
    name: model.name ?? model.id,
    provider: options.id,
    contextWindow: model.contextWindow,
    reasoning: model.reasoning,
  }));

  return {
    list: () => infos,
    async *stream(request, signal) {
      signal.throwIfAborted();
      const file = settingsFile();
      const model = findModel(options, { name: request.model, file });
      const unset = options.unset ?? [];
      if (unset.length > 0 || typeof endpoint === "string") {
        const source = faultSource(options.id, { model: request.model, file });
        throw uncallable(source, { unset, problem: typeof endpoint === "string" ? endpoint : "" })
          .error;
      }
      const source = faultSource(options.id, { model: request.model, file, endpoint });
      for (let retries = 0;; retries++) {
        const outcome = yield* attempt(request, {
          signal,
          model,
          endpoint,
          source,
          clock: deps.clock,
        });
        if (outcome === undefined) return;
        signal.throwIfAborted();
        const delayMs = outcome.fault.retryAfterMs ?? RETRY_DELAY_MS * 2 ** retries;
        const again = !outcome.started && outcome.fault.repeat && retries < MAX_RETRIES &&
          delayMs <= MAX_RETRY_DELAY_MS;
        if (!again) throw outcome.fault.error;
        await pause(deps.clock, delayMs, signal);
      }
    },
  };
}

interface AttemptOptions {
  readonly signal: AbortSignal;
  readonly model: ProviderModelOptions;
  readonly endpoint: ProviderEndpoint;
  readonly source: FaultSource;
  readonly clock: Clock;
}

/** An attempt that failed; `started` says that parts of an answer have been passed on. */
interface Failure {
  readonly fault: Fault;
  readonly started: boolean;
}

/** Asks once. Returns nothing if the answer is complete; throws only the signal's reason. */
async function* attempt(
  request: ModelRequest,
  options: AttemptOptions,
): AsyncGenerator<ModelPart, Failure | undefined> {
  const { signal, source } = options;
  const control = new AbortController();
  const onAbort = (): void => control.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });

  let first: Fault | undefined;
  let started = false;
  try {
    const answer = await ask(request, { ...options, control, onFault: (what) => first ??= what });
    if ("error" in answer) return { fault: answer, started };
    let chars = 0;
    let answered = false;
    for await (const part of answer.stream) {
      // What the library still holds after an abort is not passed on.
      signal.throwIfAborted();
      switch (part.type) {
        case "text-delta":
        case "reasoning-delta":
          if (part.text === "") break;
          chars += part.text.length;
          if (chars > MAX_ANSWER_CHARS) return { fault: tooLong(source), started };
          started = true;
          answered ||= part.type === "text-delta" && part.text.trim() !== "";
          yield { type: part.type === "text-delta" ? "text" : "reasoning", text: part.text };
          break;
        case "error":
          return { fault: first ?? failureOf(source, { thrown: part.error, started }), started };
        case "finish": {
          const stopReason = part.finishReason;
          if (stopReason === "error" || stopReason === "interrupted") break;
          if (!answered) return { fault: first ?? empty(source, stopReason), started };
          yield { type: "end", stopReason, usage: libraryUsage(part.totalUsage) };
          return undefined;
        }
      }
    }
    signal.throwIfAborted();
    return { fault: first ?? brokenFault(source), started };
  } catch (thrown) {
    signal.throwIfAborted();
    return { fault: first ?? failureOf(source, { thrown, started }), started };
  } finally {
    signal.removeEventListener("abort", onAbort);
    control.abort();
  }
}

async function ask(
  request: ModelRequest,
  options: AttemptOptions & { control: AbortController; onFault: (fault: Fault) => void },
) {
  const { endpoint, model, source, control } = options;
  const messages = libraryMessages(request.messages);
  if (typeof messages === "string") return fault(source, messages);
  const streamText = await loadStreamText();
  control.signal.throwIfAborted();
  return streamText({
    model: await libraryModel(endpoint, { id: model.id, fetch: exchange(options) }),
    instructions: request.system === "" ? undefined : request.system,
    messages,
    maxOutputTokens: model.maxTokens,
    reasoning: model.reasoning === true ? libraryReasoning(endpoint, request.thinking) : undefined,
    abortSignal: control.signal,
    // Retries are counted here, where it is known whether a part has been passed on.
    maxRetries: 0,
    telemetry: { isEnabled: false },
    // Without it the library writes the error to the console.
    onError: () => {},
  });
}

function findModel(
  options: ProviderOptions,
  { name, file }: { readonly name: string; readonly file: string },
): ProviderModelOptions {
  const prefix = `${options.id}/`;
  const id = name.startsWith(prefix) ? name.slice(prefix.length) : "";
  const listed = options.models.find((model) => model.id === id);
  if (listed !== undefined) return listed;
  if (id !== "" && options.models.length === 0) return { id };
  throw new ModelError(
    `model ${quote(name)} is not listed: add it under models.providers.${
      escapeText(options.id)
    }.models in ${file}, or choose a model that is listed.`,
  );
}

/** Why a provider is not even asked: `unset` variables, else the `problem` of its settings. */
function uncallable(
  source: FaultSource,
  { unset, problem }: { readonly unset: readonly string[]; readonly problem: string },
): Fault {
  const place = `models.providers.${escapeText(source.provider)} in ${source.file}`;
  if (unset.length === 0) return fault(source, `${problem}: mend ${place}`);
  const [one, more] = unset.length === 1 ? ["variable", "is"] : ["variables", "are"];
  return fault(
    source,
    `needs the environment ${one} ${unset.join(", ")}, which ${more} not set: set ` +
      `${
        unset.length === 1 ? "it" : "them"
      } where the gateway runs and restart the gateway, or change ${place}`,
  );
}

/** The library's own errors that stand for a stream without a proper end, or without anything. */
const UNFINISHED: ReadonlySet<string> = new Set([
  "AI_InvalidResponseDataError",
  "AI_NoOutputGeneratedError",
  "AI_EmptyResponseBodyError",
]);

function failureOf(
  source: FaultSource,
  { thrown, started }: { thrown: unknown; started: boolean },
): Fault {
  if (thrown instanceof Error && UNFINISHED.has(thrown.name)) {
    return started ? brokenFault(source) : empty(source, "other");
  }
  return streamFault(source, thrown);
}

function empty(source: FaultSource, stopReason: string): Fault {
  const why = stopReason === "content-filter"
    ? "refused to answer: word the message differently"
    : stopReason === "length"
    ? `used all its tokens before it said anything: raise maxTokens of the model in ${source.file}, or lower the thinking level`
    : "sent an empty answer: send the message again, or use another model";
  return fault(source, why, { retryable: stopReason !== "content-filter" });
}

function tooLong(source: FaultSource): Fault {
  return fault(
    source,
    `sent an answer longer than ${MAX_ANSWER_CHARS} characters, which was cut off: ask for less`,
  );
}
