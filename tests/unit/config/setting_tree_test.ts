import assert from "node:assert/strict";
import { configSchema, defaultConfig, parseConfig, restartKeys } from "../../../src/config.ts";
import { isSecret } from "../../../src/config/setting_tree.ts";
import type { Json } from "../../../src/ports/store.ts";
import { toJson } from "../../../src/services/json_value.ts";
import { valueAt } from "../../support/dotted_path.ts";

const TOKEN = "a-token-of-fair-length";

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
  assert.deepEqual(valueAt(schema, "properties.gateway.properties.port"), {
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
