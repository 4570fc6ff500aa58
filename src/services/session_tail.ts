/** The newest messages of a session as they are kept in memory, and what they count for there. */

import type { Json } from "../ports/store.ts";
import { MAX_CONVERSATION_MESSAGES } from "./conversation.ts";
import type { TranscriptMessage } from "./session_entry.ts";

/** Most that is kept of the messages of one session, as they count; of one that has more, none are. */
export const MAX_TAIL_CHARS = 256 * 1024;

/** What a message counts for besides its texts: about what it takes in memory. */
const MESSAGE_CHARS = 256;

/** What each value in a message's context counts for besides its JSON: an empty object of three characters takes as much. */
const VALUE_CHARS = 64;

/** The newest messages, as far as they are kept: at most {@linkcode MAX_CONVERSATION_MESSAGES}. */
export interface Tail {
  /** Oldest first. */
  readonly messages: readonly TranscriptMessage[];
  /** There are no older ones. */
  readonly whole: boolean;
  /** Characters of what was said and of what came with it. */
  readonly chars: number;
  /** What all that counts for in memory, in characters. */
  readonly weight: number;
  /** Of each message. */
  readonly sizes: readonly Size[];
  /** What came with the newest message that had a context. */
  readonly context?: Context;
}

interface Context {
  readonly json: string;
  readonly value: Readonly<Record<string, Json>>;
}

interface Size {
  readonly chars: number;
  readonly weight: number;
  /** What its context counts for; 0 where an older message that is kept has the same one. */
  readonly context: number;
}

/** Nothing yet. */
export const NEW_TAIL: Tail = { messages: [], whole: true, chars: 0, weight: 0, sizes: [] };

/** The newest `limit` messages, where as many are kept or there are no more. */
export function newest(
  { messages, whole }: Tail,
  limit: number,
): readonly TranscriptMessage[] | undefined {
  if (messages.length < limit) return whole ? messages : undefined;
  return messages.length === limit ? messages : messages.slice(-limit);
}

/** The tail with messages behind the others; undefined where it is too much to keep. */
export function longer(tail: Tail, added: readonly TranscriptMessage[]): Tail | undefined {
  const messages = [...tail.messages];
  const sizes = [...tail.sizes];
  let { chars, weight, context } = tail;
  for (const message of added) {
    const own = contextOf(message);
    // Messages of one sender mostly come with the same: it is kept once.
    const known = own?.json === context?.json ? context : undefined;
    messages.push(known === undefined ? message : { ...message, context: known.value });
    const size = sizeOf(message, { json: own?.json, isNew: known === undefined });
    context = known ?? own ?? context;
    sizes.push(size);
    chars += size.chars;
    weight += size.weight + size.context;
  }
  const dropped = Math.max(0, messages.length - MAX_CONVERSATION_MESSAGES);
  for (let at = 0; at < dropped; at++) {
    const size = sizes[at];
    if (size === undefined) continue;
    chars -= size.chars;
    weight -= size.weight + (passOn(messages, { sizes, at }) ? 0 : size.context);
  }
  if (weight > MAX_TAIL_CHARS) return undefined;
  return {
    messages: dropped === 0 ? messages : messages.slice(dropped),
    sizes: dropped === 0 ? sizes : sizes.slice(dropped),
    whole: tail.whole && dropped === 0,
    chars,
    weight,
    ...(context === undefined ? {} : { context }),
  };
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

/** What the context of a message that goes counts for falls to the next one that has the same; false: none has. */
function passOn(
  messages: readonly TranscriptMessage[],
  { sizes, at }: { readonly sizes: Size[]; readonly at: number },
): boolean {
  const size = sizes[at];
  if (size === undefined || size.context === 0) return false;
  const { context } = messages[at] ?? {};
  const heir = messages.findIndex((message, index) => index > at && message.context !== undefined);
  const inherited = sizes[heir];
  if (inherited === undefined || messages[heir]?.context !== context) return false;
  sizes[heir] = { ...inherited, context: size.context };
  return true;
}

/** How many values there are, the one itself included. */
function valuesIn(value: Json): number {
  if (typeof value !== "object" || value === null) return 1;
  let values = 1;
  for (const member of Object.values(value)) values += valuesIn(member);
  return values;
}
