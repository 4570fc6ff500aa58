import assert from "node:assert/strict";
import {
  bindHost,
  configSchema,
  defaultConfig,
  durationMs,
  expandHome,
  MAX_SETTINGS_BYTES,
  MAX_SETTINGS_ISSUES,
  modelChoice,
  parseConfig,
  parseConfigText,
  readSettingsText,
  resolvePlaces,
  resolveServe,
  restartKeys,
  secretProblem,
  settingsCodec,
  type SettingsFormat,
  settingsFormat,
} from "../../src/config.ts";
import { editJson5 } from "../../src/config/json5_text.ts";
import { editYaml, MAX_YAML_CHARS } from "../../src/config/yaml_text.ts";
import { isSecret } from "../../src/config/setting_tree.ts";
import { isObject, toJson } from "../../src/services/json_value.ts";
import { REDACTED } from "../../src/services/redaction.ts";
import type { Json } from "../../src/ports/store.ts";

const TOKEN = "a-token-of-fair-length";

/** A record with `value` at a dotted path. */
function at(path: string, value: unknown): unknown {
  return path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
}

function get(root: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined,
    root,
  );
}

function fixture(name: string): string {
  return Deno.readTextFileSync(new URL(`../fixtures/config/${name}`, import.meta.url));
}

function load(name: string, env: Record<string, string> = {}) {
  const { record, issues } = parseConfigText(fixture(name), { format: settingsFormat(name) });
  assert.deepEqual(issues, []);
  return parseConfig(record, { env });
}

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
        model: { primary: "local/echo" },
        heartbeat: { every: "30m" },
        maxConcurrent: 4,
      },
      list: [],
    },
    session: { scope: "per-sender", mainKey: "main", resetTriggers: ["/new", "/reset"] },
    channels: {},
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
    ["gateway.mode", ["local", "remote"]],
    ["gateway.bind", ["loopback", "lan", "auto", "tailnet", "127.0.0.1", "::1", "host.example"]],
    ["gateway.customBindHost", ["10.0.0.2", "fe80::1", "my-host"]],
    ["gateway.auth.mode", ["token", "password"]],
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
      const record = at(path, value);
      const { config, issues } = parseConfig(record, { env: {} });
      if (path.startsWith("models.providers.p.")) {
        assert.deepEqual(config.models.providers.p, {
          baseUrl: value,
          api: "openai-completions",
          models: [],
        });
      } else {
        assert.deepEqual(get(config, path), value, `${path} = ${JSON.stringify(value)}`);
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
  const every = "must be a duration such as 30m, 1h or 0m";
  const model = "must be a model as text (provider/id) or an object with primary and fallbacks";
  const table: readonly [path: string, value: unknown, where: string, message: string][] = [
    ["gateway", 5, "gateway", "must be an object; got 5"],
    ["gateway", null, "gateway", "must be an object; got null"],
    ["gateway", [], "gateway", "must be an object; got a list"],
    ["models.providers.p", [], "models.providers.p", "must be an object; got a list"],
    ["agents.defaults.model", [], "agents.defaults.model", "must be an object; got a list"],
    ["agents.list", [[]], "agents.list.0", "must be an object; got a list"],
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
    const { config, issues } = parseConfig(at(path, value), { env: {} });
    assert.deepEqual(issues, [{ path: where, message }], `${path} = ${JSON.stringify(value)}`);
    assert.deepEqual(config, defaultConfig());
  }
});

Deno.test("blank and placeholder gateway secrets are refused without repeating them", () => {
  const bad = [
    "",
    "   ",
    "\t\n",
    "undefined",
    "null",
    "NaN",
    "[object Object]",
    "changeme",
    "Change-Me",
    "CHANGE_ME",
    "your-token-here",
    "password",
    "token",
    "<token>",
    "${NOT SET}",
    "$TOKEN",
    "{{ token }}",
    "xxxxxxxx",
    REDACTED,
    " padded-secret-of-some-length ",
  ];
  for (const secret of bad) {
    assert.notEqual(secretProblem(secret), undefined, JSON.stringify(secret));
    for (const key of ["token", "password"]) {
      const path = `gateway.auth.${key}`;
      const { issues } = parseConfig(at(path, secret), { env: {} });
      assert.equal(issues.length, 1, JSON.stringify(secret));
      assert.equal(issues[0]?.path, path);
      assert.match(issues[0]?.message ?? "", /^(must not|is a placeholder)/);
      assert.doesNotMatch(issues[0]?.message ?? "", /got/);
    }
  }
  for (const secret of ["s3cr3t", TOKEN, "tokenize-this-and-that"]) {
    assert.equal(secretProblem(secret), undefined);
  }
});

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

Deno.test("references to the environment are filled in on a copy", () => {
  const record = {
    env: { vars: { OWN: "own", SHADOWED: "own" }, DIRECT: "direct" },
    agents: {
      list: [
        { id: "a", name: "${A}-${B}" },
        { id: "b", name: "$${A} ${lower} $A ${}" },
        { id: "c", name: "${OWN} ${SHADOWED} ${DIRECT}" },
      ],
    },
  };
  const before = JSON.stringify(record);
  const { config, issues } = parseConfig(record, { env: { A: "1", B: "2", SHADOWED: "outer" } });
  assert.deepEqual(issues, []);
  assert.deepEqual(config.agents.list.map(({ name }) => name), [
    "1-2",
    "${A} ${lower} $A ${}",
    "own outer direct",
  ]);
  assert.equal(JSON.stringify(record), before);
});

Deno.test("a missing variable is named, and no variable's value is ever told", () => {
  const { issues } = parseConfig(
    { logging: { file: "${ABSENT}" }, session: { mainKey: "${EMPTY}" } },
    { env: { EMPTY: "" } },
  );
  assert.deepEqual(
    issues,
    [
      {
        path: "session.mainKey",
        message: "needs the environment variable EMPTY, which is not set",
      },
      { path: "logging.file", message: "needs the environment variable ABSENT, which is not set" },
    ].toSorted((a, b) => a.path < b.path ? -1 : 1),
  );
  const leak = parseConfig({ logging: { level: "${LEVEL}" } }, { env: { LEVEL: "hunter2" } });
  assert.equal(leak.issues[0]?.path, "logging.level");
  assert.match(leak.issues[0]?.message ?? "", /got "\$\{LEVEL\}"$/);
  // A name that every object inherits is no variable.
  const inherited = parseConfig({ logging: { file: "${CONSTRUCTOR}" } }, { env: {} });
  assert.equal(inherited.issues.length, 1);
});

Deno.test("references cannot grow without bound", () => {
  const names = Array.from({ length: 900 }, () => "${BIG}").join("");
  const record = { agents: { list: [{ id: "a", name: names }] } };
  const { issues } = parseConfig(record, { env: { BIG: "x".repeat(100_000) } });
  assert.equal(issues.length, 1);
  assert.equal(issues[0]?.message, "grows too long with the environment variable BIG");
});

Deno.test("hostile records are refused with an issue", () => {
  const deep: unknown = JSON.parse("[".repeat(500) + "]".repeat(500));
  const proto: unknown = JSON.parse('{"gateway": {"__proto__": {"port": 1}}}');
  const table: readonly [unknown, string, RegExp][] = [
    [undefined, "", /must be text, a number, a list or an object/],
    [null, "", /^the settings must be an object$/],
    [[], "", /^the settings must be an object$/],
    ["text", "", /^the settings must be an object$/],
    [{ deep }, `deep${".0".repeat(32)}`, /^is nested deeper than 32 levels$/],
    [proto, "gateway.__proto__", /^is a key that is not allowed$/],
    [{ constructor: 1 }, "constructor", /not allowed/],
    [{ gateway: { port: Infinity } }, "gateway.port", /^must be a finite number$/],
    [{ gateway: { port: NaN } }, "gateway.port", /^must be a finite number$/],
    [{ a: "\ud800" }, "a", /not well-formed/],
    [{ a: () => 1 }, "a", /must be text, a number/],
    [{ a: Array.from({ length: 60_000 }, () => 1) }, "", /at most 50000 values/],
  ];
  for (const [record, path, message] of table) {
    const { config, issues } = parseConfig(record, { env: {} });
    assert.equal(issues.length, 1);
    assert.equal(issues[0]?.path, path);
    assert.match(issues[0]?.message ?? "", message);
    assert.deepEqual(config, defaultConfig());
  }
  assert.equal(Reflect.get({}, "port"), undefined);
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

Deno.test("an openclaw.json of 2026.2 works as it is", () => {
  const { config, issues, warnings } = load("openclaw_2026_2.json");
  assert.deepEqual(issues, []);
  assert.equal(config.gateway.port, 18790);
  assert.equal(config.gateway.bind, "lan");
  assert.equal(config.gateway.auth.token, "gw-fixture-0a1b2c3d4e5f");
  assert.equal(config.models.providers.ollama?.baseUrl, "http://models.house.example:11434/v1");
  assert.equal(config.models.providers.claude?.apiKey, "or-fixture-5be1d7c2a9");
  assert.equal(config.models.providers.claude?.api, "anthropic-messages");
  assert.deepEqual(modelChoice(config.agents.defaults.model), {
    primary: "ollama/llama3.2",
    fallbacks: ["claude/sonnet"],
  });
  assert.equal(config.agents.defaults.maxConcurrent, 2);
  assert.equal(config.agents.list[0]?.identity?.emoji, "🤖");
  assert.equal(config.agents.list[1]?.model, "claude/sonnet");
  assert.equal(config.session.idleMinutes, 720);
  assert.equal(config.logging.level, "debug");
  assert.deepEqual(warnings.map(({ path }) => path), [
    "wizard",
    "logging.consoleLevel",
    "models.mode",
    "models.providers.elsewhere.api",
    "agents.defaults.heartbeat.target",
    "agents.defaults.heartbeat.activeHours",
    "agents.defaults.subagents",
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

Deno.test("a YAML file and a small JSON5 file are read", () => {
  const yaml = load("clawgate.yaml");
  assert.deepEqual(yaml.issues, []);
  assert.equal(yaml.config.gateway.port, 19001);
  assert.equal(yaml.config.gateway.bind, "192.168.7.2");
  assert.deepEqual(yaml.config.gateway.auth.remoteScopes, ["operator.read"]);
  assert.equal(yaml.config.models.providers.local?.apiKey, "block-fixture-key-19d3\n");
  assert.equal(yaml.config.agents.defaults.heartbeat.every, "0m");
  assert.equal(load("clawgate.json5").config.gateway.auth.token, "json5-fixture-token-3c4d");
  assert.deepEqual(load("minimal.json").config, defaultConfig());
});

Deno.test("the format follows the end of the file's name", () => {
  const table: readonly [string, SettingsFormat][] = [
    ["/a/clawgate.json", "json5"],
    ["openclaw.json", "json5"],
    ["x.json5", "json5"],
    ["x", "json5"],
    ["x.yaml", "yaml"],
    ["x.YML", "yaml"],
    ["yaml", "json5"],
  ];
  for (const [path, format] of table) assert.equal(settingsFormat(path), format, path);
});

Deno.test("a syntax error tells line and column and quotes no value", () => {
  const table: readonly [SettingsFormat, string, string][] = [
    ["json5", "{", "the settings are not valid JSON5: invalid end of input at line 1, column 2"],
    [
      "json5",
      "{\n  a: hunter2\n}",
      "the settings are not valid JSON5: invalid character 'h' at line 2, column 6",
    ],
    [
      "json5",
      "{ token: 'hunter2",
      "the settings are not valid JSON5: invalid end of input at line 1, column 18",
    ],
    ["yaml", "a: [1, 2", "the settings are not valid YAML: bad indent at line 1, column 9"],
    [
      "yaml",
      "token: 'hunter2",
      "the settings are not valid YAML: missing char at line 1, column 16",
    ],
    [
      "yaml",
      "a: 1\na: 2\n",
      "the settings are not valid YAML: a key is written twice at line 2, column 1",
    ],
    [
      "yaml",
      "a: &x 1\n",
      "the settings are not valid YAML: anchors are not allowed at line 1, column 7",
    ],
    [
      "yaml",
      "a: !!binary aGk=\n",
      "the settings are not valid YAML: tags are not allowed at line 1, column 13",
    ],
    [
      "yaml",
      "? [a]\n: 1\n",
      "the settings are not valid YAML: a key must be plain text at line 1, column 3",
    ],
    [
      "yaml",
      "a: 1\n---\nb: 2\n",
      "the settings are not valid YAML: multiple docs at line 2, column 1",
    ],
    [
      "yaml",
      "%YAML 1.1\n---\na: yes\n",
      "the settings are not valid YAML: directives are not allowed at line 1, column 1",
    ],
    ["json5", "[]", "the settings must be an object"],
    ["json5", "'hunter2'", "the settings must be an object"],
    ["yaml", "hunter2", "the settings must be an object"],
    ["json5", '{"__proto__": 1}', "__proto__ is a key that is not allowed"],
    ["yaml", "__proto__: 1", "__proto__ is a key that is not allowed"],
    ["json5", "{a: Infinity}", "a must be a finite number"],
  ];
  for (const [format, raw, message] of table) {
    const { record, issues } = parseConfigText(raw, { format });
    assert.equal(record, undefined);
    assert.deepEqual(issues, [{ path: "", message }], raw);
    assert.doesNotMatch(message, /hunter2|SyntaxError|YAMLParse/);
  }
});

Deno.test("blank text is an empty document in both formats", () => {
  for (const format of ["json5", "yaml"] as const) {
    for (const raw of ["", " \n", ...(format === "yaml" ? ["# only a word\n", "---\n"] : [])]) {
      assert.deepEqual(parseConfigText(raw, { format }), { record: {}, issues: [] }, raw);
    }
  }
});

Deno.test("hostile texts are refused and do not exhaust the process", () => {
  const bomb = "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n";
  const table: readonly [SettingsFormat, string][] = [
    ["json5", " ".repeat(MAX_SETTINGS_BYTES + 1)],
    ["json5", `{a: "${"é".repeat(MAX_SETTINGS_BYTES / 2)}"}`],
    ["json5", "[".repeat(200_000)],
    ["json5", `{a: ${"[".repeat(5_000)}${"]".repeat(5_000)}}`],
    ["json5", "{a: '\ud800'}"],
    ["yaml", "#".repeat(MAX_YAML_CHARS + 1)],
    ["yaml", bomb],
    ["yaml", "[".repeat(50_000)],
    ["yaml", "- ".repeat(50_000)],
    ["yaml", "{a: ".repeat(50_000)],
    ["yaml", "a: *b\n"],
    ["yaml", "<<: {a: 1}\nb: *c\n"],
  ];
  for (const [format, raw] of table) {
    const { record, issues } = parseConfigText(raw, { format });
    assert.equal(record, undefined, raw.slice(0, 40));
    assert.equal(issues.length, 1);
    assert.ok((issues[0]?.message.length ?? 999) < 500);
  }
});

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

Deno.test("flag counts before environment, file and default", () => {
  const { config } = parseConfig(
    { gateway: { port: 3, bind: "lan", auth: { token: "file-token-0123456789" } } },
    { env: {} },
  );
  const document = { gateway: { port: 3, bind: "lan" } };
  const flags = { port: "1", bind: "10.0.0.1", token: "flag-token-0123456789" };
  const env = {
    CLAWGATE_PORT: "2",
    CLAWGATE_BIND: "10.0.0.2",
    CLAWGATE_TOKEN: "env-token-0123456789",
  };
  const table = [
    [{ flags, env, config, document }, [1, "flag"], ["10.0.0.1", "flag"], [flags.token, "flag"]],
    [
      { flags: {}, env, config, document },
      [2, "environment"],
      ["10.0.0.2", "environment"],
      [env.CLAWGATE_TOKEN, "environment"],
    ],
    [
      { flags: {}, env: {}, config, document },
      [3, "file"],
      ["lan", "file"],
      ["file-token-0123456789", "file"],
    ],
    [
      { flags: {}, env: {}, config: defaultConfig() },
      [18789, "default"],
      ["loopback", "default"],
      undefined,
    ],
  ] as const;
  for (const [options, port, bind, token] of table) {
    const resolved = resolveServe(options);
    assert.ok(resolved.ok);
    assert.deepEqual([resolved.value.port.value, resolved.value.port.source], port);
    assert.deepEqual([resolved.value.bind.value, resolved.value.bind.source], bind);
    const found = resolved.value.token;
    assert.deepEqual(found === undefined ? undefined : [found.value, found.source], token);
  }
});

Deno.test("bad flags and variables are refused by name, secrets unrepeated", () => {
  const table: readonly [Record<string, string>, Record<string, string>, string, RegExp][] = [
    [{ port: "abc" }, {}, "--port", /from 0 to 65535, such as 18789; got "abc"$/],
    [{ port: "70000" }, {}, "--port", /got "70000"$/],
    [{ port: "" }, {}, "--port", /got ""$/],
    [{ port: "1e3" }, {}, "--port", /got "1e3"$/],
    [{ port: " 80" }, {}, "--port", /got " 80"$/],
    [{ port: "-1" }, {}, "--port", /got "-1"$/],
    [{}, { CLAWGATE_PORT: "abc" }, "CLAWGATE_PORT", /got "abc"$/],
    [{}, { CLAWGATE_PORT: "" }, "CLAWGATE_PORT", /got ""$/],
    [{ bind: "no way" }, {}, "--bind", /got "no way"$/],
    [{ bind: "custom" }, {}, "--bind", /needs gateway.customBindHost/],
    [{}, { CLAWGATE_BIND: "" }, "CLAWGATE_BIND", /got ""$/],
    [{ token: "" }, {}, "--token", /^must not be blank/],
    [{ token: "undefined" }, {}, "--token", /^is a placeholder; set a secret of your own$/],
    [{}, { CLAWGATE_TOKEN: "null" }, "CLAWGATE_TOKEN", /^is a placeholder/],
    [{}, { CLAWGATE_TOKEN: "   " }, "CLAWGATE_TOKEN", /^must not be blank/],
    [{}, { CLAWGATE_TOKEN: "changeme" }, "CLAWGATE_TOKEN", /^is a placeholder/],
  ];
  for (const [flags, env, path, message] of table) {
    const resolved = resolveServe({ flags, env, config: defaultConfig() });
    assert.ok(!resolved.ok);
    assert.equal(resolved.issues.length, 1);
    assert.equal(resolved.issues[0]?.path, path);
    assert.match(resolved.issues[0]?.message ?? "", message);
  }
});

Deno.test("the kind of secret follows what is set", () => {
  const table: readonly [Record<string, string>, string | undefined][] = [
    [{}, "token"],
    [{ token: TOKEN }, "token"],
    [{ password: "correct horse battery" }, "password"],
    [{ password: "correct horse battery", token: TOKEN }, "token"],
    [{ password: "correct horse battery", mode: "password" }, "password"],
    [{ mode: "password" }, undefined],
  ];
  for (const [auth, mode] of table) {
    const { config } = parseConfig({ gateway: { auth } }, { env: {} });
    const resolved = resolveServe({ flags: {}, env: {}, config });
    assert.equal(resolved.ok ? resolved.value.mode : undefined, mode, JSON.stringify(auth));
    if (!resolved.ok) assert.equal(resolved.issues[0]?.path, "gateway.auth.password");
  }
});

Deno.test("places come from flag, environment, home", () => {
  const env = { CLAWGATE_STATE_DIR: "~/state", CLAWGATE_CONFIG: "/etc/c.yaml" };
  const table = [
    [{ flags: { stateDir: "/s", config: "~/c.json" }, env }, ["/s", "flag"], ["/h/c.json", "flag"]],
    [{ flags: {}, env }, ["/h/state", "environment"], ["/etc/c.yaml", "environment"]],
    [{ flags: {}, env: {} }, ["/h/.clawgate", "default"], undefined],
  ] as const;
  for (const [options, state, config] of table) {
    const resolved = resolvePlaces({ ...options, home: "/h" });
    assert.ok(resolved.ok);
    const { stateDir, config: named } = resolved.value;
    assert.deepEqual([stateDir.value, stateDir.source], state);
    assert.deepEqual(named === undefined ? undefined : [named.value, named.source], config);
  }
  const bad: readonly [
    Record<string, string>,
    Record<string, string>,
    string | undefined,
    string,
  ][] = [
    [{}, {}, undefined, "--state-dir"],
    [{ stateDir: " " }, {}, "/h", "--state-dir"],
    [{ stateDir: "undefined" }, {}, "/h", "--state-dir"],
    [{ stateDir: "~/x" }, {}, undefined, "--state-dir"],
    [{}, { CLAWGATE_STATE_DIR: "" }, "/h", "CLAWGATE_STATE_DIR"],
    [{}, { CLAWGATE_CONFIG: "null" }, "/h", "CLAWGATE_CONFIG"],
    [{ config: "a\0b" }, {}, "/h", "--config"],
  ];
  for (const [flags, variables, home, path] of bad) {
    const resolved = resolvePlaces({ flags, env: variables, home });
    assert.ok(!resolved.ok);
    assert.deepEqual(resolved.issues.map((issue) => issue.path), [path]);
  }
});

Deno.test("secrets are told by mark, by name and by text", () => {
  const table: readonly [string, Json, boolean][] = [
    ["gateway.auth.token", "abc", true],
    ["gateway.auth.token", 5, true],
    ["gateway.auth.token", "${TOKEN}", false],
    ["gateway.auth.token", "x${TOKEN}", true],
    ["gateway.auth.token", "", false],
    ["gateway.auth.token", true, false],
    ["gateway.auth.mode", "token", false],
    ["models.providers.p.apiKey", "abc", true],
    ["models.providers.token.baseUrl", "http://x", false],
    ["models.providers.p.headers.X-Any", "abc", true],
    ["models.providers.p.models.0.maxTokens", 5, false],
    ["models.providers.p.baseUrl", "https://user:pw@host/", true],
    ["models.providers.p.baseUrl", "https://host/?api_key=abc", true],
    ["session.mainKey", "abc", false],
    ["channels.telegram.botToken", "abc", true],
    ["channels.telegram.tokenFile", "/etc/token", false],
    ["channels.slack.accounts.a.signingSecret", "abc", true],
    ["channels.x.tokens", 5, false],
    ["channels.x.tokens.0", "abc", true],
    ["env.vars.ANY", "abc", true],
    ["env.ANY", "abc", true],
    ["hooks.token", "abc", true],
    ["talk.apiKey", "abc", true],
    ["tools.web.search.apiKey", "abc", true],
    ["messages.prefix", "abc", false],
    ["plugins.entries.x.config.dbPassword", "abc", true],
    ["plugins.entries.x.config.credentials.user.id", "abc", true],
    ["plugins.x.SERVICE_ACCOUNT_KEY", "abc", true],
  ];
  for (const [path, value, secret] of table) {
    assert.equal(isSecret(path.split("."), value), secret, path);
  }
});

Deno.test("a restart is needed for the marked settings alone", () => {
  const base = defaultConfig();
  const change = (record: unknown) =>
    restartKeys(toJson(base), toJson(parseConfig(record, { env: {} }).config));
  assert.deepEqual(change({}), []);
  assert.deepEqual(change({ gateway: { port: 18789 } }), []);
  assert.deepEqual(change({ gateway: { port: 1, bind: "lan" } }), ["gateway.port", "gateway.bind"]);
  assert.deepEqual(
    change({ gateway: { auth: { token: TOKEN } }, logging: { level: "debug" } }),
    [],
  );
  assert.deepEqual(change({ logging: { file: "/x" } }), ["logging.file"]);
});

Deno.test("JSON Schema and hints derive from the schema", () => {
  const { schema, uiHints } = configSchema();
  assert.equal(schema.type, "object");
  assert.deepEqual(get(schema, "properties.gateway.properties.port"), {
    type: "integer",
    minimum: 0,
    maximum: 65535,
    title: "Port",
    description: "TCP port of every wire; 0 takes any free one.",
    default: 18789,
  });
  assert.deepEqual(uiHints["gateway.port"], {
    label: "Port",
    help: "TCP port of every wire; 0 takes any free one.",
    group: "Gateway",
    order: 1,
  });
  assert.equal(uiHints["gateway.auth.token"]?.sensitive, true);
  assert.equal(uiHints["models.providers.*.apiKey"]?.sensitive, true);
  assert.equal(uiHints["agents.list[].id"]?.label, "Id");
  assert.doesNotMatch(JSON.stringify(schema), /"marks"/);
  for (const [path, { sensitive }] of Object.entries(uiHints)) {
    if (/\.(token|password|apiKey)$/.test(path)) assert.equal(sensitive, true, path);
  }
});

Deno.test("a JSON5 text is edited in place", () => {
  const table: readonly [before: string, next: Json, after: string][] = [
    ["{ a: 1 }", { a: 2 }, "{ a: 2 }"],
    ["{\n  // note\n  a: 1, // one\n}\n", { a: 2 }, "{\n  // note\n  a: 2, // one\n}\n"],
    ["{\n  a: 1,\n  b: 2,\n}", { b: 2 }, "{\n  b: 2,\n}"],
    ["{\n  a: 1,\n  b: 2\n}", { a: 1 }, "{\n  a: 1,\n}"],
    ["{\n  a: 1\n}", { a: 1, b: { c: 2 } }, '{\n  a: 1,\n  "b": {\n    "c": 2\n  }\n}'],
    ["{\n  a: 1, // x\n}", { a: 1, b: 2 }, '{\n  a: 1,\n  "b": 2, // x\n}'],
    ["{}", { a: 1 }, '{\n  "a": 1,\n}'],
    ["{\n  // nothing yet\n}", { a: 1 }, '{\n  "a": 1,\n  // nothing yet\n}'],
    ["{ a: { x: 1 /* k */ } }", { a: { x: "y" } }, '{ a: { x: "y" /* k */ } }'],
    ["{ a: [1, 2] }", { a: [3] }, "{ a: [\n  3\n] }"],
    ["{ 'q\\u0041': 1, $b: .5 }", { qA: 1, $b: 2 }, "{ 'q\\u0041': 1, $b: 2 }"],
    ["{ a: '//no', b: 1 }", { a: "//no", b: 2 }, "{ a: '//no', b: 2 }"],
  ];
  for (const [before, next, after] of table) {
    if (!isObject(next)) throw new TypeError("a case is no object");
    assert.equal(editJson5(before, next), after, before);
  }
  assert.equal(editJson5("{", {}), undefined);
  // A key written twice is written anew.
  assert.equal(editJson5("{ a: 1, a: 2 }", { a: 3 }), '{\n  "a": 3\n}');
});

Deno.test("a YAML text is edited in place", () => {
  const before = "# top\na: 1 # one\nb:\n  c: x # see\n  d: y\n";
  assert.equal(
    editYaml(before, { a: 2, b: { c: "z" }, e: [1] }),
    "# top\na: 2 # one\nb:\n  c: z # see\ne:\n  - 1\n",
  );
  assert.equal(editYaml("- 1", {}), undefined);
});

Deno.test("the codec fills defaults in and leaves references as written", () => {
  const codec = settingsCodec({ format: "json5", env: { SECRET_FILE: "/hidden" } });
  const filled = codec.fill({ logging: { file: "${SECRET_FILE}" }, extra: { kept: true } });
  assert.deepEqual(filled.logging, { file: "${SECRET_FILE}", level: "info" });
  assert.deepEqual(filled.extra, { kept: true });
  assert.equal(get(filled, "gateway.port"), 18789);
  assert.doesNotMatch(JSON.stringify(filled), /hidden/);
});

Deno.test("a text's scalars and comments are found where they lie", () => {
  const table: readonly [SettingsFormat, string, readonly string[], readonly string[]][] = [
    [
      "json5",
      "// x\n{ a: 'b', /* y */ c: [1, { d: true }], \"e\": null }",
      ["a='b'", "c.0=1", "c.1.d=true", "e=null"],
      ["// x", "/* y */"],
    ],
    [
      "yaml",
      "# x\na: 'b # no'\nc: [1, {d: true}] # y\ne: |\n  # inside\n  f\n",
      ["a='b # no'", "c.0=1", "c.1.d=true", "e=|\n  # inside\n  f"],
      ["# x", "# y"],
    ],
  ];
  for (const [format, raw, scalars, comments] of table) {
    const reading = readSettingsText(raw, format);
    assert.ok(reading.ok);
    assert.deepEqual(
      reading.text.scalars.map(({ path, start, end }) =>
        `${path.join(".")}=${raw.slice(start, end)}`
      ),
      scalars,
    );
    assert.deepEqual(
      reading.text.comments.map(({ start, end }) => raw.slice(start, end)),
      comments,
    );
  }
});
