/** The gateway's log: JSON lines in a file that is rotated by size, and readable lines on a terminal. */

import { escapeText, MAX_QUOTED_CHARS } from "../core/quote.ts";
import { isSecretName, MASK, maskSecrets } from "../core/redact.ts";
import {
  type Log,
  LOG_LEVELS,
  type LogFeed,
  type LogFields,
  type LogLevel,
  type LogReader,
  type LogTail,
  type LogTailRequest,
} from "../ports/log.ts";
import type { ConsoleSink } from "./console_sink.ts";
import { LineQueue } from "./line_queue.ts";
import { jsonLine, type LogRecord } from "./log_record.ts";
import { tailFile } from "./log_tail.ts";
import { RotatingFile } from "./rotating_file.ts";

/** Bytes from which on a log file is moved aside. */
const MAX_LOG_FILE_BYTES = 10 * 1024 * 1024;

/** Log files kept, the current one included. */
const LOG_FILES = 3;

/** Characters that may wait to be written to one sink; lines beyond are dropped, counted and reported. */
const MAX_PENDING_LOG_CHARS = 4 * 1024 * 1024;

/** Longest text in a line of level `error`, in characters: a stack fits; other levels: `MAX_QUOTED_CHARS`. */
const MAX_ERROR_CHARS = 2_000;

/** Most fields in a line; the rest is left out. */
export const MAX_LOG_FIELDS = 32;

/** Longest name of a field or component, in characters. */
const MAX_NAME_CHARS = 64;

/** What each line has; a field of such a name is written with a `_` behind it. */
const RESERVED: ReadonlySet<string> = new Set(["time", "level", "component", "message"]);

/** How a {@linkcode FileLog} writes. */
export interface FileLogOptions {
  readonly path: string;
  /** The least level that is written; read at every line. */
  readonly level: () => LogLevel;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Texts that may appear nowhere in the log; read at every line. */
  readonly secrets?: () => readonly string[];
  /** Also write to a terminal. */
  readonly console?: ConsoleSink;
  readonly maxFileBytes?: number;
  readonly files?: number;
  readonly maxPendingChars?: number;
}

/**
 * A log in a file of JSON lines, `{time, level, component, message, …fields}`, time in ISO 8601. Each
 * text is one escaped line, cut, without known secrets; a text whose name says that it is a secret is
 * masked as a whole. Lines are written in order in the background; {@linkcode FileLog.tail} reads them
 * back. When a sink cannot keep up, lines are dropped and a later line says how many.
 */
export class FileLog implements Log, LogReader, LogFeed {
  readonly #options: FileLogOptions;
  readonly #file: LineQueue;
  readonly #console: LineQueue | undefined;
  readonly #followers = new Set<(record: LogRecord) => void>();
  #telling = false;
  #closed = false;

  constructor(options: FileLogOptions) {
    this.#options = options;
    const maxChars = options.maxPendingChars ?? MAX_PENDING_LOG_CHARS;
    const file = new RotatingFile({
      path: options.path,
      maxBytes: options.maxFileBytes ?? MAX_LOG_FILE_BYTES,
      keep: options.files ?? LOG_FILES,
    });
    const lost = (count: number): LogRecord => ({
      time: options.now(),
      level: "warn",
      component: "log",
      message: "log lines were lost, as they could not be written fast enough",
      fields: [["count", count]],
    });
    this.#file = new LineQueue({
      write: (lines) => file.append(lines),
      maxChars,
      lost: (count) => jsonLine(lost(count)),
    });
    const { console } = options;
    this.#console = console === undefined ? undefined : new LineQueue({
      write: (lines) => console.write(lines.join("")),
      maxChars,
      lost: (count) => console.format(lost(count)),
    });
  }

  write(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.#write("gateway", { level, message, fields });
  }

  child(component: string): Log {
    return this.#child(escapeText(component, MAX_NAME_CHARS));
  }

  /** Also waits for lines that are on their way, so that a reader finds what was logged before. */
  async tail(request: LogTailRequest): Promise<LogTail> {
    await this.#file.flush();
    return await tailFile(this.#options.path, request);
  }

  follow(listener: (record: LogRecord) => void): () => void {
    const own = (record: LogRecord) => listener(record);
    this.#followers.add(own);
    return () => this.#followers.delete(own);
  }

  /** Resolves when every line written so far is in the file and on the terminal, or lost. */
  async flush(): Promise<void> {
    await Promise.all([this.#file.flush(), this.#console?.flush()]);
  }

  /** Takes no more lines and writes those it has. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
  }

  #child(component: string): Log {
    return {
      write: (level, message, fields = {}) => this.#write(component, { level, message, fields }),
      child: (part) => this.#child(escapeText(`${component}/${part}`, MAX_NAME_CHARS)),
    };
  }

  #write(
    component: string,
    { level, message, fields }: { level: LogLevel; message: string; fields: LogFields },
  ): void {
    const { level: least, now, secrets, console } = this.#options;
    if (this.#closed || rank(level) < rank(least())) return;
    const known = secrets?.() ?? [];
    const limit = level === "error" ? MAX_ERROR_CHARS : MAX_QUOTED_CHARS;
    const record: LogRecord = {
      time: now(),
      level,
      component,
      message: escapeText(maskSecrets(message, known), limit),
      fields: tidyFields(fields, { known, limit }),
    };
    this.#file.push(jsonLine(record));
    if (console !== undefined) this.#console?.push(console.format(record));
    this.#tell(record);
  }

  #tell(record: LogRecord): void {
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (const follower of this.#followers) follower(record);
    } finally {
      this.#telling = false;
    }
  }
}

function rank(level: LogLevel): number {
  return LOG_LEVELS.indexOf(level);
}

function tidyFields(
  fields: LogFields,
  { known, limit }: { known: readonly string[]; limit: number },
): LogRecord["fields"] {
  const tidy: [string, string | number | boolean | null][] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (tidy.length >= MAX_LOG_FIELDS) break;
    const shown = escapeText(maskSecrets(name, known), MAX_NAME_CHARS);
    const free = RESERVED.has(shown) ? `${shown}_` : shown;
    if (typeof value !== "string") tidy.push([free, value]);
    else if (isSecretName(name)) tidy.push([free, MASK]);
    else tidy.push([free, escapeText(maskSecrets(value, known), limit)]);
  }
  return tidy;
}
