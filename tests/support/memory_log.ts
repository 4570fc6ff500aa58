/** A log for tests that keeps what was written. */

import type { Log, LogFields, LogLevel } from "../../src/ports/log.ts";

/** One line as it was written. */
export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** Collects lines instead of printing them. */
export class MemoryLog implements Log {
  readonly lines: LogLine[] = [];

  write(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.lines.push({ level, message, fields });
  }

  child(): Log {
    return this;
  }
}
