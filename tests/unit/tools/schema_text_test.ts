/** Schemas read as one line of text. */

import assert from "node:assert/strict";
import * as v from "valibot";
import type { Schema } from "../../../src/core/method.ts";
import { schemaText } from "../../../tools/schema_text.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const TABLE: readonly (readonly [schema: Schema, text: string])[] = [
  [v.string(), "string"],
  [v.pipe(v.string(), v.minLength(1)), "text"],
  [v.pipe(v.string(), v.nonEmpty()), "text"],
  [v.pipe(v.string(), v.minLength(1), v.maxLength(64)), "text ≤64"],
  [v.pipe(v.string(), v.minLength(2)), "string ≥2"],
  [v.pipe(v.string(), v.regex(/^[a-z]{1,4}$/)), "string /^[a-z]{1,4}$/"],
  [v.number(), "number"],
  [count, "integer ≥0"],
  [v.pipe(count, v.maxValue(5)), "integer ≥0 ≤5"],
  [v.boolean(), "boolean"],
  [v.null(), "null"],
  [v.unknown(), "unknown"],
  [v.literal("a"), '"a"'],
  [v.picklist(["a", "b"]), '"a" | "b"'],
  [v.union([v.string(), v.literal(1)]), "string | 1"],
  [v.nullable(v.string()), "string | null"],
  [v.array(v.string()), "string[]"],
  [v.array(v.picklist(["a", "b"])), '("a" | "b")[]'],
  [v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(3)), "string[] ≥1 ≤3"],
  [v.record(v.string(), v.boolean()), "Record<string, boolean>"],
  [v.strictObject({}), "{}"],
  [v.looseObject({}), "{ … }"],
  [
    v.strictObject({ a: v.string(), b: v.optional(v.number()), c: v.nullish(v.string()) }),
    "{ a: string, b?: number, c?: string | null }",
  ],
  [v.looseObject({ a: v.object({ b: v.null() }) }), "{ a: { b: null }, … }"],
  [
    v.variant("k", [v.object({ k: v.literal(1) }), v.object({ k: v.literal(2) })]),
    "{ k: 1 } | { k: 2 }",
  ],
];

for (const [schema, text] of TABLE) {
  Deno.test(`a schema reads as ${text}`, () => {
    assert.equal(schemaText(schema), text);
  });
}

Deno.test("a schema of a kind that is not known is an error, not a wrong table", () => {
  assert.throws(() => schemaText(v.date()), /schema of type "date" is not known/);
});
