import assert from "node:assert/strict";
import {
  defaultConfig,
  parseConfig,
  settingsCodec,
  type SettingsFormat,
} from "../../../src/config.ts";
import { GatewayError } from "../../../src/core/error.ts";
import type { SettingsFile, SettingsText } from "../../../src/ports/settings_file.ts";
import { mergePatch } from "../../../src/services/merge_patch.ts";
import { REDACTED } from "../../../src/services/redaction.ts";
import {
  MAX_SETTINGS_LISTENERS,
  MAX_WAITING_WRITES,
  Settings,
} from "../../../src/services/settings.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MemoryLog } from "../../support/memory_log.ts";

const NO_HASH = "config base hash required; re-run config.get and retry";
const CHANGED = "config changed since last load; re-run config.get and retry";
const TOKEN = "gw-secret-0123456789";

class MemorySettingsFile implements SettingsFile {
  raw: string | undefined;
  writes = 0;

  constructor(raw?: string) {
    this.raw = raw;
  }

  async read(): Promise<SettingsText> {
    await Promise.resolve();
    return { path: "/state/clawgate.json", raw: this.raw };
  }

  async write(raw: string): Promise<void> {
    await Promise.resolve();
    this.raw = raw;
    this.writes++;
  }
}

function open(raw?: string, options: {
  readonly format?: SettingsFormat;
  readonly env?: Record<string, string>;
} = {}) {
  const file = new MemorySettingsFile(raw);
  const codec = settingsCodec({ format: options.format ?? "json5", env: options.env ?? {} });
  const reading = codec.read(raw ?? "");
  const config = reading.ok ? codec.parse(reading.text.document).config : defaultConfig();
  const clock = new ManualClock();
  const log = new MemoryLog();
  const settings = new Settings(config, {
    file,
    codec,
    clock,
    log,
    version: "2026.11.22",
    pid: 42,
  });
  return { file, settings, clock, log };
}

async function hashOf(settings: { get(): Promise<{ hash?: string }> }): Promise<string> {
  const { hash } = await settings.get();
  assert.ok(hash);
  return hash;
}

async function refused(promise: Promise<unknown>): Promise<GatewayError> {
  const outcome = await promise.then(() => undefined, (error: unknown) => error);
  assert.ok(outcome instanceof GatewayError, "was not refused");
  assert.equal(outcome.code, "INVALID_REQUEST");
  return outcome;
}

function fixture(name: string): string {
  return Deno.readTextFileSync(new URL(`../../fixtures/config/${name}`, import.meta.url));
}

Deno.test("without a file get shows the defaults", async () => {
  const { settings } = open();
  const snapshot = await settings.get();
  assert.equal(snapshot.path, "/state/clawgate.json");
  assert.equal(snapshot.exists, false);
  assert.equal(snapshot.raw, null);
  assert.deepEqual(snapshot.parsed, {});
  assert.equal(snapshot.valid, true);
  assert.equal("hash" in snapshot, false);
  assert.deepEqual(snapshot.issues, []);
  assert.deepEqual(snapshot.warnings, []);
  assert.deepEqual(snapshot.legacyIssues, []);
  assert.deepEqual(snapshot.config.meta, { lastTouchedVersion: "2026.11.22" });
  assert.equal(JSON.stringify(snapshot.config).includes('"port":18789'), true);
});

Deno.test("the hash is the SHA-256 of the real text", async () => {
  const { settings } = open("{}");
  assert.equal(
    await hashOf(settings),
    "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
  );
});

Deno.test("get shows the file's own meta and unknown keys, and names them", async () => {
  const { settings } = open('{ meta: { lastTouchedVersion: "2026.2.3-1" }, extra: { a: 1 } }');
  const { config, warnings, valid } = await settings.get();
  assert.deepEqual(config.meta, { lastTouchedVersion: "2026.2.3-1" });
  assert.deepEqual(config.extra, { a: 1 });
  assert.deepEqual(warnings.map(({ path }) => path), ["extra"]);
  assert.equal(valid, true);
});

Deno.test("secrets are hidden in raw, parsed and config; comments and layout stay", async () => {
  const { settings } = open(fixture("clawgate.json5"));
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
    const original = fixture(name);
    const { settings, file } = open(original, { format });
    const snapshot = await settings.get();
    assert.equal(snapshot.valid, true, JSON.stringify(snapshot.issues));
    assert.doesNotMatch(JSON.stringify(snapshot), secret);
    assert.ok(snapshot.raw?.includes(kept));
    await settings.set({ raw: snapshot.raw ?? "", baseHash: snapshot.hash });
    const before = parseText(original, format);
    assert.deepEqual(parseText(file.raw ?? "", format), before);
  }
});

function parseText(raw: string, format: SettingsFormat): unknown {
  const reading = settingsCodec({ format, env: {} }).read(raw);
  assert.ok(reading.ok);
  return reading.text.document;
}

Deno.test("the config of get, saved as JSON by a form, keeps secrets and references", async () => {
  const { settings, file } = open(
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

Deno.test("a text that cannot be read is withheld, its place told", async () => {
  const { settings } = open(`{ gateway: { auth: { token: "${TOKEN}" `);
  const snapshot = await settings.get();
  assert.equal(snapshot.raw, null);
  assert.equal(snapshot.exists, true);
  assert.equal(snapshot.valid, false);
  assert.deepEqual(snapshot.parsed, {});
  assert.deepEqual(snapshot.issues, [{
    path: "",
    message: "the settings are not valid JSON5: invalid end of input at line 1, column 52",
  }]);
  assert.doesNotMatch(JSON.stringify(snapshot), /gw-secret/);
  assert.match(snapshot.hash ?? "", /^[0-9a-f]{64}$/);
});

Deno.test("a change of an existing file needs the hash of what stands", async () => {
  for (const method of ["set", "apply", "patch"] as const) {
    const { settings, file } = open("{}");
    const raw = '{"session": {"mainKey": "m"}}';
    assert.equal((await refused(settings[method]({ raw }))).message, NO_HASH);
    assert.equal((await refused(settings[method]({ raw, baseHash: " " }))).message, NO_HASH);
    assert.equal(
      (await refused(settings[method]({ raw, baseHash: "0".repeat(64) }))).message,
      CHANGED,
    );
    assert.equal(file.writes, 0);
    const result = await settings[method]({ raw, baseHash: await hashOf(settings) });
    assert.equal(result.ok, true);
    assert.equal(file.writes, 1);
    assert.equal(settings.current.session.mainKey, "m");
  }
});

Deno.test("without a file no hash is needed, and a stale one is refused", async () => {
  const { settings, file } = open();
  assert.equal(
    (await refused(settings.set({ raw: "{}", baseHash: "0".repeat(64) }))).message,
    CHANGED,
  );
  await settings.patch({ raw: "{ logging: { level: 'warn' } }" });
  assert.equal(file.raw, '{\n  "logging": {\n    "level": "warn"\n  }\n}\n');
});

Deno.test("bad text is refused readably with line and column", async () => {
  for (const method of ["set", "apply", "patch"] as const) {
    const { settings, file } = open("{}");
    const error = await refused(
      settings[method]({ raw: "{\n  a: hunter2 }", baseHash: await hashOf(settings) }),
    );
    assert.equal(
      error.message,
      "the settings are not valid JSON5: invalid character 'h' at line 2, column 6",
    );
    assert.deepEqual(error.extras.details, { reason: "syntax", line: 2, column: 6 });
    assert.equal(file.raw, "{}");
  }
});

Deno.test("invalid settings are refused with their issues", async () => {
  for (const method of ["set", "apply", "patch"] as const) {
    const { settings, file } = open("{}");
    const raw = '{"gateway": {"port": 70000, "auth": {"token": "changeme"}}}';
    const error = await refused(settings[method]({ raw, baseHash: await hashOf(settings) }));
    assert.equal(error.message, "invalid config");
    assert.deepEqual(error.extras.details, {
      issues: [
        {
          path: "gateway.port",
          message: "must be a whole number from 0 to 65535; got 70000",
        },
        {
          path: "gateway.auth.token",
          message: "is a placeholder; set a secret of your own",
        },
      ],
    });
    assert.equal(file.raw, "{}");
  }
});

Deno.test("a patch must be an object", async () => {
  for (const raw of ["[]", "5", "'text'", "null"]) {
    const { settings } = open("{}");
    const error = await refused(settings.patch({ raw, baseHash: await hashOf(settings) }));
    assert.equal(error.message, "config.patch raw must be an object");
  }
});

Deno.test("a patch merges, removes by null, and keeps comments and unknown keys", async () => {
  const { settings, file } = open(
    "{\n  // door\n  gateway: { port: 1, bind: 'lan' },\n  extra: 1, // mine\n  gone: true,\n}\n",
  );
  await settings.patch({
    raw: "{ gateway: { port: 2 }, gone: null }",
    baseHash: await hashOf(settings),
  });
  assert.equal(
    file.raw,
    "{\n  // door\n  gateway: { port: 2, bind: 'lan' },\n  extra: 1, // mine\n}\n",
  );
});

Deno.test("a YAML file is patched with JSON5 and keeps its comments", async () => {
  const { settings, file } = open(fixture("clawgate.yaml"), { format: "yaml" });
  await settings.patch({ raw: "{ gateway: { port: 5 } }", baseHash: await hashOf(settings) });
  assert.match(file.raw ?? "", /port: 5 # the door/);
  assert.match(file.raw ?? "", /yaml-fixture-token-81f2 # from the drawer/);
  assert.match(file.raw ?? "", /^# The workshop's gateway\./);
});

Deno.test("a broken file cannot be patched but can be replaced", async () => {
  const { settings, file } = open("{ a:");
  const error = await refused(settings.patch({ raw: "{}", baseHash: await hashOf(settings) }));
  assert.match(
    error.message,
    /^the settings file is broken; mend it first: .* at line 1, column 5$/,
  );
  await settings.set({ raw: "{}", baseHash: await hashOf(settings) });
  assert.equal(file.raw, "{}");
});

Deno.test("the marker restores the secret that stood there, wherever the text moved", async () => {
  const before = `{
    gateway: { auth: { token: "${TOKEN}" } },
    agents: { list: [{ id: "a", apiKey: "key-a" }, { id: "b", apiKey: "key-b" }] },
    x: { password: 12345, pins: [{ pin: "p0" }] },
  }`;
  const { settings, file } = open(before);
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
      const { settings, file } = open(before, { env: { KEY: "key-from-env" } });
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

Deno.test("of two writers that saw the same text, one wins", async () => {
  const { settings, file } = open("{}");
  const baseHash = await hashOf(settings);
  const outcomes = await Promise.allSettled([
    settings.set({ raw: '{ "session": { "mainKey": "a" } }', baseHash }),
    settings.patch({ raw: '{ "session": { "mainKey": "b" } }', baseHash }),
    settings.apply({ raw: '{ "session": { "mainKey": "c" } }', baseHash }),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status), ["fulfilled", "rejected", "rejected"]);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") assert.equal(outcome.reason.message, CHANGED);
  }
  assert.equal(file.writes, 1);
  assert.equal(settings.current.session.mainKey, "a");
});

Deno.test("waiting writes are bounded", async () => {
  const { settings } = open("{}");
  const baseHash = await hashOf(settings);
  const outcomes = await Promise.allSettled(
    Array.from({ length: MAX_WAITING_WRITES + 1 }, () => settings.set({ raw: "{}", baseHash })),
  );
  const rejected = outcomes.filter((outcome) => outcome.status === "rejected");
  assert.equal(rejected.length, 1);
  assert.equal(rejected[0]?.reason.code, "UNAVAILABLE");
  assert.equal(rejected[0]?.reason.extras.retryable, true);
  assert.equal((await settings.set({ raw: "{}", baseHash })).ok, true);
});

Deno.test("listeners hear each change once it stands, whatever one of them throws", async () => {
  const { settings, file, log } = open("{}");
  const heard: [string, string, string | undefined][] = [];
  settings.onChange(() => {
    throw new Error("secret of a listener");
  });
  const stop = settings.onChange((previous, next) => {
    heard.push([previous.logging.level, next.logging.level, file.raw]);
  });
  const raw = '{"logging": {"level": "debug"}}';
  await settings.set({ raw, baseHash: await hashOf(settings) });
  assert.deepEqual(heard, [["info", "debug", raw]]);
  assert.equal(log.lines.length, 1);
  assert.doesNotMatch(JSON.stringify(log.lines), /secret of a listener/);
  // Only a comment differs: nobody need hear.
  await settings.set({ raw: `// hi\n${raw}`, baseHash: await hashOf(settings) });
  assert.equal(heard.length, 1);
  stop();
  stop();
  await settings.patch({ raw: "{logging: {level: 'warn'}}", baseHash: await hashOf(settings) });
  assert.equal(heard.length, 1);
});

Deno.test("listeners are bounded", () => {
  const { settings } = open("{}");
  const stops = Array.from({ length: MAX_SETTINGS_LISTENERS }, () => settings.onChange(() => {}));
  assert.throws(() => settings.onChange(() => {}), /more than 64 parts follow the settings/);
  stops[0]?.();
  settings.onChange(() => {});
});

Deno.test("apply and patch tell what needs a restart and leave a note", async () => {
  const { settings, clock } = open("{}");
  const live = await settings.patch({
    raw: "{ logging: { level: 'debug' } }",
    baseHash: await hashOf(settings),
    sessionKey: "agent:main:main",
    note: "louder",
  });
  assert.deepEqual(live.restart, {
    ok: true,
    required: false,
    mode: "live",
    reason: "config.patch",
    keys: [],
    pid: 42,
  });
  assert.deepEqual(live.sentinel, {
    path: null,
    payload: {
      kind: "config-patch",
      status: "ok",
      ts: clock.now(),
      sessionKey: "agent:main:main",
      message: "louder",
      stats: { mode: "config.patch", requiresRestart: false },
    },
  });
  const restart = await settings.apply({
    raw: "{ gateway: { port: 5 } }",
    baseHash: await hashOf(settings),
  });
  assert.deepEqual(restart.restart.keys, ["gateway.port"]);
  assert.equal(restart.restart.mode, "manual");
  assert.equal(restart.sentinel.payload.kind, "config-apply");
  // The port still waits for the restart, whatever else is changed; set back, it no longer does.
  const still = await settings.patch({ raw: "{ extra: 1 }", baseHash: await hashOf(settings) });
  assert.deepEqual(still.restart.keys, ["gateway.port"]);
  const back = await settings.patch({
    raw: "{ gateway: null }",
    baseHash: await hashOf(settings),
  });
  assert.equal(back.restart.required, false);
});

Deno.test("the answer to a change shows no secret", async () => {
  const { settings } = open("{}");
  const changed = await settings.apply({
    raw: `{ gateway: { auth: { token: "${TOKEN}" } }, hooks: { token: "hook-secret" } }`,
    baseHash: await hashOf(settings),
  });
  assert.doesNotMatch(JSON.stringify(changed), /gw-secret|hook-secret/);
  assert.equal(settings.current.gateway.auth.token, TOKEN);
});

Deno.test("reload takes a valid file and leaves an invalid one alone", async () => {
  const { settings, file } = open("{}");
  let changes = 0;
  settings.onChange(() => changes++);
  file.raw = "{ session: { mainKey: 'm' } }";
  assert.equal((await settings.reload()).valid, true);
  assert.equal(settings.current.session.mainKey, "m");
  file.raw = "{ session: 5 }";
  assert.equal((await settings.reload()).valid, false);
  file.raw = "{";
  assert.equal((await settings.reload()).valid, false);
  assert.equal(settings.current.session.mainKey, "m");
  assert.equal(changes, 1);
});

Deno.test("a failing file fails the change and the next one goes on", async () => {
  const { settings, file } = open("{}");
  const baseHash = await hashOf(settings);
  const write = file.write.bind(file);
  file.write = () => Promise.reject(new GatewayError("UNAVAILABLE", "disk full"));
  await assert.rejects(settings.set({ raw: "{ a: 1 }", baseHash }), /disk full/);
  assert.deepEqual(settings.current, parseConfig({}, { env: {} }).config);
  file.write = write;
  assert.equal((await settings.set({ raw: "{ a: 1 }", baseHash })).ok, true);
});

Deno.test("the schema is served with release and time", () => {
  const { settings } = open();
  const { schema, uiHints, version, generatedAt } = settings.schema();
  assert.equal(schema.type, "object");
  assert.equal(uiHints["gateway.port"]?.label, "Port");
  assert.equal(version, "2026.11.22");
  assert.equal(generatedAt, new Date(1_750_000_000_000).toISOString());
});

Deno.test("a merge patch follows RFC 7396", () => {
  // The cases of its appendix A whose target and patch are objects.
  const table = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ] as const;
  for (const [target, patch, merged] of table) assert.deepEqual(mergePatch(target, patch), merged);
});
