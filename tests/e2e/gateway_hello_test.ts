/** What a client is told when it comes in, while it is connected, and when the gateway goes. */

import assert from "node:assert/strict";
import { hostname } from "node:os";
import { join } from "node:path";
import { EVENTS } from "../../src/protocols/openclaw/events.ts";
import { METHODS } from "../../src/protocols/openclaw/method_table.ts";
import { TestDevice } from "../support/device_key.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import {
  LIBRARIES,
  type Library,
  type Parsed,
  type ServerFrame,
  WireClient,
} from "../support/wire_client.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ADMIN = ["operator.admin"];

Deno.test("hello-ok has every field of the document and no other", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token, stateDir } = gateway;
  await using client = await WireClient.open(url);
  const before = Date.now();
  const hello = await client.connect({
    token,
    scopes: ADMIN,
    device: await TestDevice.create(),
  });
  const { server, features, snapshot, auth, policy, ...rest } = hello;
  assert.deepEqual(rest, { type: "hello-ok", protocol: 3 });

  assert.deepEqual(Object.keys(server).sort(), ["connId", "host", "version"]);
  assert.match(server.version, /^20\d\d\.\d{1,2}\.\d{1,2}$/);
  assert.equal(server.host, hostname());
  assert.match(server.connId, UUID);

  const advertised = [...METHODS.values()].filter((entry) => entry.advertised);
  assert.deepEqual(features, {
    methods: advertised.map(({ name }) => name),
    events: Object.keys(EVENTS),
  });
  assert.ok(!features.methods.includes("chat.inject"), "what is hidden is not advertised");

  const { presence, health, stateVersion, uptimeMs, ...places } = snapshot;
  assertPresence(presence, server);
  if (Object.keys(health).length > 0) assertHealth(health);
  assertVersions(stateVersion);
  assert.ok(Number.isInteger(uptimeMs) && uptimeMs >= 0 && uptimeMs < 60_000);
  assert.deepEqual(places, {
    configPath: join(stateDir, "clawgate.json"),
    stateDir,
    sessionDefaults: {
      defaultAgentId: "main",
      mainKey: "main",
      mainSessionKey: "agent:main:main",
      scope: "per-sender",
    },
  });

  assert.deepEqual(auth, {
    deviceToken: auth.deviceToken,
    role: "operator",
    scopes: ADMIN,
    issuedAtMs: auth.issuedAtMs,
  });
  assert.match(auth.deviceToken, /^[0-9a-f]{32}$/);
  assert.ok(auth.issuedAtMs >= before && auth.issuedAtMs <= Date.now());
  assert.deepEqual(policy, {
    maxPayload: 524_288,
    maxBufferedBytes: 1_572_864,
    tickIntervalMs: 30_000,
  });
});

Deno.test("a client that may not administer is not told where state lies, nor one without a device of a token", async () => {
  await using gateway = await GatewayProcess.start();
  await using client = await WireClient.open(gateway.url);
  const hello = await client.connect({ token: gateway.token });
  assert.equal("auth" in hello, false);
  assert.equal("configPath" in hello.snapshot, false);
  assert.equal("stateDir" in hello.snapshot, false);
});

Deno.test("a node is shown neither presence, health nor places", async () => {
  await using gateway = await GatewayProcess.start();
  await using node = await WireClient.open(gateway.url);
  const hello = await node.connect({
    token: gateway.token,
    role: "node",
    device: await TestDevice.create(),
  });
  assert.deepEqual(hello.snapshot.presence, []);
  assert.deepEqual(hello.snapshot.health, {});
  assert.equal("configPath" in hello.snapshot, false);
  assert.deepEqual(hello.auth.scopes, []);
  assert.equal(hello.auth.role, "node");
});

Deno.test("health, presence and tick have their shapes and no sequence number is left out", async () => {
  await using gateway = await GatewayProcess.start();
  await Promise.all(LIBRARIES.map((library) => watch(gateway, library)));
});

async function watch({ url, token }: GatewayProcess, library: Library): Promise<void> {
  await using watcher = await WireClient.connect(url, { token, scopes: ADMIN, library });
  const health = await watcher.event("health");
  assertHealth(health.payload);
  assertVersions(health.stateVersion);
  assertHealth(await watcher.call("health", { probe: true }));

  // Enough to see presence change, a run go by, and more than one connection at work.
  const other = await WireClient.connect(url, { token, scopes: ADMIN });
  const send = { sessionKey: library, message: "count to 10", idempotencyKey: library };
  await other.call("chat.send", send);
  const ended = ({ runId, state }: Parsed) => runId === library && state === "final";
  await watcher.event("chat", ended);
  await other[Symbol.asyncDispose]();
  const left = ({ presence }: Parsed) =>
    presence.some(({ reason }: Parsed) => reason === "disconnect");
  const presence = await watcher.event("presence", left);
  assert.deepEqual(Object.keys(presence.payload), ["presence"]);
  assertVersions(presence.stateVersion);
  await watcher.call("system-event", { text: `the cat of ${library} came in`, reason: "test" });
  const noted = await watcher.event(
    "presence",
    ({ presence }) => presence.some(({ text }: Parsed) => text === `the cat of ${library} came in`),
  );
  assert.ok(noted.stateVersion!.presence > presence.stateVersion!.presence);

  const tick = await watcher.event("tick", undefined, { patienceMs: 40_000 });
  assert.deepEqual(Object.keys(tick.payload), ["ts"]);
  assert.ok(Math.abs(tick.payload.ts - Date.now()) < 10_000);
  assertSequence(watcher.frames);
}

Deno.test("SIGTERM tells every client, closes with 1012 and ends with status 0", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token } = gateway;
  const clients = [];
  for (const library of LIBRARIES) {
    clients.push(await WireClient.connect(url, { token, library }));
  }
  await clients[0]!.call("chat.send", {
    sessionKey: "main",
    message: "count to 900",
    idempotencyKey: "cut",
  });
  await clients[0]!.event("agent", ({ stream }) => stream === "assistant");
  assert.equal(await gateway.stop(), 0);
  for (const client of clients) {
    const { payload } = await client.event("shutdown");
    assert.deepEqual(payload, { reason: "gateway stopping", restartExpectedMs: null });
    assert.deepEqual(await client.end(), { code: 1012, reason: "service restart" });
    assert.equal(client.frames.at(-1)?.event, "shutdown", "it is the last frame");
    assertSequence(client.frames);
  }
});

/** Broadcasts count 1, 2, 3…; answers and the challenge have no number; versions stand on two events alone. */
function assertSequence(frames: readonly ServerFrame[]): void {
  let seq = 0;
  for (const frame of frames) {
    if (frame.type !== "event" || frame.event === "connect.challenge") {
      assert.equal(frame.seq, undefined);
      continue;
    }
    assert.equal(frame.seq, ++seq, `the number of ${frame.event}`);
    const versioned = frame.event === "presence" || frame.event === "health";
    assert.equal(frame.stateVersion !== undefined, versioned);
  }
  assert.ok(seq > 0);
}

function assertVersions(versions: Parsed): void {
  assert.deepEqual(Object.keys(versions).sort(), ["health", "presence"]);
  assert.ok(Number.isInteger(versions.health) && Number.isInteger(versions.presence));
}

/** The gateway itself comes first. */
function assertPresence(presence: Parsed, server: Parsed): void {
  const [{ ts, ip: _ip, ...self }] = presence;
  assert.deepEqual(self, {
    host: server.host,
    version: server.version,
    platform: "linux",
    mode: "gateway",
    reason: "self",
  });
  assert.ok(Number.isInteger(ts));
}

function assertHealth(health: Parsed): void {
  assert.deepEqual(Object.keys(health).sort(), [
    "agents",
    "channelLabels",
    "channelOrder",
    "channels",
    "defaultAgentId",
    "durationMs",
    "heartbeatSeconds",
    "ok",
    "sessions",
    "ts",
  ]);
  assert.equal(health.ok, true);
  assert.equal(health.defaultAgentId, "main");
  assert.deepEqual(Object.keys(health.sessions).sort(), ["count", "path", "recent"]);
  assert.equal(health.agents[0].agentId, "main");
  assert.equal(health.agents[0].isDefault, true);
}
