import assert from "node:assert/strict";
import { defaultConfig, parseConfig } from "../../../src/config.ts";
import { type Setting, SETTINGS } from "../../../src/config/setting_tree.ts";
import { recordAt, valueAt } from "../../support/dotted_path.ts";

const TOKEN = "a-token-of-fair-length";

Deno.test("an empty record gives every default", () => {
  const { config, issues, warnings } = parseConfig({}, { env: {} });
  assert.deepEqual(issues, []);
  assert.deepEqual(warnings, []);
  const expected: unknown = {
    gateway: {
      port: 18789,
      bind: "loopback",
      auth: {
        remoteScopes: ["operator.read", "operator.write"],
        defaultScopes: ["operator.read", "operator.write"],
      },
      trustedProxies: [],
      allowedHosts: [],
      controlUi: { allowedOrigins: [] },
    },
    models: { providers: {} },
    agents: {
      defaults: {
        model: { primary: "local/assistant" },
        heartbeat: { every: "30m" },
        maxConcurrent: 4,
      },
      list: [],
    },
    session: { scope: "per-sender", mainKey: "main", resetTriggers: ["/new", "/reset"] },
    channels: {},
    control: { enabled: false, port: 18791, host: "127.0.0.1", log: false },
    logging: { level: "info" },
    env: { vars: {} },
    meta: {},
  };
  assert.deepEqual(config, expected);
  assert.deepEqual(defaultConfig(), expected);
});

Deno.test("every setting takes its good values", () => {
  const table: readonly [path: string, values: readonly unknown[]][] = [
    ["gateway.port", [0, 1, 18789, 65535]],
    ["control.host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"]],
    ["control.path", ["control.sock", "~/run/control.sock"]],
    ["gateway.mode", ["local", "remote"]],
    ["gateway.bind", ["loopback", "lan", "auto", "tailnet", "127.0.0.1", "::1", "host.example"]],
    ["gateway.customBindHost", ["10.0.0.2", "fe80::1", "my-host"]],
    ["gateway.auth.mode", ["token"]],
    ["gateway.auth.token", [TOKEN]],
    ["gateway.auth.password", ["correct horse battery"]],
    ["gateway.auth.remoteScopes", [[], ["operator.read", "operator.admin"]]],
    ["gateway.auth.defaultScopes", [[], ["operator.approvals", "operator.pairing"]]],
    ["gateway.trustedProxies", [[], ["10.0.0.1", "10.0.0.0/8", "fd00::/8"]]],
    ["gateway.allowedHosts", [["gw.example", "10.1.1.1"]]],
    ["gateway.controlUi.allowedOrigins", [["https://a.example", "http://b.example:8080"]]],
    ["models.mode", ["merge", "replace"]],
    ["models.providers.p.baseUrl", ["http://127.0.0.1:11434/v1", "https://api.example"]],
    ["agents.defaults.model", ["a/b", { primary: "a/b" }, { primary: "a/b", fallbacks: ["c/d"] }]],
    ["agents.defaults.workspace", ["~/work"]],
    ["agents.defaults.heartbeat.every", ["30m", "1h", "0m", "90s", "500ms", "1.5h", "15", "2d"]],
    ["agents.defaults.heartbeat.prompt", ["Anything to do?"]],
    ["agents.defaults.heartbeat.target", ["last", "none"]],
    ["agents.defaults.heartbeat.ackMaxChars", [0, 300]],
    ["agents.defaults.maxConcurrent", [1, 4, 1000]],
    ["agents.list", [[], [{ id: "a" }], [{ id: "a", default: true, name: "A", model: "x/y" }]]],
    ["session.scope", ["per-sender", "global"]],
    ["session.mainKey", ["main"]],
    ["session.idleMinutes", [1, 60]],
    ["session.resetTriggers", [[], ["/again"]]],
    ["channels", [{}, { telegram: { enabled: true } }]],
    ["logging.level", ["silent", "fatal", "error", "warn", "info", "debug", "trace"]],
    ["logging.file", ["~/gateway.log"]],
    ["env.vars.NAME", ["value"]],
    ["env.OTHER", ["value"]],
    ["meta.lastTouchedVersion", ["2026.2.3-1"]],
  ];
  for (const [path, values] of table) {
    for (const value of values) {
      const record = recordAt(path, value);
      const { config, issues } = parseConfig(record, { env: {} });
      if (path.startsWith("models.providers.p.")) {
        assert.deepEqual(config.models.providers.p, {
          baseUrl: value,
          api: "openai-completions",
          models: [],
        });
      } else {
        assert.deepEqual(valueAt(config, path), value, `${path} = ${JSON.stringify(value)}`);
      }
      assert.deepEqual(issues, [], `${path} = ${JSON.stringify(value)}`);
    }
  }
});

Deno.test("every setting refuses bad values with its path and words", () => {
  const port = "must be a whole number from 0 to 65535";
  const bind = "must be loopback, lan, auto, tailnet, custom, an IP address or a host name";
  const scope = "must be one of operator.read, operator.write, operator.approvals, " +
    "operator.pairing, operator.admin";
  const loopback =
    "must be loopback, such as 127.0.0.1 or ::1, as the control channel asks for no secret";
  const every = "must be a duration such as 30m, 1h or 0m";
  const model = "must be a model as text (provider/id) or an object with primary and fallbacks";
  const table: readonly [path: string, value: unknown, where: string, message: string][] = [
    ["gateway", 5, "gateway", "must be an object; got 5"],
    ["gateway", null, "gateway", "must be an object; got null"],
    ["gateway", [], "gateway", "must be an object; got a list"],
    ["models.providers.p", [], "models.providers.p", "must be an object; got a list"],
    ["agents.defaults.model", [], "agents.defaults.model", "must be an object; got a list"],
    ["agents.list", [[]], "agents.list.0", "must be an object; got a list"],
    ["control.host", "0.0.0.0", "control.host", `${loopback}; got "0.0.0.0"`],
    ["control.host", "192.168.1.2", "control.host", `${loopback}; got "192.168.1.2"`],
    ["control.host", "example.org", "control.host", `${loopback}; got "example.org"`],
    ["control.host", "", "control.host", `${loopback}; got ""`],
    ["control.enabled", "yes", "control.enabled", 'must be true or false; got "yes"'],
    ["control.port", 70000, "control.port", `${port}; got 70000`],
    ["control.path", "", "control.path", 'must not be empty; got ""'],
    ["gateway.port", "abc", "gateway.port", `${port}; got "abc"`],
    ["gateway.port", "18789", "gateway.port", `${port}; got "18789"`],
    ["gateway.port", 70000, "gateway.port", `${port}; got 70000`],
    ["gateway.port", -1, "gateway.port", `${port}; got -1`],
    ["gateway.port", 1.5, "gateway.port", `${port}; got 1.5`],
    ["gateway.port", null, "gateway.port", `${port}; got null`],
    ["gateway.port", "\u001b[31m", "gateway.port", `${port}; got "\\u{1b}[31m"`],
    ["gateway.bind", "not a host", "gateway.bind", `${bind}; got "not a host"`],
    ["gateway.bind", "300.1.1.1", "gateway.bind", `${bind}; got "300.1.1.1"`],
    ["gateway.bind", "", "gateway.bind", `${bind}; got ""`],
    ["gateway.bind", "custom", "gateway.customBindHost", "is required when gateway.bind is custom"],
    [
      "gateway.auth.mode",
      "none",
      "gateway.auth.mode",
      'must be one of token, password; got "none"',
    ],
    ["gateway.auth.token", 12345, "gateway.auth.token", "must be text"],
    ["gateway.auth.token", ["x"], "gateway.auth.token", "must be text; got a list"],
    ["gateway.auth.remoteScopes", ["root"], "gateway.auth.remoteScopes.0", `${scope}; got "root"`],
    ["gateway.auth.defaultScopes", "x", "gateway.auth.defaultScopes", 'must be a list; got "x"'],
    [
      "gateway.trustedProxies",
      ["proxy"],
      "gateway.trustedProxies.0",
      'must be an IP address or a range; got "proxy"',
    ],
    [
      "gateway.trustedProxies",
      ["10.0.0.0/33"],
      "gateway.trustedProxies.0",
      'must be an IP address or a range; got "10.0.0.0/33"',
    ],
    [
      "gateway.controlUi.allowedOrigins",
      ["*"],
      "gateway.controlUi.allowedOrigins.0",
      'must be an origin such as https://example.org; got "*"',
    ],
    [
      "gateway.controlUi.allowedOrigins",
      ["https://a.example/path"],
      "gateway.controlUi.allowedOrigins.0",
      'must be an origin such as https://example.org; got "https://a.example/path"',
    ],
    [
      "gateway.allowedHosts",
      ["https://a"],
      "gateway.allowedHosts.0",
      'must be a host name, without scheme or path; got "https://a"',
    ],
    ["models.providers.p", {}, "models.providers.p.baseUrl", "is required"],
    [
      "models.providers.p",
      { baseUrl: "ftp://x" },
      "models.providers.p.baseUrl",
      'must be an address that begins with http:// or https://; got "ftp://x"',
    ],
    [
      "models.providers.p",
      { baseUrl: "http://x", api: "smtp" },
      "models.providers.p.api",
      "must be one of openai-completions, anthropic-messages, openai-responses, " +
      'google-generative-ai, github-copilot, bedrock-converse-stream; got "smtp"',
    ],
    [
      "models.providers.p",
      { baseUrl: "http://x", apiKey: 99 },
      "models.providers.p.apiKey",
      "must be text",
    ],
    [
      "models.providers.p",
      { baseUrl: "http://x", models: [{}] },
      "models.providers.p.models.0.id",
      "is required",
    ],
    ["agents.defaults.model", 5, "agents.defaults.model", `${model}; got 5`],
    ["agents.defaults.model", { primary: 5 }, "agents.defaults.model", `${model}; got an object`],
    [
      "agents.defaults.heartbeat.every",
      "soon",
      "agents.defaults.heartbeat.every",
      `${every}; got "soon"`,
    ],
    [
      "agents.defaults.heartbeat.every",
      "-5m",
      "agents.defaults.heartbeat.every",
      `${every}; got "-5m"`,
    ],
    [
      "agents.defaults.heartbeat.every",
      30,
      "agents.defaults.heartbeat.every",
      "must be text; got 30",
    ],
    [
      "agents.defaults.maxConcurrent",
      0,
      "agents.defaults.maxConcurrent",
      "must be a whole number from 1 to 1000; got 0",
    ],
    ["agents.list", [{}], "agents.list.0.id", "is required"],
    [
      "agents.list",
      [{ id: "../x" }],
      "agents.list.0.id",
      'must be 1 to 64 letters, digits, dashes or underscores; got "../x"',
    ],
    [
      "agents.list",
      [{ id: "a" }, { id: "A" }],
      "agents.list.1.id",
      'is the id of another agent already; got "A"',
    ],
    ["session.scope", "all", "session.scope", 'must be one of per-sender, global; got "all"'],
    ["session.mainKey", "", "session.mainKey", 'must not be empty; got ""'],
    ["channels", [], "channels", "must be an object; got a list"],
    [
      "logging.level",
      "loud",
      "logging.level",
      'must be one of silent, fatal, error, warn, info, debug, trace; got "loud"',
    ],
    ["env.KEY", 5, "env.KEY", "must be text"],
  ];
  for (const [path, value, where, message] of table) {
    const { config, issues } = parseConfig(recordAt(path, value), { env: {} });
    assert.deepEqual(issues, [{ path: where, message }], `${path} = ${JSON.stringify(value)}`);
    assert.deepEqual(config, defaultConfig());
  }
});

/** What the gateway acts on or tells its clients; everything else that the schema has is marked unused. */
const READ_BY_THE_GATEWAY: readonly string[] = [
  "agents.defaults.heartbeat.every",
  "agents.defaults.heartbeat.prompt",
  "agents.defaults.maxConcurrent",
  "agents.defaults.model.primary",
  "agents.list[].default",
  "agents.list[].heartbeat.every",
  "agents.list[].heartbeat.prompt",
  "agents.list[].id",
  "agents.list[].identity.avatar",
  "agents.list[].identity.emoji",
  "agents.list[].identity.name",
  "agents.list[].identity.theme",
  "agents.list[].model.primary",
  "agents.list[].name",
  "channels.websocket.allowPublicWithoutAuth",
  "channels.websocket.allowedOrigins[]",
  "channels.websocket.auth.enabled",
  "channels.websocket.auth.endpoint",
  "channels.websocket.auth.required",
  "channels.websocket.auth.timeout",
  "channels.websocket.blockChars",
  "channels.websocket.dynamicAgentCreation.agentDirTemplate",
  "channels.websocket.dynamicAgentCreation.enabled",
  "channels.websocket.dynamicAgentCreation.maxAgents",
  "channels.websocket.dynamicAgentCreation.useConfigured",
  "channels.websocket.dynamicAgentCreation.workspaceTemplate",
  "channels.websocket.enabled",
  "channels.websocket.gatewayPath",
  "channels.websocket.host",
  "channels.websocket.maxConnectionsPerAddress",
  "channels.websocket.media.folder",
  "channels.websocket.media.maxBytes",
  "channels.websocket.media.types[]",
  "channels.websocket.messagesPerMinute",
  "channels.websocket.path",
  "channels.websocket.port",
  "channels.websocket.streamMode",
  "control.enabled",
  "control.host",
  "control.log",
  "control.path",
  "control.port",
  "env.*",
  "env.vars.*",
  "gateway.allowedHosts[]",
  "gateway.auth.defaultScopes[]",
  "gateway.auth.mode",
  "gateway.auth.password",
  "gateway.auth.remoteScopes[]",
  "gateway.auth.token",
  "gateway.bind",
  "gateway.controlUi.allowedOrigins[]",
  "gateway.customBindHost",
  // `local` is what a gateway is; `remote` is warned of.
  "gateway.mode",
  "gateway.port",
  "gateway.tls.certPath",
  "gateway.tls.enabled",
  "gateway.tls.keyPath",
  "gateway.trustedProxies[]",
  "logging.file",
  "logging.level",
  // Notes of the program that wrote the file, shown as they are.
  "meta.lastTouchedAt",
  "meta.lastTouchedVersion",
  "models.providers.*.api",
  "models.providers.*.apiKey",
  "models.providers.*.baseUrl",
  "models.providers.*.headers.*",
  "models.providers.*.models[].contextWindow",
  "models.providers.*.models[].id",
  "models.providers.*.models[].maxTokens",
  "models.providers.*.models[].name",
  "models.providers.*.models[].reasoning",
  "session.mainKey",
  "session.scope",
];

Deno.test("every setting is read by the gateway or marked unused", () => {
  const used: string[] = [];
  const walk = (setting: Setting, path: string): void => {
    if (setting.marks.unused === true) return;
    if (setting.kind === "value") used.push(path);
    for (const [key, entry] of setting.entries) walk(entry, path === "" ? key : `${path}.${key}`);
    if (setting.rest === undefined) return;
    walk(setting.rest, setting.kind === "list" ? `${path}[]` : `${path}.*`);
  };
  walk(SETTINGS, "");
  assert.deepEqual(used.toSorted(), READ_BY_THE_GATEWAY);
});

Deno.test("a setting without effect is named in a warning, whatever its shape", () => {
  const model = {
    id: "m",
    input: ["text"],
    cost: { input: 1 },
    headers: { "X-Team": "t" },
    api: "anthropic-messages",
  };
  const { issues, warnings } = parseConfig({
    models: { providers: { p: { baseUrl: "http://127.0.0.1:1/v1", models: [model] } } },
    agents: {
      defaults: { model: { primary: "p/m", fallbacks: ["p/n"] }, workspace: "~/work" },
      list: [{ id: "a", workspace: "/w", model: { primary: "p/m", fallbacks: [] } }],
    },
    logging: { level: "silent" },
  }, { env: {} });
  assert.deepEqual(issues, []);
  const whole = "is not supported; kept, without effect";
  const at = "models.providers.p.models.0";
  assert.deepEqual(warnings, [
    ...["input", "cost", "headers", "api"].map((key) => ({ path: `${at}.${key}`, message: whole })),
    { path: "agents.defaults.model.fallbacks", message: whole },
    { path: "agents.defaults.workspace", message: whole },
    { path: "agents.list.0.workspace", message: whole },
    { path: "agents.list.0.model.fallbacks", message: whole },
    {
      path: "logging.level",
      message: 'is "silent", which is not supported; kept, without effect',
    },
  ]);
});
