/** How files are named, how long they are, and what no file may hold. */

import { basename } from "node:path/posix";
import { lineAt } from "./masked_source.ts";
import { type Module, packageName, stem, type Violation } from "./source_tree.ts";

/** Lines of the longest file that is still readable in one sitting. */
export const MAX_LINES = 500;

/** Names that say nothing of what a file defines. */
const EMPTY_NAMES = [
  "base",
  "common",
  "helper",
  "helpers",
  "impl",
  "manager",
  "misc",
  "shared",
  "types",
  "util",
  "utils",
];

/** Names of modules: lower case, words joined by `_`, and that name something. */
export function nameViolations(path: string): readonly Violation[] {
  if (!path.endsWith(".ts")) return [];
  const file = { file: path, line: 1 };
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*\.ts$/.test(basename(path))) {
    return [{ ...file, rule: "file name", advice: "use snake_case" }];
  }
  const words = stem(path).split("_");
  const empty = [words.at(-1), ...path.split("/").slice(0, -1)].find((word) =>
    word !== undefined && EMPTY_NAMES.includes(word)
  );
  if (empty === undefined) return [];
  return [{
    ...file,
    rule: `"${empty}" in a name`,
    advice: "name the file for the thing that it defines",
  }];
}

/** A file whose lines are counted. */
export interface TextFile {
  readonly path: string;
  readonly source: { readonly raw: string };
}

/** Lines of each file, longest first. */
export function lengths(files: readonly TextFile[]): readonly (readonly [string, number])[] {
  return files.map(({ path, source }) =>
    [path, source.raw.split("\n").length - (source.raw.endsWith("\n") ? 1 : 0)] as const
  ).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/** Modules longer than {@linkcode MAX_LINES}. */
export function lengthViolations(modules: readonly Module[]): readonly Violation[] {
  return lengths(modules).filter(([, lines]) => lines > MAX_LINES).map(([file, lines]) => ({
    file,
    line: lines,
    rule: `${lines} lines`,
    advice: `split the file by what it defines; ${MAX_LINES} lines are the limit`,
  }));
}

/** Put together from pieces, so that this file passes its own check. */
const PLACES: readonly RegExp[] = [
  // A checkout of one machine.
  /(?<![\w.~-])\/(?:root\/\.\w+|Users|work\/[a-z]+|var\/folders|tmp\/bash)\//g,
  // Hosts that serve packages.
  new RegExp(
    ["registry\\.[\\w.-]+\\.\\w+", "jsr\\.io", "esm\\.sh", "deno\\.land/x", "unpkg\\.com"].map((
      host,
    ) => `https?://(?:[\\w-]+\\.)*${host}`).join("|"),
    "g",
  ),
];

/** Paths of a machine and hosts of registries, in the text of any file. */
export function placeViolations(path: string, text: string): readonly Violation[] {
  return PLACES.flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => ({
      file: path,
      line: lineAt(text, match.index),
      rule: `the place ${JSON.stringify(match[0])}`,
      advice: "make it relative, a parameter, or an invented example",
    }))
  );
}

/** What the checks read of `deno.json`. */
export interface Manifest {
  readonly imports: Readonly<Record<string, string>>;
}

/** Every package is pinned to one version, and used. */
export function dependencyViolations(
  manifest: Manifest,
  modules: readonly Module[],
): readonly Violation[] {
  const file = { file: "deno.json", line: 1 };
  const found: Violation[] = [];
  const used = new Set<string>();
  for (const { path, imports } of modules) {
    for (const { specifier, line } of imports) {
      if (specifier === undefined || /^(?:\.{0,2}\/|node:)/.test(specifier)) continue;
      const name = packageName(specifier);
      used.add(name);
      if (Object.hasOwn(manifest.imports, name)) continue;
      const advice = "pin it in the imports of deno.json and use its bare name";
      found.push({ file: path, line, rule: `package ${specifier} is not pinned`, advice });
    }
  }
  for (const [name, target] of Object.entries(manifest.imports)) {
    const exact = /^npm:(?<name>(?:@[\w.-]+\/)?[\w.-]+)@\d+\.\d+\.\d+(?:-[\w.]+)?$/.exec(target);
    if (exact?.groups?.name !== name) {
      const advice = `write "npm:${name}@" and one exact version`;
      found.push({ ...file, rule: `${name} is pinned as ${target}`, advice });
    }
    if (!used.has(name)) {
      found.push({
        ...file,
        rule: `${name} is used nowhere`,
        advice: "remove it from the imports",
      });
    }
  }
  return found;
}
