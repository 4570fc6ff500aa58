/** Masking leaves code, and only code, at its place. */

import assert from "node:assert/strict";
import { lineAt, maskSource, nesting } from "./masked_source.ts";

const CODE: readonly (readonly [title: string, source: string, code: string])[] = [
  ["a line comment", "a; // b\nc", "a;     \nc"],
  ["a block comment", "a /* b\nc */ d", "a     \n     d"],
  ["a comment mark in a string", `a("//b")`, `a("   ")`],
  ["an escaped quote", String.raw`a("b\"c")`, `a("    ")`],
  ["a template", "a(`b'c`)", "a(`   `)"],
  ["code in a template", "`a${b}c`", "`   b  `"],
  ["braces in a template's code", "`${{ a }}` + b", "`  { a } ` + b"],
  ["a template in a template", "`a${`b${c}`}d` + e", "`   `   c `  ` + e"],
  ["a regular expression", `a = /b"c/.d`, `a = /   /.d`],
  ["a slash in a class", "a(/[/]/, b)", "a(/   /, b)"],
  ["a regular expression after return", "return /a/;", "return / /;"],
  ["a division", "a / b / c", "a / b / c"],
  ["a division behind brackets", "(a) / b[0] / 2", "(a) / b[0] / 2"],
  ["a shebang", "#!/a\nb", "    \nb"],
];

for (const [title, source, code] of CODE) {
  Deno.test(`maskSource handles ${title}`, () => {
    assert.equal(maskSource(source).code, code);
  });
}

Deno.test("maskSource keeps comments apart", () => {
  const { comments } = maskSource(`a("/* no */"); // yes\nb /* too */`);
  assert.equal(comments.trim().replace(/\s+/g, " "), "// yes /* too */");
});

Deno.test("maskSource keeps every line break and the length, whatever the text", () => {
  for (const source of ["`${", "'\n", "/*", "/[", "a\\", "`${`${}", "}`", '"', ""]) {
    const { code, comments } = maskSource(source);
    for (const text of [code, comments]) {
      assert.equal(text.length, source.length, JSON.stringify(source));
      assert.equal(text.split("\n").length, source.split("\n").length, JSON.stringify(source));
    }
  }
});

Deno.test("lineAt counts from one", () => {
  assert.deepEqual([0, 1, 2, 3].map((position) => lineAt("a\nb\n", position)), [1, 1, 2, 2]);
});

Deno.test("nesting counts the open brackets before each character", () => {
  assert.deepEqual(nesting("a(b[c]{d})e"), [0, 0, 1, 1, 2, 1, 1, 2, 1, 0, 0]);
});
