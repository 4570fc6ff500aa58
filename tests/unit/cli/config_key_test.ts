import assert from "node:assert/strict";
import { checkKey, parseKey, patchFor } from "../../../src/cli/config_key.ts";
import { CommandFailed, EXIT } from "../../../src/cli/exit_code.ts";
import type { Json } from "../../../src/ports/store.ts";

const KEYS: readonly (readonly [string, readonly string[]])[] = [
  ["gateway.port", ["gateway", "port"]],
  ["agents.list[0].name", ["agents", "list", "0", "name"]],
  ["agents.list.0.name", ["agents", "list", "0", "name"]],
  ["models.providers.my\\.host.baseUrl", ["models", "providers", "my.host", "baseUrl"]],
];

for (const [text, keys] of KEYS) {
  Deno.test(`${text} is ${keys.join(" ")}`, () => assert.deepEqual(parseKey(text), keys));
}

for (const text of ["", ".", "a.", ".a", "a..b", "__proto__.x", "a.constructor", "x".repeat(501)]) {
  Deno.test(`${JSON.stringify(text.slice(0, 20))} names no setting`, () => {
    assert.throws(() => parseKey(text), (error) => {
      assert(error instanceof CommandFailed);
      assert.equal(error.code, EXIT.usage);
      return true;
    });
  });
}

for (
  const key of [
    "gateway.port",
    "gateway.auth.token",
    "agents.list.0.identity.name",
    "models.providers.ollama.baseUrl",
    "channels.telegram.whatever.there.is",
    "gateway",
  ]
) {
  Deno.test(`${key} is a setting`, () => checkKey(parseKey(key)));
}

const MISTYPED: readonly (readonly [string, RegExp])[] = [
  ["gatway.port", /^did you mean "gateway.port"\?$/],
  ["gateway.prot", /^did you mean "gateway.port"\?$/],
  ["gateway.auth.tokn", /^did you mean "gateway.auth.token"\?$/],
  ["agents.list.0.nmae", /^did you mean "agents.list.0.name"\?$/],
  ["gateway.port.number", /^gateway.port is a single value$/],
  ["nothing", /^there are: gateway, /],
  ["agents.list.first", /^agents.list is a single value$|^below agents.list/],
];

for (const [key, hint] of MISTYPED) {
  Deno.test(`${key} is none, and the hint helps`, () => {
    assert.throws(() => checkKey(parseKey(key)), (error) => {
      assert(error instanceof CommandFailed);
      assert.equal(error.code, EXIT.usage);
      assert.match(error.hint ?? "", hint);
      return true;
    });
  });
}

const CURRENT: Json = {
  gateway: { port: 1 },
  deep: { a: { b: { c: 1 } }, d: { e: 1, f: 2 } },
  list: [{ id: "a", name: "A" }, { id: "b" }],
};

const PATCHES: readonly (readonly [string, Json, Json])[] = [
  ["gateway.port", 5, { gateway: { port: 5 } }],
  ["gateway.port", null, { gateway: null }],
  ["deep.a.b.c", null, { deep: { a: null } }],
  ["deep.a.b", null, { deep: { a: null } }],
  ["deep.d.e", null, { deep: { d: { e: null } } }],
  ["deep.x.y", null, {}],
  ["absent", null, {}],
  ["gateway.auth.token", "t", { gateway: { auth: { token: "t" } } }],
  ["list.0.name", "Z", { list: [{ id: "a", name: "Z" }, { id: "b" }] }],
  ["list.0.name", null, { list: [{ id: "a" }, { id: "b" }] }],
  ["list.0", null, { list: [{ id: "b" }] }],
  ["list.2.id", "c", { list: [{ id: "a", name: "A" }, { id: "b" }, { id: "c" }] }],
  ["list.1.deep.er", 1, { list: [{ id: "a", name: "A" }, { id: "b", deep: { er: 1 } }] }],
];

for (const [key, value, patch] of PATCHES) {
  Deno.test(`setting ${key} to ${JSON.stringify(value)} changes that alone`, () => {
    assert.deepEqual(patchFor(parseKey(key), value, CURRENT), patch);
  });
}

Deno.test("an element beyond the end of a list cannot be set", () => {
  assert.throws(() => patchFor(["list", "3"], {}, CURRENT), /not an element of a list of 2/);
  assert.throws(() => patchFor(["list", "x"], {}, CURRENT), /not an element of a list of 2/);
});
