/** Text of a gateway, a model or a device made fit for a terminal. */

import { escapeText } from "../core/quote.ts";

/** Line feed, tab, and the two joiners that scripts and emoji are written with: harmless on a terminal. */
const HARMLESS = /([\n\t\u200c\u200d])/;

/** Text of any length with its lines kept; everything else that could steer a terminal is escaped. */
export function printable(text: string): string {
  return text.replaceAll("\r\n", "\n").split(HARMLESS).map((part, index) =>
    index % 2 === 1 ? part : escapeText(part, Number.MAX_SAFE_INTEGER)
  ).join("");
}

/** Longest text in a cell or a line of a report, in characters. */
const MAX_CELL_CHARS = 120;

/** A foreign value on one line: text escaped and cut, numbers and booleans as they are, else a dash. */
export function cell(value: unknown, maxChars = MAX_CELL_CHARS): string {
  if (typeof value === "string" && value !== "") return escapeText(value, maxChars);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return "-";
}

/** Characters that JSON leaves as they are and a terminal may obey: C1 controls, bidi, zero width. */
const STEERING = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

/** JSON of the same value that is safe to print: what a terminal may obey is written as `\uXXXX`. */
export function jsonText(value: unknown, indent = 2): string {
  const json = JSON.stringify(value, undefined, indent) ?? "null";
  return json.replace(
    STEERING,
    (char) => char === "\n" ? char : [...unitsOf(char)].map(unicodeEscape).join(""),
  );
}

function* unitsOf(char: string): Generator<number> {
  for (let at = 0; at < char.length; at++) yield char.charCodeAt(at);
}

function unicodeEscape(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`;
}
