/** A Unix socket that only its owner reaches. */

import { dirname } from "node:path";
import { ListenError } from "../ports/listener.ts";

/** Only the owner reads and writes it. */
const SOCKET_MODE = 0o600;

/** Only the owner enters it. */
const FOLDER_MODE = 0o700;

/** Longest path of a socket, in bytes: what every system's address has room for, its end not counted. */
const MAX_PATH_BYTES = 103;

/**
 * Listens on a socket at `path`. The file is 0600 from its first moment on, whatever the umask; a missing
 * folder is made 0700, and one that others may enter is refused, as they could put a socket of their own
 * there. A socket that a program has left behind is replaced once nobody answers on it. The runtime removes
 * the file when the listener is closed. Rejects with {@linkcode ListenError}.
 */
export async function listenUnix(path: string): Promise<Deno.UnixListener> {
  if (new TextEncoder().encode(path).length > MAX_PATH_BYTES) {
    throw refused(
      "other",
      path,
      `a path may have at most ${MAX_PATH_BYTES} bytes; choose a shorter one`,
    );
  }
  try {
    await ensureFolder(path);
    let server = bind(path);
    if (server === undefined) {
      await removeStale(path);
      server = bind(path);
    }
    if (server === undefined) throw inUse(path);
    return server;
  } catch (error) {
    if (error instanceof ListenError) throw error;
    throw refused("other", path, error instanceof Error ? error.message : String(error));
  }
}

/** Listens; undefined where there is something at the path. Nothing else runs between the two changes of the umask. */
function bind(path: string): Deno.UnixListener | undefined {
  const before = Deno.umask(0o077);
  try {
    const server = Deno.listen({ transport: "unix", path });
    try {
      Deno.chmodSync(path, SOCKET_MODE);
    } catch (error) {
      server.close();
      throw error;
    }
    return server;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  } finally {
    Deno.umask(before);
  }
}

async function ensureFolder(path: string): Promise<void> {
  const folder = dirname(path);
  await Deno.mkdir(folder, { recursive: true, mode: FOLDER_MODE });
  const { isDirectory, mode, uid } = await Deno.lstat(folder);
  if (!isDirectory) throw refused("not-permitted", path, `${folder} is no folder`);
  const user = Deno.uid();
  const foreign = user !== null && uid !== null && uid !== user && uid !== 0;
  if (!foreign && (mode === null || (mode & 0o077) === 0)) return;
  throw refused(
    "not-permitted",
    path,
    `others may enter ${folder}; choose a folder that only you can (chmod 700)`,
  );
}

async function removeStale(path: string): Promise<void> {
  const found = await Deno.lstat(path);
  if (found.isSocket !== true) {
    throw refused(
      "in-use",
      path,
      "there is something that is no socket; remove it, or choose another path",
    );
  }
  try {
    const peer = await Deno.connect({ transport: "unix", path });
    peer.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    const { dev, ino } = await Deno.lstat(path);
    if (dev === found.dev && ino === found.ino) await Deno.remove(path);
    return;
  }
  throw inUse(path);
}

function inUse(path: string): ListenError {
  return refused("in-use", path, "another program listens there; stop it, or choose another path");
}

function refused(reason: ListenError["reason"], path: string, why: string): ListenError {
  return new ListenError(reason, `cannot listen on the socket ${path}: ${why}`);
}
