import assert from "node:assert/strict";
import { bindHost, durationMs, expandHome } from "../../../src/config.ts";

Deno.test("durations are whole milliseconds", () => {
  const table: readonly [string, number | undefined][] = [
    ["0m", 0],
    ["30m", 1_800_000],
    ["1h", 3_600_000],
    ["1.5h", 5_400_000],
    ["90s", 90_000],
    ["250ms", 250],
    ["1d", 86_400_000],
    ["5", 300_000],
    [" 5M ", 300_000],
    ["", undefined],
    ["m", undefined],
    ["-1m", undefined],
    ["1w", undefined],
    ["1h30m", undefined],
    ["99999999999d", undefined],
    ["1e3s", undefined],
  ];
  for (const [text, ms] of table) assert.equal(durationMs(text), ms, text);
});

Deno.test("bind words become addresses, and tailnet never a wider one", () => {
  assert.deepEqual(bindHost("loopback"), { host: "127.0.0.1" });
  assert.deepEqual(bindHost("auto"), { host: "127.0.0.1" });
  assert.deepEqual(bindHost("lan"), { host: "0.0.0.0" });
  assert.deepEqual(bindHost("10.2.3.4"), { host: "10.2.3.4" });
  assert.deepEqual(bindHost("custom", { customBindHost: "10.0.0.9" }), { host: "10.0.0.9" });
  assert.deepEqual(
    bindHost("tailnet", { addresses: ["10.0.0.1", "100.63.0.1", "100.64.0.7"] }),
    { host: "100.64.0.7" },
  );
  assert.equal(bindHost("tailnet", { addresses: ["10.0.0.1"] }).host, "127.0.0.1");
  assert.match(bindHost("tailnet").note ?? "", /no tailnet address/);
});

Deno.test("a leading ~ is the home folder", () => {
  assert.equal(expandHome("~", "/home/p"), "/home/p");
  assert.equal(expandHome("~/a", "/home/p/"), "/home/p/a");
  assert.equal(expandHome("/x/~/a", "/home/p"), "/x/~/a");
  assert.equal(expandHome("~other/a", "/home/p"), "~other/a");
});
