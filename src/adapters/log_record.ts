/** A log line in the form that every sink is given. */

import type { LogLevel } from "../ports/log.ts";

/** One line before it is written as JSON or for a terminal; its texts are escaped, cut and masked. */
export interface LogRecord {
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
  readonly level: LogLevel;
  readonly component: string;
  readonly message: string;
  readonly fields: readonly (readonly [string, string | number | boolean | null])[];
}

/** The record as one line of JSON with its line end. */
export function jsonLine({ time, level, component, message, fields }: LogRecord): string {
  const stamp = new Date(time).toISOString();
  return `${
    JSON.stringify({ time: stamp, level, component, message, ...Object.fromEntries(fields) })
  }\n`;
}
