/** Turns a session's transcript into what a model is asked. */

import type { ModelImage, ModelMessage } from "../ports/model.ts";
import type { AgentInfo } from "./agents.ts";
import type { TranscriptMessage } from "./session_entry.ts";

/** Newest messages of a transcript that are looked at; older ones are forgotten. */
export const MAX_CONVERSATION_MESSAGES = 400;

/** Most text of a conversation, in characters: about 50,000 tokens. Whole turns are left out, oldest first. */
export const MAX_CONVERSATION_CHARS = 200_000;

/** Characters that a token stands for at the least, to keep within a model's context window. */
export const CHARS_PER_TOKEN = 2;

/** Newest pictures that a model is shown again; older ones are mentioned only. */
export const MAX_CONVERSATION_IMAGES = 8;

/** What stands for an answer that never came; models want questions and answers to alternate. */
export const NO_ANSWER = "[no answer]";

/** What stands for a picture that is not shown again. */
export const OLD_PICTURE = "[a picture]";

/** Which run asks, and how much the model can take. */
export interface ConversationOptions {
  /** The run whose user message is the question. */
  readonly runId: string;
  /** Whether a run waits in the queue behind this one: its message has not been said yet. */
  readonly isWaiting: (runId: string) => boolean;
  /** The model's context window in tokens, where known. */
  readonly contextWindow?: number;
}

interface Turn {
  readonly user: TranscriptMessage;
  readonly answers: TranscriptMessage[];
}

/**
 * The conversation that a run continues: turns of user and assistant, oldest first, the run's own
 * message last; each answer stands behind the message that it answers, even when others were sent in
 * between. Undefined when the transcript (oldest first) does not hold the run's message.
 */
export function toConversation(
  messages: readonly TranscriptMessage[],
  options: ConversationOptions,
): readonly ModelMessage[] | undefined {
  const own = messages.findLast((message) =>
    message.role === "user" && message.runId === options.runId
  );
  if (own === undefined) return undefined;
  const turns = toTurns(
    messages.filter(({ runId }) =>
      runId === undefined || (runId !== options.runId && !options.isWaiting(runId))
    ),
  );
  const limit = Math.min(
    MAX_CONVERSATION_CHARS,
    (options.contextWindow ?? Infinity) * CHARS_PER_TOKEN,
  );
  let chars = questionChars(own);
  const kept: Turn[] = [];
  for (const turn of turns.toReversed()) {
    chars += turn.answers.reduce((sum, { text }) => sum + text.length, questionChars(turn.user));
    if (chars > limit) break;
    kept.unshift(turn);
  }
  const pictures = newestPictures([...kept.map((turn) => turn.user), own]);
  return [
    ...kept.flatMap((turn): ModelMessage[] => [
      question(turn.user, pictures),
      { role: "assistant", text: answerOf(turn) },
    ]),
    question(own, pictures),
  ];
}

/** What a model is told about itself. `date`: the day, so that a prompt stays the same as long as it can. */
export function systemPrompt(
  { agent, date, extra }: { agent: AgentInfo | undefined; date: string; extra?: string },
): string {
  const { name, theme, emoji } = agent?.identity ?? {};
  const called = name ?? agent?.name;
  const lines = [
    called === undefined
      ? "You are a helpful assistant."
      : `You are ${called}, a helpful assistant.`,
    theme === undefined ? undefined : `Your character: ${theme}`,
    emoji === undefined ? undefined : `Your emoji: ${emoji}`,
    `Today is ${date} (UTC).`,
    extra?.trim() || undefined,
  ];
  return lines.filter((line) => line !== undefined).join("\n");
}

/** An injected note as it is shown: its label, if any, then its text. */
export function labelled(text: string, label: string | undefined): string {
  return label ? `[${label}]\n\n${text}` : text;
}

/** Answers join the message of their run; what belongs to no run joins the message before it. */
function toTurns(messages: readonly TranscriptMessage[]): readonly Turn[] {
  const turns: Turn[] = [];
  const byRun = new Map<string, Turn>();
  for (const message of messages) {
    if (message.role === "user") {
      const turn: Turn = { user: message, answers: [] };
      turns.push(turn);
      if (message.runId !== undefined) byRun.set(message.runId, turn);
    } else if (message.role === "assistant") {
      const turn = message.runId === undefined ? undefined : byRun.get(message.runId);
      (turn ?? turns.at(-1))?.answers.push(message);
    }
  }
  return turns;
}

function answerOf(turn: Turn): string {
  const texts = turn.answers.filter(({ text }) => text !== "")
    .map(({ text, label }) => labelled(text, label));
  return texts.length === 0 ? NO_ANSWER : texts.join("\n\n");
}

function questionChars({ text, context }: TranscriptMessage): number {
  return text.length + (context === undefined ? 0 : JSON.stringify(context).length);
}

function newestPictures(messages: readonly TranscriptMessage[]): ReadonlySet<ModelImage> {
  return new Set(messages.flatMap(({ images }) => images ?? []).slice(-MAX_CONVERSATION_IMAGES));
}

function question(message: TranscriptMessage, pictures: ReadonlySet<ModelImage>): ModelMessage {
  const images = message.images ?? [];
  const shown = images.filter((image) => pictures.has(image));
  const missing = images.slice(shown.length).map(() => OLD_PICTURE);
  const text = [message.text, ...missing].filter((line) => line !== "").join("\n");
  const { context } = message;
  return {
    role: "user",
    text,
    ...(context === undefined ? {} : { context }),
    ...(shown.length === 0 ? {} : { images: shown }),
  };
}
