import assert from "node:assert/strict";
import fc from "fast-check";
import * as v from "valibot";
import { explain, MAX_PROBLEMS } from "../../src/core/explain.ts";
import type { Schema } from "../../src/core/method.ts";

const RUNS = 2_000;

/**
 * A schema, and the same one with JSON Schema's meaning of "object": valibot takes a list for an object
 * without members, `explain` does not.
 */
interface Pair {
  readonly schema: Schema;
  readonly strict: Schema;
}

const scalar: fc.Arbitrary<Schema> = fc.oneof(
  fc.constant<Schema>(v.string()),
  fc.constant<Schema>(v.boolean()),
  fc.constant<Schema>(v.number()),
  fc.constant<Schema>(v.null()),
  fc.constant<Schema>(v.unknown()),
  fc.constantFrom<Schema[]>(v.literal("a"), v.literal(1), v.literal(true)),
  fc.constant<Schema>(v.picklist(["a", "b", "c"])),
  fc.constant<Schema>(v.pipe(v.string(), v.regex(/^[a-z]{1,3}$/))),
  fc.tuple(fc.nat(3), fc.nat(3)).map(([least, more]): Schema =>
    v.pipe(v.string(), v.minLength(least), v.maxLength(least + more))
  ),
  fc.tuple(fc.integer({ min: -3, max: 3 }), fc.nat(4)).map(([least, more]): Schema =>
    v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(least + more))
  ),
);

function both({ schema, strict }: Pair, wrap: (inner: Schema) => Schema): Pair {
  return { schema: wrap(schema), strict: wrap(strict) };
}

function noList(schema: Schema): Schema {
  return v.pipe(v.unknown(), v.check((value) => !Array.isArray(value)), schema);
}

function objectOf(entries: Record<string, Schema>, kind: "strict" | "plain" | "loose"): Schema {
  if (kind === "strict") return v.strictObject(entries);
  return kind === "loose" ? v.looseObject(entries) : v.object(entries);
}

/** Schemas of every kind that `explain` knows, three levels deep. */
const { pair } = fc.letrec<{ pair: Pair; entry: Pair }>((tie) => ({
  pair: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar.map((schema): Pair => ({ schema, strict: schema })),
    tie("pair").map((item) => both(item, (inner) => v.array(inner))),
    fc.tuple(tie("pair"), fc.nat(2), fc.nat(2)).map(([item, least, more]) =>
      both(
        item,
        (inner) =>
          v.pipe(v.array(inner), v.minLength(least), v.maxLength(least + more), v.readonly()),
      )
    ),
    fc.array(tie("pair"), { minLength: 1, maxLength: 3 }).map((options): Pair => ({
      schema: v.union(options.map(({ schema }) => schema)),
      strict: v.union(options.map(({ strict }) => strict)),
    })),
    tie("pair").map((wrapped) => both(wrapped, (inner) => v.nullable(inner))),
    tie("pair").map(({ schema, strict }): Pair => ({
      schema: v.record(v.string(), schema),
      strict: noList(v.record(v.string(), strict)),
    })),
    fc.tuple(
      fc.dictionary(fc.constantFrom("a", "b", "c/d", "~"), tie("entry"), { maxKeys: 3 }),
      fc.constantFrom("strict" as const, "plain" as const, "loose" as const),
    ).map(([entries, kind]): Pair => {
      const pick = (one: keyof Pair) =>
        Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, entry[one]]));
      return {
        schema: objectOf(pick("schema"), kind),
        strict: noList(objectOf(pick("strict"), kind)),
      };
    }),
  ),
  entry: fc.oneof(
    tie("pair"),
    tie("pair").map((wrapped) => both(wrapped, (inner) => v.optional(inner))),
    tie("pair").map((wrapped) => both(wrapped, (inner) => v.nullish(inner))),
    tie("pair").map((wrapped) => both(wrapped, (inner) => v.exactOptional(inner))),
    tie("pair").map((wrapped) => both(wrapped, (inner) => v.undefinedable(inner))),
  ),
}));

/** Values that often fit: the names and texts of the schemas. */
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<unknown[]>(null, true, "a", "b", "abcd", "", 0, 1, -2, 1.5, 9),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "c/d", "~", "x"), tie("value"), { maxKeys: 4 })
      .map((record) => ({ ...record })),
  ),
}));

Deno.test("a value has problems exactly when the schema refuses it", () => {
  fc.assert(
    fc.property(pair, value, ({ schema, strict }, given) => {
      const problems = explain(schema, given);
      const { success } = v.safeParse(strict, given);
      assert.equal(problems.length === 0, success, problems.join("; "));
    }),
    { numRuns: RUNS },
  );
});

Deno.test("problems are few, differ, and never hold the value", () => {
  const secret = "correct-horse-battery-staple";
  fc.assert(
    fc.property(pair, fc.array(value, { maxLength: 40 }), ({ schema }, list) => {
      const problems = explain(v.array(schema), [secret, ...list]);
      assert.ok(problems.length <= MAX_PROBLEMS);
      assert.equal(new Set(problems).size, problems.length);
      for (const problem of problems) {
        assert.match(problem, /^(?:at \S+: )?(?:must |unexpected )/);
        assert.ok(!problem.includes(secret), problem);
      }
    }),
    { numRuns: RUNS },
  );
});
