/**
 * The lock on a state folder: one gateway at a time. It is the system's lock on an open file (`flock`),
 * so it ends with the process that holds it, however that ends; the file stays and means nothing by
 * itself.
 */

import { join } from "node:path";
import { isJsonObject } from "../core/json.ts";

/** The file in the state folder that is locked. It says who holds the lock, for people and commands. */
export const LOCK_FILE = "gateway.lock";

/** How long a start waits for a command that works on the folder, in milliseconds; those are brief. */
const LOCK_PATIENCE_MS = 5_000;

/** How long it takes to see that a gateway holds the lock and no command, in milliseconds. */
const GATEWAY_PATIENCE_MS = 300;

/** How often a start looks again, in milliseconds. */
const LOOK_AGAIN_MS = 20;

/** Only the owner reads and writes it. */
const FILE_MODE = 0o600;

/** What holds a lock: a gateway that runs, or a command that works on the folder of a stopped one. */
export type LockPurpose = "gateway" | "command";

/** Who holds the lock. */
export interface LockHolder {
  readonly purpose: LockPurpose;
  readonly pid: number;
  /** Which process numbers these are (`/proc/self/ns/pid`); a container has its own. Absent: not known. */
  readonly pidNamespace?: string;
  /** Absent: it does not listen (yet). */
  readonly listening?: ListeningAddress;
}

/** Where the gateway that holds a lock listens. */
export interface ListeningAddress {
  /** Scheme, address as it was bound, and port: `ws://0.0.0.0:18789` where it is every interface's. */
  readonly url: string;
  /** Whose addresses these are (`/proc/self/ns/net`); a container has its own. Absent: not known. */
  readonly netNamespace?: string;
}

/** A lock that is held. */
export interface StateLock extends Disposable {
  /** Lets the folder go. Safe to call twice. */
  release(): void;
}

/** The lock of a gateway. */
export interface GatewayLock extends StateLock {
  /**
   * Tells whoever reads the lock where the gateway listens: `host` as bound, `::1` without brackets.
   * Called once. A reader sees all of it or nothing. Rejects with {@linkcode StateLockError}.
   */
  announce(address: {
    /** Absent: `ws`. */
    readonly scheme?: "ws" | "wss";
    readonly host: string;
    readonly port: number;
  }): Promise<void>;
}

/** Another gateway uses the state folder, or it cannot be locked; the message names it and what to do. */
export class StateLockError extends Error {
  override readonly name = "StateLockError";
}

/**
 * Locks a folder for a gateway. Waits for a command that works on it; rejects with
 * {@linkcode StateLockError} when another gateway has it.
 */
export async function lockStateFolder(stateDir: string): Promise<GatewayLock> {
  const began = performance.now();
  for (;;) {
    const lock = await tryLock(stateDir, "gateway");
    if (lock !== undefined) return lock;
    const holder = await readHolder(stateDir);
    const waited = performance.now() - began;
    const patience = holder?.purpose === "command" ? LOCK_PATIENCE_MS : GATEWAY_PATIENCE_MS;
    if (waited >= patience) throw inUse(stateDir, holder);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/**
 * Locks a folder for a command, so that no gateway starts on it meanwhile; undefined when somebody has
 * it, which is a gateway unless another command is at work. Rejects with {@linkcode StateLockError}.
 */
export function lockForCommand(stateDir: string): Promise<StateLock | undefined> {
  return tryLock(stateDir, "command");
}

/** Who holds the lock of a folder; undefined when nobody does. `pid` 0: somebody who did not say who. */
export async function lockHolder(stateDir: string): Promise<LockHolder | undefined> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(join(stateDir, LOCK_FILE), { read: true });
  } catch {
    // Never locked, or not ours to look at: then no secret of the folder is either.
    return undefined;
  }
  try {
    // A shared lock: two commands that look at once do not take each other for a gateway.
    if (await file.tryLock(false)) return undefined;
  } finally {
    file.close();
  }
  return await readHolder(stateDir) ?? { purpose: "gateway", pid: 0 };
}

/** The namespace of this process's number, or of its addresses; undefined where the system does not tell. */
export async function ownNamespace(kind: "pid" | "net"): Promise<string | undefined> {
  try {
    return await Deno.readLink(`/proc/self/ns/${kind}`);
  } catch {
    return undefined;
  }
}

async function tryLock(stateDir: string, purpose: LockPurpose): Promise<GatewayLock | undefined> {
  const path = join(stateDir, LOCK_FILE);
  let file: Deno.FsFile;
  try {
    file = await openLockFile(path);
  } catch (error) {
    throw unusable(path, error);
  }
  try {
    if (!await file.tryLock(true)) {
      file.close();
      return undefined;
    }
    // At once: what the holder before left there is no longer true.
    await file.truncate(0);
    const holder: LockHolder = { purpose, pid: Deno.pid, pidNamespace: await ownNamespace("pid") };
    await writeLine(file, holder);
  } catch (error) {
    file.close();
    throw unusable(path, error);
  }
  let held = true;
  const release = (): void => {
    if (!held) return;
    held = false;
    // Closing ends the lock. The file stays: whoever removed it could remove a newer one's.
    file.close();
  };
  return {
    announce: async ({ scheme = "ws", host, port }) => {
      const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
      const address: ListeningAddress = { url, netNamespace: await ownNamespace("net") };
      try {
        await writeLine(file, address);
      } catch (error) {
        throw unusable(path, error);
      }
    },
    release,
    [Symbol.dispose]: release,
  };
}

/** Adds a line. A new file in the place of this one would be whole, too, but no longer the locked one. */
async function writeLine(file: Deno.FsFile, value: LockHolder | ListeningAddress): Promise<void> {
  let rest = new TextEncoder().encode(`${JSON.stringify(value)}\n`);
  while (rest.length > 0) rest = rest.subarray(await file.write(rest));
}

async function openLockFile(path: string): Promise<Deno.FsFile> {
  const existing = await Deno.lstat(path).catch(() => undefined);
  if (existing?.isSymlink) throw new Error("it is a symbolic link; remove it");
  const file = await Deno.open(path, { read: true, write: true, create: true, mode: FILE_MODE });
  try {
    if (Deno.build.os !== "windows") await Deno.chmod(path, FILE_MODE);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

async function readHolder(stateDir: string): Promise<LockHolder | undefined> {
  let lines: readonly string[];
  try {
    // What follows the last line end is being written at this moment.
    lines = (await Deno.readTextFile(join(stateDir, LOCK_FILE))).split("\n").slice(0, -1);
  } catch {
    // Somebody's who may not be read.
    return undefined;
  }
  const holder = parseLine(lines[0]);
  if (!Number.isSafeInteger(holder.pid)) return undefined;
  const { purpose, pidNamespace } = holder;
  const listening = listeningAddress(parseLine(lines[1]));
  return {
    purpose: purpose === "command" ? "command" : "gateway",
    pid: Number(holder.pid),
    ...(typeof pidNamespace === "string" ? { pidNamespace } : {}),
    ...(listening === undefined ? {} : { listening }),
  };
}

function parseLine(line: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line ?? "{}");
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}

/** Scheme, host and port, and nothing else: who dials it must not be led to anything but a listener. */
function listeningAddress(
  { url, netNamespace }: Readonly<Record<string, unknown>>,
): ListeningAddress | undefined {
  if (typeof url !== "string" || !/^wss?:\/\/[^/\\?#@\s]+:\d+$/.test(url) || !URL.canParse(url)) {
    return undefined;
  }
  return { url, ...(typeof netNamespace === "string" ? { netNamespace } : {}) };
}

function inUse(stateDir: string, holder: LockHolder | undefined): StateLockError {
  const who = holder === undefined
    ? "another gateway"
    : holder.purpose === "command"
    ? `a command that does not end (pid ${holder.pid})`
    : `another gateway (pid ${holder.pid})`;
  return new StateLockError(
    `the state folder ${stateDir} is in use by ${who}; stop it, or choose another folder with --state-dir`,
  );
}

function unusable(path: string, error: unknown): StateLockError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StateLockError(
    `cannot lock ${path}: ${reason}; choose a state folder on a local disk with --state-dir`,
  );
}
