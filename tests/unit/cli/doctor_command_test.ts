import assert from "node:assert/strict";
import { join } from "node:path";
import { openSqliteStore } from "../../../src/adapters/sqlite_store.ts";
import { lockStateFolder } from "../../../src/adapters/state_lock.ts";
import { checkSecret } from "../../../src/cli/doctor_command.ts";
import { statePaths } from "../../../src/config/state_files.ts";
import { testInTempFolder as test } from "../../support/temp_folder.ts";
import { FakeTerminal } from "./fake_terminal.ts";
import { freePort, stopped } from "./stopped_host.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";

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

/** What the doctor says of a folder with these settings. */
async function examined(folder: string, settings: string) {
  await Deno.writeTextFile(join(folder, "clawgate.json"), settings, { mode: 0o600 });
  const watched = new FakeTerminal({ now: Date.now() });
  const { exit, stdout } = await stopped(folder, ["doctor"], watched);
  return { exit, stdout, lines: stdout.split("\n") };
}

test("a short secret is told of once, and is broken where others reach the gateway", async (folder) => {
  const short = '{ gateway: { auth: { token: "k3y-of-9" } } }';
  const inside = await examined(folder, short);
  const about = inside.lines.filter((line) => /16 characters/.test(line));
  assert.equal(about.length, 1, inside.stdout);
  assert.match(about[0]!, /^! {2}secret: the token \(file\) has fewer than 16 characters/);
  assert.equal(inside.exit, 0);
  const outside = await examined(folder, short.replace("auth", 'bind: "lan", auth'));
  assert.match(outside.stdout, /^x {2}secret: the token \(file\) has fewer/m);
  assert.equal(outside.exit, 1);
});

test("the report has no empty line but the one before its end, and no double blanks in its lines", async (folder) => {
  for (const settings of ["{ gateway: {\n\n", "{}", '{ "": 1, gateway: { bind: "lan" } }']) {
    const { lines } = await examined(folder, settings);
    assert.equal(lines.filter((line) => line === "").length, 2, lines.join("\n"));
    assert.equal(lines.at(-1), "");
    for (const line of lines) assert.doesNotMatch(line.replace(/^(?:[!x] | {4}) /, ""), / {2}/);
  }
});

test("a gateway that has the folder and is not reached is told of, by its process", async (folder) => {
  await Deno.writeTextFile(statePaths(folder).token, `${TOKEN}\n`, { mode: 0o600 });
  using lock = await lockStateFolder(folder);
  await lock.announce({ host: "127.0.0.1", port: freePort() });
  const { exit, stdout } = await examined(folder, "{ gateway: { port: 4001 } }");
  assert.equal(exit, 1);
  assert.match(
    stdout,
    new RegExp(
      `^x {2}gateway: the gateway of this state folder \\(pid ${Deno.pid}\\) is not reached`,
      "m",
    ),
  );
  assert.doesNotMatch(stdout, /4001/);
});

Deno.test("what mends a secret depends on where it stands", () => {
  const rows = [
    [{ kind: "token", source: "environment" }, /CLAWGATE_TOKEN/],
    [{ kind: "token", source: "file" }, /token rotate/],
    [{ kind: "password", source: "file" }, /gateway\.auth\.password/],
  ] as const;
  for (const [parts, fix] of rows) {
    const found = checkSecret({ secret: { ...parts, value: "short" }, exposed: false });
    assert.equal(found.finding, "warning");
    assert.match(found.fix ?? "", fix);
  }
  assert.equal(checkSecret({ exposed: true }).finding, "fine");
});

test("files that are open in a folder that is not are worth a warning", async (folder) => {
  await Deno.chmod(folder, 0o700);
  await Deno.writeTextFile(join(folder, "cert.pem"), "public", { mode: 0o644 });
  await Deno.chmod(join(folder, "cert.pem"), 0o644);
  const found = async () => {
    const terminal = new FakeTerminal();
    const { stdout } = await stopped(folder, ["doctor", "--json"], terminal);
    const { findings }: { findings: { check: string; finding: string }[] } = JSON.parse(stdout);
    return findings.find(({ check }) => check === "files")?.finding;
  };
  assert.equal(await found(), "warning");
  await Deno.chmod(folder, 0o755);
  assert.equal(await found(), "broken");
});
