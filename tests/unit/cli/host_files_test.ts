import assert from "node:assert/strict";
import { join } from "node:path";
import { statePaths } from "../../../src/config/state_files.ts";
import { openSqliteStore } from "../../../src/adapters/sqlite_store.ts";
import { findTarget } from "../../../src/cli/gateway_access.ts";
import { run } from "../../../src/cli/program.ts";
import { lockStateFolder } from "../../../src/adapters/state_lock.ts";
import { strangerAt } from "../../../src/cli/own_gateway.ts";
import { FakeTerminal } from "./fake_terminal.ts";
import { requestPairing } from "./pairing_request.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";

function test(name: string, fn: (folder: string) => Promise<void>): void {
  Deno.test(name, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await fn(folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** A port on which nothing listens now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A command on a host whose gateway is stopped. */
async function stopped(folder: string, args: readonly string[], terminal = new FakeTerminal()) {
  terminal.env.CLAWGATE_STATE_DIR = folder;
  terminal.env.CLAWGATE_PORT ??= String(freePort());
  terminal.stdout = terminal.stderr = "";
  const exit = await run(args, {
    terminal,
    startGateway: () => Promise.reject(new Error("not here")),
  });
  return { exit, stdout: terminal.stdout, stderr: terminal.stderr };
}

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

test("without a fixed port, the address has to be given", async (folder) => {
  const { exit, stderr } = await stopped(
    folder,
    ["health"],
    new FakeTerminal({ env: { CLAWGATE_PORT: "0" } }),
  );
  assert.equal(exit, 2);
  assert.match(stderr, /with --url/);
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

test("a gateway on another port, or in another process, does not vouch for who has this one", async (folder) => {
  await Deno.writeTextFile(statePaths(folder).token, `${TOKEN}\n`, { mode: 0o600 });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = new URL(`ws://127.0.0.1:${listener.addr.port}`);
  using lock = await lockStateFolder(folder);
  // This process has both the lock and the port.
  assert.equal(await strangerAt(url, folder), undefined);
  listener.close();
  const other = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "const l = Deno.listen({ hostname: '127.0.0.1', port: 0 });" +
      "console.log(l.addr.port); await new Promise(() => setTimeout(() => {}, 1e8));",
    ],
    stdout: "piped",
  }).spawn();
  const reader = other.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const port = Number((await reader.read()).value);
  const stranger = await strangerAt(new URL(`ws://127.0.0.1:${port}`), folder);
  other.kill("SIGKILL");
  await Promise.all([other.status, reader.cancel()]);
  if (Deno.build.os === "linux") {
    assert.equal(stranger?.listening, true);
    assert.match(stranger.reason, /belongs to another program than the gateway/);
  }
  lock.release();
});

test("the doctor finds what is broken and says what to do", async (folder) => {
  await Deno.chmod(folder, 0o755);
  await Deno.writeTextFile(statePaths(folder).token, "changeme\n", { mode: 0o644 });
  await Deno.writeTextFile(
    join(folder, "clawgate.json"),
    '{ gateway: { prot: 1 }, agents: { defaults: { model: "nowhere/x" } } }',
    { mode: 0o600 },
  );
  await Deno.writeTextFile(statePaths(folder).database, "not a database", { mode: 0o600 });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const terminal = new FakeTerminal({ env: { CLAWGATE_PORT: String(port) }, now: Date.now() });
  // A program that is no gateway; nothing is said to it.
  const { exit, stdout } = await stopped(folder, ["doctor", "--json"], terminal);
  listener.close();
  assert.equal(exit, 1);
  const { ok, findings } = JSON.parse(stdout);
  assert.equal(ok, false);
  const broken = findings.filter(({ finding }: { finding: string }) => finding === "broken");
  assert.deepEqual(broken.map(({ check }: { check: string }) => check), [
    "state folder",
    "files",
    "secret",
    "database",
    "port",
    "model",
  ]);
  for (const { fix } of broken) assert.match(fix, /\S/);
  const [folderFinding, files, secret, , held] = broken;
  assert.match(folderFinding.fix, /^chmod 700 /);
  assert.match(files.message, /token/);
  assert(!JSON.stringify(secret).includes("changeme"));
  assert(held.message.includes(`port ${port} is held by pid ${Deno.pid}`), held.message);
  const settings = findings.find((item: { check: string; finding: string }) =>
    item.check === "settings" && item.finding === "warning"
  );
  assert.match(settings.message, /gateway\.prot .*did you mean "port"\?/);
});

test("the doctor tells of an environment that cannot be used", async (folder) => {
  const terminal = new FakeTerminal({ env: { CLAWGATE_PORT: "seven" }, now: Date.now() });
  const { exit, stdout } = await stopped(folder, ["doctor"], terminal);
  assert.equal(exit, 1);
  assert.match(stdout, /^x {2}settings: CLAWGATE_PORT must be a port/m);
});

test("a sound host is sound, in plain ASCII where nobody watches", async (folder) => {
  await Deno.writeTextFile(statePaths(folder).token, `${TOKEN}\n`, { mode: 0o600 });
  await openSqliteStore({ path: statePaths(folder).database }).close();
  const { exit, stdout } = await stopped(
    folder,
    ["doctor"],
    new FakeTerminal({ now: Date.now() }),
  );
  assert.equal(exit, 0, stdout);
  assert.match(stdout, /^ok database: .* layout \d+$/m);
  assert.match(stdout, /^! {2}gateway: does not run/m);
  assert.match(stdout, /0 broken, 1 to look at\n$/);
  // deno-lint-ignore no-control-regex
  assert.match(stdout, /^[\x0a\x20-\x7e]+$/);
  const watched = new FakeTerminal({
    tty: { output: true },
    env: { NO_COLOR: "1" },
    now: Date.now(),
  });
  assert.match((await stopped(folder, ["doctor"], watched)).stdout, /^✓ database/m);
});
