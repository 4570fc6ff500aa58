import assert from "node:assert/strict";
import {
  defaultConfig,
  type Environment,
  parseConfig,
  settingsCodec,
} from "../../../src/config.ts";
import { providerOptions } from "../../../src/config/service_options.ts";

const FILE = {
  gateway: { port: 4001 },
  models: {
    providers: {
      keyed: { baseUrl: "http://a/v1", apiKey: "${KEY}", models: [{ id: "m" }] },
      placed: { baseUrl: "http://${HOST}:${HOST}/${PATH}", headers: { "x-team": "t ${TEAM}" } },
      free: { baseUrl: "http://c/v1" },
    },
  },
};

function parse(record: unknown, env: Environment = {}) {
  return parseConfig(record, { env });
}

Deno.test("a provider that needs a variable that is not set is disabled, and nothing else", () => {
  const { config, issues, warnings } = parse(FILE);
  assert.deepEqual(issues, []);
  assert.equal(config.gateway.port, 4001);
  assert.deepEqual(config.models.disabled, { keyed: ["KEY"], placed: ["HOST", "PATH", "TEAM"] });
  assert.deepEqual(providerOptions(config).map(({ id, unset }) => [id, unset]), [
    ["keyed", ["KEY"]],
    ["placed", ["HOST", "PATH", "TEAM"]],
    ["free", undefined],
  ]);
  assert.equal(config.models.providers.placed?.baseUrl, "http://${HOST}:${HOST}/${PATH}");
  const until = (name: string, id: string) =>
    `needs the environment variable ${name}, which is not set; the provider "${id}" is disabled until it is`;
  assert.deepEqual(warnings, [
    { path: "models.providers.keyed.apiKey", message: until("KEY", "keyed") },
    { path: "models.providers.placed.baseUrl", message: until("HOST", "placed") },
    { path: "models.providers.placed.baseUrl", message: until("PATH", "placed") },
    { path: "models.providers.placed.headers.x-team", message: until("TEAM", "placed") },
  ]);
});

Deno.test("a provider whose variables are all set is not disabled", () => {
  const { config, warnings } = parse(FILE, { KEY: "k", HOST: "1", PATH: "p", TEAM: "x" });
  assert.equal("disabled" in config.models, false);
  assert.deepEqual(warnings, []);
  const half = parse(FILE, { KEY: "k", HOST: "1", PATH: "p" });
  assert.deepEqual(half.config.models.disabled, { placed: ["TEAM"] });
  assert.equal(half.config.models.providers.placed?.baseUrl, "http://1:1/p");
});

Deno.test("a disabled provider is validated all the same", () => {
  const { config, issues } = parse({
    models: { providers: { a: { baseUrl: "ftp://x", apiKey: "${KEY}", models: [{}] } } },
  });
  assert.deepEqual(issues.map(({ path }) => path), [
    "models.providers.a.baseUrl",
    "models.providers.a.models.0.id",
  ]);
  assert.deepEqual(config, defaultConfig());
});

Deno.test("what guards the gateway is refused without its variable, with one issue", () => {
  for (const kind of ["token", "password"]) {
    const { config, issues } = parse({ gateway: { auth: { mode: kind, [kind]: "${SECRET}" } } });
    assert.deepEqual(issues, [{
      path: `gateway.auth.${kind}`,
      message: "needs the environment variable SECRET, which is not set",
    }]);
    assert.deepEqual(config, defaultConfig());
  }
});

Deno.test("a variable of the file that waits for another counts as not set", () => {
  const { config, issues, warnings } = parse({
    env: { vars: { KEY: "${OUTER}" }, DIRECT: "${OUTER}" },
    models: { providers: { a: { baseUrl: "http://a", apiKey: "${KEY}" } } },
  });
  assert.deepEqual(issues, []);
  assert.deepEqual(config.models.disabled, { a: ["KEY"] });
  assert.deepEqual(warnings.map(({ path, message }) => `${path} ${message}`), [
    "env.vars.KEY needs the environment variable OUTER, which is not set; KEY counts as not set",
    "env.DIRECT needs the environment variable OUTER, which is not set; DIRECT counts as not set",
    'models.providers.a.apiKey needs the environment variable KEY, which is not set; the provider "a" is disabled until it is',
  ]);
});

Deno.test("in what has no effect nothing is missed", () => {
  const { config, warnings } = parse({
    models: {
      providers: {
        a: { baseUrl: "http://a", models: [{ id: "m", headers: { authorization: "${KEY}" } }] },
      },
    },
  });
  assert.equal(config.models.disabled, undefined);
  assert.deepEqual(warnings.map(({ message }) => message), [
    "is not supported; kept, without effect",
  ]);
});

Deno.test("in another environment than the gateway's, what is not set is a warning everywhere", () => {
  const elsewhere = (record: unknown) => parseConfig(record, { env: {}, foreignEnv: true });
  const message = (name: string) =>
    `needs the environment variable ${name}, which is not set in this shell; the gateway may have it`;
  const { config, issues, warnings } = elsewhere({
    ...FILE,
    gateway: { port: 4001, auth: { mode: "password", password: "${SECRET}" } },
  });
  assert.deepEqual(issues, []);
  assert.equal(config.gateway.port, 4001);
  assert.equal(config.gateway.auth.password, undefined);
  assert.deepEqual(config.gateway.auth.unset, ["password"]);
  assert.deepEqual(config.models.disabled?.keyed, ["KEY"]);
  assert.deepEqual(warnings.slice(0, 2), [
    { path: "gateway.auth.password", message: message("SECRET") },
    { path: "models.providers.keyed.apiKey", message: message("KEY") },
  ]);
  assert.equal(elsewhere({ env: { A: "${B}" } }).warnings[0]?.message, message("B"));
  // What no environment can fill in is wrong everywhere.
  const own = elsewhere({ gateway: { auth: { token: "${CLAWGATE_TOKEN}" } } });
  assert.equal(own.issues.length, 1);
  assert.equal("unset" in elsewhere(FILE).config.gateway.auth, false);
});

Deno.test("what is filled in for a reader holds settings alone", async () => {
  const codec = await settingsCodec({ format: "json5", env: {}, foreignEnv: true });
  const document = { ...FILE, gateway: { auth: { token: "${SECRET}" } } };
  const filled = JSON.stringify(codec.fill(document));
  assert.doesNotMatch(filled, /disabled|unset/);
  assert.match(filled, /"http:\/\/\$\{HOST\}:\$\{HOST\}\/\$\{PATH\}"/);
  assert.match(filled, /"token":"\$\{SECRET\}"/);
});
