/** Modules that need each other, through values or types. */

import { type Module, resolveLocal, type Violation } from "./source_tree.ts";

/** One violation for each group of modules that reach each other, with a shortest way round. */
export function cycleViolations(modules: readonly Module[]): readonly Violation[] {
  const edges = new Map(modules.map((module) => [module.path, targets(module)]));
  const found: Violation[] = [];
  const reported = new Set<string>();
  for (const path of [...edges.keys()].sort()) {
    if (reported.has(path)) continue;
    const way = wayRound(path, edges);
    if (way === undefined) continue;
    for (const member of way) reported.add(member);
    found.push({
      file: path,
      line: 1,
      rule: `import cycle ${[...way, path].join(" -> ")}`,
      advice: "move what both ends need, types included, into a module that imports neither",
    });
  }
  return found;
}

/** The local modules that a module names; files that are only loaded later do not count. */
function targets({ path, imports }: Module): readonly string[] {
  return imports.flatMap(({ specifier, kind }) => {
    if (specifier === undefined || kind === "asset") return [];
    return resolveLocal(path, specifier) ?? [];
  });
}

/** Breadth first from a module back to itself. */
function wayRound(
  start: string,
  edges: ReadonlyMap<string, readonly string[]>,
): readonly string[] | undefined {
  const from = new Map<string, string>();
  const queue = [start];
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    for (const next of edges.get(path) ?? []) {
      if (next === start) return trace(path, { start, from });
      if (from.has(next)) continue;
      from.set(next, path);
      queue.push(next);
    }
  }
  return undefined;
}

function trace(
  end: string,
  { start, from }: { start: string; from: ReadonlyMap<string, string> },
): readonly string[] {
  const way = [end];
  for (let path = end; path !== start;) {
    const before = from.get(path);
    if (before === undefined) break;
    way.unshift(path = before);
  }
  return way;
}
