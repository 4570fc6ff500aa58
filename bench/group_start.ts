/** Start-up and rest: how soon the gateway serves, and what it holds while nothing happens. */

import { elapsed } from "./deadline.ts";
import { figureOf, type Group } from "./figure.ts";
import { closeAll, next, openGatewayClient, openMany, openSocket } from "./load_client.ts";
import { type ServerProcess, startEcho, startGatewayProcess } from "./server_process.ts";

/** Time from the start of the process to hello-ok, in milliseconds. */
const TARGET_HELLO_MS = 400;

/** Resident memory of a gateway that has nothing to do, in megabytes. */
const TARGET_IDLE_MB = 80;

/** Connections that do nothing. */
const IDLE_CONNECTIONS = 1_000;

/** Connections that do nothing, as many as one process is meant to hold, and its memory with them, in megabytes. */
const CROWD = 10_000;
const TARGET_CROWD_MB = 180;

/** How long the runtime has to give up what the handshakes left behind, in milliseconds. */
const COLLECTION_MS = 45_000;

const MEGABYTE = 1_000_000;
const KIBIBYTE = 1_024;

/** Cold start and idle memory. */
export const startGroup: Group = {
  name: "start",
  summary:
    `process start to hello-ok, and memory at rest, alone and with ${IDLE_CONNECTIONS} clients; baseline: bare ws`,
  async run({ quick }, found) {
    await coldStarts(quick ? 3 : 7, found);
    await idleMemory(quick ? 2_000 : 10_000, found);
    if (!quick) await crowdMemory(found);
  },
};

type Found = Parameters<Group["run"]>[1];

/** Starts in one state folder over and over; the first start, which makes it, is not counted. */
async function coldStarts(times: number, found: Found): Promise<void> {
  const stateDir = await Deno.makeTempDir({ prefix: "clawgate-bench-" });
  const starts = { listening: [] as number[], hello: [] as number[], cpu: [] as number[] };
  const bare = { listening: [] as number[], hello: [] as number[], cpu: [] as number[] };
  try {
    for (let time = 0; time <= times; time++) {
      await using gateway = await startGatewayProcess({ stateDir });
      const client = await openGatewayClient(gateway, { instanceId: "bench" });
      const hello = performance.now() - gateway.spawnedAt;
      const cpu = gateway.cpu();
      await client.close();
      await using echo = await startEcho();
      const socket = await openSocket(echo.url);
      const echoed = next(socket, () => true);
      socket.send("hello");
      await echoed;
      const bareHello = performance.now() - echo.spawnedAt;
      const bareCpu = echo.cpu();
      await socket.close();
      if (time === 0) continue;
      starts.listening.push(gateway.listeningMs);
      starts.hello.push(hello);
      starts.cpu.push(cpu / 1_000);
      bare.listening.push(echo.listeningMs);
      bare.hello.push(bareHello);
      bare.cpu.push(bareCpu / 1_000);
    }
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
  const unit = "ms";
  found(figureOf("process start to listening, by the clock", {
    unit,
    values: starts.listening,
    baselines: bare.listening,
  }));
  found(figureOf("process start to hello-ok, by the clock", {
    unit,
    values: starts.hello,
    baselines: bare.hello,
    target: TARGET_HELLO_MS,
  }));
  found(figureOf("process start to hello-ok: server CPU", {
    unit,
    values: starts.cpu,
    baselines: bare.cpu,
  }));
}

async function idleMemory(restMs: number, found: Found): Promise<void> {
  await using gateway = await startGatewayProcess();
  await using echo = await startEcho();
  await elapsed(restMs);
  const before = { gateway: gateway.resident(), echo: echo.resident() };
  found(figureOf("memory at rest", {
    unit: "MB",
    values: [before.gateway / MEGABYTE],
    baselines: [before.echo / MEGABYTE],
    target: TARGET_IDLE_MB,
  }));
  const ours = await openMany(
    IDLE_CONNECTIONS,
    (at) => openGatewayClient(gateway, { instanceId: `bench-${at}` }),
  );
  for (const client of ours) client.receive(() => {});
  const bare = await openMany(IDLE_CONNECTIONS, () => openSocket(echo.url));
  await elapsed(restMs / 2);
  const each = (server: ServerProcess, empty: number) =>
    (server.resident() - empty) / KIBIBYTE / IDLE_CONNECTIONS;
  found(figureOf(`memory for each of ${IDLE_CONNECTIONS} clients at rest`, {
    unit: "KiB",
    values: [each(gateway, before.gateway)],
    baselines: [each(echo, before.echo)],
  }));
  await closeAll([...ours, ...bare]);
}

/** Memory with a crowd of clients: when they have come, and when the runtime has collected its garbage. */
async function crowdMemory(found: Found): Promise<void> {
  await using gateway = await startGatewayProcess();
  const clients = await openMany(CROWD, () => openGatewayClient(gateway, { instanceId: "bench" }));
  for (const client of clients) client.receive(() => {});
  await elapsed(1_000);
  const arrived = gateway.resident();
  let lowest = arrived;
  for (const end = performance.now() + COLLECTION_MS; performance.now() < end;) {
    await elapsed(1_000);
    lowest = Math.min(lowest, gateway.resident());
  }
  const name = `memory with ${CROWD} idle clients`;
  found(figureOf(`${name}, when they have come`, {
    unit: "MB",
    values: [arrived / MEGABYTE],
    target: TARGET_CROWD_MB,
  }));
  found(figureOf(`${name}, after the runtime's collection`, {
    unit: "MB",
    values: [lowest / MEGABYTE],
    target: TARGET_CROWD_MB,
  }));
  await closeAll(clients);
}
