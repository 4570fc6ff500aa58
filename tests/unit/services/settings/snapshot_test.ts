import assert from "node:assert/strict";
import { hashOf, open, TOKEN } from "../../../support/settings_stage.ts";

Deno.test("without a file get shows the defaults", async () => {
  const { settings } = await open();
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
  const { settings } = await open("{}");
  assert.equal(
    await hashOf(settings),
    "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
  );
});

Deno.test("get shows the file's own meta and unknown keys, and names them", async () => {
  const { settings } = await open(
    '{ meta: { lastTouchedVersion: "2026.2.3-1" }, extra: { a: 1 } }',
  );
  const { config, warnings, valid } = await settings.get();
  assert.deepEqual(config.meta, { lastTouchedVersion: "2026.2.3-1" });
  assert.deepEqual(config.extra, { a: 1 });
  assert.deepEqual(warnings.map(({ path }) => path), ["extra"]);
  assert.equal(valid, true);
});

Deno.test("a text that cannot be read is withheld, its place told", async () => {
  const { settings } = await open(`{ gateway: { auth: { token: "${TOKEN}" `);
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

Deno.test("the schema is served with release and time", async () => {
  const { settings } = await open();
  const { schema, uiHints, version, generatedAt } = settings.schema();
  assert.equal(schema.type, "object");
  assert.equal(uiHints["gateway.port"]?.label, "Port");
  assert.equal(version, "2026.11.22");
  assert.equal(generatedAt, new Date(1_750_000_000_000).toISOString());
});
