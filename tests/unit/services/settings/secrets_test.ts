import assert from "node:assert/strict";
import { settingsCodec, type SettingsFormat } from "../../../../src/config.ts";
import { REDACTED } from "../../../../src/services/redaction.ts";
import { fixtureText } from "../../../support/settings_file_text.ts";
import { hashOf, open, refused, TOKEN } from "../../../support/settings_stage.ts";

Deno.test("secrets are hidden in raw, parsed and config; comments and layout stay", async () => {
  const { settings } = await open(fixtureText("clawgate.json5"));
  const { raw, parsed, config } = await settings.get();
  assert.equal(
    raw,
    [
      "// The smallest useful settings.",
      "{",
      "  gateway: {",
      "    auth: {",
      `      token: "${REDACTED}", // keep`,
      "    },",
      "  },",
      `  /* apiKey: ${REDACTED} */`,
      "  agents: { defaults: { model: 'local/echo' } },",
      "}",
      "",
    ].join("\n"),
  );
  assert.deepEqual(parsed.gateway, { auth: { token: REDACTED } });
  assert.doesNotMatch(JSON.stringify([parsed, config]), /fixture/);
});

Deno.test("no secret of a whole openclaw.json or YAML file is shown, and written back it is the same", async () => {
  const table = [
    ["openclaw_2026_2.json", "json5", /fixture|ollama-local/, "${ROUTER_KEY}"],
    ["clawgate.yaml", "yaml", /fixture/, "# the door"],
  ] as const;
  for (const [name, format, secret, kept] of table) {
    const original = fixtureText(name);
    const { settings, file } = await open(original, { format });
    const snapshot = await settings.get();
    assert.equal(snapshot.valid, true, JSON.stringify(snapshot.issues));
    assert.doesNotMatch(JSON.stringify(snapshot), secret);
    assert.ok(snapshot.raw?.includes(kept));
    await settings.set({ raw: snapshot.raw ?? "", baseHash: snapshot.hash });
    const before = await parseText(original, format);
    assert.deepEqual(await parseText(file.raw ?? "", format), before);
  }
});

async function parseText(raw: string, format: SettingsFormat): Promise<unknown> {
  const reading = (await settingsCodec({ format, env: {} })).read(raw);
  assert.ok(reading.ok);
  return reading.text.document;
}

Deno.test("the config of get, saved as JSON by a form, keeps secrets and references", async () => {
  const { settings, file } = await open(
    `{ gateway: { auth: { token: "${TOKEN}" } }, logging: { file: "\${LOG}" } }`,
    { env: { LOG: "/var/log/hidden.log" } },
  );
  const { config, hash } = await settings.get();
  await settings.set({
    raw: JSON.stringify(config),
    ...(hash === undefined ? {} : { baseHash: hash }),
  });
  assert.ok(file.raw?.includes(TOKEN));
  assert.ok(file.raw?.includes("${LOG}"));
  assert.doesNotMatch(file.raw ?? "", /hidden|REDACTED/);
});

Deno.test("the marker restores the secret that stood there, wherever the text moved", async () => {
  const before = `{
    gateway: { auth: { token: "${TOKEN}" } },
    agents: { list: [{ id: "a", apiKey: "key-a" }, { id: "b", apiKey: "key-b" }] },
    x: { password: 12345, pins: [{ pin: "p0" }] },
  }`;
  const { settings, file } = await open(before);
  const raw = JSON.stringify({
    x: { pins: [{ pin: REDACTED }], password: REDACTED },
    agents: { list: [{ id: "b", apiKey: REDACTED }, { id: "a", apiKey: REDACTED }] },
    gateway: { auth: { token: REDACTED } },
  });
  await settings.set({ raw, baseHash: await hashOf(settings) });
  assert.deepEqual(JSON.parse(file.raw ?? ""), {
    x: { pins: [{ pin: "p0" }], password: 12345 },
    agents: { list: [{ id: "b", apiKey: "key-b" }, { id: "a", apiKey: "key-a" }] },
    gateway: { auth: { token: TOKEN } },
  });
  await settings.patch({
    raw: JSON.stringify({ gateway: { port: 1, auth: { token: REDACTED } } }),
    baseHash: await hashOf(settings),
  });
  assert.equal(settings.current.gateway.auth.token, TOKEN);
});

Deno.test("a marker where no secret stood is refused", async () => {
  const before = `{ gateway: { auth: { token: "${TOKEN}" } }, models: { providers: {
    a: { baseUrl: "http://a", apiKey: "\${KEY}" } } }, agents: { list: [{ id: "a", token: "t-a" }] } }`;
  const table: readonly [unknown, string, RegExp][] = [
    [{ gateway: { auth: { password: REDACTED } } }, "gateway.auth.password", /no secret was set/],
    [{ session: { mainKey: REDACTED } }, "session.mainKey", /no secret was set/],
    [
      { agents: { list: [{ id: "z", token: REDACTED }] } },
      "agents.list.0.token",
      /no secret was set/,
    ],
    [{ agents: { list: [{ token: REDACTED }] } }, "agents.list.0.token", /no secret was set/],
    [
      { models: { providers: { b: { baseUrl: "http://b", apiKey: REDACTED } } } },
      "models.providers.b.apiKey",
      /no secret was set/,
    ],
    // Only a reference stood there, which was shown as it is.
    [
      { models: { providers: { a: { baseUrl: "http://b", apiKey: REDACTED } } } },
      "models.providers.a.apiKey",
      /no secret was set/,
    ],
    [
      { gateway: { auth: { token: `x${REDACTED}` } } },
      "gateway.auth.token",
      /inside a longer value/,
    ],
  ];
  for (const [submitted, path, message] of table) {
    for (const method of ["set", "apply", "patch"] as const) {
      const { settings, file } = await open(before, { env: { KEY: "key-from-env" } });
      const raw = JSON.stringify(submitted);
      const error = await refused(settings[method]({ raw, baseHash: await hashOf(settings) }));
      assert.equal(error.message, "invalid config");
      const issues: unknown = error.extras.details?.issues;
      assert.ok(Array.isArray(issues));
      assert.equal(issues.length, 1);
      assert.equal(issues[0].path, path);
      assert.match(issues[0].message, message);
      assert.equal(file.raw, before);
    }
  }
});

Deno.test("the answer to a change shows no secret", async () => {
  const { settings } = await open("{}");
  const changed = await settings.apply({
    raw: `{ gateway: { auth: { token: "${TOKEN}" } }, hooks: { token: "hook-secret" } }`,
    baseHash: await hashOf(settings),
  });
  assert.doesNotMatch(JSON.stringify(changed), /gw-secret|hook-secret/);
  assert.equal(settings.current.gateway.auth.token, TOKEN);
});
