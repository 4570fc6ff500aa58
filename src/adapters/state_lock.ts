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
}

/** A lock that is held. */
export interface StateLock extends Disposable {
  /** Lets the folder go. Safe to call twice. */
  release(): void;
}

/** Another gateway uses the state folder, or it cannot be locked; the message names it and what to do. */
export class StateLockError extends Error {
  override readonly name = "StateLockError";
}

/**
 * Locks a folder for a gateway. Waits for a command that works on it; rejects with
 * {@linkcode StateLockError} when another gateway has it.
 */
export async function lockStateFolder(stateDir: string): Promise<StateLock> {
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

/** The namespace of this process's number; undefined where the system does not tell. */
export async function ownPidNamespace(): Promise<string | undefined> {
  try {
    return await Deno.readLink("/proc/self/ns/pid");
  } catch {
    return undefined;
  }
}

async function tryLock(stateDir: string, purpose: LockPurpose): Promise<StateLock | undefined> {
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
    const pidNamespace = await ownPidNamespace();
    const holder: LockHolder = { purpose, pid: Deno.pid, pidNamespace };
    await file.truncate(0);
    await file.write(new TextEncoder().encode(`${JSON.stringify(holder)}\n`));
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
  return { release, [Symbol.dispose]: release };
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
  try {
    const value: unknown = JSON.parse(await Deno.readTextFile(join(stateDir, LOCK_FILE)));
    if (!isJsonObject(value) || !Number.isSafeInteger(value.pid)) return undefined;
    const { purpose, pidNamespace } = value;
    return {
      purpose: purpose === "command" ? "command" : "gateway",
      pid: Number(value.pid),
      ...(typeof pidNamespace === "string" ? { pidNamespace } : {}),
    };
  } catch {
    // Being written at this moment, or by somebody who may not be read.
    return undefined;
  }
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
