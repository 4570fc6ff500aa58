/** How the program starts: its state folder, its words, its refusals. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { statePaths } from "../../src/config/state_files.ts";
import { openSqliteStore } from "../../src/adapters/sqlite_store.ts";
import { systemClock } from "../../src/adapters/system_clock.ts";
import { systemRandom } from "../../src/adapters/system_random.ts";
import { checked, DEFAULT_TENANT, isAgentId, isSessionKey } from "../../src/core/id.ts";
import { Sessions } from "../../src/services/sessions.ts";
import { eventually } from "../support/deadline.ts";
import { GatewayProcess, runProgram } from "../support/gateway_process.ts";
import { WireClient } from "../support/wire_client.ts";

const ADMIN = ["operator.admin"];

Deno.test("S27 under umask 000 every file is 0600 and every folder 0700", async () => {
  await using gateway = await GatewayProcess.start({ umask: "000" });
  await using client = await WireClient.connect(gateway.url, {
    token: gateway.token,
    scopes: ADMIN,
  });
  const send = { sessionKey: "main", message: "hello", idempotencyKey: "1" };
  await client.call("chat.send", send);
  await client.event("chat", ({ state }) => state === "final");
  await client.call("config.set", { raw: "{ agents: { defaults: { maxConcurrent: 2 } } }" });
  const rotated = await runProgram(["token", "rotate", "--state-dir", gateway.stateDir], {
    umask: "000",
  });
  assert.equal(rotated.code, 0, rotated.err);
  const modes = await modesIn(gateway.stateDir);
  const names = [...modes.keys()];
  for (const name of ["clawgate.db", "clawgate.json", "device-key", "logs", "token"]) {
    assert.ok(names.includes(name), `${name} is there`);
  }
  for (const [name, { folder, mode }] of modes) {
    assert.equal(mode.toString(8), folder ? "700" : "600", name || "the state folder");
  }
  assert.equal(await gateway.stop(), 0);
  for (const [name, { folder, mode }] of await modesIn(gateway.stateDir)) {
    assert.equal(mode.toString(8), folder ? "700" : "600", `${name} after the stop`);
  }
});

Deno.test("S27 a state folder that others could enter is closed to them", async () => {
  const stateDir = await Deno.makeTempDir({ prefix: "gateway-" });
  try {
    await Deno.chmod(stateDir, 0o777);
    await Deno.writeTextFile(statePaths(stateDir).token, `${"k3".repeat(16)}\n`);
    await Deno.chmod(statePaths(stateDir).token, 0o644);
    await using gateway = await GatewayProcess.start({ stateDir });
    assert.equal(gateway.token, "k3".repeat(16));
    const modes = await modesIn(stateDir);
    assert.equal(modes.get("")?.mode, 0o700);
    assert.equal(modes.get("token")?.mode, 0o600);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

interface Mode {
  readonly folder: boolean;
  readonly mode: number;
}

/** The mode of the folder itself (`""`) and of all that is in it. */
async function modesIn(folder: string): Promise<Map<string, Mode>> {
  const modes = new Map<string, Mode>();
  const visit = async (path: string): Promise<void> => {
    const { mode, isDirectory } = await Deno.stat(join(folder, path));
    modes.set(path, { folder: isDirectory, mode: (mode ?? 0) & 0o777 });
    if (!isDirectory) return;
    for await (const { name } of Deno.readDir(join(folder, path))) await visit(join(path, name));
  };
  await visit("");
  return modes;
}

Deno.test("the first start makes a token and says where to connect; the next keeps it and is silent about it", async () => {
  const stateDir = join(await Deno.makeTempDir({ prefix: "gateway-" }), "made", "here");
  try {
    let token: string;
    {
      await using gateway = await GatewayProcess.start({ stateDir });
      token = gateway.token;
      assert.match(token, /^[0-9a-f]{48}$/);
      for (const part of [gateway.url, `${gateway.httpUrl}/`, stateDir, token]) {
        assert.ok(gateway.output.includes(part), `the output names ${part}`);
      }
      assert.equal(await gateway.stop(), 0);
    }
    await using gateway = await GatewayProcess.start({ stateDir });
    assert.equal(gateway.token, token);
    assert.ok(!gateway.output.includes(token));
    await using client = await WireClient.connect(gateway.url, { token });
    assert.ok(client);
  } finally {
    await Deno.remove(join(stateDir, "..", ".."), { recursive: true });
  }
});

Deno.test({
  name: "localhost is served on both of its addresses",
  ignore: !Deno.networkInterfaces().some(({ address }) => address === "::1"),
  fn: async () => {
    await using gateway = await GatewayProcess.start();
    const { port, token } = gateway;
    await using four = await WireClient.connect(`ws://127.0.0.1:${port}`, { token });
    await using six = await WireClient.connect(`ws://[::1]:${port}`, { token });
    assert.ok(four && six);
  },
});

interface WrongStart {
  readonly what: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly code: number;
  readonly says: readonly RegExp[];
}

/** Each names the flag, variable or key, and what would be right. */
const WRONG_STARTS: readonly WrongStart[] = [
  {
    what: "a port that is none",
    args: ["--port", "abc"],
    code: 2,
    says: [/the command line/, /--port must be a port.*0 to 65535.*"abc"/],
  },
  { what: "a mistyped flag", args: ["--prot", "1"], code: 2, says: [/'--prot'/, /--port\?/] },
  { what: "a flag without its value", args: ["--bind"], code: 2, says: [/--bind/] },
  {
    what: "an address that is not this machine's",
    args: ["--bind", "203.0.113.7"],
    code: 1,
    says: [/203\.0\.113\.7/, /no such address; choose one with --bind/],
  },
  {
    what: "a port in the environment that is none",
    env: { CLAWGATE_PORT: "99999" },
    code: 5,
    says: [/the environment/, /CLAWGATE_PORT must be a port.*"99999"/],
  },
  {
    what: "a settings file that cannot be read",
    files: { "clawgate.json": "{ gateway: {" },
    code: 5,
    says: [/clawgate\.json cannot be used/, /JSON5.* line 1, column \d+/],
  },
  {
    what: "settings of the wrong type",
    files: { "clawgate.json": '{ gateway: { port: "x" } }' },
    code: 5,
    says: [/clawgate\.json cannot be used/, /gateway\.port must be a whole number/],
  },
  {
    what: "a blank state folder",
    args: ["--state-dir", " "],
    code: 2,
    says: [/--state-dir must not be blank/],
  },
  {
    what: "a state folder that is a file",
    args: ["--state-dir", join(import.meta.dirname ?? "", "start_test.ts")],
    code: 1,
    says: [/state folder .*start_test\.ts cannot be used/, /--state-dir/],
  },
  {
    what: "a database that is none",
    files: { "clawgate.db": "garbage".repeat(1_000) },
    code: 1,
    says: [/clawgate\.db/, /not a database/, /restore the file from a backup, or move it away/],
  },
  {
    what: "S4 an empty token file",
    files: { token: "" },
    code: 1,
    says: [/token is empty; delete it to have a new one made/],
  },
  {
    what: "S4 a token file with a placeholder",
    files: { token: "change-me\n" },
    code: 1,
    says: [/the token in .*token is a placeholder/],
  },
  ...["", " ", "undefined", "null", "changeme", "[object Object]", "${TOKEN}"].flatMap(
    (token): WrongStart[] => [
      {
        what: `S4 the token ${JSON.stringify(token)} as a flag`,
        args: ["--token", token],
        code: 2,
        says: [/--token (is a placeholder|must not be blank)/],
      },
      {
        what: `S4 the token ${JSON.stringify(token)} in the environment`,
        env: { CLAWGATE_TOKEN: token },
        code: 5,
        says: [/CLAWGATE_TOKEN (is a placeholder|must not be blank)/],
      },
      {
        what: `S4 the token ${JSON.stringify(token)} in the settings`,
        files: { "clawgate.json": JSON.stringify({ gateway: { auth: { token } } }) },
        code: 5,
        says: [/gateway\.auth\.token/],
      },
    ],
  ),
  {
    what: "S4 a placeholder for a password",
    files: { "clawgate.json": '{ gateway: { auth: { mode: "password", password: "changeme" } } }' },
    code: 5,
    says: [/gateway\.auth\.password is a placeholder/],
  },
];

Deno.test("a start that cannot be is refused in words that help, with its exit status", async (t) => {
  for (const { what, args = [], env = {}, files = {}, code, says } of WRONG_STARTS) {
    await t.step(what, async () => {
      const stateDir = await Deno.makeTempDir({ prefix: "gateway-" });
      try {
        for (const [name, text] of Object.entries(files)) {
          await Deno.writeTextFile(join(stateDir, name), text);
        }
        const own = args.includes("--state-dir") ? [] : ["--state-dir", stateDir];
        const port = args.includes("--port") || "CLAWGATE_PORT" in env ? [] : ["--port", "0"];
        const end = await runProgram(["serve", ...own, ...port, ...args], { entry: "mod.ts", env });
        assert.equal(end.code, code, end.err);
        assert.equal(end.out, "");
        for (const words of says) assert.match(end.err, words);
        assert.doesNotMatch(end.err, /\n +at |unexpected:/, "no stack, no raw error");
      } finally {
        await Deno.remove(stateDir, { recursive: true });
      }
    });
  }
});

Deno.test("a port that is taken: the refusal names who has it and what to do", async () => {
  await using gateway = await GatewayProcess.start();
  const stateDir = await Deno.makeTempDir({ prefix: "gateway-" });
  try {
    const port = String(gateway.port);
    const end = await runProgram(["serve", "--port", port, "--state-dir", stateDir], {
      entry: "mod.ts",
    });
    assert.equal(end.code, 1);
    assert.match(end.err, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}`));
    assert.match(end.err, /another program has the port; choose one with --port, or stop it/);
    assert.match(end.err, new RegExp(`pid ${gateway.pid}\\b`));
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

Deno.test("a start with 10,000 sessions is ready as soon as one without", async () => {
  const stateDir = await Deno.makeTempDir({ prefix: "gateway-" });
  try {
    const empty = await readyIn({});
    await fill(stateDir, 10_000);
    const full = await readyIn({ stateDir });
    console.log(`ready in ${Math.round(empty)} ms empty, ${Math.round(full)} ms with 10,000`);
    // Generous: reading all of them takes several times as long as the whole start.
    assert.ok(full < 2 * empty + 500, `${full} ms with sessions, ${empty} ms without`);
    await using gateway = await GatewayProcess.start({ stateDir });
    await using client = await WireClient.connect(gateway.url, { token: gateway.token });
    assert.equal((await client.call("sessions.list", { limit: 1 })).sessions.length, 1);
    assert.equal((await client.call("health", { probe: true })).sessions.count, 10_000);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

/** Milliseconds until a gateway says that it is ready and lets a client in. */
async function readyIn(options: { readonly stateDir?: string }): Promise<number> {
  const began = performance.now();
  await using gateway = await GatewayProcess.start(options);
  await eventually(async () => {
    const answer = await fetch(`${gateway.httpUrl}/readyz`);
    await answer.body?.cancel();
    return answer.status === 200;
  }, "the gateway to be ready");
  await using _client = await WireClient.connect(gateway.url, { token: gateway.token });
  return performance.now() - began;
}

/** Puts sessions into a database as the gateway would. */
async function fill(stateDir: string, count: number): Promise<void> {
  const store = openSqliteStore({ path: statePaths(stateDir).database });
  try {
    const main = checked("main", isAgentId);
    const sessions = new Sessions({
      store,
      clock: systemClock,
      random: systemRandom,
      agents: { defaultId: main, has: (id) => id === main },
      options: () => ({ mainKey: "main", scope: "per-sender" }),
    });
    const batch = 500;
    for (let at = 0; at < count; at += batch) {
      await Promise.all(Array.from({ length: batch }, (_, index) => {
        const key = checked(`agent:main:session-${at + index}`, isSessionKey);
        const text = "What shall we have for dinner on Thursday, when the neighbours come?";
        return sessions.append(DEFAULT_TENANT, key, {
          messages: [{ role: "user", text, at: Date.now() }],
        });
      }));
    }
  } finally {
    await store.close();
  }
}
