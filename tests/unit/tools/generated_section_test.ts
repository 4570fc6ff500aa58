/** Generated parts are replaced in place and nothing else is touched. */

import assert from "node:assert/strict";
import { markdownTable, replaceSection } from "../../../tools/generated_section.ts";

const PAGE = "# a\n\n<!-- generated:x -->\nold\n<!-- /generated -->\n\nb\n";

Deno.test("a section is replaced between its markers", () => {
  const page = replaceSection(PAGE, "x", "new\n");
  assert.equal(
    page,
    "# a\n\n<!-- generated:x -->\n<!-- deno-fmt-ignore-start -->\n\nnew\n\n" +
      "<!-- deno-fmt-ignore-end -->\n<!-- /generated -->\n\nb\n",
  );
});

Deno.test("replacing a section twice changes nothing more, and other sections stay", () => {
  const two = `${PAGE}<!-- generated:y -->\n<!-- /generated -->\n`;
  const once = replaceSection(replaceSection(two, "x", "new"), "y", "other");
  const twice = replaceSection(replaceSection(once, "x", "new"), "y", "other");
  assert.equal(twice, once);
});

for (
  const [title, page] of [
    ["is missing", "# a\n"],
    ["is there twice", `${PAGE}${PAGE}`],
    ["is not closed", "<!-- generated:x -->\nold\n"],
  ]
) {
  Deno.test(`a section whose marker ${title} is an error`, () => {
    assert.throws(() => replaceSection(page ?? "", "x", "new"), RangeError);
  });
}

Deno.test("a cell cannot break its table", () => {
  assert.equal(
    markdownTable(["a", "b"], [["1 | 2", "three\n  four"]]),
    "| a | b |\n| --- | --- |\n| 1 \\| 2 | three four |",
  );
});
