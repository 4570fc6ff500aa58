/** The control channel: what a line costs the server. */

import { elapsed } from "./deadline.ts";
import { figureOf, type Group } from "./figure.ts";
import { type LineClient, openLines } from "./line_client.ts";
import { type ServerProcess, startGatewayProcess, startLineEcho } from "./server_process.ts";
import { inTurn, type Spending, spendingOf } from "./stopwatch.ts";

/** Connections, and lines in flight on each. */
const SHAPES = [
  { connections: 1, depth: 64, shape: "1 x 64 in flight" },
  { connections: 16, depth: 8, shape: "16 x 8 in flight" },
] as const;

const PING = '{"type":"request","id":"c0ffee-17","method":"ping"}';

/** Processor time in µs that a line and its answer may take. */
const MAX_LINE_MICROS = 10;

/** Pings over TCP. */
export const controlGroup: Group = {
  name: "control",
  summary: "the server's processor time for a ping line; baseline: a bare line echo",
  async run({ quick }, found) {
    const durationMs = quick ? 200 : 900;
    const rounds = quick ? 2 : 4;
    const stateDir = await Deno.makeTempDir({ prefix: "clawgate-bench-" });
    try {
      const settings = {
        control: { enabled: true, port: 0 },
        agents: { defaults: { heartbeat: { every: "0m" } } },
      };
      await using gateway = await startGatewayProcess({ settings, stateDir });
      await using echo = await startLineEcho();
      const port = await controlPort(stateDir);
      for (const { connections, depth, shape } of SHAPES) {
        const ours = await openAll(connections, { port, greeting: 1 });
        const bare = await openAll(connections, {
          port: Number(new URL(echo.url).port),
          greeting: 0,
        });
        const load = (server: ServerProcess, clients: readonly LineClient[]): Promise<Spending> =>
          spendingOf(server, async () => {
            const until = performance.now() + durationMs;
            const counts = await Promise.all(
              clients.map((client) => client.keepInFlight(depth, until)),
            );
            return counts.reduce((sum, count) => sum + count, 0);
          });
        await load(gateway, ours);
        await load(echo, bare);
        const spent = await inTurn(rounds, {
          gateway: () => load(gateway, ours),
          baseline: () => load(echo, bare),
        });
        found(figureOf(`ping line, ${shape}: server CPU`, {
          unit: "µs",
          values: spent.gateway.map((each) => each.cpuMicrosEach),
          baselines: spent.baseline.map((each) => each.cpuMicrosEach),
          target: MAX_LINE_MICROS,
        }));
        found(figureOf(`ping line, ${shape}: lines`, {
          unit: "/s",
          values: spent.gateway.map((each) => each.perSecond),
          baselines: spent.baseline.map((each) => each.perSecond),
        }));
        for (const client of [...ours, ...bare]) client.close();
      }
    } finally {
      await Deno.remove(stateDir, { recursive: true });
    }
  },
};

async function openAll(
  count: number,
  { port, greeting }: { readonly port: number; readonly greeting: number },
): Promise<readonly LineClient[]> {
  const clients: LineClient[] = [];
  for (let at = 0; at < count; at++) clients.push(await openLines(port, { line: PING, greeting }));
  return clients;
}

/** The log of the start names the channel's address; its lines are written in the background. */
async function controlPort(stateDir: string): Promise<number> {
  for (let look = 0; look < 50; look++) {
    const log = await Deno.readTextFile(`${stateDir}/logs/clawgate.log`).catch(() => "");
    const port = /"control":"127\.0\.0\.1:(\d+)"/.exec(log)?.[1];
    if (port !== undefined) return Number(port);
    await elapsed(20);
  }
  throw new Error(`the log in ${stateDir} names no control channel`);
}
