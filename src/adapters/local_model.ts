/**
 * The embedded model: answers with no network, no key and no configuration. It is a program with
 * fixed answers, and says so.
 */

import type { Clock } from "../ports/clock.ts";
import type { ModelInfo, ModelPart, ModelPort, ModelRequest, ModelUsage } from "../ports/model.ts";
import { localReply } from "./local_reply.ts";
import { pause } from "./pause.ts";

/** The provider's name of the embedded model. */
const LOCAL_PROVIDER = "local";

/** The ids under which the embedded model answers; the first is the one that is listed. */
const LOCAL_MODEL_IDS = ["assistant", "echo"] as const;

/** Other names of the embedded model, and the one that is listed. */
export const LOCAL_MODEL_ALIASES: Readonly<Record<string, string>> = {
  "local/echo": "local/assistant",
};

/** Default wait between two parts, in milliseconds: long enough to be seen as a stream. */
const DEFAULT_PART_DELAY_MS = 5;

/** What the embedded model needs. */
export interface LocalModelOptions {
  readonly clock: Clock;
  /**
   * Wait between two parts, in milliseconds. 0 does not wait at all, so that a benchmark measures
   * the gateway alone; an abort is then only seen if the reader itself lets time pass.
   */
  readonly partDelayMs?: number;
}

/**
 * The embedded model. It answers the same to the same conversation, in parts of one word each; what
 * it can be asked for is in {@linkcode localReply}. Its usage counts words, as it has no tokens: those of the system
 * text and of the message that it answers, as it looks at what was said before only to find something in it. The
 * stop reason is `stop`. It never throws but for an abort.
 */
export function localModel(options: LocalModelOptions): ModelPort {
  const delayMs = options.partDelayMs ?? DEFAULT_PART_DELAY_MS;
  const info: ModelInfo = {
    id: LOCAL_MODEL_IDS[0],
    name: "Built-in assistant",
    provider: LOCAL_PROVIDER,
    reasoning: false,
  };
  return {
    list: () => [info],
    stream: (request, signal) => speak(request, signal, { clock: options.clock, delayMs }),
  };
}

/** Whether `model` is a name of the embedded model. */
export function isLocalModel(model: string): boolean {
  return LOCAL_MODEL_IDS.some((id) => model === `${LOCAL_PROVIDER}/${id}`);
}

async function* speak(
  request: ModelRequest,
  signal: AbortSignal,
  pace: { clock: Clock; delayMs: number },
): AsyncGenerator<ModelPart, void> {
  signal.throwIfAborted();
  let output = 0;
  for (const text of localReply(request)) {
    if (output > 0 && pace.delayMs > 0) await pause(pace.clock, pace.delayMs, signal);
    signal.throwIfAborted();
    output += countWords(text);
    yield { type: "text", text };
  }
  signal.throwIfAborted();
  yield { type: "end", stopReason: "stop", usage: usageOf(request, output) };
}

function usageOf(request: ModelRequest, output: number): ModelUsage {
  const input = countWords(request.system ?? "") + countWords(request.messages.at(-1)?.text ?? "");
  return { input, output, cacheRead: 0, cacheWrite: 0, total: input + output };
}

/** Words as runs of anything but blanks; counted without splitting, as a conversation may be long. */
function countWords(text: string): number {
  let words = 0;
  let inWord = false;
  for (let at = 0; at < text.length; at++) {
    const blank = text.charCodeAt(at) <= 0x20;
    if (!blank && !inWord) words++;
    inWord = !blank;
  }
  return words;
}
