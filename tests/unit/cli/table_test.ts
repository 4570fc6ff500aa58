import assert from "node:assert/strict";
import { displayWidth, facts, table } from "../../../src/cli/table.ts";

Deno.test("columns are as wide as their widest cell, and lines have no trailing spaces", () => {
  assert.equal(
    table(["NAME", "AGE"], [["a", "1 h"], ["longer", "-"]]),
    "NAME    AGE\na       1 h\nlonger  -\n",
  );
  assert.equal(facts([["a", "1"], ["bcd", ""]]), "a    1\nbcd\n");
});

Deno.test("wide characters take two columns", () => {
  assert.equal(displayWidth("日本"), 4);
  assert.equal(displayWidth("👩‍🔬é"), 3);
  assert.equal(table(["A", "B"], [["日", "1"], ["ab", "2"]]), "A   B\n日  1\nab  2\n");
});
