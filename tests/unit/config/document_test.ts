import assert from "node:assert/strict";
import { defaultConfig, parseConfig } from "../../../src/config.ts";

Deno.test("references to the environment are filled in on a copy", () => {
  const record = {
    env: { vars: { OWN: "own", SHADOWED: "own" }, DIRECT: "direct" },
    models: {
      providers: {
        a: { baseUrl: "http://${A}", apiKey: "${A}-${B}" },
        b: { baseUrl: "http://b", apiKey: "$${A} ${lower} $A ${}" },
        c: { baseUrl: "http://c", apiKey: "${OWN} ${SHADOWED} ${DIRECT}" },
      },
    },
  };
  const before = JSON.stringify(record);
  const { config, issues } = parseConfig(record, { env: { A: "1", B: "2", SHADOWED: "outer" } });
  assert.deepEqual(issues, []);
  assert.equal(config.models.providers.a?.baseUrl, "http://1");
  assert.deepEqual(Object.values(config.models.providers).map(({ apiKey }) => apiKey), [
    "1-2",
    "${A} ${lower} $A ${}",
    "own outer direct",
  ]);
  assert.equal(JSON.stringify(record), before);
});

Deno.test("a missing variable is named, and no variable's value is ever told", () => {
  const { issues, warnings } = parseConfig(
    {
      gateway: { auth: { token: "${ABSENT}", password: "${CLAWGATE_TOKEN}" } },
      models: { providers: { a: { baseUrl: "http://${EMPTY}" } } },
    },
    { env: { EMPTY: "", CLAWGATE_TOKEN: "hunter2" } },
  );
  assert.deepEqual(
    issues,
    [
      {
        path: "gateway.auth.token",
        message: "needs the environment variable ABSENT, which is not set",
      },
      {
        path: "gateway.auth.password",
        message: "refers to CLAWGATE_TOKEN; the gateway's own variables are never filled in",
      },
    ],
  );
  assert.deepEqual(warnings, [{
    path: "models.providers.a.baseUrl",
    message:
      'needs the environment variable EMPTY, which is not set; the provider "a" is disabled until it is',
  }]);
  const leak = parseConfig({ logging: { level: "${LEVEL}" } }, { env: { LEVEL: "hunter2" } });
  assert.equal(leak.issues[0]?.path, "logging.level");
  assert.match(leak.issues[0]?.message ?? "", /got "\$\{LEVEL\}"$/);
  // A name that every object inherits is no variable.
  const inherited = parseConfig({ gateway: { auth: { token: "${CONSTRUCTOR}" } } }, { env: {} });
  assert.equal(inherited.issues.length, 1);
});

Deno.test("a reference stays as written where readers see the setting, with a warning", () => {
  const name = "${HOME} ${KEY} ${CLAWGATE_TOKEN}";
  const { config, issues, warnings } = parseConfig(
    {
      agents: { list: [{ id: "a", name }] },
      logging: { file: "${KEY}" },
      channels: { x: "${KEY}" },
    },
    { env: { HOME: "/h", KEY: "hunter2", CLAWGATE_TOKEN: "t" } },
  );
  assert.deepEqual(issues, []);
  assert.equal(config.agents.list[0]?.name, name);
  assert.equal(config.logging.file, "${KEY}");
  const warned = warnings.filter(({ message }) => message.startsWith("refers to the environment"));
  assert.deepEqual(warned.map(({ path }) => path), ["agents.list.0.name", "logging.file"]);
});

Deno.test("a variable of the file may itself be taken from the environment, one step deep", () => {
  const record = {
    env: {
      vars: { KEY: "${OUTER}-1", LOST: "${ABSENT}", OWN: "${CLAWGATE_TOKEN}", FAR: "${KEY}" },
    },
    models: {
      providers: Object.fromEntries(
        ["KEY", "LOST", "OWN", "FAR"].map((name) => [
          name.toLowerCase(),
          { baseUrl: "http://a", apiKey: `\${${name}}` },
        ]),
      ),
    },
  };
  const env = { OUTER: "outer", CLAWGATE_TOKEN: "hunter2" };
  const { config, issues } = parseConfig(record, { env });
  // The gateway's own variable is never filled in, wherever it is referred to.
  assert.deepEqual(issues.map(({ path }) => path), ["env.vars.OWN"]);
  const { OWN: _own, ...vars } = record.env.vars;
  const sound = parseConfig({ ...record, env: { vars } }, { env });
  assert.deepEqual(sound.issues, []);
  assert.equal(sound.config.models.providers.key?.apiKey, "outer-1");
  assert.deepEqual(sound.config.models.disabled, { lost: ["LOST"], own: ["OWN"], far: ["FAR"] });
  assert.deepEqual(config, defaultConfig());
});

Deno.test("the file's own variables cannot grow without bound", () => {
  const record = { env: { vars: { MANY: "${BIG}".repeat(900) } } };
  const { issues } = parseConfig(
    { ...record, models: { providers: { a: { baseUrl: "http://a", apiKey: "${MANY}" } } } },
    { env: { BIG: "x".repeat(100_000) } },
  );
  assert.deepEqual(issues.map(({ path }) => path), ["env.vars.MANY"]);
});

Deno.test("references cannot grow without bound", () => {
  const names = Array.from({ length: 900 }, () => "${BIG}").join("");
  const record = { models: { providers: { a: { baseUrl: "http://a", apiKey: names } } } };
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
