import assert from "node:assert/strict";
import { join } from "node:path";
import { WATCH_INTERVAL_MS } from "../../../src/adapters/file_watch.ts";
import {
  defaultConfig,
  parseConfig,
  resolveSecret,
  settingsCodec,
  settingsFormat,
} from "../../../src/config.ts";
import { Settings } from "../../../src/services/settings.ts";
import { openSettingsPlace } from "../../../src/start/settings_place.ts";
import { watchSettings } from "../../../src/start/settings_watch.ts";
import { eventually } from "../../support/deadline.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MemoryLog } from "../../support/memory_log.ts";
import { testInTempFolder as test } from "../../support/temp_folder.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";

/** A gateway's settings in a folder, followed; `look` lets the watch look once and gives what it told. */
async function follow(folder: string, options: { readonly named?: string } = {}) {
  const clock = new ManualClock();
  const log = new MemoryLog();
  const place = await openSettingsPlace(folder, options.named);
  const codecOf = (path: string) => settingsCodec({ format: settingsFormat(path), env: {} });
  const codec = await codecOf(place.path());
  const settings = new Settings(defaultConfig(), {
    file: place.file,
    codec,
    codecOf,
    clock,
    log,
    version: "2026.11.22",
  });
  await settings.reload();
  const told: string[] = [];
  const stop = watchSettings({
    gateway: {
      settings,
      reload: async () => {
        await settings.reload();
      },
    },
    place,
    tokenPath: join(folder, "token"),
    stateToken: { value: TOKEN, stored: true, created: false, refresh: () => Promise.resolve() },
    guard: (auth) => resolveSecret({ flags: {}, env: {}, auth, stateToken: TOKEN }),
    clock,
    log,
    tell: (line) => told.push(line),
    beside: () => Promise.resolve([]),
  });
  const look = async (): Promise<readonly string[]> => {
    await clock.advance(WATCH_INTERVAL_MS);
    await eventually(() => clock.waiting === 1, "the end of a look");
    return told.splice(0);
  };
  return { settings, place, look, stop, log };
}

test("a YAML file that is made while there is none counts from then on", async (folder) => {
  const { settings, place, look, stop } = await follow(folder);
  assert.equal(place.path(), join(folder, "clawgate.json"));
  await Deno.writeTextFile(join(folder, "clawgate.yaml"), "session:\n  mainKey: y\n");
  assert.deepEqual(await look(), []);
  assert.equal(settings.current.session.mainKey, "y");
  assert.equal(place.path(), join(folder, "clawgate.yaml"));
  await Deno.writeTextFile(join(folder, "clawgate.json"), "{ session: { mainKey: 'j' } }");
  assert.deepEqual(await look(), [
    `${join(folder, "clawgate.yaml")} is not read, as ${join(folder, "clawgate.json")} is`,
  ]);
  assert.equal(settings.current.session.mainKey, "j");
  await Deno.remove(join(folder, "clawgate.json"));
  assert.deepEqual(await look(), []);
  assert.equal(settings.current.session.mainKey, "y");
  stop();
});

test("a change that is refused is told once, and once more when the file is good again", async (folder) => {
  const path = join(folder, "clawgate.json");
  const { settings, look, stop } = await follow(folder);
  await Deno.writeTextFile(path, '{ gateway: { port: "x\\u001b[2J" }, session: 5 }');
  const refused = `${path} is not used: gateway.port must be a whole number from 0 to 65535; got ` +
    '"x\\u{1b}[2J" (and 1 more); the earlier settings stay in effect';
  assert.deepEqual(await look(), [refused]);
  assert.equal(settings.refusal?.issues.length, 2);
  await Deno.writeTextFile(path, '{ gateway: { port: "x\\u001b[2J" }, session: 56 }');
  assert.deepEqual(await look(), []);
  await Deno.writeTextFile(path, "{}");
  assert.deepEqual(await look(), [`${path} is in effect again`]);
  await Deno.writeTextFile(path, "{ }");
  assert.deepEqual(await look(), []);
  stop();
});

test("a file that cannot be read is told with the reason, and the log has it", async (folder) => {
  const path = join(folder, "clawgate.json");
  const { look, stop, log } = await follow(folder);
  await Deno.writeFile(path, new Uint8Array([0xff, 0xfe, 0xff]));
  const [line = "", ...more] = await look();
  assert.deepEqual(more, []);
  assert.match(line, /clawgate\.json is not UTF-8 text; what was in effect stays so$/);
  assert.equal(log.lines.length, 1);
  await Deno.writeTextFile(path, "{}");
  assert.deepEqual(await look(), [`${path} is in effect again`]);
  stop();
});

test("a provider that a change disables is told by its name and its variable", async (folder) => {
  const path = join(folder, "clawgate.json");
  const providers = { p: { baseUrl: "http://a", apiKey: "${KEY_OF_P}" } };
  assert.deepEqual(parseConfig({ models: { providers } }, { env: {} }).issues, []);
  const { look, stop } = await follow(folder);
  await Deno.writeTextFile(path, JSON.stringify({ models: { providers } }));
  const line = 'the provider "p" is disabled, as KEY_OF_P is not set in the gateway\'s environment';
  assert.deepEqual(await look(), [line]);
  await Deno.writeTextFile(path, JSON.stringify({ models: { providers }, session: {} }));
  assert.deepEqual(await look(), []);
  await Deno.writeTextFile(path, "{}");
  assert.deepEqual(await look(), []);
  await Deno.writeTextFile(path, JSON.stringify({ models: { providers } }));
  assert.deepEqual(await look(), [line]);
  stop();
});

test("a file that is named counts alone", async (folder) => {
  const path = join(folder, "own.json");
  await Deno.writeTextFile(path, "{ session: { mainKey: 'own' } }");
  const { settings, place, look, stop } = await follow(folder, { named: path });
  await Deno.writeTextFile(join(folder, "clawgate.json"), "{ session: { mainKey: 'j' } }");
  assert.deepEqual(await look(), []);
  assert.equal(settings.current.session.mainKey, "own");
  assert.deepEqual(place.candidates, [path]);
  stop();
});
