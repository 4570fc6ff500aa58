/** The newest messages of a session as they are kept in memory, and what they count for there. */

import type { ModelMessage } from "../ports/model.ts";
import type { Json } from "../ports/store.ts";
import { MAX_CONVERSATION_MESSAGES, plainTurn } from "./conversation.ts";
import type { TranscriptMessage } from "./session_entry.ts";

/** Most that is kept of the messages of one session, as they count; of one that has more, none are. */
export const MAX_TAIL_CHARS = 384 * 1024;

/** What a message counts for besides its texts: about what it takes in memory, also as a model is told it. */
const MESSAGE_CHARS = 400;

/** What each value in a message's context counts for besides its JSON: an empty object of three characters takes as much. */
const VALUE_CHARS = 64;

interface Context {
  readonly json: string;
  readonly value: Readonly<Record<string, Json>>;
}

interface Size {
  readonly chars: number;
  readonly weight: number;
  /** What its context counts for; 0 where an older message that is kept has the same one. */
  context: number;
}

/** The newest messages, as far as they are kept: at most {@linkcode MAX_CONVERSATION_MESSAGES}. */
export class SessionTail {
  /** Oldest first. */
  readonly #messages: TranscriptMessage[] = [];
  /** Of each message. */
  readonly #sizes: Size[] = [];
  /** There are no older messages. */
  #whole: boolean;
  #chars = 0;
  #weight = 0;
  /** What came with the newest message that had a context. */
  #context: Context | undefined;
  /** The oldest messages as a model is told them, made when first asked for. */
  readonly #told: ModelMessage[] = [];

  /** `whole`: there are no messages before those that will be added. */
  constructor({ whole = true }: { readonly whole?: boolean } = {}) {
    this.#whole = whole;
  }

  /** Characters of what was said and of what came with it. */
  get chars(): number {
    return this.#chars;
  }

  /** What all that counts for in memory, in characters. */
  get weight(): number {
    return this.#weight;
  }

  /** The newest `limit` messages, where as many are kept or there are no more; oldest first. */
  newest(limit: number): readonly TranscriptMessage[] | undefined {
    const { length } = this.#messages;
    if (length < limit && !this.#whole) return undefined;
    return this.#messages.slice(Math.max(0, length - limit));
  }

  /**
   * All messages but the last as a model is told them, oldest first, where they are questions, each with its answer
   * behind it; otherwise undefined.
   */
  told(): readonly ModelMessage[] | undefined {
    const messages = this.#messages;
    for (let at = this.#told.length; at + 2 < messages.length; at += 2) {
      const [user, answer] = [messages[at], messages[at + 1]];
      const turn = user && answer && plainTurn(user, answer);
      if (turn === undefined) return undefined;
      this.#told.push(...turn);
    }
    return this.#told.length + 1 === messages.length ? [...this.#told] : undefined;
  }

  /** Takes messages in behind the others. False: it is too much to keep, and the tail is of no use any more. */
  add(messages: readonly TranscriptMessage[]): boolean {
    for (const message of messages) this.#add(message);
    const excess = this.#messages.length - MAX_CONVERSATION_MESSAGES;
    if (excess > 0) this.#drop(excess);
    return this.#weight <= MAX_TAIL_CHARS;
  }

  #add(message: TranscriptMessage): void {
    const own = contextOf(message);
    // Messages of one sender mostly come with the same: it is kept once.
    const known = own !== undefined && own.json === this.#context?.json ? this.#context : undefined;
    this.#messages.push(known === undefined ? message : { ...message, context: known.value });
    const size = sizeOf(message, { json: own?.json, isNew: known === undefined });
    this.#context = known ?? own ?? this.#context;
    this.#sizes.push(size);
    this.#chars += size.chars;
    this.#weight += size.weight + size.context;
  }

  #drop(oldest: number): void {
    for (let at = 0; at < oldest; at++) {
      const size = this.#sizes[at];
      if (size === undefined) continue;
      this.#chars -= size.chars;
      this.#weight -= size.weight + (this.#passOn(at, size) ? 0 : size.context);
    }
    this.#messages.splice(0, oldest);
    this.#sizes.splice(0, oldest);
    // An answer without its question begins no turn.
    this.#told.splice(0, oldest % 2 === 0 ? oldest : this.#told.length);
    this.#whole = false;
  }

  /** What the context of a message that goes counts for falls to the next one that has the same; false: none has. */
  #passOn(at: number, size: Size): boolean {
    if (size.context === 0) return false;
    const { context } = this.#messages[at] ?? {};
    for (let heir = at + 1; heir < this.#messages.length; heir++) {
      const next = this.#messages[heir]?.context;
      if (next === undefined) continue;
      const inherited = this.#sizes[heir];
      if (next !== context || inherited === undefined) return false;
      inherited.context = size.context;
      return true;
    }
    return false;
  }
}

function contextOf({ context }: TranscriptMessage): Context | undefined {
  return context && { json: JSON.stringify(context), value: context };
}

function sizeOf(
  { text, images = [], context, label = "", error = "" }: TranscriptMessage,
  { json = "", isNew }: { readonly json: string | undefined; readonly isNew: boolean },
): Size {
  const said = text.length + label.length + error.length;
  let pictures = 0;
  for (const { base64 } of images) pictures += base64.length;
  return {
    chars: said + json.length,
    weight: MESSAGE_CHARS + said + pictures,
    context: context === undefined || !isNew ? 0 : json.length + VALUE_CHARS * valuesIn(context),
  };
}

/** How many values there are, the one itself included. */
function valuesIn(value: Json): number {
  if (typeof value !== "object" || value === null) return 1;
  let values = 1;
  for (const member of Object.values(value)) values += valuesIn(member);
  return values;
}
