import assert from "node:assert/strict";
import { derivationKey, derive, sameSecret } from "../../../src/services/secret_digest.ts";

Deno.test("secrets are equal when every character is", async () => {
  const cases: readonly [string, string, boolean][] = [
    ["", "", true],
    ["open sesame", "open sesame", true],
    ["open sesame", "open sesamE", false],
    ["open", "open ", false],
    ["ä", "a\u0308", false],
    ["x".repeat(10_000), "x".repeat(10_000), true],
  ];
  for (const [left, right, equal] of cases) assert.equal(await sameSecret(left, right), equal);
});

Deno.test("a derived value depends on the secret and on every part", async () => {
  const key = await derivationKey("one secret");
  const value = await derive(key, ["a", "b"], 16);
  assert.match(value, /^[0-9a-f]{32}$/);
  assert.equal(await derive(key, ["a", "b"], 16), value);
  for (const parts of [["a", "c"], ["ab"], ["a", "b", ""]]) {
    assert.notEqual(await derive(key, parts, 16), value);
  }
  assert.notEqual(await derive(await derivationKey("another"), ["a", "b"], 16), value);
});
