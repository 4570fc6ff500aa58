/** The scanner finds every form of import and nothing else. */

import assert from "node:assert/strict";
import { type Import, scanImports } from "./import_scanner.ts";

type Row = readonly [title: string, source: string, expected: readonly Partial<Import>[]];

const value = (specifier: string | undefined, line = 1) => ({
  specifier,
  kind: "value" as const,
  line,
});
const type = (specifier: string, line = 1) => ({ specifier, kind: "type" as const, line });
const asset = (specifier: string, line = 1) => ({ specifier, kind: "asset" as const, line });

const TABLE: readonly Row[] = [
  ["a named import", `import { a } from "./a.ts";`, [value("./a.ts")]],
  ["a default import", `import a from './a.ts';`, [value("./a.ts")]],
  ["a namespace import", `import * as v from "valibot";`, [value("valibot")]],
  ["default and names", `import a, { b } from "./a.ts";`, [value("./a.ts")]],
  ["an import for its effects", `import "./a.ts";`, [value("./a.ts")]],
  ["names over many lines", `import {\n  a,\n  type B,\n} from "./a.ts";`, [value("./a.ts")]],
  ["a type import", `import type { A } from "./a.ts";`, [type("./a.ts")]],
  ["a type import over lines", `import type {\n  A,\n  B,\n} from\n  "./a.ts";`, [type("./a.ts")]],
  ["names that are all types", `import { type A, type B } from "./a.ts";`, [type("./a.ts")]],
  ["a value named type", `import type from "./a.ts";`, [value("./a.ts")]],
  ["a comment inside the braces", `import { a /* "x" } from "./b.ts" */ } from "./a.ts";`, [
    value("./a.ts"),
  ]],
  ["import attributes", `import page from "./a.html" with { type: "text" };`, [value("./a.html")]],
  ["a re-export", `export { a } from "./a.ts";`, [value("./a.ts")]],
  ["a re-export of all", `export * from "./a.ts";`, [value("./a.ts")]],
  ["a re-export under a name", `export * as a from "./a.ts";`, [value("./a.ts")]],
  ["a re-export of types", `export type { A } from "./a.ts";`, [type("./a.ts")]],
  ["a re-export of all types", `export type * from "./a.ts";`, [type("./a.ts")]],
  ["a re-export over lines", `export {\n  type A,\n  b,\n} from "./a.ts";`, [value("./a.ts")]],
  ["a dynamic import", `const a = await import("./a.ts");`, [value("./a.ts")]],
  ["a computed import", `const a = await import(name);`, [value(undefined)]],
  ["an import in a type", `let a: import("./a.ts").A;`, [value("./a.ts")]],
  ["an import in a template", "const a = `${await import('./a.ts')}`;", [value("./a.ts")]],
  ["a resolved file", `import.meta.resolve("./a.ts")`, [asset("./a.ts")]],
  ["a worker", `new Worker(new URL("./a.ts", import.meta.url))`, [asset("./a.ts")]],
  ["a file beside it", `new URL("a/", import.meta.url)`, [asset("./a/")]],
  ["a file above it", `new URL("../a", import.meta.url)`, [asset("../a")]],
  ["a types directive", `// @ts-types="@types/ws"\nimport ws from "ws";`, [
    type("@types/ws"),
    value("ws", 2),
  ]],
  ["the directive's older name", `// @deno-types='npm:@types/ws'\n`, [type("npm:@types/ws")]],
  ["a reference", `/// <reference types="node" />\n`, [type("node")]],
  ["two on one line", `import "./a.ts"; import "./b.ts";`, [value("./a.ts"), value("./b.ts")]],
  ["no semicolons", `import { a } from "./a.ts"\nimport { b } from "./b.ts"\n`, [
    value("./a.ts"),
    value("./b.ts", 2),
  ]],
  ["a regular expression before it", `const a = /["']/;\nimport "./a.ts";`, [value("./a.ts", 2)]],
  ["a quote in a template before it", "const a = `it's ${b}'`;\nimport './a.ts';", [
    value("./a.ts", 2),
  ]],
  ["a division before it", `const a = b / c; const d = "/";\nimport "./a.ts";`, [
    value("./a.ts", 2),
  ]],
  ["not an import in a comment", `// import { a } from "./a.ts";\n/* import "./b.ts" */`, []],
  ["not an import in a string", `const a = 'import "./a.ts"';`, []],
  ["not an import in a template", 'const a = `import "./a.ts"`;', []],
  ["not an exported value", `export const a = { from: "./a.ts" };`, []],
  ["not an export of local names", `export { a };\nconst from = "./a.ts";`, []],
  ["not a member of that name", `loader.import("./a.ts"); a.from("./b.ts");`, []],
  ["not a URL without a base", `new URL("./a.ts", base)`, []],
];

for (const [title, source, expected] of TABLE) {
  Deno.test(`scanImports reads ${title}`, () => {
    const found = scanImports(source).map(({ specifier, kind, line }) => ({
      specifier,
      kind,
      line,
    }));
    assert.deepEqual(found, expected);
  });
}

Deno.test("scanImports marks imports that happen while the program runs", () => {
  const found = scanImports(`import "./a.ts";\nawait import("./b.ts");`);
  assert.deepEqual(found.map(({ dynamic }) => dynamic), [false, true]);
});
