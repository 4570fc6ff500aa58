/** A test whose program is missing is left out, and fails in CI. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { findProgram, judge } from "../../support/skip.ts";

Deno.test("a test runs with the program that was found", () => {
  assert.deepEqual(judge("chromium", { path: "/usr/bin/chromium", ci: "true" }), {
    run: true,
    path: "/usr/bin/chromium",
  });
});

for (const [ci, failure] of [["true", true], ["", false], [undefined, false]] as const) {
  Deno.test(`a missing program is ${failure ? "a failure" : "no failure"} where CI is ${ci}`, () => {
    const verdict = judge("chromium", { path: undefined, ci });
    assert.ok(!verdict.run);
    assert.equal(verdict.failure, failure);
    assert.match(verdict.reason, /install the Debian package chromium$/);
  });
}

Deno.test("programs are looked for by name, then by folder, and must be executable", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [first, second] = [join(folder, "1"), join(folder, "2")];
    for (const each of [first, second]) await Deno.mkdir(each);
    await Deno.writeTextFile(join(first, "tool"), "", { mode: 0o600 });
    await Deno.writeTextFile(join(second, "tool"), "", { mode: 0o700 });
    await Deno.writeTextFile(join(first, "other"), "", { mode: 0o700 });
    const search = `:${first}:${second}`;
    assert.equal(findProgram(["tool", "other"], search), join(second, "tool"));
    assert.equal(findProgram(["none", "other"], search), join(first, "other"));
    assert.equal(findProgram(["none"], search), undefined);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
