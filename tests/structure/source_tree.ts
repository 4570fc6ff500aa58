/** The files of the repository, as the checks see them. */

import { basename, dirname, join, relative } from "node:path/posix";
import { type Import, scanImports } from "./import_scanner.ts";
import { type MaskedSource, maskSource } from "./masked_source.ts";

/** One TypeScript module; `path` is relative to the root of the repository. */
export interface Module {
  readonly path: string;
  readonly source: MaskedSource;
  readonly imports: readonly Import[];
}

/** A broken rule, and what to do about it. */
export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  readonly advice: string;
}

/** The root of the repository. */
export const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** Folders and files that hold nothing of ours: version control, and what `.gitignore` leaves out. */
const SKIPPED = new Set([".git", "node_modules", "dist", "coverage"]);

/** Makes a module of a path and its text. */
export function module(path: string, text: string): Module {
  const source = maskSource(text);
  return { path, source, imports: scanImports(source) };
}

/** The paths of all files below `root`, sorted, with forward slashes. */
export function listFiles(root: string): readonly string[] {
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of Deno.readDirSync(folder)) {
      const path = join(folder, entry.name);
      if (SKIPPED.has(entry.name)) continue;
      if (entry.isFile) found.push(relative(root, path));
      else if (entry.isDirectory) visit(path);
    }
  };
  visit(root);
  return found.sort();
}

/** All TypeScript modules of the repository. */
export function loadModules(root: string, paths: readonly string[]): readonly Module[] {
  return paths.filter((path) => path.endsWith(".ts")).map((path) =>
    module(path, Deno.readTextFileSync(join(root, path)))
  );
}

/** The path that a relative specifier leads to; undefined for a bare or absolute one. */
export function resolveLocal(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith("./") && !specifier.startsWith("../")) return undefined;
  return join(dirname(from), specifier);
}

/** The package that a bare specifier belongs to: `@a/b/c` is of `@a/b`, `a/b` of `a`. */
export function packageName(specifier: string): string {
  return specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

/** The name of a module without its folder, `_test` and `.ts`. */
export function stem(path: string): string {
  return basename(path).replace(/(_test)?\.ts$/, "");
}

/** One line for each violation, in an order that does not depend on the order of the checks. */
export function report(violations: readonly Violation[]): string {
  return violations.map(({ file, line, rule, advice }) => `${file}:${line}: ${rule}; ${advice}`)
    .sort().join("\n");
}
