import assert from "node:assert/strict";
import { MAX_SETTINGS_LISTENERS } from "../../../../src/services/settings.ts";
import { hashOf, open } from "../../../support/settings_stage.ts";

Deno.test("listeners hear each change once it stands, whatever one of them throws", async () => {
  const { settings, file, log } = await open("{}");
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

Deno.test("listeners are bounded", async () => {
  const { settings } = await open("{}");
  const stops = Array.from({ length: MAX_SETTINGS_LISTENERS }, () => settings.onChange(() => {}));
  assert.throws(() => settings.onChange(() => {}), /more than 64 parts follow the settings/);
  stops[0]?.();
  settings.onChange(() => {});
});

Deno.test("reload takes a valid file and leaves an invalid one alone", async () => {
  const { settings, file } = await open("{}");
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

Deno.test("what is derived from the settings is made anew only when they changed", async () => {
  const { settings } = await open("{}");
  let made = 0;
  const port = settings.derive(({ gateway }) => {
    made++;
    return gateway.port;
  });
  assert.deepEqual([port(), port(), made], [18_789, 18_789, 1]);
  await settings.patch({ raw: '{"gateway":{"port":1234}}', baseHash: await hashOf(settings) });
  assert.deepEqual([port(), port(), made], [1234, 1234, 2]);
});
