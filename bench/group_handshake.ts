/** Handshakes: from an open socket to hello-ok. */

import { TestDevice } from "../tests/support/device_key.ts";
import { figureOf, type Group } from "./figure.ts";
import { next, openGatewayClient, openSocket } from "./load_client.ts";
import { startEcho, startGatewayProcess } from "./server_process.ts";
import { inTurn, spendingOf } from "./stopwatch.ts";

/** Handshakes that run at once. */
const AT_ONCE = 8;

/** Handshakes of a program with the token, and of a device that signs. */
export const handshakeGroup: Group = {
  name: "handshake",
  summary:
    "connect, hello-ok, close, with a token and with a device's key; baseline: bare ws, one echo, close",
  async run({ quick }, found) {
    const durationMs = quick ? 300 : 900;
    const rounds = quick ? 2 : 3;
    await using gateway = await startGatewayProcess();
    await using echo = await startEcho();
    const device = await TestDevice.create();
    const kinds = [
      { kind: "token", introduction: { instanceId: "bench" } },
      { kind: "device key", introduction: { instanceId: "bench", device } },
    ];
    const bare = () =>
      repeat(durationMs, async () => {
        const socket = await openSocket(echo.url);
        const echoed = next(socket, () => true);
        socket.send("hello");
        await echoed;
        await socket.close();
      });
    for (const { kind, introduction } of kinds) {
      const shake = () =>
        repeat(durationMs, async () => {
          await (await openGatewayClient(gateway, introduction)).close();
        });
      await shake();
      await bare();
      const spent = await inTurn(rounds, {
        gateway: () => spendingOf(gateway, shake),
        baseline: () => spendingOf(echo, bare),
      });
      found(figureOf(`handshake with a ${kind}: server CPU`, {
        unit: "µs",
        values: spent.gateway.map((each) => each.cpuMicrosEach),
        baselines: spent.baseline.map((each) => each.cpuMicrosEach),
      }));
      found(figureOf(`handshakes with a ${kind}`, {
        unit: "/s",
        values: spent.gateway.map((each) => each.perSecond),
        baselines: spent.baseline.map((each) => each.perSecond),
      }));
    }
  },
};

/** Does a task over and over, some at once, for a time; resolves with how often. */
async function repeat(durationMs: number, task: () => Promise<void>): Promise<number> {
  const until = performance.now() + durationMs;
  let done = 0;
  const lane = async () => {
    while (performance.now() < until) {
      await task();
      done++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return done;
}
