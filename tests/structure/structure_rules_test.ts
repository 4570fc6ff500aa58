/** Each rule of the structure, shown on invented sources: what it finds and what it lets pass. */

import assert from "node:assert/strict";
import {
  dependencyViolations,
  lengthViolations,
  nameViolations,
  placeViolations,
} from "./file_shape.ts";
import { ambientViolations, commentViolations, escapeViolations } from "./forbidden_text.ts";
import { cycleViolations } from "./import_cycle.ts";
import { layerViolations } from "./layer_law.ts";
import { module, report } from "./source_tree.ts";

/** Path, source, and the rules that are broken, in order. */
type Row = readonly [path: string, source: string, ...rules: string[]];

const LAYER_ROWS: readonly Row[] = [
  ["src/core/a.ts", `import { b } from "./b.ts";\nimport * as v from "valibot";`],
  ["src/core/a.ts", `import { b } from "../ports/b.ts";`, "core imports src/ports/b.ts"],
  ["src/core/a.ts", `import type { B } from "../ports/b.ts";`, "core imports src/ports/b.ts"],
  ["src/core/a.ts", `export type { B } from "../ports/b.ts";`, "core imports src/ports/b.ts"],
  ["src/core/a.ts", `import "ws";`, "core imports package ws"],
  ["src/ports/a.ts", `import type { B } from "../core/b.ts";`],
  ["src/ports/a.ts", `import "valibot";`, "ports imports package valibot"],
  ["src/services/a.ts", `import { b } from "../ports/b.ts";\nimport "../core/c.ts";`],
  ["src/services/a.ts", `import "node:path";`, "services imports node:path"],
  ["src/services/a.ts", `import "../adapters/b.ts";`, "services imports src/adapters/b.ts"],
  [
    "src/services/a.ts",
    `import type { B } from "../protocols/x/b.ts";`,
    "services imports src/protocols/x/b.ts",
  ],
  ["src/protocols/x/a.ts", `import type { B } from "../../services/b.ts";`],
  [
    "src/protocols/x/a.ts",
    `import { B } from "../../services/b.ts";`,
    "protocols imports values of src/services/b.ts",
  ],
  ["src/protocols/x/methods/a.ts", `import { b } from "../b.ts";`],
  [
    "src/protocols/x/a.ts",
    `import type { B } from "../y/b.ts";`,
    "wire x imports its sibling src/protocols/y/b.ts",
  ],
  ["src/http/a.ts", `import { Hono } from "hono";\nimport { c } from "hono/cors";`],
  ["src/http/a.ts", `import "../services/b.ts";`, "http imports src/services/b.ts"],
  ["src/client/a.ts", `import "../core/b.ts";`],
  ["src/client/a.ts", `import "../protocols/x/b.ts";`, "client imports src/protocols/x/b.ts"],
  ["src/client/a.ts", `import "node:net";`, "client imports node:net"],
  ["src/adapters/a.ts", `import "node:fs";\nimport "ai";\nimport type { P } from "../ports/p.ts";`],
  ["src/adapters/a.ts", `import "ws";`, "adapters imports package ws"],
  ["src/adapters/a.ts", `import "hono";`, "adapters imports package hono"],
  ["src/adapters/a.ts", `import "../services/b.ts";`, "adapters imports src/services/b.ts"],
  ["src/app.ts", `import "./adapters/b.ts";\nimport "./services/c.ts";\nimport "node:path";`],
  ["src/app/a.ts", `import "../adapters/b.ts";\nimport "../services/c.ts";`],
  ["src/services/a.ts", `import "../app/b.ts";`, "services imports src/app/b.ts"],
  ["src/start.ts", `import "./app.ts";\nimport "./config/a.ts";`],
  ["src/services/a.ts", `import "../start.ts";`, "services imports src/start.ts"],
  ["src/cli/a.ts", `import "../app.ts";\nimport "commander";`],
  ["mod.ts", `export { a } from "./src/app.ts";`],
  ["mod.ts", `import "./tests/support/a.ts";`, "mod imports tests/support/a.ts"],
  ["src/cli/version.ts", `import manifest from "../../deno.json" with { type: "json" };`],
  [
    "src/core/a.ts",
    `import manifest from "../../deno.json" with { type: "json" };`,
    "core imports deno.json",
  ],
  ["src/app.ts", `import "npm:ws@8.0.0";`, "import of npm:ws@8.0.0"],
  ["src/app.ts", `import "https://example.org/a.ts";`, "import of https://example.org/a.ts"],
  ["src/core/a.ts", `await import(name);`, "computed import"],
  ["src/shapes/a.ts", ``, `"src/shapes" is no layer`],
  ["tests/a_test.ts", `import "../src/app.ts";\nimport "ws";`],
];

const AMBIENT_ROWS: readonly Row[] = [
  ["src/core/a.ts", `const a = Date.now();`, "Date.now"],
  ["src/core/a.ts", `const now = Date.now;`, "Date.now"],
  [
    "src/core/a.ts",
    `const a = new Date(); const b = Date();`,
    "the current date",
    "the current date",
  ],
  ["src/core/a.ts", `const a = new Date(at).getTime(); clock.now();`],
  ["src/ports/a.ts", `Math.random();`, "Math.random"],
  ["src/services/a.ts", `setTimeout(a, 1); clearInterval(b);`, "a timer", "a timer"],
  ["src/services/a.ts", `AbortSignal.timeout(1);`, "a timer"],
  ["src/services/a.ts", `console.log(1);`, "console"],
  ["src/services/a.ts", `"console.log(1)"; // console.log(1)`],
  [
    "src/services/a.ts",
    `crypto.randomUUID(); crypto.subtle.digest("SHA-256", a);`,
    "random numbers of crypto",
  ],
  ["src/protocols/x/a.ts", `process.exit(1);`, "process"],
  ["src/protocols/x/a.ts", `this.process(1); link.process.start(); processed(1);`],
  ["src/protocols/x/a.ts", `Buffer.from(a);`, "Buffer"],
  ["src/http/a.ts", `Deno.readTextFileSync("a");`, "Deno"],
  ["src/http/a.ts", `const a = await fetch(url);`, "fetch"],
  ["src/http/a.ts", `return app.fetch(request);`],
  ["src/http/a.ts", `performance.now();`, "performance"],
  ["src/core/a.ts", `globalThis.a = 1;`, "globalThis"],
  ["src/core/a.ts", `let a = 1;\nfunction b() { let c = 1; }`, "a variable of the module"],
  ["src/core/a.ts", `export let a = 1;`, "a variable of the module"],
  ["src/core/a.ts", `const a = new Map();`, "a mutable collection of the module"],
  ["src/core/a.ts", `const a = new Map<string, number>();`, "a mutable collection of the module"],
  ["src/core/a.ts", `const a = new WeakMap();`, "a mutable collection of the module"],
  ["src/core/a.ts", `const a: ReadonlySet<string> = new Set(["b"]);`],
  ["src/core/a.ts", `function a() { const b = new Map(); }`],
  ["src/core/a.ts", `class A { static #count = 0; }`, "a variable of a class"],
  ["src/core/a.ts", `class A { static readonly max = 1; static make() {} }`],
  ["src/client/a.ts", `setTimeout(a, 1); new WebSocket(url);`],
  ["src/client/a.ts", `Deno.env.get("A");`, "Deno"],
  ["src/adapters/a.ts", `Deno.env.get("A"); Date.now(); let a = 1;`],
  ["src/cli/a.ts", `console.log(Deno.args);`],
  ["tests/unit/a_test.ts", `Date.now(); let a = 1;`],
];

const ESCAPE_ROWS: readonly Row[] = [
  ["src/core/a.ts", `const a: any = 1;`, "any"],
  ["src/core/a.ts", `function a(b: Array<any>): any[] {}`, "any", "any"],
  ["src/core/a.ts", `await Promise.any(a); v.any(); "any"; // any`],
  ["src/core/a.ts", `const a = b as string;`, "a cast"],
  ["src/core/a.ts", `const a = b() as unknown as { c: string };`, "a cast", "a cast"],
  ["src/core/a.ts", `const a = [1] as const; const b = { c } as const satisfies D;`],
  ["src/core/a.ts", `import { a as b } from "./c.ts";\nimport * as v from "valibot";`],
  [
    "src/core/a.ts",
    `export { a as b } from "./c.ts";\nexport { d as e };\nexport * as f from "./g.ts";`,
  ],
  ["src/core/a.ts", `type A = { [K in keyof B as C<K>]: B[K] };`],
  ["src/core/a.ts", `const a = <Thing> b;`, "a cast"],
  ["src/core/a.ts", `const a = <Thing>(b: Thing): Thing => b;`],
  ["src/core/a.ts", `const a = b!.c + d[0]!;`, "a non-null assertion", "a non-null assertion"],
  ["src/core/a.ts", `if (!a && b !== c && !d[0]) e = !f;`],
  ["src/core/a.ts", `// @ts-ignore: because\na();`, "a silenced check"],
  ["src/core/a.ts", `// deno-lint-ignore no-explicit-any\na();`, "a silenced check"],
  ["tools/a.ts", `const a = b as string;`, "a cast"],
  ["tests/unit/a_test.ts", `const a = b as string; // @ts-expect-error`],
];

const COMMENT_ROWS: readonly Row[] = [
  ["src/core/a.ts", `// TODO later`, "a plan or ticket number in a comment"],
  ["src/core/a.ts", `/* see issue 12 */`, "a plan or ticket number in a comment"],
  ["tests/a_test.ts", `// fixed by #12`, "a plan or ticket number in a comment"],
  ["src/core/a.ts", `this.#a12 = 1; // the #private field, RFC 6455`],
];

const TABLES = [
  ["layer", layerViolations, LAYER_ROWS],
  ["ambient", ambientViolations, AMBIENT_ROWS],
  ["escape", escapeViolations, ESCAPE_ROWS],
  ["comment", commentViolations, COMMENT_ROWS],
] as const;

for (const [name, check, rows] of TABLES) {
  for (const [path, source, ...rules] of rows) {
    const verdict = rules.length === 0 ? "lets pass" : "finds";
    Deno.test(`the ${name} rule ${verdict} ${JSON.stringify(source)} in ${path}`, () => {
      assert.deepEqual(check(module(path, source)).map(({ rule }) => rule), rules);
    });
  }
}

Deno.test("the cycle rule finds a circle through types and names its way", () => {
  const modules = [
    module("src/core/a.ts", `import type { B } from "./b.ts";`),
    module("src/core/b.ts", `export * from "./c.ts";`),
    module("src/core/c.ts", `import { a } from "./a.ts";`),
    module("src/core/d.ts", `import { a } from "./a.ts";`),
  ];
  assert.deepEqual(cycleViolations(modules).map(({ rule }) => rule), [
    "import cycle src/core/a.ts -> src/core/b.ts -> src/core/c.ts -> src/core/a.ts",
  ]);
});

Deno.test("the cycle rule lets a diamond and a worker's own file pass", () => {
  const modules = [
    module("src/core/a.ts", `import "./b.ts";\nimport "./c.ts";`),
    module("src/core/b.ts", `import "./d.ts";`),
    module("src/core/c.ts", `import "./d.ts";`),
    module("src/core/d.ts", `new Worker(new URL("./a.ts", import.meta.url));`),
  ];
  assert.deepEqual(cycleViolations(modules), []);
});

const NAMES: readonly (readonly [path: string, broken: boolean])[] = [
  ["src/core/json.ts", false],
  ["src/core/handshake_gate.ts", false],
  ["tests/unit/core/json_test.ts", false],
  ["src/core/shared_secret.ts", false],
  ["src/core/handshakeGate.ts", true],
  ["src/core/handshake-gate.ts", true],
  ["src/core/Json.ts", true],
  ["src/core/utils.ts", true],
  ["src/core/string_utils.ts", true],
  ["tests/support/helpers.ts", true],
  ["src/core/types_test.ts", true],
  ["src/common/json.ts", true],
  ["src/services/session_manager.ts", true],
];

for (const [path, broken] of NAMES) {
  Deno.test(`the name rule ${broken ? "refuses" : "takes"} ${path}`, () => {
    assert.equal(nameViolations(path).length, broken ? 1 : 0);
  });
}

Deno.test("the length rule refuses line 501", () => {
  const modules = [
    module("src/core/long.ts", "a;\n".repeat(501)),
    module("src/core/short.ts", "a;\n".repeat(500)),
  ];
  assert.deepEqual(lengthViolations(modules).map(({ file, rule }) => [file, rule]), [
    ["src/core/long.ts", "501 lines"],
  ]);
});

Deno.test("the place rule finds a machine's paths and a registry's host", () => {
  const pieces = [["/ro", "ot/.cache/a"], ["/Us", "ers/b/c"], ["https://registry.", "npmjs.org/x"]];
  for (const parts of pieces) {
    const text = `first\nsee ${parts.join("")}`;
    assert.deepEqual(placeViolations("a.md", text).map(({ line }) => line), [2], text);
  }
  assert.deepEqual(placeViolations("a.md", "~/.clawgate, src/root/a, https://example.org"), []);
});

Deno.test("the dependency rule wants one exact version of what is used, and nothing else", () => {
  const imports = {
    "exact": "npm:exact@1.2.3",
    "@of/scope": "npm:@of/scope@1.2.3-beta.4",
    "loose": "npm:loose@^1.2.3",
    "renamed": "npm:other@1.2.3",
    "idle": "npm:idle@1.0.0",
  };
  const source = `import "exact/part";
import type { A } from "@of/scope";
import "loose";
import "renamed";
import "unknown";
import "./local.ts";
import "node:path";`;
  const found = dependencyViolations({ imports }, [module("src/app.ts", source)]);
  assert.deepEqual(found.map(({ file, line, rule }) => `${file}:${line} ${rule}`), [
    "src/app.ts:5 package unknown is not pinned",
    "deno.json:1 loose is pinned as npm:loose@^1.2.3",
    "deno.json:1 renamed is pinned as npm:other@1.2.3",
    "deno.json:1 idle is used nowhere",
  ]);
});

Deno.test("a report names file, line, rule and what to do, sorted", () => {
  const text = report([
    { file: "b.ts", line: 2, rule: "y", advice: "do z" },
    { file: "a.ts", line: 1, rule: "w", advice: "do x" },
  ]);
  assert.equal(text, "a.ts:1: w; do x\nb.ts:2: y; do z");
});
