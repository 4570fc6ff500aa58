/** The folder of uploads on this machine. */

import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, mkdir, open, realpath, unlink } from "node:fs/promises";
import { extname, isAbsolute, join, resolve, sep } from "node:path";
import { agreesWith, plainType, SNIFFED_BYTES, sniffType } from "../core/media_type.ts";
import { quote } from "../core/quote.ts";
import {
  type MediaFile,
  type MediaFolder,
  MediaRefused,
  type MediaRules,
  type UploadName,
} from "../ports/media.ts";

/** Largest picture that a model is shown, in bytes; a larger one is named only. */
export const MAX_SHOWN_BYTES = 5_000_000;

/** Longest path that is looked at, in characters. */
const MAX_PATH_CHARS = 1_024;

const EXTENSIONS: Readonly<Record<string, string>> = {
  "image/png": ".png",
  "image/jpeg": ".jpg",
  "image/gif": ".gif",
  "image/webp": ".webp",
  "application/pdf": ".pdf",
  "text/plain": ".txt",
  "audio/mpeg": ".mp3",
  "audio/wav": ".wav",
  "audio/ogg": ".ogg",
  "video/mp4": ".mp4",
};

/** Files on disk. A link of either kind, a device, a pipe or anything outside the folder is refused. */
export function diskMedia(): MediaFolder {
  return {
    async save({ id, type, body }, rules) {
      const { folder } = await prepared(rules);
      if (!rules.types.includes(type)) throw wrongType(type);
      const path = fileName({ id, type });
      const whole = join(folder, path);
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL |
        constants.O_NOFOLLOW;
      const file = await open(whole, flags, 0o600);
      try {
        const size = await write(file, { type, body, maxBytes: rules.maxBytes });
        return { path, type, size };
      } catch (error) {
        await unlink(whole);
        throw error;
      } finally {
        await file.close();
      }
    },
    async size(upload, folder) {
      return (await uploadedFile(await uploadedPath(upload, folder)))?.size;
    },
    async remove(upload, folder) {
      const path = await uploadedPath(upload, folder);
      if (path === undefined || await uploadedFile(path) === undefined) return;
      await unlink(path).catch(absent);
    },
    async open({ path, type, mostShown }, rules) {
      const { folder } = await prepared(rules);
      const whole = await placed(path, { folder, given: rules.folder });
      const file = await openPlain(whole, path);
      try {
        const name = whole.slice(folder.length + 1);
        return await look(file, { path: name, type, mostShown, rules });
      } finally {
        await file.close();
      }
    },
  };
}

async function prepared({ folder }: MediaRules): Promise<{ readonly folder: string }> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return { folder: await realpath(folder) };
}

/** The whole path of an uploaded file; undefined where its folder is not there. */
async function uploadedPath(upload: UploadName, folder: string): Promise<string | undefined> {
  const place = await realpath(folder).catch(absent);
  return place === undefined ? undefined : join(place, fileName(upload));
}

/** An uploaded file as it is; undefined where there is none, or something that no upload is. */
async function uploadedFile(path: string | undefined): Promise<Stats | undefined> {
  const found = path === undefined ? undefined : await lstat(path).catch(absent);
  return found?.isFile() === true ? found : undefined;
}

/** Nothing for what is not there; throws anything else. */
function absent(error: unknown): undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") return undefined;
  throw error;
}

function fileName({ id, type }: UploadName): string {
  if (!/^[0-9a-f-]{36}$/.test(id)) throw outside(id);
  return `${id}${EXTENSIONS[type] ?? ""}`;
}

async function write(
  file: FileHandle,
  { type, body, maxBytes }: {
    readonly type: string;
    readonly body: ReadableStream<Uint8Array> | null;
    readonly maxBytes: number;
  },
): Promise<number> {
  let size = 0;
  const start: number[] = [];
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLarge(size, maxBytes);
    if (start.length < SNIFFED_BYTES) {
      start.push(...chunk.subarray(0, SNIFFED_BYTES - start.length));
    }
    await file.writeFile(chunk);
  }
  if (size === 0) throw new MediaRefused("empty", "the file is empty");
  if (!agreesWith(type, Uint8Array.from(start))) throw notThat(type);
  return size;
}

/** The whole path of a file below the folder, none of whose parts is a link. */
async function placed(
  path: string,
  { folder, given }: { readonly folder: string; readonly given: string },
): Promise<string> {
  if (path.length > MAX_PATH_CHARS || path.includes("\0") || path.split(/[\\/]/).includes("..")) {
    throw outside(path);
  }
  // Absolute paths may name the folder as the settings do, or as it is.
  const absolute = isAbsolute(path) ? resolve(path) : join(folder, path);
  const named = resolve(given) + sep;
  const whole = absolute.startsWith(named) ? join(folder, absolute.slice(named.length)) : absolute;
  if (!whole.startsWith(folder + sep)) throw outside(path);
  try {
    if (await realpath(whole) !== whole) throw outside(path);
  } catch (error) {
    if (error instanceof MediaRefused) throw error;
    throw missing(path);
  }
  return whole;
}

/** Opens a plain file with one name; a pipe does not hold it up, a link that came meanwhile is refused. */
async function openPlain(whole: string, path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(whole, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    throw missing(path);
  }
  try {
    const opened = await file.stat();
    const there = await lstat(whole);
    const same = opened.ino === there.ino && opened.dev === there.dev &&
      await realpath(whole) === whole;
    if (!opened.isFile() || opened.nlink !== 1 || !same) throw outside(path);
    return file;
  } catch (error) {
    await file.close();
    throw error instanceof MediaRefused ? error : missing(path);
  }
}

async function look(
  file: FileHandle,
  { path, type: said, mostShown = MAX_SHOWN_BYTES, rules }: {
    readonly path: string;
    readonly type: string | undefined;
    readonly mostShown: number | undefined;
    readonly rules: MediaRules;
  },
): Promise<MediaFile & { readonly bytes?: Uint8Array<ArrayBuffer> }> {
  const { size } = await file.stat();
  if (size > rules.maxBytes) throw tooLarge(size, rules.maxBytes);
  const start = new Uint8Array(SNIFFED_BYTES);
  const { bytesRead } = await file.read(start, 0, SNIFFED_BYTES, 0);
  const seen = start.subarray(0, bytesRead);
  const type = plainType(said) ?? said ?? sniffType(seen) ?? typeOfName(path);
  if (type === undefined || !rules.types.includes(type)) throw wrongType(type ?? "unknown");
  if (!agreesWith(type, seen)) throw notThat(type);
  const most = Math.min(mostShown, MAX_SHOWN_BYTES);
  if (!type.startsWith("image/") || size > most) return { path, type, size };
  const bytes = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await file.read(bytes, filled, size - filled, filled);
    if (bytesRead === 0) throw missing(path);
    filled += bytesRead;
  }
  return { path, type, size, bytes };
}

function typeOfName(path: string): string | undefined {
  const extension = extname(path).toLowerCase();
  return Object.entries(EXTENSIONS).find(([, known]) => known === extension)?.[0];
}

function outside(path: string): MediaRefused {
  return new MediaRefused("path", `${quote(path, 80)} is not a file of the upload folder`);
}

function missing(path: string): MediaRefused {
  return new MediaRefused(
    "path",
    `${quote(path, 80)} is not in the upload folder; upload it first`,
  );
}

function wrongType(type: string): MediaRefused {
  return new MediaRefused("type", `files of type ${quote(type, 80)} are not accepted`);
}

function notThat(type: string): MediaRefused {
  return new MediaRefused("type", `the file's content is not ${type}`);
}

function tooLarge(size: number, most: number): MediaRefused {
  return new MediaRefused("size", `the file has more than ${most} bytes (${size} so far)`);
}
