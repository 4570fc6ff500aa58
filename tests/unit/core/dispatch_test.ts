import assert from "node:assert/strict";
import * as v from "valibot";
import { covers, grants, permits, type Principal, SCOPES } from "../../../src/core/access.ts";
import { createDispatch } from "../../../src/core/dispatch.ts";
import { GatewayError, toGatewayError } from "../../../src/core/error.ts";
import { checked, DEFAULT_TENANT, isConnectionId } from "../../../src/core/id.ts";
import { defineMethods, methodTable } from "../../../src/core/method.ts";
import {
  StoreConflict,
  StoreFull,
  StoreMisuse,
  StoreUnavailable,
} from "../../../src/ports/store.ts";

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

/** What the log may hold and no client may see. */
const INSIDE = 'cannot write to the database "/home/me/.clawgate/clawgate.db" (token abc)';

Deno.test("a store that fails is told in its own words, which hold nothing of what it threw", () => {
  const cause = new Error(INSIDE);
  const rows: readonly { failure: Error; says: RegExp; retryable?: true }[] = [
    {
      failure: new StoreUnavailable(INSIDE, { cause }),
      says: /^the gateway's database cannot serve now; try again in a moment$/,
      retryable: true,
    },
    {
      failure: new StoreUnavailable(INSIDE, { cause, lasting: true }),
      says: /^the gateway's database is out of order; .* the remedy in its log$/,
    },
    {
      failure: new StoreFull(INSIDE, { cause }),
      says: /^the gateway has no room to store this; delete sessions .*, then try again$/,
    },
    // Defects: another writer that nobody waited for, and an argument that no store takes.
    {
      failure: new StoreConflict({ tenant: "t", kind: "session", id: "secret" }),
      says: /^internal error; see the gateway's log$/,
      retryable: true,
    },
    {
      failure: new StoreMisuse(INSIDE),
      says: /^internal error; see the gateway's log$/,
      retryable: true,
    },
  ];
  for (const { failure, says, retryable } of rows) {
    const table = methodTable([[
      method({
        name: "fail",
        access: { role: "operator", scope: "operator.read" },
        summary: "Fails.",
        params: v.unknown(),
        result: v.string(),
        handler: () => {
          throw failure;
        },
      }),
    ]]);
    const caller = principal("operator", ["operator.admin"]);
    const call = { method: "fail", params: {}, principal: caller };
    let thrown: unknown;
    try {
      createDispatch(table)(call, { name: "gate" });
    } catch (error) {
      thrown = error;
    }
    assert.equal(thrown, failure, "the log gets what was thrown");
    const answered = toGatewayError(thrown);
    assert.equal(answered.code, "UNAVAILABLE");
    assert.match(answered.message, says);
    assert.equal(answered.extras.retryable, retryable, answered.message);
    assert.doesNotMatch(answered.message, /[/\\"]|clawgate\.db|token|secret/);
    assert.equal(answered.cause, undefined);
  }
});
