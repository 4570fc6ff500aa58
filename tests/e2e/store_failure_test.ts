/** What clients are told while the gateway cannot use its database. */

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { statePaths } from "../../src/config/state_files.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { WireClient } from "../support/wire_client.ts";

const ADMIN = ["operator.admin"];

Deno.test("a locked database is told as one, without its path, and the same call succeeds afterwards", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token, stateDir } = gateway;
  await using client = await WireClient.connect(url, { token, scopes: ADMIN });
  const calls = [
    ["sessions.patch", { key: "main", label: "kept" }],
    ["chat.send", { sessionKey: "main", message: "hello", idempotencyKey: "1" }],
  ] as const;
  const other = new DatabaseSync(statePaths(stateDir).database);
  try {
    other.exec("BEGIN IMMEDIATE");
    for (const [method, params] of calls) {
      const { error } = await client.request(method, params);
      assert.equal(error?.code, "UNAVAILABLE", method);
      assert.equal(error?.retryable, true, method);
      assert.match(error?.message ?? "", /database cannot serve now|could not be stored/, method);
      assert.ok(!JSON.stringify(error).includes(stateDir), method);
    }
    other.exec("ROLLBACK");
  } finally {
    other.close();
  }
  for (const [method, params] of calls) assert.ok(await client.call(method, params), method);
  assert.match(await gateway.logText(), /clawgate\.db.*another program keeps it locked/);
});
