import assert from "node:assert/strict";
import * as v from "valibot";
import { explain, MAX_PROBLEMS } from "../../../src/core/explain.ts";

const Name = v.pipe(v.string(), v.minLength(1), v.maxLength(5));
const Limit = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10));
const Shape = v.strictObject({
  name: Name,
  limit: v.optional(Limit),
  label: v.optional(v.nullable(Name)),
  mode: v.optional(v.union([v.literal("a"), v.literal("b")])),
  pick: v.optional(v.picklist(["x", "y"])),
  tags: v.optional(v.pipe(v.array(Name), v.minLength(1))),
  inner: v.optional(v.strictObject({ on: v.boolean() })),
  flags: v.optional(v.record(v.string(), v.boolean())),
});

const ROWS: readonly { given: unknown; expect: readonly string[] }[] = [
  { given: { name: "ok" }, expect: [] },
  { given: [], expect: ["must be object"] },
  { given: null, expect: ["must be object"] },
  { given: {}, expect: ["must have required property 'name'"] },
  {
    given: { x: 1, y: 2 },
    expect: [
      "must have required property 'name'",
      "at root: unexpected property 'x'",
      "at root: unexpected property 'y'",
    ],
  },
  { given: { name: 7 }, expect: ["at /name: must be string"] },
  { given: { name: "" }, expect: ["at /name: must NOT have fewer than 1 characters"] },
  { given: { name: "longer" }, expect: ["at /name: must NOT have more than 5 characters"] },
  { given: { name: "a", limit: "1" }, expect: ["at /limit: must be integer"] },
  { given: { name: "a", limit: 1.5 }, expect: ["at /limit: must be integer"] },
  { given: { name: "a", limit: 0 }, expect: ["at /limit: must be >= 1"] },
  { given: { name: "a", limit: 11 }, expect: ["at /limit: must be <= 10"] },
  { given: { name: "a", label: null }, expect: [] },
  {
    given: { name: "a", label: 3 },
    expect: [
      "at /label: must be string",
      "at /label: must be null",
      "at /label: must match a schema in anyOf",
    ],
  },
  {
    given: { name: "a", mode: "c" },
    expect: ["at /mode: must be equal to constant", "at /mode: must match a schema in anyOf"],
  },
  {
    given: { name: "a", pick: "z" },
    expect: ["at /pick: must be equal to constant", "at /pick: must match a schema in anyOf"],
  },
  { given: { name: "a", tags: [] }, expect: ["at /tags: must NOT have fewer than 1 items"] },
  {
    given: { name: "a", tags: ["b", 1, ""] },
    expect: ["at /tags/1: must be string", "at /tags/2: must NOT have fewer than 1 characters"],
  },
  {
    given: { name: "a", inner: { on: 1, off: 2 } },
    expect: ["at /inner: unexpected property 'off'", "at /inner/on: must be boolean"],
  },
  { given: { name: "a", inner: {} }, expect: ["at /inner: must have required property 'on'"] },
  { given: { name: "a", flags: { "a/b": "no" } }, expect: ["at /flags/a~1b: must be boolean"] },
];

Deno.test("each problem has the phrase of a JSON Schema validator, in a fixed order", () => {
  for (const { given, expect } of ROWS) {
    assert.deepEqual(explain(Shape, given), expect, JSON.stringify(given));
  }
});

Deno.test("a value has problems exactly when the schema refuses it", () => {
  for (const { given } of ROWS) {
    assert.equal(
      explain(Shape, given).length === 0,
      v.safeParse(Shape, given).success,
      JSON.stringify(given),
    );
  }
});

Deno.test("values never appear in a problem", () => {
  const secret = "s3cr3t-value";
  const text = explain(Shape, { name: secret, limit: secret, mode: secret, inner: secret }).join(
    "; ",
  );
  assert.ok(!text.includes(secret), text);
});

Deno.test("a thousand problems are cut and hostile names are escaped", () => {
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`k${at}`, at]));
  assert.equal(explain(Shape, many).length, MAX_PROBLEMS);
  const [, hostile] = explain(Shape, { ["\u001b[31m\n" + "x".repeat(500)]: 1 });
  assert.ok(
    hostile !== undefined && /^[\x20-\x7e…]+$/.test(hostile) && hostile.length < 200,
    String(hostile),
  );
});

Deno.test("a pipe within a pipe is looked into", () => {
  const bounded = v.pipe(v.pipe(v.number(), v.integer(), v.minValue(1)), v.maxValue(5));
  const rows = [[0, "must be >= 1"], [6, "must be <= 5"], ["x", "must be integer"]] as const;
  for (const [given, expect] of rows) assert.deepEqual(explain(bounded, given), [expect]);
  assert.deepEqual(explain(bounded, 3), []);
});
