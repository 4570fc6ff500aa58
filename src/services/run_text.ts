/** The text of an answer as it grows, and when those who watch are told of it. */

import type { Clock } from "../ports/clock.ts";
import { MAX_MESSAGE_TEXT_CHARS } from "./session_entry.ts";

/** Least time between two steps that a slow display should show, in milliseconds. */
export const PARTIAL_INTERVAL_MS = 150;

/** Up to this length of the text, in characters, every part of it is a step of its own. */
export const EVERY_PART_CHARS = 4 * 1024;

/**
 * Of a longer text, a step follows once it has grown by this part of itself: each step repeats all text
 * so far, so their lengths must grow by a factor for their sum to stay linear (65 times the text).
 */
export const STEP_SHARE = 64;

/** After {@linkcode STEP_INTERVAL_MS} this part is enough; it bounds a slow answer's sum to 257 times its text. */
export const LATE_STEP_SHARE = 256;

/** When a small addition to a long text is worth a step, in milliseconds after the step before. */
export const STEP_INTERVAL_MS = 100;

/** One step of a text: what was said since the step before, all so far, and whether a slow display should show it. */
export interface TextStep {
  readonly delta: string;
  /** At most {@linkcode MAX_MESSAGE_TEXT_CHARS} characters; of a longer text, the beginning. */
  readonly text: string;
  readonly partial: boolean;
}

/**
 * Collects a text and tells of it in steps whose deltas, one after the other, are the text. The sum of
 * all that is told is linear in the text's length beyond {@linkcode EVERY_PART_CHARS}.
 */
export class RunText {
  readonly #clock: Clock;
  readonly #onText: (step: TextStep) => void;
  #text = "";
  /** Characters that were told. */
  #told = 0;
  /** The bound is reached; whatever comes is kept but not told. */
  #full = false;
  #toldAt = -Infinity;
  #shownAt = -Infinity;

  constructor({ clock, onText }: { clock: Clock; onText: (step: TextStep) => void }) {
    this.#clock = clock;
    this.#onText = onText;
  }

  /** All that was said. */
  get text(): string {
    return this.#text;
  }

  /** Takes the next part, which is not empty. */
  add(part: string): void {
    this.#text += part;
    if (!this.#full && this.#isDue()) this.flush();
  }

  /** Tells what was held back; nothing where there is none. */
  flush(): void {
    if (this.#full) return;
    this.#full = this.#text.length >= MAX_MESSAGE_TEXT_CHARS;
    const text = beginning(this.#text, MAX_MESSAGE_TEXT_CHARS);
    if (text.length <= this.#told) return;
    const delta = text.slice(this.#told);
    const now = this.#clock.monotonic();
    const partial = now - this.#shownAt >= PARTIAL_INTERVAL_MS;
    if (partial) this.#shownAt = now;
    this.#told = text.length;
    this.#toldAt = now;
    this.#onText({ delta, text, partial });
  }

  #isDue(): boolean {
    const { length } = this.#text;
    if (length <= EVERY_PART_CHARS || length >= MAX_MESSAGE_TEXT_CHARS) return true;
    const grown = length - this.#told;
    if (grown * STEP_SHARE >= length) return true;
    return grown * LATE_STEP_SHARE >= length &&
      this.#clock.monotonic() - this.#toldAt >= STEP_INTERVAL_MS;
  }
}

/** The beginning of a text, at most `limit` characters, no character split. */
export function beginning(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const last = text.charCodeAt(limit - 1);
  const splits = last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, splits ? limit - 1 : limit);
}
