import assert from "node:assert/strict";
import { editJson5 } from "../../../src/config/json5_text.ts";
import type { Json } from "../../../src/ports/store.ts";
import { isObject } from "../../../src/services/json_value.ts";

Deno.test("a JSON5 text is edited in place", () => {
  const table: readonly [before: string, next: Json, after: string][] = [
    ["{ a: 1 }", { a: 2 }, "{ a: 2 }"],
    ["{\n  // note\n  a: 1, // one\n}\n", { a: 2 }, "{\n  // note\n  a: 2, // one\n}\n"],
    ["{\n  a: 1,\n  b: 2,\n}", { b: 2 }, "{\n  b: 2,\n}"],
    ["{\n  a: 1,\n  b: 2\n}", { a: 1 }, "{\n  a: 1,\n}"],
    ["{\n  a: 1\n}", { a: 1, b: { c: 2 } }, '{\n  a: 1,\n  "b": {\n    "c": 2\n  }\n}'],
    ["{\n  a: 1, // x\n}", { a: 1, b: 2 }, '{\n  a: 1,\n  "b": 2, // x\n}'],
    ["{}", { a: 1 }, '{\n  "a": 1,\n}'],
    ["{\n  // nothing yet\n}", { a: 1 }, '{\n  "a": 1,\n  // nothing yet\n}'],
    ["{ a: { x: 1 /* k */ } }", { a: { x: "y" } }, '{ a: { x: "y" /* k */ } }'],
    ["{ a: [1, 2] }", { a: [3] }, "{ a: [\n  3\n] }"],
    ["{ 'q\\u0041': 1, $b: .5 }", { qA: 1, $b: 2 }, "{ 'q\\u0041': 1, $b: 2 }"],
    ["{ a: '//no', b: 1 }", { a: "//no", b: 2 }, "{ a: '//no', b: 2 }"],
  ];
  for (const [before, next, after] of table) {
    if (!isObject(next)) throw new TypeError("a case is no object");
    assert.equal(editJson5(before, next), after, before);
  }
  assert.equal(editJson5("{", {}), undefined);
  // A key written twice is written anew.
  assert.equal(editJson5("{ a: 1, a: 2 }", { a: 3 }), '{\n  "a": 3\n}');
});
