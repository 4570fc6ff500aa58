/** A log line in the form that every sink is given. */

import type { LogRecord } from "../ports/log.ts";

export type { LogRecord } from "../ports/log.ts";

/** The record as one line of JSON with its line end. */
export function jsonLine({ time, level, component, message, fields }: LogRecord): string {
  const stamp = new Date(time).toISOString();
  return `${
    JSON.stringify({ time: stamp, level, component, message, ...Object.fromEntries(fields) })
  }\n`;
}
