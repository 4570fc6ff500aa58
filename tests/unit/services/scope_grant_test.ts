import assert from "node:assert/strict";
import {
  beyond,
  cutScopes,
  knownScopes,
  sharedCeiling,
  wantedScopes,
} from "../../../src/services/scope_grant.ts";
import { SCOPES } from "../../../src/core/access.ts";

Deno.test("only scopes that mean something are kept, once and sorted", () => {
  assert.deepEqual(
    knownScopes(["operator.write", "root", "operator.read", "operator.write", ""]),
    ["operator.read", "operator.write"],
  );
});

Deno.test("what is asked is cut to what is held; admin holds all, write holds read", () => {
  const cases: readonly [readonly string[], readonly string[], readonly string[]][] = [
    [["operator.admin", "operator.read"], ["operator.read"], ["operator.read"]],
    [["operator.read"], ["operator.write"], ["operator.read"]],
    [["operator.write"], ["operator.read"], []],
    [["operator.pairing", "operator.admin"], ["operator.admin"], [
      "operator.admin",
      "operator.pairing",
    ]],
    [["operator.approvals"], [], []],
    [["anything"], ["operator.admin", "anything"], []],
  ];
  for (const [wanted, held, expected] of cases) {
    assert.deepEqual(cutScopes(wanted, held), expected);
    assert.deepEqual(
      [...cutScopes(wanted, held), ...beyond(wanted, held)].sort(),
      knownScopes(wanted),
    );
  }
});

Deno.test("who asks for nothing wants the default, a node wants no scopes", () => {
  const operator = (scopes: string[] | undefined) => ({ role: "operator", scopes }) as const;
  const readWrite = ["operator.read", "operator.write"];
  assert.deepEqual(wantedScopes(operator(undefined), {}), readWrite);
  assert.deepEqual(wantedScopes(operator([]), {}), readWrite);
  assert.deepEqual(wantedScopes(operator(undefined), { defaultScopes: ["operator.admin"] }), [
    "operator.admin",
  ]);
  assert.deepEqual(wantedScopes(operator(["made-up"]), {}), []);
  assert.deepEqual(wantedScopes({ role: "node", scopes: ["operator.admin"] }, {}), []);
});

Deno.test("the shared secret grants everything on this host, read and write from afar", () => {
  assert.deepEqual(sharedCeiling(true, { remoteScopes: [] }), SCOPES);
  assert.deepEqual(sharedCeiling(false, {}), ["operator.read", "operator.write"]);
  assert.deepEqual(sharedCeiling(false, { remoteScopes: ["operator.pairing", "x"] }), [
    "operator.pairing",
  ]);
});
