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
  const { runId, waiting, contextWindow = Infinity, chars = Infinity } = options;
  const own = messages.findLast((message) => message.role === "user" && message.runId === runId);
  if (own === undefined) return undefined;
  const turns = toTurns(
    messages,
    (of) => of !== undefined && (of === runId || (waiting.size > 0 && waiting.has(of))),
  );
  const limit = Math.min(MAX_CONVERSATION_CHARS, contextWindow * CHARS_PER_TOKEN);
  const kept = chars <= limit ? turns : newestTurns(turns, limit - questionChars(own));
  const pictures = newestPictures([...kept.map((turn) => turn.user), own]);
  const conversation: ModelMessage[] = [];
  for (const turn of kept) {
    conversation.push(question(turn.user, pictures), { role: "assistant", text: answerOf(turn) });
  }
  conversation.push(question(own, pictures));
  return conversation;
}

/** As many of the newest turns as have room. */
function newestTurns(turns: readonly Turn[], limit: number): readonly Turn[] {
  let chars = 0;
  const first = turns.findLastIndex((turn) => {
    chars += turn.answers.reduce((sum, { text }) => sum + text.length, questionChars(turn.user));
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
  leavesOut: (runId: string | undefined) => boolean,
): readonly Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    const { role, runId } = message;
    if (leavesOut(runId)) continue;
    if (role === "user") turns.push({ user: message, answers: [] });
    else if (role === "assistant") {
      const last = turns.at(-1);
      const turn = runId === undefined || last?.user.runId === runId
        ? last
        : turns.findLast(({ user }) => user.runId === runId) ?? last;
      turn?.answers.push(message);
    }
  }
  return turns;
}

function answerOf(turn: Turn): string {
  const [only] = turn.answers;
  if (turn.answers.length === 1 && only !== undefined && only.label === undefined) {
    return only.text === "" ? NO_ANSWER : only.text;
  }
  const texts = turn.answers.filter(({ text }) => text !== "")
    .map(({ text, label }) => labelled(text, label));
  return texts.length === 0 ? NO_ANSWER : texts.join("\n\n");
}

function questionChars({ text, context }: TranscriptMessage): number {
  return text.length + (context === undefined ? 0 : JSON.stringify(context).length);
}

function newestPictures(messages: readonly TranscriptMessage[]): ReadonlySet<ModelImage> {
  const pictures: ModelImage[] = [];
  for (const { images } of messages) if (images !== undefined) pictures.push(...images);
  return new Set(pictures.slice(-MAX_CONVERSATION_IMAGES));
}

function question(
  { text, images, context }: TranscriptMessage,
  pictures: ReadonlySet<ModelImage>,
): ModelMessage {
  const said = context === undefined ? { text } : { text, context };
  if (images === undefined || images.length === 0) return { role: "user", ...said };
  const shown = images.filter((image) => pictures.has(image));
  const missing = images.slice(shown.length).map(() => OLD_PICTURE);
  const lines = [text, ...missing].filter((line) => line !== "");
  return {
    role: "user",
    ...said,
    text: lines.join("\n"),
    ...(shown.length === 0 ? {} : { images: shown }),
  };
}
