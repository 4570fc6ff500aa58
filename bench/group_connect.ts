/** Clients that come and stay: what one more costs must not grow with those who are there. */

import { elapsed } from "./deadline.ts";
import { type Figure, figureOf, type Group } from "./figure.ts";
import {
  closeAll,
  type LoadClient,
  openGatewayClient,
  openMany,
  openSocket,
} from "./load_client.ts";
import { type ServerProcess, startEcho, startGatewayProcess } from "./server_process.ts";
import { spendingOf } from "./stopwatch.ts";

/** How many clients come. */
const CROWDS = [100, 200, 400] as const;

/** The presence list is sent at most once a second; the last of them belongs to the crowd. */
const LAST_BROADCAST_MS = 1_500;

/** The most that a client of the largest crowd may cost, in clients of the smallest. */
const MAX_GROWTH = 2;

/** Crowds that connect. */
export const connectGroup: Group = {
  name: "connect",
  summary:
    "the server's processor time for each of 100, 200 and 400 clients that come and stay; baseline: bare ws",
  async run({ quick }, found) {
    const rounds = quick ? 1 : 2;
    const each: { crowd: number; figure: Figure }[] = [];
    for (const crowd of CROWDS) {
      const values: number[] = [];
      const baselines: number[] = [];
      for (let round = 0; round < rounds; round++) {
        await using gateway = await startGatewayProcess();
        values.push(
          await costOfCrowd(
            gateway,
            crowd,
            (at) => openGatewayClient(gateway, { instanceId: `bench-${at}` }),
          ),
        );
        await using echo = await startEcho();
        baselines.push(await costOfCrowd(echo, crowd, () => openSocket(echo.url)));
      }
      const name = `each of ${crowd} clients that come: server CPU`;
      const figure = figureOf(name, { unit: "µs", values, baselines });
      each.push({ crowd, figure });
      found(figure);
    }
    const first = each.at(0);
    const last = each.at(-1);
    if (first === undefined || last === undefined) return;
    const { baseline = NaN } = last.figure;
    found(figureOf(`growth from ${first.crowd} to ${last.crowd} clients`, {
      unit: "x",
      values: [last.figure.value / first.figure.value],
      baselines: [baseline / (first.figure.baseline ?? NaN)],
      target: MAX_GROWTH,
    }));
  },
};

/** Processor time in µs for each client, what it causes for the others included. */
async function costOfCrowd(
  server: ServerProcess,
  crowd: number,
  open: (at: number) => Promise<LoadClient>,
): Promise<number> {
  // The first connections run code that has not been compiled yet.
  await closeAll(await openMany(50, open));
  await elapsed(LAST_BROADCAST_MS);
  let clients: readonly LoadClient[] = [];
  const { cpuMicrosEach } = await spendingOf(server, async () => {
    clients = await openMany(crowd, open);
    for (const client of clients) client.receive(() => {});
    await elapsed(LAST_BROADCAST_MS);
    return crowd;
  });
  await closeAll(clients);
  return cpuMicrosEach;
}
