import assert from "node:assert/strict";
import { ListenError } from "../../../src/ports/listener.ts";
import { run } from "../../../src/cli/program.ts";
import { MAX_ADDRESSES } from "../../../src/cli/other_address.ts";
import type { StartGateway } from "../../../src/cli/serve_command.ts";
import { DEFAULT_GATEWAY_URL } from "../../../src/client/gateway_url.ts";
import { DEFAULT_PORT } from "../../../src/config.ts";
import { ConfigurationError } from "../../../src/start/setup.ts";
import type { RunningGateway, StartOptions } from "../../../src/start/start_gateway.ts";
import { FakeTerminal } from "./fake_terminal.ts";

function fakeGateway(changes: Partial<RunningGateway> = {}) {
  const finished = Promise.withResolvers<void>();
  const reasons: string[] = [];
  const gateway: RunningGateway = {
    url: "ws://127.0.0.1:18789",
    host: "127.0.0.1",
    stateDir: "/state",
    configPath: "/state/clawgate.json",
    secret: { mode: "token", source: "state folder" },
    warnings: [],
    ready: Promise.resolve(),
    finished: finished.promise,
    stop: (reason, { restartExpectedMs } = {}) => {
      reasons.push(restartExpectedMs === undefined ? reason : `${reason} in ${restartExpectedMs}`);
      return finished.promise;
    },
    ...changes,
  };
  return { gateway, finish: finished.resolve, reasons };
}

function serve(args: readonly string[], terminal: FakeTerminal, start: StartGateway) {
  return run(args, { terminal, startGateway: () => Promise.resolve(start) });
}

for (const args of [["serve"], []] as const) {
  Deno.test(`${args[0] ?? "no command"} serves, says where, and stops in order on a signal`, async () => {
    const terminal = new FakeTerminal();
    const { gateway, finish, reasons } = fakeGateway({ token: "fresh-token", warnings: ["w\x1b"] });
    const exit = serve(args, terminal, () => Promise.resolve(gateway));
    await terminal.printed("warning:");
    assert.match(terminal.stdout, /^listening on ws:\/\/127\.0\.0\.1:18789\n/);
    assert.match(terminal.stdout, /token +fresh-token/);
    assert.match(terminal.stdout, /try next +deno run -A mod\.ts chat "hello"\n/);
    assert.match(terminal.stderr, /warning: w\\u\{1b\}\n/);
    terminal.signal("SIGTERM");
    assert.deepEqual(reasons, ["gateway stopping"]);
    finish();
    assert.equal(await exit, 0);
    assert.equal(terminal.listeners, 0);
  });
}

Deno.test("a token that was there before is not printed", async () => {
  const terminal = new FakeTerminal();
  const { gateway, finish } = fakeGateway();
  const exit = serve(["serve"], terminal, () => Promise.resolve(gateway));
  await terminal.printed("try next");
  assert.match(terminal.stdout, /token +as before; `token show` prints it/);
  finish();
  assert.equal(await exit, 0);
});

Deno.test("who has deno from npm alone is told so to call it", async () => {
  const terminal = new FakeTerminal({ env: { npm_lifecycle_event: "npx" } });
  const { gateway, finish } = fakeGateway();
  const exit = serve(["serve"], terminal, () => Promise.resolve(gateway));
  await terminal.printed("try next");
  assert.match(
    terminal.stdout,
    /try next +npx -y deno@\d+\.\d+\.\d+ run -A mod\.ts chat "hello"\n/,
  );
  finish();
  assert.equal(await exit, 0);
});

Deno.test("--json says it on one line", async () => {
  const terminal = new FakeTerminal();
  const { gateway, finish } = fakeGateway({ token: "t" });
  const exit = serve(["serve", "--json"], terminal, () => Promise.resolve(gateway));
  await terminal.printed("}");
  assert.deepEqual(JSON.parse(terminal.stdout), {
    url: "ws://127.0.0.1:18789",
    others: [],
    stateDir: "/state",
    configPath: "/state/clawgate.json",
    token: "t",
    warnings: [],
  });
  finish();
  assert.equal(await exit, 0);
});

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`a second signal, ${signal}, ends it without waiting`, async () => {
    const terminal = new FakeTerminal();
    const { gateway, reasons } = fakeGateway();
    const exit = serve(["serve"], terminal, () => Promise.resolve(gateway));
    await terminal.printed("try next");
    terminal.signal("SIGTERM");
    terminal.signal(signal);
    assert.equal(await exit, code);
    assert.equal(reasons.length, 1);
  });
}

Deno.test("SIGUSR2 stops it and starts it anew; a stop meanwhile is a stop", async () => {
  for (const stopped of [false, true]) {
    const terminal = new FakeTerminal();
    const first = fakeGateway();
    const second = fakeGateway({ url: "ws://127.0.0.1:5", control: "127.0.0.1:6" });
    const starts = [first, second];
    const again = Promise.withResolvers<void>();
    const starting = Promise.withResolvers<void>();
    const exit = serve(["serve"], terminal, async () => {
      if (starts.length === 1) {
        again.resolve();
        await starting.promise;
      }
      return (starts.shift() ?? second).gateway;
    });
    await terminal.printed("try next");
    terminal.restart();
    terminal.restart();
    assert.deepEqual(first.reasons, ["gateway restarting in 1500"]);
    first.finish();
    await again.promise;
    if (stopped) terminal.signal("SIGTERM");
    starting.resolve();
    await terminal.printed("listening on ws://127.0.0.1:5\n");
    await terminal.printed("control channel  127.0.0.1:6\n");
    if (!stopped) terminal.signal("SIGTERM");
    assert.deepEqual(second.reasons, ["gateway stopping"]);
    second.finish();
    assert.equal(await exit, 0);
    assert.equal(terminal.listeners, 0);
  }
});

Deno.test("the flags arrive as typed, and a folder and a file that are named are in the next command, too", async () => {
  const terminal = new FakeTerminal({ env: { CLAWGATE_BIND: "lan" } });
  const { gateway, finish } = fakeGateway({ url: "ws://127.0.0.1:5", stateDir: "/s s" });
  let options: StartOptions = {};
  const args = ["--port", "0", "--bind", "loopback", "--token", "tk", "--state-dir", "/s s"];
  const exit = serve([...args, "--config", "c.json"], terminal, (given) => {
    options = given;
    return Promise.resolve(gateway);
  });
  await terminal.printed("try next");
  const { tell, ...rest } = options;
  tell?.("told\x1b later");
  assert.match(terminal.stderr, /^settings: told\\u\{1b\} later\n/m);
  assert.deepEqual(rest, {
    flags: { port: "0", bind: "loopback", token: "tk", stateDir: "/s s", config: "c.json" },
    env: terminal.env,
  });
  assert.match(
    terminal.stdout,
    /try next +deno run -A mod\.ts chat "hello" --state-dir '\/s s' --config \S+\n/,
  );
  finish();
  assert.equal(await exit, 0);
});

const STARTS: readonly (readonly [string, Error, number, RegExp])[] = [
  [
    "settings that cannot be used",
    new ConfigurationError("/c.json", [{ path: "gateway.port", message: "must be a number" }]),
    5,
    /gateway\.port must be a number/,
  ],
  [
    "a flag that cannot be used",
    new ConfigurationError("the command line", [{ path: "--port", message: "must be a port" }]),
    2,
    /--port must be a port/,
  ],
  [
    "an address that cannot be had",
    new ListenError("not-available", "no \x1b such"),
    1,
    /no \\u\{1b\} such/,
  ],
  ["a defect", new TypeError("boom"), 1, /unexpected: TypeError: boom/],
];

for (const [name, error, code, message] of STARTS) {
  Deno.test(`${name} ends the start with ${code}`, async () => {
    const terminal = new FakeTerminal();
    assert.equal(await serve(["serve"], terminal, () => Promise.reject(error)), code);
    assert.match(terminal.stderr, message);
    assert.equal(terminal.stdout, "");
    assert.equal(terminal.listeners, 0);
  });
}

Deno.test({
  name: "a port in use names the program that has it",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const terminal = new FakeTerminal();
    const error = new ListenError("in-use", `cannot listen on 127.0.0.1:${port}: in use`);
    assert.equal(await serve(["serve"], terminal, () => Promise.reject(error)), 1);
    assert(terminal.stderr.includes(`it is pid ${Deno.pid} (`), terminal.stderr);
  },
});

Deno.test("a gateway that cannot become ready, or cannot stop, fails the command", async () => {
  const terminal = new FakeTerminal();
  const { gateway, reasons, finish } = fakeGateway({
    ready: Promise.reject(new Error("no store")),
  });
  finish();
  assert.equal(await serve(["serve"], terminal, () => Promise.resolve(gateway)), 1);
  assert.match(terminal.stderr, /no store/);
  assert.deepEqual(reasons, ["gateway failed"], "its clients hear of it and nothing stays open");
  const other = new FakeTerminal();
  const stuck = fakeGateway({ stop: () => Promise.reject(new Error("cannot stop")) }).gateway;
  const exit = serve(["serve"], other, () => Promise.resolve(stuck));
  await other.printed("try next");
  other.signal();
  assert.equal(await exit, 1);
});

Deno.test("a client and a gateway of which nobody says otherwise meet", () => {
  assert.equal(DEFAULT_GATEWAY_URL, `ws://127.0.0.1:${DEFAULT_PORT}`);
});

Deno.test("it says where the secret stands that clients show", async () => {
  const rows = [
    [{ mode: "token", source: "state folder" }, /^token +as before; `token show` prints it$/m],
    [{ mode: "token", source: "environment" }, /^token +from CLAWGATE_TOKEN;/m],
    [{ mode: "token", source: "flag" }, /^token +from --token;/m],
    [{ mode: "password", source: "file" }, /^password +from \/state\/clawgate\.json$/m],
  ] as const;
  for (const [secret, line] of rows) {
    const terminal = new FakeTerminal();
    const { gateway, finish } = fakeGateway({ secret });
    const exit = serve(["serve"], terminal, () => Promise.resolve(gateway));
    await terminal.printed("try next");
    assert.match(terminal.stdout, line);
    finish();
    assert.equal(await exit, 0);
  }
});

Deno.test("a folder that the environment names is in the next command, which may run without it", async () => {
  const terminal = new FakeTerminal({ env: { CLAWGATE_STATE_DIR: "/state" } });
  const { gateway, finish } = fakeGateway();
  const exit = serve(["serve"], terminal, () => Promise.resolve(gateway));
  await terminal.printed("try next");
  assert.match(terminal.stdout, /chat "hello" --state-dir \/state\n/);
  finish();
  assert.equal(await exit, 0);
});

Deno.test({
  name: "on every interface it says under which addresses others reach it",
  ignore: !Deno.networkInterfaces().some(({ family, address }) =>
    family === "IPv4" && !address.startsWith("127.") && !address.startsWith("169.254.")
  ),
  async fn() {
    for (const json of [[], ["--json"]]) {
      const terminal = new FakeTerminal();
      const { gateway, finish } = fakeGateway({ host: "0.0.0.0" });
      const exit = serve(["serve", ...json], terminal, () => Promise.resolve(gateway));
      await terminal.printed(json.length === 0 ? "try next" : "}");
      const found = terminal.stdout.matchAll(/ws:\/\/(?!127)[\d.]+:18789/g).toArray();
      assert(found.length >= 1 && found.length <= MAX_ADDRESSES, terminal.stdout);
      finish();
      assert.equal(await exit, 0);
    }
  },
});
