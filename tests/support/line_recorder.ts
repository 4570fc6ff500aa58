/** Keeps what a reader of lines found. */

import type { LineSink, LineViolation } from "../../src/core/lines.ts";

/** A line, one that is not UTF-8, or why nothing follows. */
export type Heard = string | { readonly bytes: readonly number[] } | { readonly violation: number };

/** A sink that can be made to stop. */
export class LineRecorder implements LineSink {
  readonly heard: Heard[] = [];
  /** Blocked once it has as many. */
  blockAfter = Infinity;

  get blocked(): boolean {
    return this.heard.length >= this.blockAfter;
  }

  gotLine(line: string): void {
    this.heard.push(line);
  }

  gotBytes(line: Uint8Array<ArrayBuffer>): void {
    this.heard.push({ bytes: [...line] });
  }

  gotViolation({ code }: LineViolation): void {
    this.heard.push({ violation: code });
  }
}
