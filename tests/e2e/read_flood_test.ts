/** One client that asks for as much as it can at once, while others want to be served. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { openSqliteStore } from "../../src/adapters/sqlite_store.ts";
import { MAX_WAITING_READS_PER_CALLER } from "../../src/services/session_reader.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { house, said, tenant } from "../support/session_house.ts";
import { inTempFolder } from "../support/temp_folder.ts";
import { WireClient } from "../support/wire_client.ts";

const READ = ["operator.read"];

/** How long others may have to wait, in milliseconds; a gateway that does one thing at a time takes ten times that. */
const PATIENCE_MS = 2_000;

/** Sessions of 50 long messages each. */
const KEYS = Array.from({ length: 64 }, (_, at) => `s${at}`);

async function furnish(stateDir: string): Promise<void> {
  const store = openSqliteStore({ path: join(stateDir, "clawgate.db") });
  const { sessions } = house({}, store);
  const messages = Array.from({ length: 50 }, () => said("x".repeat(3_000)));
  await Promise.all(
    KEYS.map((key) => sessions.append(tenant, sessions.canonicalKey(key), { messages })),
  );
  await store.close();
}

Deno.test("a client that asks for everything at once keeps nobody else waiting", async () => {
  await inTempFolder(async (stateDir) => {
    await furnish(stateDir);
    await using gateway = await GatewayProcess.start({ stateDir });
    const { url, token } = gateway;
    await using flood = await WireClient.connect(url, { token, scopes: READ });
    await using other = await WireClient.connect(url, { token, scopes: READ });
    const keys = [...KEYS, ...KEYS];
    for (let at = 0; at < 256; at++) {
      flood.post("sessions.preview", { keys, limit: 50, maxChars: 20 });
    }
    const began = performance.now();
    const { previews } = await other.call("sessions.preview", { keys: ["s0", "s0"], limit: 1 });
    const health = await fetch(`${gateway.httpUrl}/healthz`);
    assert.equal(health.status, 200);
    await health.body?.cancel();
    const tookMs = performance.now() - began;
    assert.equal(previews.length, 1);
    assert.ok(tookMs < PATIENCE_MS, `${tookMs} ms`);

    const refused = await flood.frame(({ ok }) => ok === false);
    assert.equal(refused.error?.code, "UNAVAILABLE");
    assert.equal(refused.error?.retryable, true);
    const served = () => flood.frames.filter(({ payload }) => payload?.previews?.length === 64);
    await flood.frame(() => served().length >= MAX_WAITING_READS_PER_CALLER, { what: "previews" });
  });
});
