/** How much a log line matters; a log set to one level writes that level and all to its right. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error"] as const;

/** One of {@linkcode LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** What a line has of its own; no field may be called so. */
type OwnName = "time" | "level" | "component" | "message";

/**
 * Structured detail of a log line. Never a secret: callers leave secrets out, adapters mask what looks like one.
 * A field with a name of the line's own does not type-check.
 */
export type LogFields =
  & Readonly<Record<string, string | number | boolean | null | undefined>>
  & { readonly [name in OwnName]?: never };

/** A sink for log lines. Writing never throws and never waits. */
export interface Log {
  /**
   * Writes one line. `message` is a constant text that names the event; what varies goes into
   * `fields`, whose strings are escaped to one line and cut by the adapter.
   */
  write(level: LogLevel, message: string, fields?: LogFields): void;
  /** The same sink, each of its lines tagged with the part of the gateway that wrote it. */
  child(component: string): Log;
}

/** Where to go on reading a log, and how much at the most. */
export interface LogTailRequest {
  /** A cursor of an earlier answer, in bytes; absent: the last lines. */
  readonly cursor?: number;
  /** Most lines to return. */
  readonly limit: number;
  /** Most bytes to read. */
  readonly maxBytes: number;
}

/** What {@linkcode LogReader.tail} found. */
export interface LogTail {
  readonly file: string;
  /** Give this back to read on: the size of the log in bytes at the time of the answer. */
  readonly cursor: number;
  readonly size: number;
  readonly lines: readonly string[];
  /** Older lines were left out to keep within `maxBytes` or `limit`. */
  readonly truncated: boolean;
  /** The cursor lay outside the file (it was rotated), so reading started anew. */
  readonly reset: boolean;
}

/** Reads back what a {@linkcode Log} wrote. */
export interface LogReader {
  tail(request: LogTailRequest): Promise<LogTail>;
}

/** One line of a log as its sinks are given it: texts escaped, cut, and without secrets. */
export interface LogRecord {
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
  readonly level: LogLevel;
  readonly component: string;
  readonly message: string;
  readonly fields: readonly (readonly [string, string | number | boolean | null])[];
}

/** Shows what a {@linkcode Log} writes, as it is written. */
export interface LogFeed {
  /**
   * Gives every line from now on to `listener`, which must not throw, until the returned function is called.
   * A line that a listener writes in turn is not given to listeners.
   */
  follow(listener: (record: LogRecord) => void): () => void;
}
