import assert from "node:assert/strict";
import * as v from "valibot";
import { parseParams } from "../../../src/core/parse_params.ts";

const Schema = v.strictObject({ name: v.string(), count: v.optional(v.number(), 3) });

Deno.test("parameters come out as the schema has them", () => {
  assert.deepEqual(parseParams(Schema, { name: "a" }, "m"), { name: "a", count: 3 });
  for (const absent of [undefined, null, {}]) {
    assert.deepEqual(parseParams(v.object({}), absent, "m"), {});
  }
});

const REFUSED: readonly [params: unknown, message: string][] = [
  [undefined, "invalid m params: must have required property 'name'"],
  [[], "invalid m params: must be object"],
  ["x", "invalid m params: must be object"],
  [
    { name: 1, more: 2 },
    "invalid m params: at root: unexpected property 'more'; at /name: must be string",
  ],
];

for (const [params, message] of REFUSED) {
  Deno.test(`wrong parameters are refused in these words: ${JSON.stringify(params)}`, () => {
    assert.throws(() => parseParams(Schema, params, "m"), { code: "INVALID_REQUEST", message });
  });
}
