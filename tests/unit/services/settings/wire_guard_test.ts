import assert from "node:assert/strict";
import { defaultConfig, overriddenSettings, settingsCodec } from "../../../../src/config.ts";
import { REDACTED, redactText } from "../../../../src/services/redaction.ts";
import { Settings } from "../../../../src/services/settings.ts";
import { hashOf, open, refused } from "../../../support/settings_stage.ts";

const FILE = `{
  agents: { list: [{ id: "main", workspace: "/w", name: "\${LITERAL}" }] },
  logging: { file: "/var/log/clawgate.log" },
  models: { providers: {
    keyed: { baseUrl: "https://one.example/v1", apiKey: "k-0123456789",
      headers: { "X-Key": "h-0123456789" } },
    outer: { baseUrl: "https://\${HOST}/v1", apiKey: "\${OUTER_KEY}" },
    meta: { baseUrl: "http://169.254.169.254/v1" },
  } },
  env: { HOST: "two.example" },
}`;

const ENV = { OUTER_KEY: "outer-key-0123456789", SECRET: "hunter2-0123" };

Deno.test("a patch over the wire cannot reach the host, its environment or another server", async () => {
  const provider = (id: string, value: unknown) => ({ models: { providers: { [id]: value } } });
  const anew = "models.providers.keyed.apiKey";
  const header = "models.providers.keyed.headers.X-Key";
  const at = (host: string) => provider("fresh", { baseUrl: `http://${host}/` });
  const address = "models.providers.fresh.baseUrl";
  const table: readonly [patch: unknown, paths: readonly string[]][] = [
    [{ agents: { list: [{ id: "main", workspace: "/w", name: "${SECRET}" }] } }, [
      "agents.list.0.name",
    ]],
    [{ gateway: { auth: { token: "${SECRET}" } } }, ["gateway.auth.token"]],
    [{ agents: { list: [{ id: "main", workspace: "/etc" }] } }, ["agents.list.0.workspace"]],
    [{ agents: { defaults: { workspace: "/etc" } } }, ["agents.defaults.workspace"]],
    [{ logging: { file: "/etc/passwd" } }, ["logging.file"]],
    [{ logging: null }, ["logging.file"]],
    [provider("keyed", { baseUrl: "https://evil.example" }), [anew, header]],
    [provider("keyed", { baseUrl: "http://one.example/v1", apiKey: "new-key" }), [header]],
    [provider("keyed", { baseUrl: "https://evil.example", apiKey: REDACTED, headers: null }), [
      anew,
    ]],
    [provider("outer", { baseUrl: "https://evil.example" }), ["models.providers.outer.apiKey"]],
    [{ env: { HOST: "evil.example" } }, ["models.providers.outer.apiKey"]],
    ...[
      "169.254.169.254",
      "0xa9fea9fe",
      "2852039166",
      "0251.0376.0251.0376",
      "169.254.43518",
      "[::ffff:169.254.1.1]",
      "[fe80::1]",
      "[64:ff9b::a9fe:a9fe]",
      "[2002:a9fe:a9fe::1]",
      "metadata.google.internal.",
      "METADATA",
    ].map((host): [unknown, readonly string[]] => [at(host), [address]]),
  ];
  for (const [patch, paths] of table) {
    const { settings, file } = await open(FILE, { env: ENV });
    const raw = JSON.stringify(patch);
    const error = await refused(settings.patch({ raw, baseHash: await hashOf(settings) }));
    assert.equal(error.extras.details?.reason, "host", raw);
    const issues: unknown = error.extras.details?.issues;
    assert.ok(Array.isArray(issues));
    assert.deepEqual(issues.map(({ path }) => path), paths, raw);
    assert.doesNotMatch(JSON.stringify(issues), /0123456789|hunter2/);
    assert.equal(file.raw, FILE);
  }
});

Deno.test("what a writer brings itself, or the file had already, passes", async () => {
  const patches = [
    { models: { providers: { keyed: { baseUrl: "https://one.example/v2" } } } },
    {
      models: {
        providers: {
          keyed: { baseUrl: "http://127.0.0.1:1", apiKey: "n", headers: { "X-Key": "n" } },
        },
      },
    },
    { agents: { list: [{ id: "new" }, { id: "main", workspace: "/w", name: "${LITERAL}" }] } },
    { gateway: { port: 1 } },
  ];
  for (const patch of patches) {
    const { settings } = await open(FILE, { env: ENV });
    const raw = JSON.stringify(patch);
    await settings.patch({ raw, baseHash: await hashOf(settings) });
  }
  const { settings } = await open(FILE, { env: ENV });
  const { raw, hash } = await settings.get();
  assert.ok(raw !== null && hash !== undefined);
  await settings.set({ raw, baseHash: hash });
});

Deno.test("settings that a start would refuse are refused", async () => {
  const { settings } = await open("{}");
  const raw = `{ gateway: { auth: { mode: "password" } } }`;
  await refused(settings.patch({ raw, baseHash: await hashOf(settings) }));
});

Deno.test("the secrets in effect are listed, also those of the environment, and follow a change", async () => {
  const { settings } = await open(FILE, { env: ENV });
  assert.ok(settings.secrets().includes(ENV.OUTER_KEY));
  assert.ok(settings.secrets().includes("k-0123456789"));
  const raw = `{ gateway: { auth: { token: "another-token-0123" } } }`;
  await settings.patch({ raw, baseHash: await hashOf(settings) });
  assert.ok(settings.secrets().includes("another-token-0123"));
});

Deno.test("hiding secrets takes time linear in the text", async () => {
  const rules = await settingsCodec({ format: "json5", env: {} });
  const took = (text: string): number => {
    const reading = rules.read(text);
    assert.ok(reading.ok);
    const start = performance.now();
    assert.notEqual(redactText(text, reading.text, rules), undefined);
    return performance.now() - start;
  };
  const shapes: readonly ((size: number) => string)[] = [
    (size) => `// ${"token".repeat(size / 5)}\n{}`,
    (size) => `/*${`\n${"a-".repeat(2_000)}`.repeat(size / 4_000)}*/{}`,
    (size) => `/*${`\n${"token".repeat(800)}`.repeat(size / 4_000)}*/{}`,
    (size) => `{ "x": "${"a".repeat(size)}" }`,
    (size) => `{ "${"A".repeat(size)}": "x" }`,
  ];
  for (const shape of shapes) {
    const [small, large] = [took(shape(20_000)), took(shape(200_000))];
    // Ten times the text; quadratic work would be a hundred times, seconds long.
    assert.ok(large < 40 * small + 200, `${small} ms, then ${large} ms`);
  }
});

Deno.test("the answer to a change names what a flag or variable decides instead", async () => {
  const { file, clock, log } = await open("{}");
  const flags = { token: "flag-token-0123456789" };
  const settings = new Settings(defaultConfig(), {
    file,
    codec: await settingsCodec({ format: "json5", env: {} }),
    clock,
    log,
    version: "1",
    overrides: overriddenSettings(flags, {}),
  });
  const patch = async (raw: string) =>
    (await settings.patch({ raw, baseHash: await hashOf(settings) })).restart.reason;
  assert.equal(await patch(`{ gateway: { port: 1 } }`), "config.patch");
  assert.match(
    await patch(`{ gateway: { auth: { token: "file-token-0123456789" } } }`),
    /^config\.patch; gateway\.auth\.token has no effect, as --token counts/,
  );
});
