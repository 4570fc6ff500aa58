import assert from "node:assert/strict";
import { settingsCodec, settingsFormat } from "../../../../src/config.ts";
import { GatewayError } from "../../../../src/core/error.ts";
import { Settings } from "../../../../src/services/settings.ts";
import { hashOf, MemorySettingsFile, open } from "../../../support/settings_stage.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { MemoryLog } from "../../../support/memory_log.ts";

Deno.test("a changed file that is refused is known until a good one is there", async () => {
  const { settings, file, clock } = await open("{ session: { mainKey: 'm' } }");
  const refusal = () => settings.refusal;
  assert.equal(refusal(), undefined);
  const at = clock.now();
  file.raw = "{ session: 5 }";
  await settings.reload();
  assert.deepEqual(refusal(), {
    at,
    issues: [{ path: "session", message: "must be an object; got 5" }],
  });
  await clock.advance(5_000);
  file.raw = "{";
  await settings.reload();
  assert.equal(refusal()?.at, at);
  assert.match(refusal()?.issues[0]?.message ?? "", /not valid JSON5.* line 1/);
  assert.equal(settings.current.session.mainKey, "m");
  file.raw = "{ session: { mainKey: 'm' } }";
  await settings.reload();
  assert.equal(refusal(), undefined);
});

Deno.test("a good write takes the refusal away, one that is refused does not", async () => {
  const { settings, file } = await open("{}");
  file.raw = "{ session: 5 }";
  await settings.reload();
  const baseHash = await hashOf(settings);
  await assert.rejects(settings.set({ raw: "{ session: 6 }", baseHash }));
  assert.equal(settings.refusal?.issues[0]?.path, "session");
  await settings.set({ raw: "{}", baseHash });
  assert.equal(settings.refusal, undefined);
});

Deno.test("a file that cannot be read is a refusal that tells no path", async () => {
  const { settings, file } = await open("{}");
  const { read } = file;
  file.read = () => Promise.reject(new GatewayError("UNAVAILABLE", "/home/of/someone is locked"));
  await assert.rejects(settings.reload(), /is locked/);
  assert.equal(settings.refusal?.issues.length, 1);
  assert.doesNotMatch(JSON.stringify(settings.refusal), /someone/);
  file.read = read;
  await settings.reload();
  assert.equal(settings.refusal, undefined);
});

/** A settings file that moves from one name to another. */
class MovingFile extends MemorySettingsFile {
  path = "/state/clawgate.json";
  readonly written: (readonly [raw: string, path: string | undefined])[] = [];

  override read() {
    return Promise.resolve({ path: this.path, raw: this.raw });
  }

  override write(raw: string, path?: string) {
    this.written.push([raw, path]);
    return super.write(raw);
  }
}

Deno.test("each file is read and written in its own format, at the path that it was read from", async () => {
  const file = new MovingFile("{ session: { mainKey: 'j' } }");
  const codecOf = (path: string) => settingsCodec({ format: settingsFormat(path), env: {} });
  const codec = await codecOf(file.path);
  const settings = new Settings(codec.parse({}).config, {
    file,
    codec,
    codecOf,
    clock: new ManualClock(),
    log: new MemoryLog(),
    version: "2026.11.22",
  });
  await settings.reload();
  assert.equal(settings.current.session.mainKey, "j");
  file.path = "/state/clawgate.yaml";
  file.raw = "# mine\nsession:\n  mainKey: y\n";
  await settings.reload();
  assert.equal(settings.current.session.mainKey, "y");
  const changed = await settings.patch({
    raw: '{"session":{"mainKey":"z"}}',
    baseHash: await hashOf(settings),
  });
  assert.equal(changed.path, "/state/clawgate.yaml");
  assert.deepEqual(file.written, [["# mine\nsession:\n  mainKey: z\n", "/state/clawgate.yaml"]]);
});
