import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type JsonOutcome,
  MAX_JSON_DEPTH,
  MAX_JSON_NODES,
  parseJson,
} from "../../src/core/json.ts";

const RUNS = 1_500;

/** What JSON.parse makes of a text; undefined: it is no JSON. */
function reference(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** Why a value must be refused, by the contract of `parseJson`, in the slowest and plainest way. */
function hostile(value: unknown, depth = 1): boolean {
  if (typeof value === "string") return !value.isWellFormed();
  if (typeof value !== "object" || value === null) return false;
  if (depth > MAX_JSON_DEPTH) return true;
  return Object.entries(value).some(([key, member]) =>
    key === "__proto__" || !key.isWellFormed() || hostile(member, depth + 1)
  );
}

const pieces = fc.constantFrom(
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  "\\",
  '\\"',
  "\\\\",
  "\\u",
  "\\ud800",
  "\\udc00",
  "\\u005f",
  "__proto__",
  '"__proto__":',
  '"a":',
  "1",
  "-0",
  "1e999",
  "true",
  "null",
  " ",
  "\n",
  "\ud800",
  "é",
  "\u2028",
  "\0",
);

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.json({ maxDepth: 6 }),
  fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join("")),
  fc.array(pieces.filter((piece) => !/["\n\0]/.test(piece)), { maxLength: 4 }).map((parts) =>
    `["${parts.join("")}"]`
  ),
  // Beyond the length from which a text is scanned before it is parsed.
  fc.tuple(fc.json(), fc.integer({ min: 0, max: 3_000 })).map(([text, pad]) =>
    `[${" ".repeat(pad)}${text}]`
  ),
  fc.tuple(fc.integer({ min: 60, max: 70 }), fc.integer({ min: 0, max: 2_200 })).map((
    [depth, pad],
  ) => "[".repeat(depth) + " ".repeat(pad) + "]".repeat(depth)),
  fc.tuple(fc.array(pieces, { maxLength: 20 }), fc.jsonValue()).map(([parts, value]) =>
    JSON.stringify({ [parts.join("")]: value, b: [parts.join("")] })
  ),
);

Deno.test("what is accepted is what JSON.parse says, what is refused is no JSON or hostile", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const outcome = parseJson(text);
      const expected = reference(text);
      if (outcome.ok) {
        assert.deepEqual(outcome.value, expected?.value);
        assert.equal(hostile(outcome.value), false, "nothing hostile gets through");
      } else if (outcome.reason === "syntax") assert.equal(expected, undefined);
      else {
        assert.notEqual(outcome.message, "");
        // A text that is too deep or too long is refused unread, so it may also be no JSON.
        if (expected !== undefined) assert.ok(hostile(expected.value), outcome.message);
      }
    }),
    { numRuns: RUNS },
  );
});

Deno.test("harmless values come back as they went", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8, stringUnit: "grapheme" }), (value) => {
      const text = JSON.stringify(value);
      fc.pre(!text.includes("__proto__"));
      const plain: unknown = JSON.parse(text);
      assert.deepEqual(parseJson(text), { ok: true, value: plain });
    }),
    { numRuns: RUNS },
  );
});

/** A text that counts how many of its characters are looked at one by one or searched. */
class CountingText extends String {
  looks = 0;

  override charCodeAt(index: number): number {
    this.looks++;
    return super.charCodeAt(index);
  }

  override indexOf(wanted: string, from: number = 0): number {
    const found = super.indexOf(wanted, from);
    this.looks += (found === -1 ? this.length : found) - from + 1;
    return found;
  }

  override includes(wanted: string, from: number = 0): boolean {
    this.looks += this.length - from;
    return super.includes(wanted, from);
  }

  override isWellFormed(): boolean {
    this.looks += this.length;
    return super.isWellFormed();
  }
}

/** Looks that one character may cost; each pass over the text is one, a quote counts its backslashes. */
const LOOKS_PER_CHARACTER = 6;

Deno.test("the work on a text grows with its length and no faster, however hostile it is", () => {
  const repeated = fc.tuple(
    fc.array(pieces, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("")),
    fc.integer({ min: 1, max: 20_000 }),
    fc.array(pieces, { maxLength: 4 }).map((parts) => parts.join("")),
  ).map(([unit, times, end]) => `"${unit.repeat(times)}${end}`);
  fc.assert(
    fc.property(fc.oneof(repeated, repeated.map((text) => text.slice(1)), anyText), (text) => {
      const counting = new CountingText(text);
      const outcome: JsonOutcome = Reflect.apply(parseJson, undefined, [counting]);
      assert.equal(outcome.ok, parseJson(text).ok);
      assert.ok(
        counting.looks <= LOOKS_PER_CHARACTER * text.length + LOOKS_PER_CHARACTER,
        `${counting.looks} looks at ${text.length} characters`,
      );
    }),
    { numRuns: 300 },
  );
});

Deno.test("depth and number of values are bounded exactly", () => {
  const deep = (levels: number, pad: number) =>
    `${"[".repeat(levels)}${" ".repeat(pad)}${"]".repeat(levels)}`;
  for (const pad of [0, 4_096]) {
    assert.equal(parseJson(deep(MAX_JSON_DEPTH, pad)).ok, true);
    assert.equal(parseJson(deep(MAX_JSON_DEPTH + 1, pad)).ok, false);
  }
  const wide = (values: number) => `[${"1,".repeat(values - 1)}1]`;
  assert.equal(parseJson(wide(MAX_JSON_NODES)).ok, true);
  assert.equal(parseJson(wide(MAX_JSON_NODES + 1)).ok, false);
});
