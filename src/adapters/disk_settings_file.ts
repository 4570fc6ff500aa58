/** The configuration file on disk. */

import { basename, dirname, join, resolve } from "node:path";
import { GatewayError } from "../core/error.ts";
import { escapeText } from "../core/quote.ts";
import type { SettingsFile, SettingsText } from "../ports/settings_file.ts";

/** Largest file that is read, in bytes; the settings' own bound is the same, so more is never settings. */
export const MAX_SETTINGS_FILE_BYTES = 1_048_576;

/** Most links between the configured path and the file; Linux itself follows 40. */
const MAX_LINKS = 8;

/** How old a draft of the file must be, in milliseconds, before nobody can still be writing it. */
export const MAX_DRAFT_AGE_MS = 3_600_000;

/** Most drafts removed at one start; the next removes the others. */
const MAX_SWEPT = 1_000;

/** Only the owner reads and writes it: it holds secrets. */
const FILE_MODE = 0o600;

/** Only the owner enters it. */
const FOLDER_MODE = 0o700;

/**
 * The settings file at `path`. A link is followed and its target is what gets replaced, so that a file
 * kept elsewhere (say, under version control) stays linked; a link that leads to nothing, to something
 * other than a regular file, or to a file of another user is refused. Writing makes a new file beside
 * the target, flushes it, and renames it over the target: mode 0600 whatever the umask, missing folders
 * made with mode 0700. What writers that were killed left behind more than {@linkcode MAX_DRAFT_AGE_MS}
 * ago is removed at the first use, as it holds secrets too. Failures are `UNAVAILABLE` and name the path.
 */
export function diskSettingsFile(path: string): SettingsFile {
  const shown = resolve(path);
  let swept: Promise<void> | undefined;
  const sweep = () => swept ??= sweepDrafts(shown);
  return {
    read: async () => {
      await sweep();
      return await readSettings(shown);
    },
    write: async (raw, from = shown) => {
      if (from !== shown) throw moved(shown);
      await sweep();
      await writeSettings(shown, raw);
    },
  };
}

/** The settings file of a state folder, whichever of its names it has by now. */
export interface FolderSettingsFile extends SettingsFile {
  /** Where the file lay when it was last looked for. */
  readonly path: string;
}

/**
 * The settings file of `folder`, looked for at each use as {@linkcode findSettingsFile} does, so that one
 * made later, or under another name, counts from then on. `found` is where it was at first.
 */
export function folderSettingsFile(
  folder: string,
  names: readonly [string, ...string[]],
  found: string,
): FolderSettingsFile {
  const files = new Map<string, SettingsFile>();
  let path = resolve(found);
  const look = async (): Promise<SettingsFile> => {
    path = resolve((await findSettingsFile(folder, names)).path);
    const file = files.get(path) ?? diskSettingsFile(path);
    files.set(path, file);
    return file;
  };
  return {
    get path() {
      return path;
    },
    read: async () => await (await look()).read(),
    write: async (raw, from) => await (await look()).write(raw, from),
  };
}

/** Which settings file a state folder has, and which others beside it are passed over. */
export interface FoundSettingsFile {
  readonly path: string;
  readonly passedOver: readonly string[];
}

/** The first of `names` that exists in `folder`; where none does, the first is the one to create. */
export async function findSettingsFile(
  folder: string,
  names: readonly [string, ...string[]],
): Promise<FoundSettingsFile> {
  const there: string[] = [];
  for (const name of names) {
    const path = join(folder, name);
    if (await entryAt(path) !== undefined) there.push(path);
  }
  const [path = join(folder, names[0]), ...passedOver] = there;
  return { path, passedOver };
}

async function readSettings(path: string): Promise<SettingsText> {
  const target = await targetOf(path);
  if (target === undefined) return { path, raw: undefined };
  try {
    // Loaded where there is a file: it costs more memory than all settings.
    const { constants } = await import("node:fs");
    const { open } = await import("node:fs/promises");
    // Refuses a link put there since it was resolved; does not wait for the writer of a pipe.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = await open(target, flags);
    try {
      const { size } = await file.stat();
      if (size > MAX_SETTINGS_FILE_BYTES) throw tooLarge(path);
      // One byte more than allowed tells a file that grew meanwhile.
      const bytes = new Uint8Array(MAX_SETTINGS_FILE_BYTES + 1);
      let filled = 0;
      for (;;) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, null);
        filled += bytesRead;
        if (bytesRead === 0 || filled === bytes.length) break;
      }
      if (filled > MAX_SETTINGS_FILE_BYTES) throw tooLarge(path);
      return { path, raw: decode(bytes.subarray(0, filled), path) };
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return { path, raw: undefined };
    throw failure("read", path, cause);
  }
}

async function writeSettings(path: string, raw: string): Promise<void> {
  const target = await targetOf(path) ?? path;
  const folder = dirname(target);
  const temporary = join(folder, `${draftStart(target)}${crypto.randomUUID()}${DRAFT_END}`);
  try {
    await Deno.mkdir(folder, { recursive: true, mode: FOLDER_MODE });
    try {
      await writeDraft(temporary, raw);
      await Deno.rename(temporary, target);
    } catch (cause) {
      await removeIfThere(temporary);
      throw cause;
    }
    await syncFolder(folder);
  } catch (cause) {
    throw failure("write", path, cause);
  }
}

async function writeDraft(path: string, raw: string): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode: FILE_MODE });
  await Deno.chmod(path, FILE_MODE);
  const bytes = new TextEncoder().encode(raw);
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  await file.sync();
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (cause) {
    if (codeOf(cause) !== "ENOENT") throw cause;
  }
}

const DRAFT_END = ".tmp";

function draftStart(target: string): string {
  return `.${basename(target)}.`;
}

/** Removes old drafts beside the file. What keeps one from being removed keeps nobody from the settings. */
async function sweepDrafts(path: string): Promise<void> {
  try {
    const target = await targetOf(path) ?? path;
    const folder = dirname(target);
    const start = draftStart(target);
    let removed = 0;
    for await (const { name } of Deno.readDir(folder)) {
      const middle = name.slice(start.length, -DRAFT_END.length);
      const draft = name.startsWith(start) && name.endsWith(DRAFT_END) &&
        /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(middle);
      if (!draft || removed >= MAX_SWEPT) continue;
      const { isFile, mtime } = await Deno.lstat(join(folder, name));
      if (!isFile || Date.now() - (mtime?.getTime() ?? 0) < MAX_DRAFT_AGE_MS) continue;
      await removeIfThere(join(folder, name));
      removed++;
    }
  } catch {
    // A folder that is missing or closed has nothing to sweep; reading and writing tell of it.
  }
}

/** The regular file that a path leads to through links; undefined where nothing is at the path. */
async function targetOf(path: string): Promise<string | undefined> {
  let at = path;
  for (let links = 0; links <= MAX_LINKS; links++) {
    const entry = await entryAt(at);
    if (entry === undefined) {
      if (links === 0) return undefined;
      throw refusal(path, `is a link to ${escapeText(at)}, which does not exist`);
    }
    if (entry.isSymlink) {
      at = resolve(await Deno.realPath(dirname(at)), await Deno.readLink(at));
      continue;
    }
    if (!entry.isFile) throw refusal(path, "is not a regular file");
    const user = Deno.uid();
    if (links > 0 && user !== null && entry.uid !== user) {
      throw refusal(path, `is a link to ${escapeText(at)}, which belongs to another user`);
    }
    return at;
  }
  throw refusal(path, `leads through more than ${MAX_LINKS} links`);
}

async function entryAt(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw failure("find", path, cause);
  }
}

/** Makes the rename itself durable, where the system can flush a folder. */
async function syncFolder(folder: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using handle = await Deno.open(folder);
  await handle.sync();
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    // The byte order mark stays, so that the text's hash is the file's.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refusal(path, "is not UTF-8 text");
  }
}

/** A change was made of another file's text than the one that counts now. */
function moved(path: string): GatewayError {
  const message = `the settings file is ${escapeText(path)} by now; read it again and retry`;
  return new GatewayError("UNAVAILABLE", message, { retryable: true });
}

function tooLarge(path: string): GatewayError {
  return refusal(path, `is larger than ${MAX_SETTINGS_FILE_BYTES} bytes`);
}

function refusal(path: string, why: string): GatewayError {
  return new GatewayError("UNAVAILABLE", `the settings file ${escapeText(path)} ${why}`);
}

function failure(action: string, path: string, cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause;
  const message = `cannot ${action} the settings file ${escapeText(path)}: ${codeOf(cause)}`;
  return new GatewayError("UNAVAILABLE", message);
}

function codeOf(cause: unknown): string {
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") {
    return cause.code;
  }
  return cause instanceof Error ? cause.name : "unknown error";
}
