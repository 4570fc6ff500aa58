/** The control channel on the real process: plain sockets and `nc`, over TCP and over a Unix socket. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { controlAddress, saysRunning, startControl } from "../support/control_process.ts";
import { eventually } from "../support/deadline.ts";
import { GatewayProcess, runProgram } from "../support/gateway_process.ts";
import { LinePeer } from "../support/line_peer.ts";
import { testWithProgram } from "../support/skip.ts";
import { inTempFolder } from "../support/temp_folder.ts";
import { WireClient } from "../support/wire_client.ts";

const BEATS = { agents: { defaults: { heartbeat: { every: "1s" } } } } as const;
const QUIET = { agents: { defaults: { heartbeat: { every: "0m" } } } } as const;

Deno.test("a client does what the document suggests: ping, health, last heartbeat, events, a toggle", async () => {
  await using control = await startControl({ settings: BEATS });
  using peer = await LinePeer.open(control.target);
  assert.deepEqual(await peer.frame(saysRunning), {
    type: "event",
    event: "gateway-status",
    payload: { state: "running", pid: control.gateway.pid },
  });
  const { payload: ping } = await peer.ask("ping");
  assert.equal(ping.pong, true);
  assert.ok(Math.abs(ping.ts - Date.now()) < 10_000);
  const beat = await peer.frame(({ event }) => event === "heartbeat");
  assert.deepEqual(Object.keys(beat), ["type", "event", "payload"]);
  assert.deepEqual(Object.keys(beat.payload).sort(), ["durationMs", "reason", "status", "ts"]);
  const last = await peer.ask("last-heartbeat");
  assert.equal(last.payload.status, "skipped");
  assert.ok(last.payload.ts >= beat.payload.ts);
  assert.deepEqual((await peer.ask("set-heartbeats", { enabled: false })).payload, { ok: true });
  await using operator = await WireClient.connect(control.gateway.url, {
    token: control.gateway.token,
    scopes: ["operator.admin"],
  });
  const { heartbeat } = await operator.call("status");
  assert.equal(heartbeat.agents[0].enabled, false, "one switch for all wires");
  using second = await control.join();
  const { event, payload } = await second.frame();
  assert.deepEqual([event, payload.status], ["heartbeat", "skipped"]);
});

Deno.test("health and status are the services' own, with what this wire had before", async () => {
  await using control = await startControl({ settings: BEATS });
  const { gateway } = control;
  await using operator = await WireClient.connect(gateway.url, { token: gateway.token });
  using peer = await control.join();
  const { payload: health } = await peer.ask("health");
  const { web, ...summary } = health;
  assert.deepEqual(web, { linked: false, authAgeMs: null });
  const own = await operator.call("health");
  assert.deepEqual(Object.keys(summary), Object.keys(own));
  assert.deepEqual(summary.sessions, own.sessions);
  assert.equal(health.heartbeatSeconds, 1);
  const { payload: status } = await peer.ask("status");
  assert.deepEqual(Object.keys(status).sort(), [
    "heartbeatSeconds",
    "providerSummary",
    "queuedSystemEvents",
    "sessions",
    "web",
  ]);
  assert.equal(status.heartbeatSeconds, 1);
  assert.equal(status.sessions.count, 0);
});

Deno.test("answers overtake each other, and each has its id as it was sent", async () => {
  await using control = await startControl({ settings: QUIET });
  using peer = await control.join();
  await peer.say(
    { type: "request", id: "slow", method: "status" },
    { type: "request", id: 7, method: "ping" },
    { type: "request", id: "7", method: "ping" },
  );
  const ids = [];
  while (ids.length < 3) ids.push((await peer.frame()).id);
  assert.deepEqual(ids, [7, "7", "slow"]);
});

Deno.test("every client hears of the end, over each kind of socket", async () => {
  for (const control of [{}, { path: "control.sock" }]) {
    await using running = await startControl({ settings: QUIET, control });
    using first = await running.join();
    using second = await running.join();
    const stopped = running.gateway.stop();
    for (const peer of [first, second]) {
      const payload = { state: "stopped", pid: running.gateway.pid, reason: "gateway stopping" };
      assert.deepEqual(await peer.frame(), { type: "event", event: "gateway-status", payload });
      assert.equal(await peer.line(), undefined);
    }
    first[Symbol.dispose]();
    second[Symbol.dispose]();
    assert.equal(await stopped, 0);
  }
});

Deno.test("a gateway that is started anew says so, and is there again in the same process", async () => {
  await using running = await startControl({ settings: QUIET, control: { path: "control.sock" } });
  const { gateway } = running;
  using before = await running.join();
  await using operator = await WireClient.connect(gateway.url, { token: gateway.token });
  gateway.signal("SIGUSR2");
  const payload = { state: "restarting", pid: gateway.pid, reason: "gateway restarting" };
  assert.deepEqual(await before.frame(), { type: "event", event: "gateway-status", payload });
  assert.equal(await before.line(), undefined);
  assert.deepEqual((await operator.event("shutdown")).payload, {
    reason: "gateway restarting",
    restartExpectedMs: 1_500,
  });
  await eventually(
    () => gateway.output.split("listening on ").length > 2 || undefined,
    "the second start",
  );
  using after = await running.join();
  assert.equal((await after.ask("ping")).ok, true);
  after[Symbol.dispose]();
  before[Symbol.dispose]();
  assert.equal(await gateway.stop(), 0);
});

Deno.test("the start says where the channel is, over each kind of socket", async () => {
  for (const control of [{}, { path: "control.sock" }]) {
    await using running = await startControl({ settings: QUIET, control });
    const { target, gateway } = running;
    const address = "path" in target ? target.path : `127.0.0.1:${target.port}`;
    assert.ok(gateway.output.includes(`\ncontrol channel  ${address}\n`), gateway.output);
  }
});

Deno.test("it is off unless it is wanted, and says that it is deprecated once", async () => {
  await using off = await GatewayProcess.start({ settings: { control: { port: 0 } } });
  assert.equal(await controlAddress(off), undefined);
  await using on = await startControl();
  const log = await on.gateway.logText();
  const lines = log.split("\n").filter((line) => line.includes("deprecated"));
  assert.equal(lines.length, 1);
  const { level, message, instead } = JSON.parse(lines[0] ?? "");
  assert.deepEqual([level, message, instead], [
    "warn",
    "the control channel is deprecated; use the WebSocket instead",
    on.gateway.url,
  ]);
});

Deno.test("the log is shown only where that is wanted, without secrets", async () => {
  await using silent = await startControl({ settings: QUIET });
  await using talking = await startControl({ settings: QUIET, control: { log: true } });
  for (const control of [silent, talking]) {
    using peer = await control.join();
    const path = join(control.gateway.stateDir, "clawgate.json");
    const settings = JSON.parse(await Deno.readTextFile(path));
    const spoilt = { ...settings, gateway: { port: "nonsense" } };
    await Deno.writeTextFile(path, JSON.stringify(spoilt));
    if (control === talking) {
      const { payload } = await peer.frame(({ event }) => event === "log");
      assert.deepEqual(Object.keys(payload), ["ts", "level", "component", "message", "fields"]);
      assert.equal(payload.level, "warn");
    } else {
      await using operator = await WireClient.connect(control.gateway.url, {
        token: control.gateway.token,
      });
      while ((await operator.call("status")).settings.refused === undefined);
      await peer.ask("ping", undefined, "only answer");
    }
  }
});

Deno.test("a Unix socket takes the place of the port: 0600, replaced when stale, gone at the end", async () => {
  const stateDir = await Deno.makeTempDir({ prefix: "control-" });
  try {
    const options = { stateDir, settings: QUIET, control: { path: "run/c.sock" }, umask: "000" };
    const path = join(stateDir, "run", "c.sock");
    await using first = await startControl(options);
    assert.deepEqual(first.target, { path });
    const mode = async (of: string) => ((await Deno.lstat(of)).mode ?? 0) & 0o777;
    assert.deepEqual([await mode(path), await mode(join(stateDir, "run"))], [0o600, 0o700]);
    await first.gateway.kill();
    assert.equal((await Deno.lstat(path)).isSocket, true, "a killed gateway leaves its socket");
    await using second = await startControl(options);
    using peer = await second.join();
    assert.equal((await peer.ask("ping")).ok, true);
    peer[Symbol.dispose]();
    assert.equal(await second.gateway.stop(), 0);
    await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

/** Settings with which a start is refused, and what it says. */
const REFUSED: readonly (readonly [
  what: string,
  control: (taken: { port: number; folder: string }) => unknown,
  message: RegExp,
])[] = [
  ["any address", () => ({ host: "0.0.0.0" }), /control\.host must be loopback, .*no secret/],
  ["a name elsewhere", () => ({ host: "example.org" }), /control\.host must be loopback/],
  [
    "a port that is taken",
    ({ port }) => ({ port }),
    /cannot listen on 127\.0\.0\.1:\d+: another program has the port; choose one with control\.port/,
  ],
  [
    "an open folder",
    ({ folder }) => ({ path: join(folder, "open", "c.sock") }),
    /others may enter .*open; choose a folder that only you can/,
  ],
  [
    "a file in the way",
    ({ folder }) => ({ path: join(folder, "file") }),
    /something that is no socket; remove it, or choose another path/,
  ],
];

Deno.test("a channel that cannot be had keeps the gateway from starting, and says why", async (t) => {
  await using other = await startControl();
  for (const [what, control, message] of REFUSED) {
    await t.step(what, () =>
      inTempFolder(async (folder) => {
        await Deno.mkdir(join(folder, "open"));
        await Deno.chmod(join(folder, "open"), 0o755);
        await Deno.writeTextFile(join(folder, "file"), "precious");
        const port = "port" in other.target ? other.target.port : 0;
        const settings = { control: { enabled: true, ...Object(control({ port, folder })) } };
        await Deno.writeTextFile(join(folder, "clawgate.json"), JSON.stringify(settings));
        const args = ["serve", "--port", "0", "--state-dir", folder];
        const { code, out, err } = await runProgram(args);
        assert.notEqual(code, 0);
        assert.match(err, message);
        assert.equal(out, "");
        assert.equal(await Deno.readTextFile(join(folder, "file")), "precious");
      }));
  }
});

testWithProgram("nc", {
  name: "nc asks over TCP and over a Unix socket, ends its side, and still gets every answer",
  fn: async (nc) => {
    for (const control of [{}, { path: "control.sock" }]) {
      await using running = await startControl({ settings: QUIET, control });
      const { target } = running;
      const address = "path" in target ? ["-U", target.path] : ["127.0.0.1", `${target.port}`];
      const child = new Deno.Command(nc, {
        args: ["-N", ...address],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const input = child.stdin.getWriter();
      const lines = [
        '{"type":"request","id":"1","method":"health"}\r\n\r\n',
        '{"type":"request","id":2,"method":"ping","params":{}}\n',
        "hello\n",
        '{"type":"request","id":"4","method":"no-such"}\n',
        '{"type":"request","id":"5","method":"set-heartbeats"}\n',
        // The last line has no end.
        '{"type":"request","id":"6","method":"last-heartbeat"}',
      ];
      await input.write(new TextEncoder().encode(lines.join("")));
      await input.close();
      const { code, stdout } = await child.output();
      assert.equal(code, 0);
      const frames = new TextDecoder().decode(stdout).trimEnd().split("\n")
        .map((line) => JSON.parse(line));
      assert.equal(frames[0].event, "gateway-status");
      const responses = frames.filter(({ type }) => type === "response");
      const byId = new Map(responses.map(({ id, ...rest }) => [id, rest]));
      assert.equal(byId.size, lines.length);
      assert.equal(byId.get("1").payload.ok, true);
      assert.equal(byId.get(2).payload.pong, true);
      const error = (id: string) => byId.get(id).error;
      assert.equal(error(""), "parse error: the line is not JSON");
      assert.equal(error("4"), "unknown method: no-such");
      assert.match(error("5"), /^invalid set-heartbeats params: .*'enabled'$/);
      assert.deepEqual(byId.get("6"), { type: "response", ok: true, payload: null });
    }
  },
});
