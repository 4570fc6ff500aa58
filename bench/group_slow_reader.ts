/** Clients that do not read, beside many that do: what the others notice of them. */

import { makeLargeHistory, SlowReader } from "../tests/support/slow_reader.ts";
import { elapsed, within } from "./deadline.ts";
import { figureOf, type Group } from "./figure.ts";
import { closeAll, type LoadClient, openGatewayClient, openMany, request } from "./load_client.ts";
import { type GatewayProcess, settle, startGatewayProcess } from "./server_process.ts";

/** Clients that read, and in a hurry. */
const CLIENTS = 1_000;
const QUICK_CLIENTS = 100;

/** How much later, at the most, the others may get their events because of slow readers. */
const TARGET_RATIO = 1.1;

/**
 * Calls of 480 KB each whose answers are not read. Of the few, the gateway has to keep a part, and events
 * behind them; of the many, more than may wait, so that the next event ends the connection.
 */
const FEW_CALLS = 8;
const MANY_CALLS = 30;

/** Time for making those answers, in milliseconds; what it costs is the same for those who read them. */
const ANSWERS_MS = 500;

/** Wait between two events, in milliseconds: each is delivered to all before the next is caused. */
const PAUSE_MS = 5;

/** Events that nobody measures, at the beginning. */
const WARM_UPS = 20;

const SESSION = "agent:main:main";
const EVENT = '{"type":"event","event":"chat"';

/** Deliveries with and without slow readers. */
export const slowReaderGroup: Group = {
  name: "slow-reader",
  summary: `the time from a chat.inject to each of ${CLIENTS} clients beside two that take ` +
    "nothing; baseline: beside two that take as much",
  async run({ quick }, found) {
    const count = quick ? QUICK_CLIENTS : CLIENTS;
    const rounds = quick ? 3 : 9;
    const events = quick ? 20 : 100;
    await using gateway = await startGatewayProcess();
    await makeLargeHistory(gateway);
    const clients = await openMany(
      count,
      () => openGatewayClient(gateway, { instanceId: "bench" }),
    );
    await begin(clients);
    await delays(clients, WARM_UPS);

    const alone: (readonly number[])[] = [];
    const besideFast: (readonly number[])[] = [];
    const besideSlow: (readonly number[])[] = [];
    for (let round = 0; round < rounds; round++) {
      const turns = [
        async () => void alone.push(await quietly(clients, events)),
        async () => void besideFast.push(await beside(gateway, { clients, events, slow: false })),
        async () => void besideSlow.push(await beside(gateway, { clients, events, slow: true })),
      ];
      // In turn, and each of them first as often as the others.
      for (let turn = 0; turn < turns.length; turn++) {
        await turns[(round + turn) % turns.length]?.();
      }
    }
    for (const name of ["p50", "p99"] as const) {
      found(figureOf(`event to each of ${count} clients beside slow readers: ${name}`, {
        unit: "ms",
        values: besideSlow.map((each) => quantilesOf(each)[name]),
        baselines: besideFast.map((each) => quantilesOf(each)[name]),
      }));
    }
    // Over all rounds: the slowest events of one are few, and what made them slow is mostly chance.
    const pooled = (each: (readonly number[])[]) => quantilesOf(each.flat()).p99;
    found(figureOf("p99 of all rounds: slow readers over such as read", {
      unit: "x",
      values: [pooled(besideSlow) / pooled(besideFast)],
      target: TARGET_RATIO,
    }));
    found(figureOf("p99 of all rounds: such as read over nobody", {
      unit: "x",
      values: [pooled(besideFast) / pooled(alone)],
    }));
    await closeAll(clients);
  },
};

interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

function quantilesOf(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

/** Opens the session that the events are about, with an answer of the embedded model. */
async function begin(clients: readonly LoadClient[]): Promise<void> {
  const [first] = clients;
  if (first === undefined) return;
  const params = { sessionKey: SESSION, message: "begin", idempotencyKey: crypto.randomUUID() };
  await request(first, "chat.send", params);
  const { promise, resolve } = Promise.withResolvers<void>();
  first.receive((text) => {
    if (text.includes('"state":"final"')) resolve();
  });
  await within("the end of an answer", Promise.race([promise, first.broken]));
}

async function quietly(clients: readonly LoadClient[], events: number): Promise<readonly number[]> {
  await settle();
  return await delays(clients, events);
}

/**
 * Has two clients ask for much, of whom one will be behind with it and the other beyond its bound unless they read
 * it, and measures the others meanwhile.
 */
async function beside(
  gateway: GatewayProcess,
  { clients, events, slow }: {
    readonly clients: readonly LoadClient[];
    readonly events: number;
    readonly slow: boolean;
  },
): Promise<readonly number[]> {
  using behind = await SlowReader.connect(gateway);
  using drowning = await SlowReader.connect(gateway);
  await behind.ask(FEW_CALLS);
  await drowning.ask(MANY_CALLS);
  if (!slow) {
    await behind.read({ answers: FEW_CALLS });
    await drowning.read({ answers: MANY_CALLS });
  }
  await elapsed(ANSWERS_MS);
  return await delays(clients, events);
}

/** Causes events one after the other; resolves with the milliseconds that each delivery took. */
async function delays(clients: readonly LoadClient[], events: number): Promise<readonly number[]> {
  const [first] = clients;
  if (first === undefined) return [];
  const params = { sessionKey: SESSION, message: "The heating was off at night." };
  const frame = JSON.stringify({ type: "req", id: "note", method: "chat.inject", params });
  const broken = Promise.race(clients.map((client) => client.broken));
  const all: number[] = [];
  let causedAt = 0;
  let waiting = 0;
  let delivered = () => {};
  for (const client of clients) {
    client.receive((text) => {
      if (!text.startsWith(EVENT)) return;
      all.push(performance.now() - causedAt);
      if (--waiting === 0) delivered();
    });
  }
  for (let count = 0; count < events; count++) {
    const done = new Promise<void>((resolve) => delivered = resolve);
    waiting = clients.length;
    causedAt = performance.now();
    first.send(frame);
    await within("an event to reach everybody", Promise.race([done, broken]));
    await elapsed(PAUSE_MS);
  }
  return all;
}
