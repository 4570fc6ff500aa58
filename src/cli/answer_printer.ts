/** Follows the events of one run and prints its answer as it grows. */

import { isJsonObject } from "../core/json.ts";
import { printable } from "./foreign_text.ts";

/** How a run ended. */
export type RunEnd =
  | { readonly state: "final" }
  | { readonly state: "aborted"; readonly reason: string }
  | { readonly state: "error"; readonly message: string };

/** The text of a chat message: its text parts joined. */
export function messageText(message: unknown): string {
  if (typeof message === "string") return message;
  if (!isJsonObject(message)) return "";
  const { content, text } = message;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return typeof text === "string" ? text : "";
  return content.map((part) =>
    isJsonObject(part) && part.type === "text" && typeof part.text === "string" ? part.text : ""
  ).join("");
}

/**
 * Prints the growing text of one run. Each event carries the whole text so far; what was printed is
 * not printed again. A text that no longer begins as it did is printed anew on a line of its own.
 */
export class AnswerPrinter {
  readonly #write: (text: string) => void;
  #printed = "";
  #open = false;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Takes one `chat` payload of the run; returns how the run ended, once it has. */
  take(payload: Readonly<Record<string, unknown>>): RunEnd | undefined {
    const text = messageText(payload.message);
    switch (payload.state) {
      case "delta":
        this.#grow(text.replace(INCOMPLETE_END, ""));
        return undefined;
      case "final":
        if (text !== "") this.#grow(text);
        this.#endLine();
        return { state: "final" };
      case "aborted": {
        if (text !== "") this.#grow(text);
        this.#endLine();
        return { state: "aborted", reason: told(payload.stopReason) ?? "aborted" };
      }
      case "error":
        this.#endLine();
        return { state: "error", message: told(payload.errorMessage) ?? "the run failed" };
      default:
        return undefined;
    }
  }

  #grow(text: string): void {
    // A final text is trimmed, so it may be a beginning of what was printed.
    if (this.#printed.trimEnd() === text.trimEnd() && text.length <= this.#printed.length) return;
    if (!text.startsWith(this.#printed)) {
      this.#endLine();
      this.#printed = "";
    }
    const news = text.slice(this.#printed.length);
    if (news === "") return;
    this.#write(printable(news));
    this.#printed = text;
    this.#open = !news.endsWith("\n");
  }

  #endLine(): void {
    if (this.#open) this.#write("\n");
    this.#open = false;
  }
}

/** The first half of a character, or of a line end, whose other half comes with the next event. */
const INCOMPLETE_END = /[\ud800-\udbff\r]$/;

function told(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? printable(value) : undefined;
}
