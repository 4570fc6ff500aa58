/** Who listens on a TCP port, as Linux tells it under `/proc`. */

import { readdir, readFile, readlink } from "node:fs/promises";
import { escapeText } from "../core/quote.ts";

/** A socket that listens. */
export interface Listening {
  readonly port: number;
  readonly inode: string;
}

/** The program behind a port. */
export interface PortHolder {
  readonly pid: number;
  /** Its name, escaped. */
  readonly program: string;
}

/** Most processes looked at; a host with more is answered "not known". */
const MAX_PROCESSES = 20_000;
/** Most open files of one process looked at. */
const MAX_FILES = 20_000;

/** The state of a listening socket in the table (`TCP_LISTEN`). */
const LISTEN = "0A";

/** The listening sockets of `/proc/net/tcp` or `/proc/net/tcp6`. */
export function parseTcpTable(text: string): readonly Listening[] {
  return text.split("\n").slice(1).flatMap((line) => {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    const port = Number.parseInt(local.split(":").at(-1) ?? "", 16);
    return state === LISTEN && Number.isInteger(port) && /^\d+$/.test(inode)
      ? [{ port, inode }]
      : [];
  });
}

/**
 * Whether something listens on a port, and which program where that can be seen (only the processes of
 * the same user can, unless one is root). Undefined: this system does not tell.
 */
export async function portHolder(
  port: number,
): Promise<{ readonly held: boolean; readonly holder?: PortHolder } | undefined> {
  const tables = await Promise.all(["tcp", "tcp6"].map((name) => read(`/proc/net/${name}`)));
  if (tables.every((text) => text === undefined)) return undefined;
  const inodes = new Set(
    tables.flatMap((text) => parseTcpTable(text ?? ""))
      .filter((socket) => socket.port === port).map(({ inode }) => inode),
  );
  if (inodes.size === 0) return { held: false };
  const holder = await findHolder(inodes);
  return { held: true, ...(holder === undefined ? {} : { holder }) };
}

async function findHolder(inodes: ReadonlySet<string>): Promise<PortHolder | undefined> {
  const pids = (await list("/proc")).filter((name) => /^\d+$/.test(name)).slice(0, MAX_PROCESSES);
  for (const pid of pids) {
    for (const file of (await list(`/proc/${pid}/fd`)).slice(0, MAX_FILES)) {
      const inode = /^socket:\[(\d+)\]$/.exec(await link(`/proc/${pid}/fd/${file}`))?.[1];
      if (inode === undefined || !inodes.has(inode)) continue;
      const program = (await read(`/proc/${pid}/comm`))?.trim() ?? "";
      return { pid: Number(pid), program: escapeText(program === "" ? "unknown" : program, 64) };
    }
  }
  return undefined;
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}

async function list(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch {
    return [];
  }
}

async function link(path: string): Promise<string> {
  try {
    return await readlink(path);
  } catch {
    return "";
  }
}
