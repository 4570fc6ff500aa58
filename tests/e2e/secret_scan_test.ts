/** The search for secrets that every gateway process of the tests is put through when it ends. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { GatewayProcess, PROJECT_ROOT } from "../support/gateway_process.ts";
import { SECRETS } from "../support/secret_watch.ts";
import { WireClient } from "../support/wire_client.ts";

Deno.test("S10 a gateway that shows a secret anywhere fails its test", async () => {
  await using gateway = await GatewayProcess.start({ settings: { logging: { level: "trace" } } });
  const { url, token, stateDir } = gateway;
  await using client = await WireClient.connect(url, { token, scopes: ["operator.admin"] });
  await client.request("a-method-of-this-name");
  // What it shows on purpose, taken for secrets for once.
  SECRETS.add("the folder", stateDir.slice("/tmp/".length));
  SECRETS.add("the metric", "clawgate_openclaw_frames_total");
  SECRETS.add("the method", "a-method-of-this-name");
  const { message } = await gateway.stop().then(() => assert.fail("it passed"), (error) => error);
  for (
    const leak of [
      "stdout holds the folder",
      "the process title holds the folder",
      "the metrics holds the metric",
      "the log clawgate.log holds the folder",
      "an error answer holds the method",
    ]
  ) {
    assert.ok(message.includes(leak), `${leak}: ${message}`);
  }
});

Deno.test("S10 no end-to-end test starts a gateway process that is not searched", async () => {
  // Those that start programs themselves: benchmarks, whose gateways are on their own, the command line,
  // whose gateways it hands over to the search, and tests that start clients.
  const allowed = new Map([
    ["bench_test.ts", /bench\/main\.ts/],
    ["cli_test.ts", /assertNothingShown\(/],
    ["control_test.ts", /GatewayProcess\.start\(/],
    ["fairness_test.ts", /GatewayProcess\.start\(/],
    ["tls_test.ts", /GatewayProcess\.start\(/],
    ["websocket_clients_test.ts", /listenTcp\(/],
  ]);
  for (const folder of ["tests/e2e", "tests/browser"]) {
    for await (const { name } of Deno.readDir(join(PROJECT_ROOT, folder))) {
      const source = await Deno.readTextFile(join(PROJECT_ROOT, folder, name));
      if (!source.includes(`new Deno.${"Command"}(`)) continue;
      assert.match(source, allowed.get(name) ?? /^$/, `${folder}/${name} starts programs itself`);
    }
  }
});
