/** Secrets that the gateway makes for itself, one a file, readable by their owner alone. */

import { dirname } from "node:path";

/** A secret, and whether it was made just now. */
export interface DiskSecret {
  readonly value: string;
  readonly created: boolean;
}

/** A secret's file cannot be read or made; the message names it and says what to do. */
export class SecretFileError extends Error {
  override readonly name = "SecretFileError";
}

/** What a secret's file is made and judged with; absent: this system's own. */
export interface SecretOptions {
  /** Gives a file a second name, unless that is taken. */
  readonly link?: typeof Deno.link;
  /** The number of the user that runs this; null where users have none. */
  readonly user?: number | null;
}

/** Only the owner reads and writes it. */
const FILE_MODE = 0o600;

/** Only the owner enters it. */
const FOLDER_MODE = 0o700;

/**
 * The secret in the file at `path`; where there is none yet, the one that `make` gives is stored first.
 * Of two processes that start at once, one makes it and both use it. The file is 0600 and a missing
 * folder 0700, whatever the umask; a file that others could read is closed to them. A file or folder
 * that is a symbolic link, or belongs to another user than this one or root, is refused.
 */
export async function ensureSecret(
  path: string,
  make: () => string,
  options: SecretOptions = {},
): Promise<DiskSecret> {
  const { link = Deno.link, user = Deno.uid() } = options;
  try {
    await ensurePrivateFolder(dirname(path), user);
    const existing = await readSecret(path, user);
    if (existing !== undefined) return { value: existing, created: false };
    const value = make();
    return await createSecret({ path, value, link })
      ? { value, created: true }
      : { value: await readSecret(path, user) ?? value, created: false };
  } catch (error) {
    if (error instanceof SecretFileError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SecretFileError(
      `cannot keep a secret in ${path}: ${reason}; make the folder writable or choose another with --state-dir`,
    );
  }
}

/**
 * Makes a folder that only its owner enters, or closes an existing one to everyone else. Rejects with
 * {@linkcode SecretFileError} for a symbolic link and for a folder of another user than `user` or root.
 */
export async function ensurePrivateFolder(
  path: string,
  user: number | null = Deno.uid(),
): Promise<void> {
  await Deno.mkdir(path, { recursive: true, mode: FOLDER_MODE });
  const info = await Deno.lstat(path);
  refuseForeign(path, info, user);
  const { mode } = info;
  if (mode !== null && (mode & 0o777) !== FOLDER_MODE) await Deno.chmod(path, FOLDER_MODE);
}

/** Who owns a file may change it at any time, and who made a link chooses what is read and written. */
function refuseForeign(path: string, info: Deno.FileInfo, user: number | null): void {
  if (info.isSymlink) {
    throw new SecretFileError(
      `${path} is a symbolic link; put the real one in its place, or name the folder that it leads to with --state-dir`,
    );
  }
  // Systems without user numbers tell none.
  if (user === null || info.uid === null || info.uid === user || info.uid === 0) return;
  throw new SecretFileError(
    `${path} belongs to user ${info.uid}, and this is user ${user}; run the gateway as user ${info.uid}, or give the state folder and its files to user ${user} with chown`,
  );
}

async function readSecret(path: string, user: number | null): Promise<string | undefined> {
  let text: string;
  try {
    refuseForeign(path, await Deno.lstat(path), user);
    text = (await Deno.readTextFile(path)).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  if (text === "") throw new SecretFileError(`${path} is empty; delete it to have a new one made`);
  const { mode } = await Deno.lstat(path);
  if (mode !== null && (mode & 0o777) !== FILE_MODE) await Deno.chmod(path, FILE_MODE);
  return text;
}

/** Writes a whole file under another name first, so that nobody ever reads half a secret. */
async function createSecret(
  { path, value, link }: { path: string; value: string; link: typeof Deno.link },
): Promise<boolean> {
  const draft = `${path}.${crypto.randomUUID()}`;
  try {
    const file = await Deno.open(draft, { write: true, createNew: true, mode: FILE_MODE });
    try {
      await Deno.chmod(draft, FILE_MODE);
      let rest = new TextEncoder().encode(`${value}\n`);
      while (rest.length > 0) rest = rest.subarray(await file.write(rest));
      await file.sync();
    } finally {
      file.close();
    }
    await link(draft, path).catch((error) => explainLink(path, error));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  } finally {
    await Deno.remove(draft).catch(() => {});
  }
}

/** What systems answer where a file cannot have a second name (FAT, some network and shared folders). */
const NO_LINKS: ReadonlySet<unknown> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

function explainLink(path: string, error: unknown): never {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (!NO_LINKS.has(code)) throw error;
  throw new SecretFileError(
    `cannot keep a secret in ${path}: its file system has no hard links, by which two starts at once agree on one secret; choose a folder on another with --state-dir, or write a secret of your own into that file`,
  );
}
