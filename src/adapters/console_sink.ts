/** Log lines as a person reads them on a terminal. */

import type { LogLevel } from "../ports/log.ts";
import type { LogRecord } from "./log_record.ts";

/** Where readable lines go. */
export interface ConsoleSink {
  /** The record as one line with its line end. */
  format(record: LogRecord): string;
  write(text: string): Promise<void>;
}

/** An output stream of the process. */
export interface ConsoleStream {
  write(bytes: Uint8Array): Promise<number>;
  isTerminal(): boolean;
}

const COLOURS: Readonly<Record<LogLevel, string>> = {
  trace: "\x1b[2m",
  debug: "\x1b[2m",
  info: "\x1b[32m",
  warn: "\x1b[33m",
  error: "\x1b[31m",
};
const FAINT = "\x1b[2m";
const PLAIN = "\x1b[0m";

/** A sink for a stream, the standard error by default; coloured on a terminal unless NO_COLOR is set. */
export function consoleSink(stream: ConsoleStream = Deno.stderr): ConsoleSink {
  const colour = stream.isTerminal() && !Deno.noColor;
  return {
    format: (record) => formatRecord(record, { colour }),
    write: async (text) => {
      const bytes = new TextEncoder().encode(text);
      let written = 0;
      while (written < bytes.length) written += await stream.write(bytes.subarray(written));
    },
  };
}

/** `12:34:56 INFO  component: message name=value`, local time; the record's texts are safe already. */
export function formatRecord(record: LogRecord, { colour }: { colour: boolean }): string {
  const { time, level, component, message } = record;
  const clock = new Date(time).toTimeString().slice(0, 8);
  const name = level.toUpperCase().padEnd(5);
  const fields = record.fields.map(([key, value]) => ` ${key}=${shown(value)}`).join("");
  if (!colour) return `${clock} ${name} ${component}: ${message}${fields}\n`;
  const label = `${COLOURS[level]}${name}${PLAIN}`;
  return `${FAINT}${clock}${PLAIN} ${label} ${component}: ${message}${FAINT}${fields}${PLAIN}\n`;
}

function shown(value: string | number | boolean | null): string {
  if (typeof value !== "string") return String(value);
  return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
