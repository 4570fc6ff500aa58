import assert from "node:assert/strict";
import { EXIT_MEANINGS } from "../../../src/cli/exit_code.ts";
import { run } from "../../../src/cli/program.ts";
import { type Request, scriptedGateway, type ScriptedPeer } from "../client/scripted_gateway.ts";
import { greet } from "../client/scripted_gateway.ts";
import { FakeTerminal } from "./fake_terminal.ts";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test(name, fn);
}

const noGateway = () => Promise.reject(new Error("this command starts no gateway"));

async function cli(args: readonly string[], terminal: FakeTerminal = new FakeTerminal()) {
  const exit = await run(args, { terminal, startGateway: noGateway });
  return { exit, stdout: terminal.stdout, stderr: terminal.stderr };
}

interface Line {
  readonly args: readonly string[];
  readonly exit: number;
  readonly stdout?: RegExp;
  readonly stderr?: RegExp;
}

/** Nothing of these reaches a network. */
const LINES: readonly Line[] = [
  { args: ["--help"], exit: 0, stdout: /CLAWGATE_TOKEN[\s\S]*Exit status:/ },
  { args: ["chat", "--help"], exit: 0, stdout: /--session <key>[\s\S]*--url <url>/ },
  { args: ["help", "devices"], exit: 0, stdout: /approve <id>/ },
  { args: ["--version"], exit: 0, stdout: /^\d{4}\.\d+\.\d+\n$/ },
  { args: ["helth"], exit: 2, stderr: /no command "helth"\n +did you mean "health"\?/ },
  { args: ["serv", "--port", "1"], exit: 2, stderr: /did you mean "serve"\?/ },
  { args: ["frobnicate"], exit: 2, stderr: /--help lists the commands/ },
  { args: ["\x1b[2J"], exit: 2, stderr: /no command "\\u\{1b\}\[2J"/ },
  {
    args: ["health", "--jsn"],
    exit: 2,
    stderr: /unknown option '--jsn'\n\(Did you mean --json\?\)/,
  },
  { args: ["health", "--\x1b[2J"], exit: 2, stderr: /unknown option '--\\u\{1b\}\[2J'/ },
  { args: ["serve", "--prot", "1"], exit: 2, stderr: /Did you mean --port\?/ },
  { args: ["devices", "aprove", "x"], exit: 2, stderr: /unknown command 'aprove'[^]*approve/ },
  { args: ["devices"], exit: 2, stderr: /Usage: clawgate devices/ },
  { args: ["devices", "approve"], exit: 2, stderr: /missing required argument 'id'/ },
  { args: ["call"], exit: 2, stderr: /missing required argument 'method'/ },
  { args: ["call", "x", "--params", "{"], exit: 2, stderr: /--params is not JSON: "\{"/ },
  { args: ["health", "extra"], exit: 2, stderr: /too many arguments/ },
  { args: ["health", "--timeout", "soon"], exit: 2, stderr: /--timeout "soon" is not a number/ },
  { args: ["health", "--timeout", "0"], exit: 2, stderr: /whole number from 1 to/ },
  { args: ["health", "--url", "ftp://x"], exit: 2, stderr: /not a scheme of a gateway/ },
  {
    args: ["health", "--url", "nonsense"],
    exit: 2,
    stderr: /"nonsense" is not an address[^]*ws:\/\/127/,
  },
  { args: ["health", "--url", "u:s3cret@x"], exit: 2, stderr: /"x" is not an address/ },
  { args: ["health", "--url", "x?token=s3cret"], exit: 2, stderr: /"x" is not an address/ },
  { args: ["health", "--url", ""], exit: 2, stderr: /"" is not an address/ },
  { args: ["health", "--url", "ws://u:s3cret@x"], exit: 2, stderr: /must not hold a user/ },
  { args: ["config", "set", "gatway.port", "1"], exit: 2, stderr: /did you mean "gateway.port"\?/ },
  { args: ["token", "show", "--url", "ws://127.0.0.1:1"], exit: 2, stderr: /own host alone/ },
  { args: ["health", "--state-dir", ""], exit: 2, stderr: /--state-dir must not be blank/ },
];

for (const { args, exit, stdout, stderr } of LINES) {
  test(`${JSON.stringify(args.join(" "))} exits with ${exit}`, async () => {
    const result = await cli(args);
    assert.equal(result.exit, exit, result.stderr);
    assert.match(result.stdout, stdout ?? /^$/);
    assert.match(result.stderr, stderr ?? /^$/);
    assert.doesNotMatch(result.stdout + result.stderr, /s3cret/);
  });
}

/** Each of them is one line of the same shape as every other failure. */
const JSON_LINES: readonly (readonly [readonly string[], string, RegExp | undefined])[] = [
  [["health", "--jsn"], "unknown option '--jsn'", /Did you mean --json\?/],
  [["devices", "aprove", "x"], "unknown command 'aprove'", /Did you mean approve\?/],
  [["devices"], "a command is missing", /^Usage: clawgate devices /],
  [["call"], "missing required argument 'method'", undefined],
  [["health", "--\x1b[2J"], "unknown option '--\\u{1b}[2J'", undefined],
  [["helth"], 'there is no command "helth"', /did you mean "health"\?/],
  [["health", "--timeout", "x"], '--timeout "x" is not a number of milliseconds', /whole number/],
];

for (const [args, message, hint] of JSON_LINES) {
  for (const line of [[...args, "--json"], ["--json", ...args]]) {
    test(`${JSON.stringify(line.join(" "))} fails in JSON`, async () => {
      const { exit, stdout, stderr } = await cli(line);
      assert.deepEqual([exit, stdout, stderr.split("\n").length], [2, "", 2], stderr);
      const { ok, error } = JSON.parse(stderr);
      assert.deepEqual([ok, error.message, error.exitCode], [false, message, 2]);
      if (hint === undefined) assert.equal("hint" in error, false);
      else assert.match(error.hint, hint);
    });
  }
}

test("a --json behind -- is text", async () => {
  const { exit, stderr } = await cli(["helth", "--", "--json"]);
  assert.equal(exit, 2);
  assert.match(stderr, /^error: /);
});

test("the help has the commands before the options, of every command that has both", async () => {
  for (const args of [["--help"], ["devices", "--help"], ["help", "config"]]) {
    const { stdout } = await cli(args);
    const headings = stdout.matchAll(/^(?:Usage|Commands|Options|Global Options):/gm).toArray()
      .map(([heading]) => heading);
    const expected = ["Usage:", "Commands:", "Options:", "Global Options:"];
    assert.deepEqual(headings, args[0] === "--help" ? expected.slice(0, 3) : expected);
    assert.doesNotMatch(stdout, /\n\n\n/);
    assert.match(stdout, /\n\nOptions:\n {2}-/);
  }
  const { stdout } = await cli(["health", "--help"]);
  assert.match(stdout, /^Usage: [^\n]+\n\n[^\n]+\n\nOptions:\n[^]+\n\nGlobal Options:\n/);
});

test("the help says of every secret on the command line that other users see it", async () => {
  const { stdout } = await cli(["--help"]);
  for (const flag of ["--token <token>", "--password <password>"]) {
    const [, help = ""] = stdout.split(flag);
    assert.match(help.split(/\n {2}-/)[0]!.replace(/\s+/g, " "), /other users see a command line/);
  }
});

test("the help documents every exit status", async () => {
  const { stdout } = await cli(["--help"]);
  for (const [code, meaning] of EXIT_MEANINGS) {
    assert(stdout.includes(`${String(code).padStart(5)}  ${meaning}`), `${code}`);
  }
});

/** Answers every request with what `answers` says. */
function answering(
  answers: Readonly<Record<string, (request: Request, peer: ScriptedPeer) => void>>,
  seen: Request[] = [],
) {
  return scriptedGateway(async (peer) => {
    seen.push(await greet(peer));
    for (;;) {
      const request = await peer.next();
      seen.push(request);
      answers[request.method]?.(request, peer);
    }
  });
}

function ok(payload: unknown) {
  return ({ id }: Request, peer: ScriptedPeer) => peer.send({ type: "res", id, ok: true, payload });
}

function no(code: string, message: string) {
  return ({ id }: Request, peer: ScriptedPeer) =>
    peer.send({ type: "res", id, ok: false, error: { code, message } });
}

test("call sends the parameters and prints the answer as JSON", async () => {
  const seen: Request[] = [];
  await using gateway = answering({ "sessions.list": ok({ n: 1 }) }, seen);
  const at = ["--url", gateway.url, "--token", "t"];
  const pretty = await cli(["call", "sessions.list", "--params", '{"limit":5}', ...at]);
  assert.deepEqual([pretty.exit, pretty.stdout], [0, '{\n  "n": 1\n}\n']);
  assert.deepEqual(seen.at(-1)?.params, { limit: 5 });
  assert.equal(seen[0]?.params.auth.token, "t");
  const terminal = new FakeTerminal({ input: ['{"limit":', "7}"] });
  const short = await cli(["call", "sessions.list", "--params", "-", "--json", ...at], terminal);
  assert.deepEqual([short.exit, short.stdout], [0, '{"n":1}\n']);
  assert.deepEqual(seen.at(-1)?.params, { limit: 7 });
});

test("call waits for the second answer only when told to", async () => {
  await using gateway = answering({
    agent: (request, peer) => {
      ok({ status: "accepted" })(request, peer);
      ok({ status: "ok" })(request, peer);
    },
  });
  const first = await cli(["call", "agent", "--json", "--url", gateway.url]);
  assert.equal(first.stdout, '{"status":"accepted"}\n');
  const both = await cli(["call", "agent", "--expect-final", "--json", "--url", gateway.url]);
  assert.equal(both.stdout, '{"status":"ok"}\n');
});

const REFUSALS: readonly (readonly [string, string, number])[] = [
  ["INVALID_REQUEST", "unknown method: x", 1],
  ["INVALID_REQUEST", "missing scope: operator.admin", 4],
  ["UNAVAILABLE", "\x1b]0;owned\x07\nerror: fake", 1],
];

for (const [code, message, exit] of REFUSALS) {
  test(`a call refused with ${JSON.stringify(message)} exits with ${exit}`, async () => {
    await using gateway = answering({ x: no(code, message) });
    const people = await cli(["call", "x", "--url", gateway.url]);
    assert.equal(people.exit, exit);
    assert.equal(people.stdout, "");
    // deno-lint-ignore no-control-regex
    assert.match(people.stderr, /^error: [^\x00-\x1f]+\n$/);
    const machine = await cli(["call", "x", "--json", "--url", gateway.url]);
    const { error } = JSON.parse(machine.stderr);
    assert.deepEqual([error.code, error.message, error.exitCode], [code, message, exit]);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(machine.stderr.trimEnd(), /[\x00-\x1f]/);
  });
}

test("a refused connection exits with 4, and nothing listening with 3", async () => {
  await using gateway = scriptedGateway(async (peer) => {
    peer.send({ type: "event", event: "connect.challenge", payload: { nonce: "n", ts: 1 } });
    const { id } = await peer.next();
    const error = { code: "NOT_PAIRED", message: "pairing required" };
    peer.send({ type: "res", id, ok: false, error });
    peer.close(4008, "pairing required");
  });
  const refused = await cli(["health", "--url", gateway.url]);
  assert.equal(refused.exit, 4);
  assert.match(refused.stderr, /devices approve/);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  assert.equal((await cli(["health", "--url", `ws://127.0.0.1:${port}`])).exit, 3);
});

test("health and status of a hostile gateway print nothing that steers a terminal", async () => {
  const evil = "\x1b[2J\x9b1m\u202e\n";
  const health = {
    ok: true,
    agents: [{ agentId: evil }, 5, null],
    channelOrder: [evil, {}],
    sessions: { count: evil, recent: [{ key: evil, updatedAt: evil, model: evil }] },
    durationMs: Infinity,
  };
  const list = { defaults: { modelProvider: evil, model: evil } };
  await using gateway = answering({
    health: ok(health),
    status: ok(health),
    "sessions.list": ok(list),
  });
  for (const command of ["health", "status"]) {
    for (const json of [[], ["--json"]]) {
      const result = await cli([command, "--url", gateway.url, ...json]);
      assert.equal(result.exit, 0);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(result.stdout, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    }
  }
});

test("health says what the gateway says, aligned", async () => {
  await using gateway = answering({
    health: ok({
      ok: true,
      agents: [{ agentId: "main" }, { agentId: "ops" }],
      channelOrder: [],
      heartbeatSeconds: 1_800,
      durationMs: 2,
      sessions: { count: 1, recent: [{ key: "agent:main:main", updatedAt: 1_749_999_940_000 }] },
    }),
  });
  const { stdout } = await cli(["health", "--url", gateway.url]);
  assert.equal(
    stdout,
    [
      "gateway      ok",
      "release      2026.11.22",
      "up for       5 ms",
      "agents       main, ops",
      "sessions     1",
      "heartbeat    every 30 min",
      "channels     none",
      "answered in  2 ms",
      "",
      "SESSION          MODEL  LAST USED",
      "agent:main:main  -      1 min ago",
      "",
    ].join("\n"),
  );
});

test("status names the default model with its provider, or alone where the gateway tells no more", async () => {
  const status = ok({ sessions: { defaults: { model: "m" } } });
  const rows = [
    [ok({ defaults: { modelProvider: "p", model: "m" } }), "p/m"],
    [ok({ defaults: { model: "m" } }), "m"],
    [no("INVALID_REQUEST", "unknown method: sessions.list"), "m"],
  ] as const;
  for (const [list, shown] of rows) {
    await using gateway = answering({ status, "sessions.list": list });
    const { exit, stdout } = await cli(["status", "--url", gateway.url]);
    assert.equal(exit, 0);
    assert.match(stdout, new RegExp(`^default model +${shown}$`, "m"));
  }
});

test("devices list shows who waits, escaped, and approve takes the beginning of an id", async () => {
  const seen: Request[] = [];
  const pending = [
    { requestId: "abc-1", deviceId: "d".repeat(64), displayName: "Phone\x1b[2J", role: "operator" },
    { requestId: "abd-2", deviceId: "e".repeat(64), displayName: "Pad", role: "node" },
  ];
  await using gateway = answering({
    "device.pair.list": ok({ pending, paired: [] }),
    "device.pair.approve": ok({ requestId: "abc-1", device: {} }),
    "device.pair.reject": ok({ requestId: "abd-2", deviceId: "e".repeat(64) }),
  }, seen);
  const at = ["--url", gateway.url];
  const list = await cli(["devices", "list", ...at]);
  assert.match(list.stdout, /^WAITING +DEVICE +NAME +ROLE/);
  assert.match(list.stdout, /abc-1 +dddddddddddd… +Phone\\u\{1b\}\[2J +operator/);
  const approved = await cli(["devices", "approve", "abc", ...at]);
  assert.deepEqual([approved.exit, seen.at(-1)?.params], [0, { requestId: "abc-1" }]);
  const rejected = await cli(["devices", "reject", "abd-2", ...at]);
  assert.deepEqual([rejected.exit, seen.at(-1)?.method], [0, "device.pair.reject"]);
  const both = await cli(["devices", "approve", "ab", ...at]);
  assert.equal(both.exit, 1);
  assert.match(both.stderr, /beginning of 2 requests/);
  const none = await cli(["devices", "approve", "zz", ...at]);
  assert.equal(none.exit, 1);
  assert.match(none.stderr, /no request "zz" waits/);
});
