/** Every method with every role, scope and credential, over real connections. */

import assert from "node:assert/strict";
import { isScope, type Scope, SCOPES } from "../../src/core/access.ts";
import { METHODS } from "../../src/protocols/openclaw/method_table.ts";
import { TestDevice } from "../support/device_key.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { type ConnectOptions, WireClient } from "../support/wire_client.ts";

/** What each scope lets its holder do, written out by hand. */
const INCLUDED: Readonly<Record<Scope, readonly Scope[]>> = {
  "operator.read": ["operator.read"],
  "operator.write": ["operator.write", "operator.read"],
  "operator.approvals": ["operator.approvals"],
  "operator.pairing": ["operator.pairing"],
  "operator.admin": SCOPES,
};

/** Names that are no method of this gateway; some are members of every object, some of the document. */
const UNKNOWN = [
  "nope",
  "HEALTH",
  "health ",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "node.invoke.result",
  "node.invoke",
  "exec.approval.resolve",
  "poll",
  "config",
  "config.",
  "device.pair.approve\u0000",
].filter((name) => !METHODS.has(name));

/** Parameters that no method takes; those that look at none answer without them. */
const NO_PARAMS = "not an object";

const CREDENTIALS = ["shared token", "device with the shared token", "device token"] as const;

type Credential = typeof CREDENTIALS[number];

for (const credential of CREDENTIALS) {
  Deno.test(`S15 each method answers to its own role and scope alone (${credential})`, async () => {
    await using gateway = await GatewayProcess.start();
    let cells = 0;
    for (const scope of SCOPES) {
      cells += await checkRow(gateway, { credential, role: "operator", scopes: [scope] });
    }
    cells += await checkRow(gateway, { credential, role: "operator", scopes: [] });
    cells += await checkRow(gateway, {
      credential,
      role: "operator",
      scopes: ["operator.approvals", "operator.pairing"],
    });
    cells += await checkRow(gateway, { credential, role: "operator", scopes: ["operator.none"] });
    cells += await checkRow(gateway, { credential, role: "node", scopes: [] });
    assert.equal(cells, 9 * (METHODS.size + UNKNOWN.length));
  });
}

interface Row {
  readonly credential: Credential;
  readonly role: "operator" | "node";
  /** As asked for. */
  readonly scopes: readonly string[];
}

/** Calls every method as one party; returns how many calls that were. */
async function checkRow(gateway: GatewayProcess, row: Row): Promise<number> {
  await using client = await enter(gateway, row);
  const calls = [...METHODS.keys(), ...UNKNOWN];
  const answers = await Promise.all(calls.map((method) => client.request(method, NO_PARAMS)));
  for (const [index, method] of calls.entries()) {
    const { ok, error } = answers[index] ?? {};
    const expected = refusal(method, row);
    const cell = `${method} as ${row.role} [${row.scopes}] with ${row.credential}`;
    if (expected === undefined) {
      assert.doesNotMatch(error?.message ?? "", /^(missing scope|unauthorized|unknown me)/, cell);
      continue;
    }
    assert.equal(ok, false, cell);
    assert.deepEqual(error, { code: "INVALID_REQUEST", message: expected }, cell);
  }
  return calls.length;
}

/** What the gateway says; undefined when the party may call the method. */
function refusal(method: string, { role, scopes }: Row): string | undefined {
  const access = METHODS.get(method)?.access ?? { role: "operator", scope: "operator.admin" };
  if (access.role !== role) return `unauthorized role: ${role}`;
  const asked = scopes.length === 0 && role === "operator"
    ? ["operator.read", "operator.write"]
    : scopes;
  const held = asked.flatMap((scope) => isScope(scope) ? INCLUDED[scope] : []);
  if (access.scope !== undefined && !held.some((scope) => scope === access.scope)) {
    return `missing scope: ${access.scope}`;
  }
  if (METHODS.has(method)) return undefined;
  return `unknown method: ${
    /^[\w.-]+$/.test(method) ? method : JSON.stringify(method).replace("\\u0000", "\\u{0}")
  }`;
}

async function enter(gateway: GatewayProcess, row: Row): Promise<WireClient> {
  const { url, token } = gateway;
  const { credential, role, scopes } = row;
  const options: ConnectOptions = { token, role, scopes };
  if (credential === "shared token") return await WireClient.connect(url, options);
  const device = await TestDevice.create();
  const first = await WireClient.open(url);
  const { auth } = await first.connect({ ...options, device });
  if (credential === "device with the shared token") return first;
  await first[Symbol.asyncDispose]();
  return await WireClient.connect(url, { ...options, device, token: auth.deviceToken });
}
