import assert from "node:assert/strict";
import { join } from "node:path";
import { statePaths } from "../../../src/config/state_files.ts";
import { openSqliteStore } from "../../../src/adapters/sqlite_store.ts";
import { findTarget } from "../../../src/cli/gateway_access.ts";
import { lockStateFolder } from "../../../src/adapters/state_lock.ts";
import { FakeTerminal } from "./fake_terminal.ts";
import { requestPairing } from "./pairing_request.ts";
import { stopped } from "./stopped_host.ts";
import { testInTempFolder as test } from "../../support/temp_folder.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";

test("the stored token goes to this host alone", async (folder) => {
  await Deno.writeTextFile(statePaths(folder).token, `${TOKEN}\n`);
  const terminal = new FakeTerminal({ env: { CLAWGATE_STATE_DIR: folder } });
  const target = (flags: { url?: string; token?: string }) => findTarget({ terminal, flags });
  const secretOf = folder;
  assert.deepEqual(await target({}), { url: "ws://127.0.0.1:18789", token: TOKEN, secretOf });
  const here = "ws://127.0.0.1:5/";
  assert.deepEqual(await target({ url: here }), { url: here, token: TOKEN, secretOf });
  assert.deepEqual(await target({ url: here, token: "own" }), { url: here, token: "own" });
  for (const url of ["ws://evil.example/", "ws://127.0.0.1.evil.example/", "wss://10.0.0.1/"]) {
    assert.deepEqual(await target({ url }), { url });
    assert.deepEqual(await target({ url, token: "own" }), { url, token: "own" });
  }
  terminal.env.CLAWGATE_TOKEN = "from the environment";
  const there = { url: "wss://gate.example/", token: "from the environment" };
  assert.deepEqual(await target({ url: there.url }), there);
});

test("flag, environment, settings and default find the gateway in this order", async (folder) => {
  const config = join(folder, "clawgate.json");
  await Deno.writeTextFile(
    config,
    `{ gateway: { port: 4001, bind: "lan", auth: { mode: "password", password: "pw-${TOKEN}" } } }`,
  );
  const terminal = new FakeTerminal({ env: { CLAWGATE_STATE_DIR: folder } });
  const found = () => findTarget({ terminal, flags: {} });
  assert.deepEqual(await found(), {
    url: "ws://127.0.0.1:4001",
    password: `pw-${TOKEN}`,
    secretOf: folder,
  });
  terminal.env.CLAWGATE_PORT = "4002";
  terminal.env.CLAWGATE_BIND = "::1";
  assert.equal((await found()).url, "ws://[::1]:4002");
});

test("the address of a gateway that runs counts before what settings and environment say now", async (folder) => {
  await Deno.writeTextFile(join(folder, "clawgate.json"), "{ gateway: { port: 4001 } }");
  const terminal = new FakeTerminal({
    env: { CLAWGATE_STATE_DIR: folder, CLAWGATE_PORT: "0", CLAWGATE_TOKEN: TOKEN },
  });
  const found = (flags = {}) => findTarget({ terminal, flags });
  const lock = await lockStateFolder(folder);
  // It starts: nobody knows yet.
  await assert.rejects(found(), /any free port/);
  await lock.announce({ host: "0.0.0.0", port: 4007 });
  assert.deepEqual(await found(), { url: "ws://127.0.0.1:4007", token: TOKEN });
  assert.equal((await found({ url: "ws://127.0.0.1:5" })).url, "ws://127.0.0.1:5/");
  lock.release();
  delete terminal.env.CLAWGATE_PORT;
  assert.equal((await found()).url, "ws://127.0.0.1:4001");
});

test("a gateway that runs and lets nobody in: rotate does not say when the token counts", async (folder) => {
  await Deno.writeTextFile(statePaths(folder).token, `${TOKEN}\n`, { mode: 0o600 });
  using _lock = await lockStateFolder(folder);
  const rotated = await stopped(folder, ["token", "rotate"]);
  assert.equal(rotated.exit, 0, rotated.stderr);
  assert.match(
    rotated.stdout,
    /A gateway runs on this state folder but did not let this command in/,
  );
  const settings = JSON.stringify({ gateway: { auth: { token: TOKEN } } });
  await Deno.writeTextFile(join(folder, "clawgate.json"), settings);
  const json = await stopped(folder, ["token", "rotate", "--json"]);
  assert.deepEqual(JSON.parse(json.stdout), { ok: true, source: "file", effect: "unknown" });
});

test("without a fixed port and a gateway that runs, the address has to be given", async (folder) => {
  const { exit, stderr } = await stopped(
    folder,
    ["health"],
    new FakeTerminal({ env: { CLAWGATE_PORT: "0" } }),
  );
  assert.equal(exit, 3);
  assert.match(stderr, /no gateway runs on this state folder[^]*with --url/);
});

test("settings are read, changed and checked with the gateway stopped", async (folder) => {
  const path = join(folder, "clawgate.json");
  await Deno.writeTextFile(
    path,
    '{\n  // mine\n  gateway: { auth: { token: "' + TOKEN + '" } },\n}\n',
  );
  assert.equal((await stopped(folder, ["config", "path"])).stdout, `${path}\n`);
  assert.equal((await stopped(folder, ["config", "get", "gateway.port"])).stdout, "18789\n");
  const all = await stopped(folder, ["config", "get"]);
  assert.equal(all.exit, 0);
  assert(!all.stdout.includes(TOKEN));
  const set = await stopped(folder, ["config", "set", "gateway.port", "4003"]);
  assert.equal(set.exit, 0, set.stderr);
  assert.match(
    set.stdout,
    /^Set gateway\.port to 4003 in .*\nIt takes effect when the gateway starts/,
  );
  assert.equal((await stopped(folder, ["config", "get", "gateway.port"])).stdout, "4003\n");
  const text = await Deno.readTextFile(path);
  assert(text.includes("// mine") && text.includes(TOKEN), text);
  const removed = await stopped(folder, ["config", "set", "gateway.port", "null"]);
  assert.match(removed.stdout, /^Removed gateway\.port from/);
  assert.equal((await stopped(folder, ["config", "get", "gateway.port"])).stdout, "18789\n");
});

test("a value is JSON where the setting takes it, and text where it takes text", async (folder) => {
  const set = (key: string, value: string) => stopped(folder, ["config", "set", key, value]);
  assert.equal((await set("agents.list", '[{"id":"a"}]')).exit, 0);
  assert.equal((await set("agents.list.0.name", "12345")).exit, 0);
  assert.equal((await set("agents.list.1", '{"id":"b"}')).exit, 0);
  const { stdout } = await stopped(folder, ["config", "get", "agents.list"]);
  assert.deepEqual(JSON.parse(stdout), [{ id: "a", name: "12345" }, { id: "b" }]);
});

test("a secret comes from standard input and is not repeated", async (folder) => {
  const terminal = new FakeTerminal({ input: [TOKEN] });
  const set = await stopped(folder, ["config", "set", "gateway.auth.token", "-"], terminal);
  assert.equal(set.exit, 0, set.stderr);
  assert.match(set.stdout, /^Set gateway\.auth\.token to \(hidden\)/);
  assert(!set.stdout.includes(TOKEN));
  assert.equal((await stopped(folder, ["token", "show"])).stdout, `${TOKEN}\n`);
});

test("a value that is not valid changes nothing and exits with 5", async (folder) => {
  const { exit, stderr } = await stopped(folder, ["config", "set", "gateway.port", "99999"]);
  assert.equal(exit, 5);
  assert.match(stderr, /gateway\.port must be a whole number[^]*nothing was changed/);
  await assert.rejects(Deno.stat(join(folder, "clawgate.json")), Deno.errors.NotFound);
});

test("validate tells what is wrong and what has no effect, and exits with 5", async (folder) => {
  const file = join(folder, "other.yaml");
  await Deno.writeTextFile(file, 'gateway:\n  port: "x\\e[2J"\n  prot: 5\n');
  const { exit, stdout } = await stopped(folder, ["config", "validate", file]);
  assert.equal(exit, 5);
  assert.match(stdout, /^x {2}gateway\.port must be a whole number[^\n]*"x\\u\{1b\}\[2J"\n/);
  assert.match(stdout, /^! {2}gateway\.prot [^\n]*did you mean "port"\?\n/m);
  const json = await stopped(folder, ["config", "validate", file, "--json"]);
  assert.equal(JSON.parse(json.stdout).valid, false);
  assert.equal((await stopped(folder, ["config", "validate"])).exit, 0);
  assert.equal((await stopped(folder, ["config", "validate", `${file}.none`])).exit, 5);
});

test("the token is shown and replaced with the gateway stopped, mode 0600", async (folder) => {
  const none = await stopped(folder, ["token", "show"]);
  assert.equal(none.exit, 1);
  assert.match(none.stderr, /`serve` makes one/);
  const path = statePaths(folder).token;
  await Deno.writeTextFile(path, `${TOKEN}\n`);
  assert.equal((await stopped(folder, ["token", "show"])).stdout, `${TOKEN}\n`);
  const rotated = await stopped(folder, ["token", "rotate"]);
  assert.equal(rotated.exit, 0, rotated.stderr);
  assert.match(rotated.stdout, /It counts when the gateway starts/);
  const fresh = (await stopped(folder, ["token", "show"])).stdout.trim();
  assert.match(fresh, /^[0-9a-f]{48}$/);
  assert(!rotated.stdout.includes(fresh));
  assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  assert.deepEqual(names, ["token"]);
});

test("a gateway that does not run is said not to, and nothing else", async (folder) => {
  await Deno.writeTextFile(statePaths(folder).token, `${TOKEN}\n`, { mode: 0o600 });
  const { exit, stderr } = await stopped(folder, ["health"]);
  assert.equal(exit, 3);
  if (Deno.build.os === "linux") {
    assert.match(stderr, /^error: no gateway runs on the state folder "[^"]+"\n +start a gateway/);
  }
});

test("a token of the environment is not replaced", async (folder) => {
  const terminal = new FakeTerminal({ env: { CLAWGATE_TOKEN: TOKEN } });
  const { exit, stderr } = await stopped(folder, ["token", "rotate"], terminal);
  assert.equal(exit, 1);
  assert.match(stderr, /comes from CLAWGATE_TOKEN/);
});

test("a token of the settings is replaced there, unless they refer to the environment", async (folder) => {
  const path = join(folder, "clawgate.json");
  const settings = (token: string) => `{ gateway: { auth: { token: ${JSON.stringify(token)} } } }`;
  await Deno.writeTextFile(path, settings(TOKEN));
  const rotated = await stopped(folder, ["token", "rotate", "--json"]);
  assert.deepEqual(JSON.parse(rotated.stdout), { ok: true, source: "file", effect: "at start" });
  const fresh = (await stopped(folder, ["token", "show"])).stdout.trim();
  assert.match(fresh, /^[0-9a-f]{48}$/);
  assert((await Deno.readTextFile(path)).includes(fresh));
  await Deno.writeTextFile(path, settings("${MY_TOKEN}"));
  const terminal = new FakeTerminal({ env: { MY_TOKEN: TOKEN } });
  const refused = await stopped(folder, ["token", "rotate"], terminal);
  assert.equal(refused.exit, 1);
  assert.match(refused.stderr, /take the token from the environment/);
  assert.equal(await Deno.readTextFile(path), settings("${MY_TOKEN}"));
});

test("devices are listed from the store with the gateway stopped", async (folder) => {
  const none = await stopped(folder, ["devices", "list"]);
  assert.equal(none.exit, 3);
  assert.match(none.stderr, /there is no database/);
  await openSqliteStore({ path: statePaths(folder).database }).close();
  const { exit, stdout } = await stopped(folder, ["devices", "list"]);
  assert.deepEqual([exit, stdout], [0, "No device is paired and none asks to be.\n"]);
});

test("a device is approved and another rejected with the gateway stopped", async (folder) => {
  const path = statePaths(folder).database;
  const first = await requestPairing(path, "a");
  const second = await requestPairing(path, "b");
  const terminal = new FakeTerminal({ now: Date.now() });
  const list = await stopped(folder, ["devices", "list"], terminal);
  assert.match(
    list.stdout,
    new RegExp(`^${first} +aaaaaaaaaaaa… +Phone +operator +read,write`, "m"),
  );
  const approved = await stopped(folder, ["devices", "approve", first.slice(0, 8)], terminal);
  assert.equal(approved.exit, 0, approved.stderr);
  assert.match(approved.stdout, /^Approved aaaaaaaaaaaa… \(Phone\) as operator with read,write/);
  const rejected = await stopped(folder, ["devices", "reject", second], terminal);
  assert.match(rejected.stdout, /^Rejected bbbbbbbbbbbb… \(Phone\)/);
  const json = await stopped(folder, ["devices", "list", "--json"], terminal);
  const { pending, paired } = JSON.parse(json.stdout);
  assert.deepEqual(pending, []);
  assert.deepEqual(paired.map(({ deviceId }: { deviceId: string }) => deviceId), ["a".repeat(64)]);
  assert(!json.stdout.includes("salt"));
});

/** Runs a command while a program that is no gateway has the port, and tells whether that was dialled. */
async function withStranger(folder: string, args: readonly string[], env = {}) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let dialled = 0;
  const accepting = (async () => {
    for await (const connection of listener) {
      dialled++;
      connection.close();
    }
  })();
  const port = listener.addr.port;
  const terminal = new FakeTerminal({ env: { CLAWGATE_PORT: String(port), ...env } });
  try {
    return { ...await stopped(folder, args, terminal), dialled: () => dialled, port };
  } finally {
    listener.close();
    await accepting;
  }
}

test("with the gateway stopped, whoever has its port is not shown the secret of the files", async (folder) => {
  await Deno.writeTextFile(statePaths(folder).token, `${TOKEN}\n`, { mode: 0o600 });
  await openSqliteStore({ path: statePaths(folder).database }).close();
  const list = await withStranger(folder, ["devices", "list"]);
  assert.deepEqual([list.exit, list.dialled()], [0, 0], list.stderr);
  assert.match(list.stdout, /^No device is paired/);
  if (Deno.build.os === "linux") assert.match(list.stderr, /no gateway runs on .* was not sent to/);
  const health = await withStranger(folder, ["health"]);
  assert.deepEqual([health.exit, health.dialled()], [3, 0]);
  assert.match(health.stderr, /no gateway runs on [^\n]*; --token names one to send all the same/);
  assert.doesNotMatch(list.stderr + health.stderr, new RegExp(TOKEN));
  const explicit = await withStranger(folder, ["health", "--token", "own"]);
  assert.deepEqual([explicit.exit, explicit.dialled() > 0], [3, true]);
  const environment = await withStranger(folder, ["health"], { CLAWGATE_TOKEN: TOKEN });
  assert.equal(environment.dialled() > 0, true);
});
