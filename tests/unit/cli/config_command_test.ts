import assert from "node:assert/strict";
import { join } from "node:path";
import { testInTempFolder as test } from "../../support/temp_folder.ts";
import { FakeTerminal } from "./fake_terminal.ts";
import { stopped } from "./stopped_host.ts";

const KEYED = {
  gateway: { auth: { token: "${GATE_TOKEN}" } },
  models: { providers: { p: { baseUrl: "http://a", apiKey: "${KEY_OF_P}" } } },
};

test("a model that is not there is set and warned of at once, each time", async (folder) => {
  const key = "agents.defaults.model.primary";
  for (let time = 0; time < 2; time++) {
    const { exit, stdout, stderr } = await stopped(folder, ["config", "set", key, "nope/x"]);
    assert.equal(exit, 0);
    assert.match(stdout, /^Set agents\.defaults\.model\.primary to "nope\/x" in /);
    assert.equal(
      stderr,
      `warning: ${key} names the model "nope/x", but there is no provider "nope"\n`,
    );
  }
  // What was warned of before and is not touched stays quiet.
  const other = await stopped(folder, ["config", "set", "session.mainKey", "m"]);
  assert.equal(other.stderr, "");
  const good = await stopped(folder, ["config", "set", key, "local/assistant"]);
  assert.deepEqual([good.exit, good.stderr], [0, ""]);
});

test("a change that takes a provider from under a model is warned of", async (folder) => {
  const set = (key: string, value: string) => stopped(folder, ["config", "set", key, value]);
  await set("models.providers.p", '{"baseUrl":"http://a","models":[{"id":"m"}]}');
  assert.equal((await set("agents.defaults.model.primary", "p/m")).stderr, "");
  assert.match(
    (await set("models.providers.p", "null")).stderr,
    /^warning: agents\.defaults\.model\.primary names the model "p\/m", but there is no provider "p"\n$/,
  );
});

test("a short secret is set and warned of, and not shown", async (folder) => {
  for (const kind of ["token", "password"]) {
    const { exit, stdout, stderr } = await stopped(
      folder,
      ["config", "set", `gateway.auth.${kind}`, "k3y-of-9"],
    );
    assert.equal(exit, 0);
    assert.match(stderr, new RegExp(`^warning: gateway\\.auth\\.${kind} is shorter than 16`));
    assert.doesNotMatch(stdout + stderr, /k3y-of-9/);
  }
});

test("what is taken away leaves no empty object behind", async (folder) => {
  const path = join(folder, "clawgate.json");
  const set = (key: string, value: string) => stopped(folder, ["config", "set", key, value]);
  await Deno.writeTextFile(path, '{\n  // mine\n  "session": { "mainKey": "m" },\n}\n');
  await set("agents.defaults.heartbeat.every", "5m");
  await set("gateway.auth.token", "0123456789abcdef");
  await set("gateway.port", "4001");
  await set("agents.defaults.heartbeat.every", "null");
  await set("gateway.auth.token", "null");
  const text = await Deno.readTextFile(path);
  assert.doesNotMatch(text, /\{\s*\}|agents|auth/);
  assert.match(text, /\/\/ mine/);
  assert.match(text, /4001/);
});

test("taking away what is not set changes and makes nothing", async (folder) => {
  const { exit, stdout } = await stopped(folder, ["config", "set", "gateway.auth.token", "null"]);
  assert.deepEqual([exit, stdout], [0, "gateway.auth.token is not set; nothing was changed\n"]);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
});

test("the settings file that is there is written, whatever its format", async (folder) => {
  const path = join(folder, "clawgate.yaml");
  await Deno.writeTextFile(path, "# mine\nsession:\n  mainKey: m\n");
  const { stdout } = await stopped(folder, ["config", "set", "session.mainKey", "n"]);
  assert.match(stdout, /clawgate\.yaml\n/);
  assert.equal(await Deno.readTextFile(path), "# mine\nsession:\n  mainKey: n\n");
  assert.deepEqual((await Array.fromAsync(Deno.readDir(folder))).length, 1);
});

test("validate tells which of two settings files counts", async (folder) => {
  await Deno.writeTextFile(join(folder, "clawgate.yaml"), "session: 5\n");
  await Deno.writeTextFile(join(folder, "clawgate.json"), "{}");
  const { exit, stdout } = await stopped(folder, ["config", "validate"]);
  assert.equal(exit, 0);
  const [json, yaml] = ["clawgate.json", "clawgate.yaml"].map((name) => join(folder, name));
  assert.equal(stdout, `!  ${yaml} is not read, as ${json} is\nok ${json} is valid\n`);
  const own = await stopped(folder, ["config", "validate", yaml ?? ""]);
  assert.equal(own.exit, 5);
  assert.doesNotMatch(own.stdout, /is not read/);
});

test("a variable that this shell does not have is a warning, as the gateway may have it", async (folder) => {
  await Deno.writeTextFile(join(folder, "clawgate.json"), JSON.stringify(KEYED));
  const { exit, stdout } = await stopped(folder, ["config", "validate"]);
  assert.equal(exit, 0);
  const may = "which is not set in this shell; the gateway may have it";
  assert.match(
    stdout,
    new RegExp(
      `^!  gateway\\.auth\\.token needs the environment variable GATE_TOKEN, ${may}$`,
      "m",
    ),
  );
  assert.match(
    stdout,
    new RegExp(
      `^!  models\\.providers\\.p\\.apiKey needs the environment variable KEY_OF_P, ${may}$`,
      "m",
    ),
  );
  const terminal = new FakeTerminal({
    env: { GATE_TOKEN: "0123456789abcdef", KEY_OF_P: "k" },
  });
  const there = await stopped(folder, ["config", "validate"], terminal);
  assert.doesNotMatch(there.stdout, /needs the environment/);
});

test("settings with a variable that this shell does not have are read and changed", async (folder) => {
  await Deno.writeTextFile(
    join(folder, "clawgate.json"),
    JSON.stringify({ ...KEYED, session: { mainKey: "m" } }),
  );
  assert.equal((await stopped(folder, ["config", "get", "session.mainKey"])).stdout, "m\n");
  const all = (await stopped(folder, ["config", "get"])).stdout;
  assert.doesNotMatch(all, /"disabled"|"unset"/);
  const set = await stopped(folder, ["config", "set", "session.mainKey", "n"]);
  assert.deepEqual([set.exit, set.stderr], [0, ""]);
  const secret = await stopped(folder, ["token", "show"]);
  assert.equal(secret.exit, 1);
  assert.match(secret.stderr, /from a variable that is not set in this shell/);
});
