/** Who listens on a TCP port, as Linux tells it under `/proc`. */

import { readdir, readFile, readlink } from "node:fs/promises";
import { escapeText } from "../core/quote.ts";

/** A socket that listens. */
export interface Listening {
  readonly port: number;
  readonly inode: string;
  /** The number of the user whose socket it is. */
  readonly uid: number;
  /** Where it listens: any address, an address of loopback, or another one. */
  readonly scope: "any" | "127.0.0.1" | "::1" | "other";
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
    const [, local = "", , state, , , , user = "", , inode = ""] = line.trim().split(/\s+/);
    const [address = "", hexPort = ""] = local.split(":");
    const port = Number.parseInt(hexPort, 16);
    const uid = Number(user);
    return state === LISTEN && Number.isInteger(port) && /^\d+$/.test(inode) &&
        Number.isInteger(uid)
      ? [{ port, inode, uid, scope: scopeOf(address) }]
      : [];
  });
}

/** Each 32-bit word of an address stands there in the byte order of a little-endian machine. */
function scopeOf(address: string): Listening["scope"] {
  if (/^0+$/.test(address)) return "any";
  if (address === "0100007F" || address === "0000000000000000FFFF00000100007F") return "127.0.0.1";
  return address === "00000000000000000000000001000000" ? "::1" : "other";
}

/**
 * The sockets that take a connection to this host and port; undefined where the system does not tell.
 * `host` as a URL has it: for an address of loopback those of the other one do not count, for any other
 * name all that listen on the port do.
 */
export async function listenersAt(
  host: string,
  port: number,
): Promise<readonly Listening[] | undefined> {
  const tables = await Promise.all(["tcp", "tcp6"].map((name) => read(`/proc/net/${name}`)));
  if (tables.every((text) => text === undefined)) return undefined;
  const dialled = host.replace(/^\[|\]$/g, "");
  return tables.flatMap((text) => parseTcpTable(text ?? "")).filter((socket) =>
    socket.port === port &&
    (socket.scope === "any" || socket.scope === dialled ||
      dialled !== "127.0.0.1" && dialled !== "::1")
  );
}

/** Which of these sockets a process has; undefined when its files cannot be seen. */
export async function socketsOf(
  pid: number,
  inodes: ReadonlySet<string>,
): Promise<ReadonlySet<string> | undefined> {
  const files = await list(`/proc/${pid}/fd`);
  if (files.length === 0) return undefined;
  const links = await Promise.all(
    files.slice(0, MAX_FILES).map((file) => link(`/proc/${pid}/fd/${file}`)),
  );
  return new Set(links.flatMap((text) => {
    const inode = /^socket:\[(\d+)\]$/.exec(text)?.[1];
    return inode !== undefined && inodes.has(inode) ? [inode] : [];
  }));
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
