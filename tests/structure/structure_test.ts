/** The repository keeps its own rules; each failure lists file, line, rule and what to do. */

import assert from "node:assert/strict";
import { join } from "node:path/posix";
import {
  dependencyViolations,
  lengths,
  lengthViolations,
  type Manifest,
  nameViolations,
  placeViolations,
} from "./file_shape.ts";
import { ambientViolations, commentViolations, escapeViolations } from "./forbidden_text.ts";
import { cycleViolations } from "./import_cycle.ts";
import { layerOf, LAYERS, layerViolations } from "./layer_law.ts";
import { listFiles, loadModules, report, ROOT, type Violation } from "./source_tree.ts";

const FILES = listFiles(ROOT);
const MODULES = loadModules(ROOT, FILES);
const SOURCE = MODULES.filter(({ path }) => layerOf(path) !== undefined);

function holds(violations: readonly Violation[]): void {
  assert.equal(violations.length, 0, `\n${report(violations)}`);
}

Deno.test("the walk sees the source, its edges and the tests", () => {
  for (const layer of ["core", "ports", "services", "protocols", "http", "adapters", "client"]) {
    assert.ok(SOURCE.some(({ path }) => layerOf(path) === layer), `no module in layer ${layer}`);
  }
  assert.ok(FILES.includes("tests/structure/structure_test.ts"));
  const context = MODULES.find(({ path }) => path === "src/protocols/openclaw/context.ts");
  const edges = context?.imports.map(({ specifier, kind }) => `${kind} ${specifier}`) ?? [];
  for (
    const edge of [
      "value ../../core/method.ts",
      "type ../../core/access.ts",
      "type ../../services/sessions.ts",
      "value ../../core/parse_params.ts",
    ]
  ) assert.ok(edges.includes(edge), `context.ts has no edge "${edge}", only ${edges.join(", ")}`);
});

Deno.test("every module under src belongs to a layer of the law", () => {
  const layers = new Set(SOURCE.map(({ path }) => layerOf(path)));
  assert.deepEqual([...layers].filter((name = "") => !Object.hasOwn(LAYERS, name)), []);
});

Deno.test("every package that the layer law names is in the manifest", () => {
  const manifest: Manifest = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  const named = Object.values(LAYERS).flatMap(({ packages }) => packages === "*" ? [] : packages);
  assert.ok(named.length > 0);
  assert.deepEqual(named.filter((name) => !Object.hasOwn(manifest.imports, name)), []);
});

Deno.test("imports follow the layer law", () => {
  holds(SOURCE.flatMap(layerViolations));
});

Deno.test("no module reaches itself through imports", () => {
  holds(cycleViolations(MODULES));
});

Deno.test("time, chance, output and platform come into the pure layers through ports alone", () => {
  holds(SOURCE.flatMap(ambientViolations));
});

Deno.test("the source never goes round the type checker or the linter", () => {
  holds(MODULES.flatMap(escapeViolations));
});

Deno.test("comments say what holds, not what is planned", () => {
  holds(MODULES.flatMap(commentViolations));
});

Deno.test("files are named for what they define", () => {
  holds(FILES.flatMap(nameViolations));
});

Deno.test("no file is too long", () => {
  const pages = FILES.filter((path) => /^src\/.*\.html$/.test(path)).map((path) => ({
    path,
    source: { raw: Deno.readTextFileSync(join(ROOT, path)) },
  }));
  // Pages are told beside the modules; the limit is for modules alone, as a page holds its style and script.
  const longest = [...lengths(MODULES).slice(0, 10), ...lengths(pages)];
  console.log(longest.map(([path, lines]) => `${String(lines).padStart(5)} ${path}`).join("\n"));
  holds(lengthViolations(MODULES));
});

Deno.test("every package is pinned exactly and used", () => {
  const manifest: Manifest = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  holds(dependencyViolations(manifest, MODULES));
});

Deno.test("no file names a place on a machine or a registry", () => {
  holds(FILES.flatMap((path) => {
    const bytes = Deno.readFileSync(join(ROOT, path));
    return bytes.includes(0) ? [] : placeViolations(path, new TextDecoder().decode(bytes));
  }));
});
