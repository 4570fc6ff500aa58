/** The doctor's checks of the state folder, its files and the database. */

import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { APPLICATION_ID, MIGRATIONS } from "../adapters/sqlite_migrations.ts";
import { escapeText, quote } from "../core/quote.ts";
import { broken, type Diagnosis, fine, warning } from "./doctor_finding.ts";
import type { LocalPaths } from "./host_state.ts";

/** Most files of the state folder looked at, and most named in one message. */
const MAX_FILES = 10_000;
const MAX_NAMED = 5;

/** How far ahead of the clock a file's time may lie, in milliseconds: file systems round. */
const MAX_AHEAD_MS = 5 * 60_000;

/** The folder and the files in it: there, ours, and closed to everyone else. */
export async function checkFolder(
  paths: LocalPaths,
  now: number,
): Promise<readonly Diagnosis[]> {
  const shown = quote(paths.stateDir);
  const folder = await stat(paths.stateDir);
  if (folder === undefined) {
    return [fine("state folder", `${shown} is not there yet; serve makes it`)];
  }
  if (!folder.isDirectory) {
    return [broken("state folder", `${shown} is not a folder`, "name another with --state-dir")];
  }
  const found: Diagnosis[] = [];
  const user = Deno.uid();
  if (user !== null && folder.uid !== null && folder.uid !== user) {
    found.push(warning(
      "state folder",
      `${shown} belongs to user ${folder.uid}, this is user ${user}`,
      "run the gateway and its commands as one user",
    ));
  }
  if (isOpen(folder.mode)) {
    found.push(broken(
      "state folder",
      `${shown} has mode ${octal(folder.mode)}: others may look into it`,
      `chmod 700 ${shown}`,
    ));
  } else if (found.length === 0) {
    found.push(fine("state folder", `${shown} has mode ${octal(folder.mode)}`));
  }
  return [...found, ...await checkFiles(paths, { now, shut: !isOpen(folder.mode) })];
}

/** `shut`: nobody else comes into the state folder. */
async function checkFiles(
  paths: LocalPaths,
  { now, shut }: { readonly now: number; readonly shut: boolean },
): Promise<readonly Diagnosis[]> {
  let names: readonly string[];
  try {
    names = (await readdir(paths.stateDir)).slice(0, MAX_FILES);
  } catch {
    return [broken(
      "files",
      `${quote(paths.stateDir)} cannot be read`,
      "run this as the user that runs the gateway",
    )];
  }
  const open: string[] = [];
  const ahead: string[] = [];
  for (const path of new Set([...names.map((name) => join(paths.stateDir, name)), paths.config])) {
    const info = await stat(path);
    if (info === undefined) continue;
    if (isOpen(info.mode)) open.push(path);
    if ((info.mtime?.getTime() ?? 0) > now + MAX_AHEAD_MS) ahead.push(path);
  }
  const found: Diagnosis[] = [];
  if (open.length > 0) {
    // A folder that is shut hides what lies in it, however open: a certificate, say, or settings written by hand.
    const hidden = shut && open.every((path) => dirname(path) === paths.stateDir);
    const finding = hidden ? warning : broken;
    found.push(finding(
      "files",
      `${open.length} of the files are open to others${
        hidden ? ", though their folder is not" : ""
      }: ${named(open)}`,
      `chmod go= ${named(open)}`,
    ));
  } else found.push(fine("files", "only their owner may read the files"));
  if (ahead.length > 0) {
    found.push(warning(
      "clock",
      `files were written in the future: ${named(ahead)}`,
      "check the clock of this machine",
    ));
  }
  return found;
}

function named(paths: readonly string[]): string {
  const more = paths.length > MAX_NAMED ? " …" : "";
  return paths.slice(0, MAX_NAMED).map((path) => quote(path)).join(" ") + more;
}

/** The database opens, is ours, sound, and of a layout that this program knows. Changes nothing in it. */
export async function checkDatabase({ database: path }: LocalPaths): Promise<Diagnosis> {
  const shown = quote(path);
  if (await stat(path) === undefined) {
    return fine("database", `${shown} is not there yet; serve makes it`);
  }
  const newest = MIGRATIONS.at(-1)?.version ?? 0;
  let layout: number;
  try {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      const pragma = (name: string) =>
        Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
      layout = Number(pragma("user_version"));
      const owner = Number(pragma("application_id"));
      if (owner !== APPLICATION_ID && layout !== 0) {
        return broken(
          "database",
          `${shown} belongs to another program`,
          "name another state folder with --state-dir",
        );
      }
      const verdict = String(pragma("quick_check(1)"));
      if (verdict !== "ok") {
        return broken(
          "database",
          `${shown} is damaged: ${escapeText(verdict, 120)}`,
          "stop the gateway and restore a backup of the file",
        );
      }
    } finally {
      database.close();
    }
  } catch (error) {
    const why = error instanceof Error ? escapeText(error.message, 120) : "unknown error";
    return broken(
      "database",
      `${shown} cannot be opened: ${why}`,
      "check who owns it and its mode, or restore a backup",
    );
  }
  if (layout > newest) {
    return broken(
      "database",
      `${shown} has layout ${layout}, this program knows up to ${newest}`,
      "run the newer program that wrote it",
    );
  }
  const note = layout < newest ? `; serve brings it to ${newest}` : "";
  return fine("database", `${shown} opens, layout ${layout}${note}`);
}

async function stat(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch {
    return undefined;
  }
}

/** Whether anyone but the owner may do anything; false where the system has no modes. */
function isOpen(mode: number | null): boolean {
  return Deno.build.os !== "windows" && mode !== null && (mode & 0o077) !== 0;
}

function octal(mode: number | null): string {
  return mode === null ? "unknown" : (mode & 0o777).toString(8).padStart(4, "0");
}
