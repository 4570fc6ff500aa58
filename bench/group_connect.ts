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
const LAST_BROADCAST_MS = 1_200;

/** The baseline has nothing to send once all have come. */
const BARE_REST_MS = 100;

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
    await using gateway = await startGatewayProcess();
    await using echo = await startEcho();
    const come = (at: number) => openGatewayClient(gateway, { instanceId: `bench-${at}` });
    const comeBare = () => openSocket(echo.url);
    // The first connections run code that has not been compiled yet.
    await costOfCrowd({ server: gateway, crowd: CROWDS[0], restMs: LAST_BROADCAST_MS }, come);
    await costOfCrowd({ server: echo, crowd: CROWDS[0], restMs: BARE_REST_MS }, comeBare);
    for (const crowd of CROWDS) {
      const values: number[] = [];
      const baselines: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const ours = { server: gateway, crowd, restMs: LAST_BROADCAST_MS };
        values.push(await costOfCrowd(ours, come));
        const bare = { server: echo, crowd, restMs: BARE_REST_MS };
        baselines.push(await costOfCrowd(bare, comeBare));
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

interface Arrivals {
  readonly server: ServerProcess;
  readonly crowd: number;
  /** How long the server may still be busy with those who came, or went. */
  readonly restMs: number;
}

/** Processor time in µs for each client, what it causes for the others included. */
async function costOfCrowd(
  { server, crowd, restMs }: Arrivals,
  open: (at: number) => Promise<LoadClient>,
): Promise<number> {
  let clients: readonly LoadClient[] = [];
  const { cpuMicrosEach } = await spendingOf(server, async () => {
    clients = await openMany(crowd, open);
    for (const client of clients) client.receive(() => {});
    await elapsed(restMs);
    return crowd;
  });
  await closeAll(clients);
  await elapsed(restMs);
  return cpuMicrosEach;
}
