/** Reads the end of a file of lines, again and again, each line once. */

import type { LogTail, LogTailRequest } from "../ports/log.ts";

const NEWLINE = 0x0a;

/** A part of a file: `bytes` lie at `from`, the file has `size` bytes. */
interface Window {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly size: number;
}

/**
 * The last lines of a file, or those since a cursor. Only whole lines are returned: `cursor` is the end
 * of the last one, so what is still being written comes whole the next time. Where reading does not
 * begin at a line's start, the rest of that line is left out. A file that is not there counts as empty.
 *
 * `truncated`: something between the beginning asked for (the cursor, else the file's start) and the
 * first line returned did not fit into `maxBytes`, or with a cursor into `limit`. `reset`: the cursor
 * is of no use, as it lies behind the file's end or too far back.
 */
export async function tailFile(path: string, request: LogTailRequest): Promise<LogTail> {
  const { cursor, limit, maxBytes } = request;
  const { bytes, from, size } = await readEnd(path, { cursor, maxBytes });
  const beyond = cursor !== undefined && cursor > size;
  const asked = cursor === undefined || beyond ? 0 : cursor;
  const behind = from > asked;
  const found = wholeLines({ bytes, from, size });
  const lines = found.lines.length > limit ? found.lines.slice(-limit) : found.lines;
  return {
    file: path,
    cursor: found.end,
    size,
    lines,
    truncated: behind || (cursor !== undefined && lines.length < found.lines.length),
    reset: beyond || (behind && cursor !== undefined),
  };
}

/** The bytes from the cursor on, at most the last `maxBytes`, and the one before where there is one. */
async function readEnd(
  path: string,
  { cursor, maxBytes }: { cursor: number | undefined; maxBytes: number },
): Promise<Window> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { bytes: new Uint8Array(), from: 0, size: 0 };
    throw error;
  }
  using open = file;
  const { size } = await open.stat();
  const asked = cursor === undefined || cursor > size ? 0 : cursor;
  const from = Math.max(asked, size - maxBytes);
  const start = Math.max(0, from - 1);
  const bytes = new Uint8Array(size - start);
  await open.seek(start, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < bytes.length) {
    const count = await open.read(bytes.subarray(filled));
    // Shorter than it was a moment ago: someone cut it.
    if (count === null) break;
    filled += count;
  }
  return { bytes: bytes.subarray(0, filled), from, size: start + filled };
}

/** The whole lines of a window whose first byte, unless at the file's start, only tells what precedes. */
function wholeLines({ bytes, from, size }: Window): { lines: readonly string[]; end: number } {
  const start = Math.max(0, from - 1);
  // Byte-wise, so that a character cut by the window's edge never reaches the decoder.
  const begin = from === 0 ? 0 : bytes.indexOf(NEWLINE) + 1;
  if (from > 0 && begin === 0) return { lines: [], end: size };
  const end = bytes.lastIndexOf(NEWLINE) + 1;
  if (end <= begin) return { lines: [], end: start + begin };
  const text = new TextDecoder().decode(bytes.subarray(begin, end - 1));
  return { lines: text.split("\n"), end: start + end };
}
