import assert from "node:assert/strict";
import * as v from "valibot";
import { covers, grants, permits, type Principal, SCOPES } from "../../../src/core/access.ts";
import { createDispatch } from "../../../src/core/dispatch.ts";
import { GatewayError, toGatewayError } from "../../../src/core/error.ts";
import { checked, DEFAULT_TENANT, isConnectionId } from "../../../src/core/id.ts";
import { defineMethods, methodTable } from "../../../src/core/method.ts";

const method = defineMethods<{ readonly name: string }>((schema, params) =>
  v.parse(schema, params)
);

const TABLE = methodTable([[
  method({
    name: "greet",
    access: { role: "operator", scope: "operator.read" },
    summary: "Greets.",
    params: v.strictObject({ to: v.string() }),
    result: v.string(),
    handler: ({ to }, { name }) => `${name} greets ${to}`,
  }),
  method({
    name: "serve",
    access: { role: "node" },
    summary: "Serves.",
    params: v.unknown(),
    result: v.string(),
    handler: () => "served",
  }),
]]);

function principal(role: "operator" | "node", scopes: readonly string[]): Principal {
  const connection = checked("c1", isConnectionId);
  return {
    tenant: DEFAULT_TENANT,
    role,
    scopes,
    connection,
    credential: "shared",
    subject: "s",
    local: true,
  };
}

Deno.test("access is decided before the name is looked up", () => {
  const run = createDispatch(TABLE);
  const rows: readonly {
    role: "operator" | "node";
    scopes: readonly string[];
    name: string;
    says: string;
  }[] = [
    { role: "operator", scopes: ["operator.read"], name: "greet", says: "gate greets you" },
    { role: "operator", scopes: ["operator.write"], name: "greet", says: "gate greets you" },
    { role: "operator", scopes: ["operator.admin"], name: "greet", says: "gate greets you" },
    {
      role: "operator",
      scopes: ["operator.pairing"],
      name: "greet",
      says: "missing scope: operator.read",
    },
    { role: "operator", scopes: [], name: "greet", says: "missing scope: operator.read" },
    {
      role: "operator",
      scopes: ["operator.write"],
      name: "nope",
      says: "missing scope: operator.admin",
    },
    { role: "operator", scopes: ["operator.admin"], name: "nope", says: "unknown method: nope" },
    {
      role: "operator",
      scopes: ["operator.admin"],
      name: "a\nb",
      says: 'unknown method: "a\\u{a}b"',
    },
    {
      role: "operator",
      scopes: ["operator.admin"],
      name: "serve",
      says: "unauthorized role: operator",
    },
    { role: "node", scopes: [], name: "serve", says: "served" },
    { role: "node", scopes: ["operator.admin"], name: "greet", says: "unauthorized role: node" },
    { role: "node", scopes: [], name: "nope", says: "unauthorized role: node" },
  ];
  for (const { role, scopes, name, says } of rows) {
    let answer: unknown;
    try {
      const params = { to: "you" };
      answer = run({ method: name, params, principal: principal(role, scopes) }, { name: "gate" });
    } catch (thrown) {
      assert.ok(thrown instanceof GatewayError);
      assert.equal(thrown.code, "INVALID_REQUEST");
      answer = thrown.message;
    }
    assert.equal(answer, says, `${role} [${scopes}] ${name}`);
  }
});

Deno.test("a name may be defined once", () => {
  const [first] = [...TABLE.values()];
  assert.throws(() => methodTable([[first!], [first!]]), /"greet" is defined twice/);
});

Deno.test("admin grants all, write grants read, everything else only itself", () => {
  for (const needed of SCOPES) {
    assert.ok(grants(["operator.admin"], needed), needed);
    assert.ok(grants([needed], needed), needed);
    assert.ok(!grants(["something.else"], needed), needed);
    assert.equal(
      grants(["operator.write"], needed),
      ["operator.read", "operator.write"].includes(needed),
      needed,
    );
  }
  assert.ok(covers(["operator.write", "x"], ["operator.read", "x"]));
  assert.ok(
    !covers(["operator.admin"], ["x"]),
    "an unknown scope is granted by its own name alone",
  );
  assert.ok(permits({ role: "node" }, { role: "node", scopes: [] }));
});

Deno.test("a defect's text stays inside", () => {
  const answered = toGatewayError(new Error("token abc at /root/x"));
  assert.equal(answered.code, "UNAVAILABLE");
  assert.ok(!answered.message.includes("abc"));
  const own = new GatewayError("NOT_PAIRED", "pairing required");
  assert.equal(toGatewayError(own), own);
});
