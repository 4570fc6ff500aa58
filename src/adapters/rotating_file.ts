/** A text file that only its owner reads, moved aside when it has grown, the oldest removed. */

import { dirname } from "node:path";
import { quote } from "../core/quote.ts";

/** How every log file of the gateway begins; what begins otherwise is somebody's other file. */
const LOG_START = '{"time":';

/**
 * Why no log may be written to a path, to follow its name in a message; undefined where it may. The
 * file is appended to, closed to other users and read back, so it must be absent, empty, or a log of the
 * gateway: a regular file of this user, reached by no link.
 */
export async function logFileProblem(path: string): Promise<string | undefined> {
  const refused = (why: string) =>
    `cannot be ${quote(path)}: ${why}; name a file that is not there yet, or remove it`;
  try {
    const entry = await Deno.lstat(path);
    if (entry.isSymlink) return refused("it is a link");
    if (!entry.isFile) return refused("it is not a regular file");
    const user = Deno.uid();
    if (user !== null && entry.uid !== null && entry.uid !== user) {
      return refused("it belongs to another user");
    }
    if (entry.size === 0) return undefined;
    return await startOf(path, LOG_START.length) === LOG_START
      ? undefined
      : refused("it holds something other than a log of this gateway");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    return refused(error instanceof Error ? error.name : "it cannot be read");
  }
}

/** The first bytes of a file as text, fewer where it is shorter. */
async function startOf(path: string, length: number): Promise<string> {
  using file = await Deno.open(path, { read: true });
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return new TextDecoder().decode(bytes.subarray(0, filled));
}

/** How a {@linkcode RotatingFile} grows. */
export interface RotatingFileOptions {
  readonly path: string;
  /** Bytes from which on a new file is begun; one longer line gets a file of its own. */
  readonly maxBytes: number;
  /** Files kept, the current one included: `path`, `path.1`, `path.2`, … newest first. */
  readonly keep: number;
}

const NEWLINE = 0x0a;

/**
 * Appends whole lines. The file is opened for each write, so another program may move or remove it. Not
 * for concurrent use.
 */
export class RotatingFile {
  readonly #options: RotatingFileOptions;
  /** Whether the last byte of the file is known to be a line end. */
  #whole = false;

  constructor(options: RotatingFileOptions) {
    this.#options = options;
  }

  /** Writes lines that each end with a line end. File 0600, folders that have to be made 0700. */
  async append(lines: readonly string[]): Promise<void> {
    const encoder = new TextEncoder();
    let waiting: readonly Uint8Array[] = lines.map((line) => encoder.encode(line));
    while (waiting.length > 0) {
      const rest = await this.#fill(waiting);
      if (rest.length > 0) await this.#rotate();
      waiting = rest;
    }
  }

  /** Writes as many lines as the current file takes, at least one into an empty file; returns the others. */
  async #fill(lines: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    using file = await this.#open();
    let { size } = await file.stat();
    if (!this.#whole && size > 0 && !await endsWhole(file, size)) {
      await writeAll(file, new Uint8Array([NEWLINE]));
      size++;
    }
    let count = 0;
    let bytes = 0;
    for (const line of lines) {
      const grown = size + bytes + line.length;
      if (grown > this.#options.maxBytes && size + bytes > 0) break;
      bytes += line.length;
      count++;
    }
    this.#whole = false;
    await writeAll(file, joined(lines.slice(0, count), bytes));
    this.#whole = true;
    return lines.slice(count);
  }

  async #open(): Promise<Deno.FsFile> {
    const { path } = this.#options;
    try {
      return await openPrivate(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
      return await openPrivate(path);
    }
  }

  async #rotate(): Promise<void> {
    const { path, keep } = this.#options;
    this.#whole = false;
    if (keep <= 1) return await Deno.remove(path);
    for (let age = keep - 1; age >= 1; age--) {
      try {
        await Deno.rename(age === 1 ? path : `${path}.${age - 1}`, `${path}.${age}`);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
}

async function openPrivate(path: string): Promise<Deno.FsFile> {
  const file = await Deno.open(path, { read: true, append: true, create: true, mode: 0o600 });
  try {
    if (Deno.build.os !== "windows") {
      const { mode } = await file.stat();
      // A file from elsewhere may have been made for everyone to read. A device has no such concern.
      if (mode !== null && (mode & 0o077) !== 0 && (mode & 0o170000) === 0o100000) {
        await Deno.chmod(path, 0o600);
      }
    }
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

async function endsWhole(file: Deno.FsFile, size: number): Promise<boolean> {
  await file.seek(size - 1, Deno.SeekMode.Start);
  const last = new Uint8Array(1);
  await file.read(last);
  return last[0] === NEWLINE;
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) written += await file.write(bytes.subarray(written));
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
