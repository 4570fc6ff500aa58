import assert from "node:assert/strict";
import { parseConfig, secretProblem } from "../../../src/config.ts";
import { REDACTED } from "../../../src/services/redaction.ts";
import { recordAt } from "../../support/dotted_path.ts";

const TOKEN = "a-token-of-fair-length";

Deno.test("blank and placeholder gateway secrets are refused without repeating them", () => {
  const bad = [
    "",
    "   ",
    "\t\n",
    "undefined",
    "null",
    "NaN",
    "[object Object]",
    "changeme",
    "Change-Me",
    "CHANGE_ME",
    "your-token-here",
    "password",
    "token",
    "<token>",
    "${NOT SET}",
    "$TOKEN",
    "{{ token }}",
    "xxxxxxxx",
    REDACTED,
    " padded-secret-of-some-length ",
  ];
  for (const secret of bad) {
    assert.notEqual(secretProblem(secret), undefined, JSON.stringify(secret));
    for (const key of ["token", "password"]) {
      const path = `gateway.auth.${key}`;
      const { issues } = parseConfig(recordAt(path, secret), { env: {} });
      assert.equal(issues.length, 1, JSON.stringify(secret));
      assert.equal(issues[0]?.path, path);
      assert.match(issues[0]?.message ?? "", /^(must not|is a placeholder)/);
      assert.doesNotMatch(issues[0]?.message ?? "", /got/);
    }
  }
  for (const secret of ["s3cr3t", TOKEN, "tokenize-this-and-that"]) {
    assert.equal(secretProblem(secret), undefined);
  }
});
