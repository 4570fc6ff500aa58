/** What the embedded model says: a table of patterns, tried in order, and the answer to each. */

import { escapeText } from "../core/quote.ts";
import type { ModelMessage, ModelRequest } from "../ports/model.ts";

/** How much of a message is read, in UTF-16 code units; questions are shorter. The rest is not looked at. */
const MAX_READ_CHARS = 4_000;

/** Longest text that is repeated, in UTF-16 code units; the rest is cut and the cut is named. */
export const MAX_ECHO_CHARS = 2_000;

/** How many of the latest messages are searched for what the user told. */
const MAX_REMEMBERED_MESSAGES = 500;

/** How far it counts; a count is a stream of known length for tests and demonstrations. */
export const MAX_COUNT = 1_000;

/** Most facts in a status; more are not printed. */
const MAX_FACTS = 50;

/**
 * The answer to the last message, in parts; joined they are the whole text. Parts are single words
 * with the blanks after them; a count gives one number a part, the answer to a heartbeat is one part.
 *
 * - a message that wants `HEARTBEAT_OK` if nothing needs attention: exactly `HEARTBEAT_OK`
 * - `help`, `status` (prints `request.facts`), who or what it is, greetings, thanks and goodbyes
 * - `my name is …` and `my … is …`, asked for later with `what is my …?`, from the conversation alone
 * - the time or the date, if there is a fact `time`
 * - `count to N`, 1 to {@linkcode MAX_COUNT}
 * - anything else is repeated, which is said
 *
 * The conversation is only ever read and repeated as text; of its control and invisible characters
 * all but line breaks and tabs are shown as U+FFFD.
 */
export function localReply(request: ModelRequest): Iterable<string> {
  const last = request.messages.at(-1);
  const said = plainText(last?.text ?? "");
  if (HEARTBEAT.test(said)) return ["HEARTBEAT_OK"];
  const count = COUNT.exec(said)?.[1];
  if (count !== undefined) return countTo(Number(count));
  return words(answer({ said, request, pictures: last?.images?.length ?? 0 }));
}

interface Turn {
  /** The last message, without its time stamp. */
  readonly said: string;
  readonly request: ModelRequest;
  readonly pictures: number;
}

const HEARTBEAT = /nothing needs attention\b[^\n]{0,80}\bHEARTBEAT_OK\b/i;
const COUNT = /^(?:please )?count (?:up )?to (\d{1,9})\W*$/i;

const RULES: readonly {
  readonly pattern: RegExp;
  readonly answer: (turn: Turn, match: RegExpExecArray) => string;
}[] = [
  { pattern: /^\/?(?:help|commands|what can you do)\W*$/i, answer: () => HELP },
  { pattern: /^\/?status\W*$/i, answer: ({ request }) => status(request) },
  {
    pattern:
      /\b(?:who|what) are you\b|\bare you (?:an? )?(?:real |human|person|bot|robot|ai|llm|language model|program)\b/i,
    answer: () => IDENTITY,
  },
  {
    pattern: /\bwhat(?:'s|\u2019s| is| was) my ([\p{L}\p{N} '-]{1,40}?)\s*(?:[?.!]|$)/iu,
    answer: ({ request }, match) => recall(request, match[1] ?? ""),
  },
  { pattern: /^who am i\W*$/i, answer: ({ request }) => recall(request, "name") },
  {
    pattern:
      /\b(?:what(?:'s|\u2019s| is)? (?:the )?(?:time|date|day)|what (?:time|day|date) is it)\b/i,
    answer: ({ request }) => tellTime(request),
  },
  {
    pattern: statement(),
    answer: (_turn, match) => {
      const [, what = "", value = ""] = match;
      return what.toLowerCase() === "name"
        ? `Nice to meet you, ${
          trimmed(value)
        }. I will remember your name in this conversation. ${FORGETS}`
        : `Noted: your ${what} is ${
          trimmed(value)
        }. I will remember it in this conversation. ${FORGETS}`;
    },
  },
  {
    pattern:
      /^(?:hi|hello|hey|howdy|greetings|good (?:morning|afternoon|evening|day))\b[^\n]{0,40}$/i,
    answer: ({ request }) => {
      const name = remembered(request.messages, "name");
      return `Hello${
        name === undefined ? "" : `, ${name}`
      }! How can I help? Say "help" to see what I can do.`;
    },
  },
  { pattern: /^(?:thanks|thank you|thx)\b[^\n]{0,40}$/i, answer: () => "You are welcome." },
  { pattern: /^(?:bye|goodbye|good night|see you)\b[^\n]{0,40}$/i, answer: () => "Goodbye!" },
];

function answer(turn: Turn): string {
  for (const { pattern, answer } of RULES) {
    const match = pattern.exec(turn.said);
    if (match !== null) return answer(turn, match);
  }
  return repeat(turn);
}

const HELP = `I am Clawgate's built-in assistant. You can ask me for:
- help: this list
- status: how the gateway is doing
- who are you: what I am, and how to set up a language model
- my name is …, then: what is my name? It works for other things as well: my favourite colour is …
- what time is it
- count to N: the numbers from 1 to N (at most ${MAX_COUNT}), one by one
Anything else I repeat.`;

const IDENTITY = `I am Clawgate's built-in assistant: a small program with fixed answers, not a \
language model. I need neither a network nor a key, and I am here so that everything can be tried at \
once.
To talk to a language model, name a provider and a model in clawgate.json, for example:
{
  models: { providers: { ollama: {
    baseUrl: "http://127.0.0.1:11434/v1", api: "openai-completions",
    models: [{ id: "llama3.2", name: "Llama 3.2" }],
  } } },
  agents: { defaults: { model: { primary: "ollama/llama3.2" } } },
}`;

/** What bounds the conversation that a model is given, in words for people. */
const FORGETS = "When it gets very long, I forget how it began.";

/** `my X is Y` within one sentence. A function, as it is used both once and globally. */
function statement(flags = "iu"): RegExp {
  return new RegExp(
    String.raw`(?<!\b(?:what|is|was)\s)\bmy ([\p{L}\p{N} '-]{1,40}?) is ([^\n.,;!?]{1,80})`,
    flags,
  );
}

function status(request: ModelRequest): string {
  const facts = Object.entries(request.facts ?? {});
  if (facts.length === 0) {
    return "I have been told nothing about the gateway's state. I am running, as you can read.";
  }
  const lines = facts.slice(0, MAX_FACTS).map(([name, value]) =>
    `- ${escapeText(name)}: ${escapeText(value)}`
  );
  const left = facts.length - lines.length;
  const rest = left > 0 ? `\n(${left} more)` : "";
  return `Status of the gateway:\n${lines.join("\n")}${rest}`;
}

function tellTime(request: ModelRequest): string {
  const time = request.facts?.time;
  return time === undefined
    ? "I do not know: I have no clock, and nobody has told me the time."
    : `It is ${escapeText(time)}.`;
}

function recall(request: ModelRequest, asked: string): string {
  const what = asked.trim();
  const value = remembered(request.messages.slice(0, -1), what);
  if (value === undefined) {
    return `You have not told me your ${what}, or it was too long ago. Say: my ${what} is …`;
  }
  return what.toLowerCase() === "name" ? `Your name is ${value}.` : `Your ${what} is ${value}.`;
}

/** The latest value that the user gave for "my `what`". */
function remembered(messages: readonly ModelMessage[], what: string): string | undefined {
  const wanted = what.toLowerCase();
  const oldest = Math.max(0, messages.length - MAX_REMEMBERED_MESSAGES);
  for (let at = messages.length - 1; at >= oldest; at--) {
    const message = messages[at];
    if (message === undefined || message.role !== "user") continue;
    const told = [...plainText(message.text).matchAll(statement("giu"))];
    const match = told.findLast((match) => match[1]?.toLowerCase() === wanted);
    const value = match?.[2];
    if (value !== undefined) return trimmed(value);
  }
  return undefined;
}

/** A value as it was meant: "John and I like tea" names John. */
function trimmed(value: string): string {
  return (value.split(/\s+(?:and|but)\s+/i)[0] ?? value).trim();
}

function repeat({ said, pictures }: Turn): string {
  const seen = pictures === 0
    ? ""
    : `You sent ${pictures === 1 ? "a picture" : `${pictures} pictures`}, which I cannot look at. `;
  if (said === "") {
    return `${seen}${
      seen === "" ? "You sent an empty message. " : ""
    }Say "help" to see what I can do.`;
  }
  const cut = said.length > MAX_ECHO_CHARS;
  const echoed = cut ? said.slice(0, MAX_ECHO_CHARS).toWellFormed() : said;
  const note = cut ? ` I cut it after ${MAX_ECHO_CHARS} characters.` : "";
  return `${seen}I do not understand that, so I repeat it.${note} You said: ${echoed}`;
}

function* countTo(end: number): Generator<string, void> {
  if (end < 1 || end > MAX_COUNT) {
    yield* words(`I count from 1 to ${MAX_COUNT} at most. Try: count to ${MAX_COUNT}`);
    return;
  }
  yield "1";
  for (let number = 2; number <= end; number++) yield ` ${number}`;
}

function words(text: string): readonly string[] {
  return text.match(/\s*\S+\s*/g) ?? [text];
}

/** The gateway puts the time before a message: `[Sat 2026-11-21 11:31 UTC] `. */
const TIME_STAMP = /^\[[^\]\n]{0,80}\d{4}-\d{2}-\d{2}[^\]\n]{0,80}\]\s*/;
/** Control characters but line feed and tab, formatting characters, lone surrogates. */
const INVISIBLE = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}]/gu;

function plainText(text: string): string {
  return text.slice(0, MAX_READ_CHARS).replace(TIME_STAMP, "").replaceAll("\r\n", "\n")
    .replace(INVISIBLE, "\ufffd").trim();
}
