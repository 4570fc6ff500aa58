import assert from "node:assert/strict";
import { parseConfig, portIssues, portsClash } from "../../../src/config.ts";

Deno.test("two ports clash where one address can be reached under both", () => {
  const table: readonly [one: string, other: string, clash: boolean][] = [
    ["127.0.0.1", "127.0.0.1", true],
    ["127.0.0.1", "localhost", true],
    ["LOCALHOST", "::1", true],
    ["0.0.0.0", "127.0.0.1", true],
    ["::", "127.0.0.1", true],
    ["::", "192.0.2.1", true],
    ["0.0.0.0", "192.0.2.1", true],
    ["0.0.0.0", "2001:db8::1", false],
    ["127.0.0.1", "192.0.2.1", false],
    ["127.0.0.2", "127.0.0.1", false],
  ];
  for (const [one, other, clash] of table) {
    for (const [a, b] of [[one, other], [other, one]] as const) {
      assert.equal(portsClash({ host: a, port: 5 }, { host: b, port: 5 }), clash, `${a} ${b}`);
      assert.ok(!portsClash({ host: a, port: 5 }, { host: b, port: 6 }));
      assert.ok(!portsClash({ host: a, port: 0 }, { host: b, port: 0 }));
    }
  }
});

Deno.test("a port of the settings that is the gateway's own is an issue of its key", () => {
  const issues = (settings: Readonly<Record<string, unknown>>, port = 7_000) => {
    const { config } = parseConfig(settings, { env: {} });
    return portIssues(config, { host: "127.0.0.1", port })
      .map(({ path, message }) => `${path} ${message}`);
  };
  const chat = { channels: { websocket: { port: 7_000 } } };
  assert.deepEqual(issues(chat), [
    "channels.websocket.port is 7000, which is the gateway's own port; choose another",
  ]);
  assert.deepEqual(issues(chat, 7_001), []);
  assert.deepEqual(issues({ channels: { websocket: { port: 7_000, enabled: false } } }), []);
  assert.deepEqual(issues({ control: { enabled: true, port: 7_000 } }), [
    "control.port is 7000, which is the gateway's own port; choose another",
  ]);
  assert.deepEqual(issues({ control: { enabled: true, port: 7_000, path: "c.sock" } }), []);
});
