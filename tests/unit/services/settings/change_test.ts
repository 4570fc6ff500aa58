import assert from "node:assert/strict";
import { parseConfig } from "../../../../src/config.ts";
import { GatewayError } from "../../../../src/core/error.ts";
import { MAX_WAITING_WRITES } from "../../../../src/services/settings.ts";
import { fixtureText } from "../../../support/settings_file_text.ts";
import { CHANGED, hashOf, open, refused } from "../../../support/settings_stage.ts";

const NO_HASH = "config base hash required; re-run config.get and retry";

Deno.test("a change of an existing file needs the hash of what stands", async () => {
  for (const method of ["set", "apply", "patch"] as const) {
    const { settings, file } = await open("{}");
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
  const { settings, file } = await open();
  assert.equal(
    (await refused(settings.set({ raw: "{}", baseHash: "0".repeat(64) }))).message,
    CHANGED,
  );
  await settings.patch({ raw: "{ logging: { level: 'warn' } }" });
  assert.equal(file.raw, '{\n  "logging": {\n    "level": "warn"\n  }\n}\n');
});

Deno.test("bad text is refused readably with line and column", async () => {
  for (const method of ["set", "apply", "patch"] as const) {
    const { settings, file } = await open("{}");
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
    const { settings, file } = await open("{}");
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
    const { settings } = await open("{}");
    const error = await refused(settings.patch({ raw, baseHash: await hashOf(settings) }));
    assert.equal(error.message, "config.patch raw must be an object");
  }
});

Deno.test("a patch merges, removes by null, and keeps comments and unknown keys", async () => {
  const { settings, file } = await open(
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
  const { settings, file } = await open(fixtureText("clawgate.yaml"), { format: "yaml" });
  await settings.patch({ raw: "{ gateway: { port: 5 } }", baseHash: await hashOf(settings) });
  assert.match(file.raw ?? "", /port: 5 # the door/);
  assert.match(file.raw ?? "", /yaml-fixture-token-81f2 # from the drawer/);
  assert.match(file.raw ?? "", /^# The workshop's gateway\./);
});

Deno.test("a broken file cannot be patched but can be replaced", async () => {
  const { settings, file } = await open("{ a:");
  const error = await refused(settings.patch({ raw: "{}", baseHash: await hashOf(settings) }));
  assert.match(
    error.message,
    /^the settings file is broken; mend it first: .* at line 1, column 5$/,
  );
  await settings.set({ raw: "{}", baseHash: await hashOf(settings) });
  assert.equal(file.raw, "{}");
});

Deno.test("of two writers that saw the same text, one wins", async () => {
  const { settings, file } = await open("{}");
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
  const { settings } = await open("{}");
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

Deno.test("apply and patch tell what needs a restart and leave a note", async () => {
  const { settings, clock } = await open("{}");
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

Deno.test("a failing file fails the change and the next one goes on", async () => {
  const { settings, file } = await open("{}");
  const baseHash = await hashOf(settings);
  const write = file.write.bind(file);
  file.write = () => Promise.reject(new GatewayError("UNAVAILABLE", "disk full"));
  await assert.rejects(settings.set({ raw: "{ a: 1 }", baseHash }), /disk full/);
  assert.deepEqual(settings.current, parseConfig({}, { env: {} }).config);
  file.write = write;
  assert.equal((await settings.set({ raw: "{ a: 1 }", baseHash })).ok, true);
});
