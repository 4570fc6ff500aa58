import assert from "node:assert/strict";
import {
  defaultConfig,
  MAX_SETTINGS_ISSUES,
  modelChoice,
  parseConfig,
  parseConfigText,
  settingsFormat,
} from "../../../src/config.ts";
import { fixtureText } from "../../support/settings_file_text.ts";

async function load(name: string, env: Record<string, string> = {}) {
  const { record, issues } = await parseConfigText(fixtureText(name), {
    format: settingsFormat(name),
  });
  assert.deepEqual(issues, []);
  return parseConfig(record, { env });
}

Deno.test("what is not supported is named in a warning and does not fail", () => {
  const table: readonly [record: unknown, warnings: readonly [string, string][]][] = [
    [{ bogus: 1 }, [["bogus", "is not a setting of this gateway; kept, without effect"]]],
    [
      { gatway: {} },
      [[
        "gatway",
        'is not a setting of this gateway; kept, without effect; did you mean "gateway"?',
      ]],
    ],
    [
      { gateway: { prot: 1 } },
      [[
        "gateway.prot",
        'is not a setting of this gateway; kept, without effect; did you mean "port"?',
      ]],
    ],
    [
      { channels: { telegram: { botToken: "x" } } },
      [["channels.telegram", "is not supported; kept, without effect"]],
    ],
    [
      { gateway: { mode: "remote" } },
      [["gateway.mode", 'is "remote", which is not supported; kept, without effect']],
    ],
    [
      { models: { providers: { g: { baseUrl: "http://x", api: "github-copilot" } } } },
      [[
        "models.providers.g.api",
        'is "github-copilot", which is not supported; kept, without effect',
      ]],
    ],
    [
      { agents: { list: [{ id: "a", sandbox: {} }] } },
      [["agents.list.0.sandbox", "is not a setting of this gateway; kept, without effect"]],
    ],
    [
      { gateway: { auth: { token: "short" } } },
      [["gateway.auth.token", "is shorter than 16 characters and may be guessed"]],
    ],
    [
      { agents: { list: [{ id: "a", default: true }, { id: "b", default: true }] } },
      [["agents.list", "marks several agents as default; the first counts"]],
    ],
  ];
  for (const [record, expected] of table) {
    const { issues, warnings } = parseConfig(record, { env: {} });
    assert.deepEqual(issues, []);
    assert.deepEqual(warnings.map(({ path, message }) => [path, message]), expected);
  }
});

Deno.test("issues and warnings are bounded", () => {
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, 1]));
  const { warnings } = parseConfig(many, { env: {} });
  assert.equal(warnings.length, MAX_SETTINGS_ISSUES);
  assert.equal(warnings.at(-1)?.message, "and 901 more");
  const { issues } = parseConfig({ models: { providers: many } }, { env: {} });
  assert.equal(issues.length, MAX_SETTINGS_ISSUES);
});

Deno.test("a key is escaped and cut in a path", () => {
  const { warnings } = parseConfig({ [`\u001b]0;x\u0007${"y".repeat(5000)}`]: 1 }, { env: {} });
  assert.match(warnings[0]?.path ?? "", /^\\u\{1b\}\]0;x\\u\{7\}y+…$/);
  assert.ok((warnings[0]?.path.length ?? 0) < 300);
});

Deno.test("an openclaw.json of 2026.2 works as it is", async () => {
  const { config, issues, warnings } = await load("openclaw_2026_2.json");
  assert.deepEqual(issues, []);
  assert.equal(config.gateway.port, 18790);
  assert.equal(config.gateway.bind, "lan");
  assert.equal(config.gateway.auth.token, "gw-fixture-0a1b2c3d4e5f");
  assert.equal(config.models.providers.ollama?.baseUrl, "http://models.house.example:11434/v1");
  assert.equal(config.models.providers.claude?.apiKey, "or-fixture-5be1d7c2a9");
  assert.equal(config.models.providers.claude?.api, "anthropic-messages");
  assert.deepEqual(modelChoice(config.agents.defaults.model), { primary: "ollama/llama3.2" });
  assert.equal(config.agents.defaults.maxConcurrent, 2);
  assert.equal(config.agents.list[0]?.identity?.emoji, "🤖");
  assert.equal(config.agents.list[1]?.model, "claude/sonnet");
  assert.equal(config.session.idleMinutes, 720);
  assert.equal(config.logging.level, "debug");
  assert.deepEqual(warnings.map(({ path }) => path), [
    "wizard",
    "logging.consoleLevel",
    "models.mode",
    "models.providers.ollama.models.0.input",
    "models.providers.ollama.models.0.cost",
    "models.providers.claude.models.0.input",
    "models.providers.elsewhere.api",
    "agents.defaults.model.fallbacks",
    "agents.defaults.workspace",
    "agents.defaults.heartbeat.target",
    "agents.defaults.heartbeat.activeHours",
    "agents.defaults.subagents",
    "agents.list.1.workspace",
    "agents.list.1.sandbox",
    "session.idleMinutes",
    "session.resetTriggers",
    "session.dmScope",
    "messages",
    "channels.telegram",
    "channels.whatsapp",
    "hooks",
    "gateway.auth.allowTailscale",
    "gateway.controlUi.enabled",
    "gateway.controlUi.basePath",
    "gateway.tailscale",
    "gateway.reload",
    "plugins",
  ]);
});

Deno.test("a YAML file and a small JSON5 file are read", async () => {
  const yaml = await load("clawgate.yaml");
  assert.deepEqual(yaml.issues, []);
  assert.equal(yaml.config.gateway.port, 19001);
  assert.equal(yaml.config.gateway.bind, "192.168.7.2");
  assert.deepEqual(yaml.config.gateway.auth.remoteScopes, ["operator.read"]);
  assert.equal(yaml.config.models.providers.local?.apiKey, "block-fixture-key-19d3\n");
  assert.equal(yaml.config.agents.defaults.heartbeat.every, "0m");
  assert.equal(
    (await load("clawgate.json5")).config.gateway.auth.token,
    "json5-fixture-token-3c4d",
  );
  assert.deepEqual((await load("minimal.json")).config, defaultConfig());
});

Deno.test("two wires that cannot both listen are told of", () => {
  const issuesOf = (control: unknown, websocket: unknown) =>
    parseConfig({ control, channels: { websocket } }, { env: {} }).issues;
  const control = { enabled: true, port: 5_000 };
  const expected = [{
    path: "control.port",
    message: "is 5000, which channels.websocket.port has; only one of them can listen there",
  }];
  assert.deepEqual(issuesOf(control, { port: 5_000 }), expected);
  assert.deepEqual(issuesOf(control, { port: 5_000, host: "0.0.0.0" }), expected);
  assert.deepEqual(issuesOf({ ...control, host: "::1" }, { port: 5_000 }), expected);
  const fine: readonly [unknown, unknown][] = [
    [control, { port: 5_001 }],
    [control, { port: 5_000, enabled: false }],
    [control, { port: 5_000, host: "192.0.2.7" }],
    [{ ...control, enabled: false }, { port: 5_000 }],
    [{ ...control, path: "c.sock" }, { port: 5_000 }],
    [{ ...control, port: 0 }, { port: 0 }],
    [control, undefined],
  ];
  for (const [one, other] of fine) assert.deepEqual(issuesOf(one, other), []);
});
