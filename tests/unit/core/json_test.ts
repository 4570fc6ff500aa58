import assert from "node:assert/strict";
import { isJsonObject, MAX_JSON_DEPTH, MAX_JSON_NODES, parseJson } from "../../../src/core/json.ts";

const HOSTILE = [
  {
    name: "a level too many",
    text: "[".repeat(MAX_JSON_DEPTH + 1) + "]".repeat(MAX_JSON_DEPTH + 1),
    says: /deeper than 64/,
  },
  {
    name: "100,000 levels",
    text: "[".repeat(100_000) + "]".repeat(100_000),
    says: /deeper than 64/,
  },
  {
    name: "100,000 levels that never close",
    text: '{"a":'.repeat(100_000),
    says: /deeper than 64/,
  },
  {
    name: "too many elements",
    text: `[${"1,".repeat(MAX_JSON_NODES)}1]`,
    says: /more than 50000 values/,
  },
  { name: "a prototype key", text: '{"__proto__":{"admin":true}}', says: /__proto__/ },
  {
    name: "a prototype key further down",
    text: '{"a":[{"b":{"__proto__":1}}]}',
    says: /__proto__/,
  },
  { name: "a prototype key in escapes", text: '{"\\u005f_proto__":1}', says: /__proto__/ },
  { name: "a lone surrogate in a value", text: '{"a":"\\ud800"}', says: /well-formed/ },
  { name: "a lone surrogate in a key", text: '{"\\udfff":1}', says: /well-formed/ },
];

Deno.test("hostile JSON is refused with its reason", () => {
  for (const { name, text, says } of HOSTILE) {
    const outcome = parseJson(text);
    assert.ok(!outcome.ok, name);
    assert.ok(outcome.reason === "hostile", `${name}: ${outcome.reason}`);
    assert.match(outcome.message, says, name);
  }
});

Deno.test("honest JSON parses to what JSON.parse gives", () => {
  const texts = [
    "null",
    '"text"',
    "[1,2,[3]]",
    '{"a":{"b":[true,false,null]}}',
    '{"text":"talks of __proto__ and \\u0041 and \\ud83d\\ude00"}',
    "[".repeat(MAX_JSON_DEPTH) + "]".repeat(MAX_JSON_DEPTH),
    JSON.stringify({ long: '[{\\"'.repeat(5_000), brackets: "]".repeat(5_000) }),
  ];
  for (const text of texts) {
    assert.deepEqual(parseJson(text), { ok: true, value: JSON.parse(text) }, text.slice(0, 60));
  }
});

Deno.test("what is no JSON is told apart from what is refused", () => {
  for (const text of ["", "hello", "{", "{'a':1}", "[1,]", "\u0000"]) {
    assert.deepEqual(parseJson(text), { ok: false, reason: "syntax" }, JSON.stringify(text));
  }
});

Deno.test("only objects with members count as objects", () => {
  assert.deepEqual([{}, [], null, "x", 1, undefined].map(isJsonObject), [
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
});

Deno.test("bytes are read as the text that they are in UTF-8; others are no JSON", () => {
  const bytes = new TextEncoder().encode('{"a":"ä"}');
  assert.deepEqual(parseJson(bytes), { ok: true, value: { a: "ä" } });
  assert.deepEqual(parseJson(bytes.subarray(0, 7)), { ok: false, reason: "syntax" });
  assert.deepEqual(parseJson(Uint8Array.of(0x22, 0xff, 0x22)), { ok: false, reason: "syntax" });
});
