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
  /** Runs that wait in the queue behind this one: their messages have not been said yet. */
  readonly waiting: ReadonlySet<string>;
  /** Characters of all messages together, where known; no fewer than there are. */
  readonly chars?: number;
  /** All messages but the last as a model is told them, where that was made before out of {@linkcode plainTurn}s. */
  readonly told?: readonly ModelMessage[];
  /** The model's context window in tokens, where known. */
  readonly contextWindow?: number;
}

interface Turn {
  readonly user: TranscriptMessage;
  /** The first one of them, which mostly is the only one. */
  answer?: TranscriptMessage;
  others?: TranscriptMessage[];
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
  const { runId, waiting, contextWindow = Infinity, chars = Infinity, told } = options;
  const own = messages.findLast((message) => message.role === "user" && message.runId === runId);
  if (own === undefined) return undefined;
  const limit = Math.min(MAX_CONVERSATION_CHARS, contextWindow * CHARS_PER_TOKEN);
  if (told !== undefined && own === messages.at(-1) && waiting.size === 0 && chars <= limit) {
    return [...told, question(own, newestPictures([], own))];
  }
  const turns = toTurns(messages, { own, waiting });
  const kept = chars <= limit ? turns : newestTurns(turns, limit - questionChars(own));
  const pictures = newestPictures(kept, own);
  const conversation: ModelMessage[] = [];
  for (const turn of kept) {
    conversation.push(question(turn.user, pictures), { role: "assistant", text: answerOf(turn) });
  }
  conversation.push(question(own, pictures));
  return conversation;
}

/**
 * A question without pictures and its answer, as a model is told them, whatever is said before and behind; undefined
 * for any other two messages.
 */
export function plainTurn(
  user: TranscriptMessage,
  answer: TranscriptMessage,
): readonly [ModelMessage, ModelMessage] | undefined {
  if (user.role !== "user" || user.images !== undefined) return undefined;
  if (answer.role !== "assistant" || answer.label !== undefined) return undefined;
  if (answer.runId !== undefined && answer.runId !== user.runId) return undefined;
  return [question(user), { role: "assistant", text: answerOf({ user, answer }) }];
}

/** As many of the newest turns as have room. */
function newestTurns(turns: readonly Turn[], limit: number): readonly Turn[] {
  let chars = 0;
  const first = turns.findLastIndex((turn) => {
    chars += questionChars(turn.user);
    for (const { text } of answersOf(turn)) chars += text.length;
    return chars > limit;
  });
  return turns.slice(first + 1);
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
function toTurns(
  messages: readonly TranscriptMessage[],
  { own, waiting }: {
    readonly own: TranscriptMessage;
    readonly waiting: ConversationOptions["waiting"];
  },
): readonly Turn[] {
  const turns: Turn[] = [];
  let last: Turn | undefined;
  for (const message of messages) {
    const { role, runId } = message;
    // An earlier run may have had the same name: what was said in it stays said.
    if (message === own || runId !== undefined && waiting.has(runId)) continue;
    if (role === "user") {
      last = { user: message };
      turns.push(last);
    } else if (role === "assistant") {
      const asked = runId === undefined || last?.user.runId === runId
        ? last
        : turns.findLast(({ user }) => user.runId === runId) ?? last;
      if (asked?.answer === undefined) {
        if (asked !== undefined) asked.answer = message;
      } else (asked.others ??= []).push(message);
    }
  }
  return turns;
}

function answersOf({ answer, others = [] }: Turn): readonly TranscriptMessage[] {
  return answer === undefined ? [] : [answer, ...others];
}

function answerOf(turn: Turn): string {
  const { answer, others } = turn;
  if (answer !== undefined && others === undefined && answer.label === undefined) {
    return answer.text === "" ? NO_ANSWER : answer.text;
  }
  const texts = answersOf(turn).filter(({ text }) => text !== "")
    .map(({ text, label }) => labelled(text, label));
  return texts.length === 0 ? NO_ANSWER : texts.join("\n\n");
}

function questionChars({ text, context }: TranscriptMessage): number {
  return text.length + (context === undefined ? 0 : JSON.stringify(context).length);
}

function newestPictures(turns: readonly Turn[], own: TranscriptMessage): ReadonlySet<ModelImage> {
  const pictures: ModelImage[] = [];
  for (const { user: { images } } of turns) if (images !== undefined) pictures.push(...images);
  if (own.images !== undefined) pictures.push(...own.images);
  return new Set(pictures.slice(-MAX_CONVERSATION_IMAGES));
}

function question(
  { text, images, context }: TranscriptMessage,
  pictures?: ReadonlySet<ModelImage>,
): ModelMessage {
  if (images === undefined || images.length === 0) {
    return context === undefined ? { role: "user", text } : { role: "user", text, context };
  }
  const shown = images.filter((image) => pictures?.has(image));
  const missing = images.slice(shown.length).map(() => OLD_PICTURE);
  const lines = [text, ...missing].filter((line) => line !== "");
  return {
    role: "user",
    text: lines.join("\n"),
    ...(context === undefined ? {} : { context }),
    ...(shown.length === 0 ? {} : { images: shown }),
  };
}
