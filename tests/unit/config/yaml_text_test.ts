import assert from "node:assert/strict";
import { editYaml } from "../../../src/config/yaml_text.ts";

Deno.test("a YAML text is edited in place", () => {
  const before = "# top\na: 1 # one\nb:\n  c: x # see\n  d: y\n";
  assert.equal(
    editYaml(before, { a: 2, b: { c: "z" }, e: [1] }),
    "# top\na: 2 # one\nb:\n  c: z # see\ne:\n  - 1\n",
  );
  assert.equal(editYaml("- 1", {}), undefined);
});
