import assert from "node:assert/strict";
import { join } from "node:path";
import { checkProviders } from "../../../src/cli/doctor_providers.ts";
import { runningSettings, settingsTrouble } from "../../../src/cli/running_settings.ts";
import { parseConfig } from "../../../src/config.ts";
import { testInTempFolder as test } from "../../support/temp_folder.ts";
import { FakeTerminal } from "./fake_terminal.ts";
import { stopped } from "./stopped_host.ts";

/** What the doctor says of a folder with this settings file: `sign check: message` each. */
async function examined(folder: string, settings: string): Promise<readonly string[]> {
  await Deno.writeTextFile(join(folder, "clawgate.json"), settings, { mode: 0o600 });
  const terminal = new FakeTerminal({ now: Date.now() });
  const { stdout } = await stopped(folder, ["doctor"], terminal);
  return stdout.split("\n").filter((line) => /^(ok|! |x ) /.test(line));
}

test("of settings that cannot be used no model is told to be fine or missing", async (folder) => {
  const lines = await examined(
    folder,
    '{ gateway: { port: "x" }, agents: { defaults: { model: "nope/x" } } }',
  );
  const about = lines.filter((line) => /model|provider/.test(line));
  assert.deepEqual(about, [
    "!  model: models and providers were not looked at, as the settings cannot be used",
  ]);
  assert.ok(lines.some((line) => line.startsWith("x  settings: gateway.port must be")));
});

test("a model of the file that is not there is told once, as broken", async (folder) => {
  const lines = await examined(
    folder,
    '{ agents: { defaults: { model: { primary: "nope/x" } } } }',
  );
  assert.deepEqual(lines.filter((line) => line.includes("nope")), [
    'x  model: agents.defaults.model names the model "nope/x", but there is no provider "nope"',
  ]);
});

test("a variable that this shell does not have breaks nothing, and is told", async (folder) => {
  const lines = await examined(
    folder,
    JSON.stringify({
      gateway: { auth: { token: "${GATE_TOKEN}" } },
      models: {
        providers: { p: { baseUrl: "http://a", apiKey: "${KEY}", models: [{ id: "m" }] } },
      },
      agents: { defaults: { model: "p/m" } },
    }),
  );
  assert.deepEqual(lines.filter((line) => line.startsWith("x ")), []);
  const told = lines.join("\n");
  assert.match(told, /^! {2}secret: gateway\.auth\.token refers to a variable that is not set/m);
  assert.match(
    told,
    /^! {2}model: the default model's provider "p" needs KEY, not set in this shell/m,
  );
  assert.match(
    told,
    /^! {2}settings: models\.providers\.p\.apiKey needs [^\n]*the gateway may have it$/m,
  );
});

test("the doctor tells which of two settings files counts", async (folder) => {
  await Deno.writeTextFile(join(folder, "clawgate.yml"), "a: 1\n", { mode: 0o600 });
  const lines = await examined(folder, "{}");
  assert.ok(
    lines.includes(
      `!  settings: ${join(folder, "clawgate.yml")} is not read, as ${
        join(folder, "clawgate.json")
      } is`,
    ),
    lines.join("\n"),
  );
});

Deno.test("a provider without its variable here is judged by the gateway that runs", async () => {
  const { config } = parseConfig({
    models: { providers: { p: { baseUrl: "http://a", apiKey: "${KEY}", models: [{ id: "m" }] } } },
    agents: { defaults: { model: "p/m" } },
  }, { env: {}, foreignEnv: true });
  const judged = async (disabledThere?: ReadonlyMap<string, readonly string[]>) =>
    (await checkProviders(config, {
      probe: true,
      ...(disabledThere === undefined ? {} : { disabledThere }),
    })).map(({ check, finding, message }) => `${finding} ${check}: ${message}`);
  assert.deepEqual(await judged(), [
    'warning model: the default model\'s provider "p" needs KEY, not set in this shell; the gateway may have it',
    'warning providers: provider "p" needs KEY, not set in this shell; the gateway may have it',
  ]);
  assert.deepEqual(await judged(new Map()), [
    'fine model: the default model is "p/m"',
    'fine providers: provider "p" needs KEY, not set in this shell; the running gateway has it',
  ]);
  assert.deepEqual(await judged(new Map([["p", ["KEY"]]])), [
    'warning model: the default model\'s provider "p" is disabled in the running gateway, which does not have KEY',
    'warning providers: provider "p" is disabled in the running gateway, which does not have KEY',
  ]);
});

Deno.test("what a status says of the settings is printed safely, and nothing where it says nothing", () => {
  for (
    const status of [{}, null, { settings: 5 }, {
      settings: { refused: [], disabledProviders: {} },
    }]
  ) {
    assert.deepEqual(settingsTrouble(runningSettings(status)), []);
  }
  const lines = settingsTrouble(runningSettings({
    settings: {
      refused: {
        at: 1,
        issues: [{ path: "", message: "x\u001b[2J" }, { path: "a.b", message: "y" }],
      },
      disabledProviders: [{ provider: "p\u001b", variables: ["A"] }],
    },
  }));
  assert.deepEqual(lines.slice(0, 3), [
    "the settings file is not used: x\\u{1b}[2J",
    "the settings file is not used: a.b y",
    "the settings from before it was changed stay in effect",
  ]);
  assert.equal(lines.length, 4);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(lines.join(""), /\x1b/);
});
