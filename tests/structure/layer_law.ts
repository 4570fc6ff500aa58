/** Which part of the source may know which other part. */

import { type Module, packageName, resolveLocal, type Violation } from "./source_tree.ts";
import type { Import } from "./import_scanner.ts";

/** What the modules of one layer may import. */
export interface Layer {
  /** Layers whose modules may be imported; `*`: all of them. */
  readonly layers: readonly string[] | "*";
  /** Layers of which only types may be imported. */
  readonly types?: readonly string[];
  /** npm packages by the names that `deno.json` gives them; `*`: all of them. */
  readonly packages: readonly string[] | "*";
  /** Whether `node:` modules and `Deno` may be used. */
  readonly platform: boolean;
  /** Whether time, chance and output come from ports alone, so that no ambient name is used. */
  readonly pure: boolean;
}

const PURE = { platform: false, pure: true } as const;
const TOP: Layer = { layers: "*", packages: "*", platform: true, pure: false };

/** The law. A package is added to a layer only once it is clear that it does no input or output there. */
export const LAYERS: Readonly<Record<string, Layer>> = {
  core: { layers: ["core"], packages: ["valibot"], ...PURE },
  ports: { layers: ["core", "ports"], packages: [], ...PURE },
  services: { layers: ["core", "ports", "services"], packages: ["valibot"], ...PURE },
  protocols: {
    layers: ["core", "ports", "protocols"],
    types: ["services"],
    packages: ["valibot"],
    ...PURE,
  },
  http: { layers: ["core", "protocols", "http"], packages: ["hono"], ...PURE },
  client: { layers: ["core", "client"], packages: [], platform: false, pure: false },
  ui: { layers: ["core", "client", "ui"], packages: [], platform: false, pure: false },
  adapters: {
    layers: ["core", "ports", "adapters"],
    packages: ["@ai-sdk/anthropic", "@ai-sdk/openai-compatible", "ai"],
    platform: true,
    pure: false,
  },
  app: TOP,
  start: TOP,
  config: TOP,
  cli: TOP,
  mod: TOP,
};

/** The one file outside the source that the outer layers may read, for the version. */
const MANIFEST = "deno.json";

/**
 * The layer of a module, `undefined` outside the source. The settings are one layer, folder and
 * module, and so is the composition root, to which every other module belongs that lies in no folder.
 */
export function layerOf(path: string): string | undefined {
  if (path === "mod.ts" || path === "cli.ts") return path.slice(0, -3);
  const [top, next] = path.split("/");
  if (top !== "src" || next === undefined) return undefined;
  if (next === "config.ts") return "config";
  return next.endsWith(".ts") ? "app" : next;
}

/** The imports of one module that the law forbids. */
export function layerViolations(module: Module): readonly Violation[] {
  const name = layerOf(module.path);
  if (name === undefined) return [];
  const layer = LAYERS[name];
  if (layer === undefined) {
    return [{
      file: module.path,
      line: 1,
      rule: `"src/${name}" is no layer`,
      advice: "move the file into a layer, or write the new layer into the law",
    }];
  }
  const found: Violation[] = [];
  for (const entry of module.imports) {
    const broken = judge(module.path, { name, layer, entry });
    if (broken !== undefined) found.push({ file: module.path, line: entry.line, ...broken });
  }
  return found;
}

type Broken = Pick<Violation, "rule" | "advice">;

function judge(
  path: string,
  { name, layer, entry }: { name: string; layer: Layer; entry: Import },
): Broken | undefined {
  const { specifier } = entry;
  if (specifier === undefined) {
    return { rule: "computed import", advice: "name the module in a string literal" };
  }
  if (specifier.startsWith("node:")) {
    return layer.platform ? undefined : {
      rule: `${name} imports ${specifier}`,
      advice: "put what needs it behind a port and into src/adapters",
    };
  }
  if (/^[a-z]+:/i.test(specifier) || specifier.startsWith("/")) {
    return {
      rule: `import of ${specifier}`,
      advice: "pin the package in deno.json and import it by its bare name",
    };
  }
  const target = resolveLocal(path, specifier);
  if (target === undefined) return judgePackage(name, layer, specifier);
  return judgeLocal(path, { name, layer, target, typeOnly: entry.kind === "type" });
}

function judgePackage(name: string, layer: Layer, specifier: string): Broken | undefined {
  if (layer.packages === "*" || layer.packages.includes(packageName(specifier))) return undefined;
  const allowed = layer.packages.length === 0 ? "no package" : layer.packages.join(", ");
  return {
    rule: `${name} imports package ${specifier}`,
    advice: `this layer may use ${allowed}; put what does input or output into src/adapters`,
  };
}

function judgeLocal(
  path: string,
  { name, layer, target, typeOnly }: {
    name: string;
    layer: Layer;
    target: string;
    typeOnly: boolean;
  },
): Broken | undefined {
  const other = layerOf(target);
  if (target === MANIFEST && layer.layers === "*") return undefined;
  if (other === undefined) {
    return {
      rule: `${name} imports ${target}`,
      advice: "the source may not depend on anything outside src",
    };
  }
  if (name === "protocols" && other === "protocols" && wireOf(path) !== wireOf(target)) {
    return {
      rule: `wire ${wireOf(path)} imports its sibling ${target}`,
      advice: "move what both need into src/core or a service",
    };
  }
  if (layer.layers === "*" || layer.layers.includes(other)) return undefined;
  if (layer.types?.includes(other)) {
    return typeOnly ? undefined : {
      rule: `${name} imports values of ${target}`,
      advice: `use "import type" and take the value through the options or the context`,
    };
  }
  const allowed = [...layer.layers, ...(layer.types ?? []).map((each) => `types of ${each}`)];
  return {
    rule: `${name} imports ${target}`,
    advice: `${name} may import ${allowed.join(", ")}; turn the dependency round or use a port`,
  };
}

function wireOf(path: string): string | undefined {
  return path.split("/")[2];
}
