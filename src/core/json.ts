/** JSON from strangers: parsed with bounds, so that no input costs more than its length. */

import { utf8Text } from "./utf8_text.ts";

/** Deepest nesting that is accepted; honest frames stay under ten. */
export const MAX_JSON_DEPTH = 64;

/** Most members and elements in one text; honest frames stay under a thousand. */
export const MAX_JSON_NODES = 50_000;

/** Below this length, in characters, neither bound is worth a scan: the text itself is the bound. */
const SCAN_FROM_CHARS = 2_048;

/** What {@linkcode parseJson} made of a text. */
export type JsonOutcome =
  | { readonly ok: true; readonly value: unknown }
  /** Not JSON at all, or not text. */
  | { readonly ok: false; readonly reason: "syntax" }
  /** JSON, but refused; `message` says why. */
  | {
    readonly ok: false;
    readonly reason: "hostile";
    readonly message: string;
    /** What was parsed before it was refused, where it was; only to find out whom to answer. */
    readonly value?: unknown;
  };

/**
 * Parses JSON, as text or as its bytes in UTF-8. Refused as hostile: nesting beyond {@linkcode MAX_JSON_DEPTH}, more than
 * {@linkcode MAX_JSON_NODES} members and elements, a key `__proto__` at any level, and strings that
 * are not well-formed Unicode (a lone surrogate, which UTF-8 cannot carry).
 */
export function parseJson(source: string | Uint8Array): JsonOutcome {
  const text = source instanceof Uint8Array ? utf8Text(source) : source;
  if (text === undefined) return { ok: false, reason: "syntax" };
  if (text.length >= SCAN_FROM_CHARS) {
    const refusal = scan(text);
    if (refusal !== undefined) return { ok: false, reason: "hostile", message: refusal };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: "syntax" };
  }
  if (text.length < SCAN_FROM_CHARS && text.length > MAX_JSON_DEPTH) {
    if (depthExceeds(text)) {
      return { ok: false, reason: "hostile", message: DEPTH_MESSAGE };
    }
  }
  // Escapes can hide both a key and a surrogate from a look at the text.
  if (text.includes("\\u") || text.includes("__proto__") || !text.isWellFormed()) {
    const refusal = inspect(value);
    if (refusal !== undefined) return { ok: false, reason: "hostile", message: refusal, value };
  }
  return { ok: true, value };
}

/** Whether a value is an object with members, neither null nor an array. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const DEPTH_MESSAGE = `nested deeper than ${MAX_JSON_DEPTH} levels`;

function depthExceeds(text: string): boolean {
  let opening = 0;
  for (let at = 0; at < text.length && opening <= MAX_JSON_DEPTH; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x5b || char === 0x7b) opening++;
  }
  return opening > MAX_JSON_DEPTH && scan(text) !== undefined;
}

/** One pass over the text that counts levels and commas outside strings. */
function scan(text: string): string | undefined {
  let depth = 0;
  let nodes = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22:
        at = endOfString(text, at);
        break;
      case 0x5b:
      case 0x7b:
        nodes++;
        if (++depth > MAX_JSON_DEPTH) return DEPTH_MESSAGE;
        break;
      case 0x5d:
      case 0x7d:
        depth--;
        break;
      case 0x2c:
        if (++nodes > MAX_JSON_NODES) return `more than ${MAX_JSON_NODES} values`;
        break;
    }
  }
  return undefined;
}

/** The index of the quote that closes the string opened at `start`, or the text's end. */
function endOfString(text: string, start: number): number {
  let from = start + 1;
  for (;;) {
    const close = text.indexOf('"', from);
    if (close === -1) return text.length;
    let slashes = 0;
    while (text.charCodeAt(close - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return close;
    from = close + 1;
  }
}

/** Walks a parsed value (its depth is bounded by then) for forbidden keys and broken text. */
function inspect(value: unknown): string | undefined {
  if (typeof value === "string") {
    return value.isWellFormed() ? undefined : "text is not well-formed Unicode";
  }
  if (Array.isArray(value)) {
    for (const element of value) {
      const refusal = inspect(element);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  for (const [key, member] of Object.entries(value)) {
    if (key === "__proto__") return 'key "__proto__" is not allowed';
    const refusal = inspect(key) ?? inspect(member);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}
