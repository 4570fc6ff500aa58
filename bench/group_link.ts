/** The link alone: what a message and an idle connection cost on this package's listener and on two others. */

import { elapsed } from "./deadline.ts";
import { ECHO_KINDS, type EchoKind } from "./echo_protocol.ts";
import { figureOf, type Group, median } from "./figure.ts";
import { closeAll, openMany, openSocket } from "./load_client.ts";
import { openRawEcho, type RawClient } from "./raw_client.ts";
import {
  type EchoProcess,
  type ServerProcess,
  startBareEcho,
  startEcho,
} from "./server_process.ts";
import { spendingOf } from "./stopwatch.ts";

/** Connections, and messages in flight on each. */
const SHAPES = [
  { connections: 1, depth: 64, shape: "1 x 64 in flight" },
  { connections: 16, depth: 8, shape: "16 x 8 in flight" },
] as const;

const MESSAGE = "x".repeat(200);

/** A message's processor time, as part of what it costs on another server. */
const MAX_PART = 0.25;

/** Connections that are open and say nothing. */
const IDLE = 2_000;

/** Resident memory that one of them may cost, in KiB. */
const MAX_IDLE_KIB = 10;

/** A server gives up what a handshake left behind only after a while, in milliseconds. */
const REST_MS = 1_000;

const NAMES: Readonly<Record<EchoKind, string>> = {
  ws: "npm:ws",
  runtime: "Deno.upgradeWebSocket",
  own: "own framing",
};

/** Echoes and idle connections. */
export const linkGroup: Group = {
  name: "link",
  summary:
    "the server's processor time for an echo of 200 bytes, and the memory of an idle connection; baselines: npm:ws, Deno.upgradeWebSocket",
  async run({ quick }, found) {
    const rounds = quick ? 2 : 5;
    const durationMs = quick ? 200 : 800;
    await using servers = new AsyncDisposableStack();
    const running: [EchoKind, EchoProcess][] = [];
    for (const kind of ECHO_KINDS) running.push([kind, servers.use(await startEcho(kind))]);
    const bareServer = servers.use(await startBareEcho());
    for (const { connections, depth, shape } of SHAPES) {
      const bare: number[] = [];
      const costs: Record<EchoKind, number[]> = { ws: [], runtime: [], own: [] };
      for (let round = -1; round < rounds; round++) {
        for (const [kind, server] of running) {
          const cost = await costOfEcho(server, { connections, depth, durationMs });
          if (round >= 0) costs[kind].push(cost);
        }
        const cost = await costOfEcho(bareServer, { connections, depth, durationMs });
        if (round >= 0) bare.push(cost);
      }
      found(figureOf(`the same bytes over bare TCP, no frames, ${shape}: server CPU`, {
        unit: "µs",
        values: bare,
      }));
      for (const kind of ["ws", "runtime"] as const) {
        found(figureOf(`echo of 200 B, ${shape}: server CPU, beside ${NAMES[kind]}`, {
          unit: "µs",
          values: costs.own,
          baselines: costs[kind],
          target: Math.round(100 * MAX_PART * median(costs[kind])) / 100,
        }));
      }
    }
    const memory: Record<EchoKind, number> = { ws: 0, runtime: 0, own: 0 };
    for (const [kind, server] of running) memory[kind] = await memoryOfIdle(server);
    found(figureOf(`each of ${IDLE} idle connections: server memory`, {
      unit: "KiB",
      values: [memory.own],
      baselines: [memory.ws],
      target: MAX_IDLE_KIB,
    }));
  },
};

/** Processor time in µs of one message and its echo. */
async function costOfEcho(
  server: ServerProcess,
  { connections, depth, durationMs }: {
    readonly connections: number;
    readonly depth: number;
    readonly durationMs: number;
  },
): Promise<number> {
  const clients: RawClient[] = [];
  for (let at = 0; at < connections; at++) clients.push(await openRawEcho(server.url, MESSAGE));
  const { cpuMicrosEach } = await spendingOf(server, async () => {
    const until = performance.now() + durationMs;
    const counts = await Promise.all(clients.map((client) => client.keepInFlight(depth, until)));
    return counts.reduce((sum, count) => sum + count, 0);
  });
  for (const client of clients) client.close();
  return cpuMicrosEach;
}

/** Resident memory in KiB that one open connection adds, garbage of its beginning not counted. */
async function memoryOfIdle(server: EchoProcess): Promise<number> {
  // Memory that the first connections make a server take is there for the next ones already.
  await closeAll(await openMany(IDLE / 10, () => openSocket(server.url)));
  await elapsed(REST_MS);
  await server.collect();
  const before = server.resident();
  const clients = await openMany(IDLE, () => openSocket(server.url));
  await elapsed(REST_MS);
  await server.collect();
  const kibibytes = (server.resident() - before) / 1_024 / IDLE;
  await closeAll(clients);
  return kibibytes;
}
