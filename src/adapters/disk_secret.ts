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

/** Only the owner reads and writes it. */
const FILE_MODE = 0o600;

/** Only the owner enters it. */
const FOLDER_MODE = 0o700;

/**
 * The secret in the file at `path`; where there is none yet, the one that `make` gives is stored first.
 * Of two processes that start at once, one makes it and both use it. The file is 0600 and a missing
 * folder 0700, whatever the umask; a file that others could read is closed to them.
 */
export async function ensureSecret(path: string, make: () => string): Promise<DiskSecret> {
  try {
    await ensurePrivateFolder(dirname(path));
    const existing = await readSecret(path);
    if (existing !== undefined) return { value: existing, created: false };
    const value = make();
    return await createSecret(path, value)
      ? { value, created: true }
      : { value: await readSecret(path) ?? value, created: false };
  } catch (error) {
    if (error instanceof SecretFileError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SecretFileError(
      `cannot keep a secret in ${path}: ${reason}; make the folder writable or choose another with --state-dir`,
    );
  }
}

/** Makes a folder that only its owner enters, or closes an existing one to everyone else. */
export async function ensurePrivateFolder(path: string): Promise<void> {
  await Deno.mkdir(path, { recursive: true, mode: FOLDER_MODE });
  const { mode } = await Deno.stat(path);
  if (mode !== null && (mode & 0o777) !== FOLDER_MODE) await Deno.chmod(path, FOLDER_MODE);
}

async function readSecret(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = (await Deno.readTextFile(path)).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  if (text === "") throw new SecretFileError(`${path} is empty; delete it to have a new one made`);
  await Deno.chmod(path, FILE_MODE);
  return text;
}

/** Writes a whole file under another name first, so that nobody ever reads half a secret. */
async function createSecret(path: string, value: string): Promise<boolean> {
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
    await Deno.link(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  } finally {
    await Deno.remove(draft).catch(() => {});
  }
}
