/** The token that a gateway keeps in its state folder, read again whenever its file changes. */

import { ensureSecret, SecretFileError } from "../adapters/disk_secret.ts";
import { systemRandom } from "../adapters/system_random.ts";
import { secretProblem } from "../config.ts";

/** Random bytes of a secret that the gateway makes. */
const SECRET_BYTES = 24;

/** A secret that nobody can guess, in hexadecimal digits. */
export function makeSecret(): string {
  return systemRandom.hex(SECRET_BYTES);
}

/** The token in the state folder. */
export interface StateToken {
  /** The token; one that nobody knows yet where none is stored. */
  readonly value: string;
  /** Whether the value lies in the folder. */
  readonly stored: boolean;
  /** Whether it was made at this start. */
  readonly created: boolean;
  /** Reads the file again; where there is none and the token counts, it is stored. */
  refresh(options: { readonly counts: boolean }): Promise<void>;
}

/**
 * Reads the token file; a token is made only where it counts, so that nobody takes it for the one in use.
 * Rejects with a {@linkcode SecretFileError} for a file that counts and cannot be used.
 */
export async function openStateToken(
  path: string,
  { counts }: { readonly counts: boolean },
): Promise<StateToken> {
  let value = makeSecret();
  let stored = false;
  const refresh = async (options: { readonly counts: boolean }): Promise<boolean> => {
    if (!options.counts && !await isThere(path)) return false;
    try {
      const secret = await ensureSecret(path, () => value);
      refusePlaceholder(path, secret.value);
      value = secret.value;
      stored = true;
      return secret.created;
    } catch (error) {
      // A file that does not count may be as it is.
      if (options.counts || !(error instanceof SecretFileError)) throw error;
      return false;
    }
  };
  const created = await refresh({ counts });
  return {
    get value() {
      return value;
    },
    get stored() {
      return stored;
    },
    created,
    refresh: async (options) => void await refresh(options),
  };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A token file that people wrote guards no better than a setting would. */
function refusePlaceholder(path: string, secret: string): void {
  const problem = secretProblem(secret);
  if (problem === undefined) return;
  throw new SecretFileError(`the token in ${path} ${problem}, or delete the file to have one made`);
}
