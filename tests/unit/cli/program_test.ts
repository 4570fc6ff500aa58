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
  await using gateway = answering({ health: ok(health), status: ok(health) });
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
