/** Calls over sockets: what one costs the server. */

import { figureOf, type Group } from "./figure.ts";
import {
  closeAll,
  isAnswer,
  keepInFlight,
  openGatewayClient,
  openMany,
  openSocket,
} from "./load_client.ts";
import { startEcho, startGatewayProcess } from "./server_process.ts";
import { inTurn, spendingOf } from "./stopwatch.ts";

/** Connections, and calls in flight on each. */
const SHAPES = [
  { connections: 1, depth: 64, shape: "1 x 64 in flight" },
  { connections: 16, depth: 16, shape: "16 x 16 in flight" },
] as const;

/** Methods, and the processor time in µs that a call of each may take. */
const CALLS = [
  { method: "health", params: {}, target: 10 },
  { method: "agent.identity.get", params: { agentId: "main" }, target: 6 },
  { method: "last-heartbeat", params: {}, target: 6 },
] as const;

/** Calls over sockets. */
export const callsGroup: Group = {
  name: "calls",
  summary: "the server's processor time for health and small calls; baseline: a bare ws echo",
  async run({ quick }, found) {
    const durationMs = quick ? 200 : 900;
    const rounds = quick ? 2 : 3;
    await using gateway = await startGatewayProcess();
    await using echo = await startEcho();
    for (const { connections, depth, shape } of SHAPES) {
      const ours = await openMany(
        connections,
        (at) => openGatewayClient(gateway, { instanceId: `bench-${at}` }),
      );
      const bare = await openMany(connections, () => openSocket(echo.url));
      for (const { method, params, target } of quick ? CALLS.slice(0, 2) : CALLS) {
        const frame = JSON.stringify({ type: "req", id: "c0ffee-17", method, params });
        const pressure = { frame, depth, durationMs };
        const call = () => keepInFlight(ours, { ...pressure, counts: isAnswer });
        const mirror = () => keepInFlight(bare, { ...pressure, counts: () => true });
        await call();
        await mirror();
        const spent = await inTurn(rounds, {
          gateway: () => spendingOf(gateway, call),
          baseline: () => spendingOf(echo, mirror),
        });
        found(figureOf(`${method}, ${shape}: server CPU`, {
          unit: "µs",
          values: spent.gateway.map((each) => each.cpuMicrosEach),
          baselines: spent.baseline.map((each) => each.cpuMicrosEach),
          target,
        }));
        found(figureOf(`${method}, ${shape}: calls`, {
          unit: "/s",
          values: spent.gateway.map((each) => each.perSecond),
          baselines: spent.baseline.map((each) => each.perSecond),
        }));
      }
      await closeAll([...ours, ...bare]);
    }
  },
};
