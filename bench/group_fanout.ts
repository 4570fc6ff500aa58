/** One event to many clients: what each delivery costs the server. */

import { openBareListeners } from "./bare_writes.ts";
import { TO_ALL } from "./echo_protocol.ts";
import { within } from "./deadline.ts";
import { figureOf, type Group } from "./figure.ts";
import {
  closeAll,
  isAnswer,
  type LoadClient,
  openGatewayClient,
  openMany,
  openSocket,
} from "./load_client.ts";
import { SAMPLE_EVENT } from "./sample_frames.ts";
import { startBareWrites, startEcho, startGatewayProcess } from "./server_process.ts";
import { inTurn, spendingOf } from "./stopwatch.ts";

/** Clients that get every event. */
const CLIENTS = 200;

/** Processor time in µs that one delivery may take. */
const TARGET_MICROS = 3;

/** Calls at once that cause an event each, what storing it costs included. */
const DEPTHS = [1, 8] as const;

const SESSION = "agent:main:main";

/** Fan-out of one event to 200 clients. */
export const fanoutGroup: Group = {
  name: "fanout",
  summary:
    `the server's processor time to give an event to each of ${CLIENTS} clients; baseline: bare ws`,
  async run({ quick }, found) {
    const events = quick ? 50 : 200;
    const rounds = quick ? 2 : 3;
    await using gateway = await startGatewayProcess();
    await using echo = await startEcho();
    const ours = await openMany(
      CLIENTS,
      (at) => openGatewayClient(gateway, { instanceId: `bench-${at}` }),
    );
    const bare = await openMany(CLIENTS, () => openSocket(echo.url));
    await streamedAnswer(ours, events);
    await injections(ours, { events, depth: 1 });
    await broadcasts(bare, { events, depth: 1 });

    const streams = await inTurn(rounds, {
      gateway: () => spendingOf(gateway, () => streamedAnswer(ours, events)),
      baseline: () => spendingOf(echo, () => broadcasts(bare, { events, depth: 1 })),
    });
    found(figureOf("one event of a streamed answer to one client: server CPU", {
      unit: "µs",
      values: streams.gateway.map((each) => each.cpuMicrosEach),
      baselines: streams.baseline.map((each) => each.cpuMicrosEach),
      target: TARGET_MICROS,
    }));
    for (const depth of DEPTHS) {
      const burst = { events, depth };
      const notes = await inTurn(rounds, {
        gateway: () => spendingOf(gateway, () => injections(ours, burst)),
        baseline: () => spendingOf(echo, () => broadcasts(bare, burst)),
      });
      found(figureOf(`one chat.inject (${depth} in flight) to one client: server CPU`, {
        unit: "µs",
        values: notes.gateway.map((each) => each.cpuMicrosEach),
        baselines: notes.baseline.map((each) => each.cpuMicrosEach),
        target: TARGET_MICROS,
      }));
    }
    await closeAll([...ours, ...bare]);
    found(figureOf("bare writes of the same bytes, nothing else: server CPU", {
      unit: "µs",
      values: await bareWrites(rounds, events),
    }));
  },
};

/** Processor time in µs of each delivery of a server that does nothing but write. */
async function bareWrites(rounds: number, events: number): Promise<readonly number[]> {
  await using server = await startBareWrites();
  using listeners = await openBareListeners(server.url, CLIENTS);
  await listeners.deliver(events);
  const costs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    costs.push((await spendingOf(server, () => listeners.deliver(events))).cpuMicrosEach);
  }
  return costs;
}

/** Lets the embedded model stream `parts` parts to all clients; resolves with the events that they got. */
async function streamedAnswer(clients: readonly LoadClient[], parts: number): Promise<number> {
  const [first] = clients;
  if (first === undefined) return 0;
  let events = 0;
  const finished = clients.map((client) =>
    new Promise<void>((resolve) => {
      client.receive((text) => {
        if (isAnswer(text)) return;
        events++;
        if (text.includes('"state":"final"')) resolve();
      });
    })
  );
  const params = {
    sessionKey: SESSION,
    message: `count to ${parts}`,
    idempotencyKey: crypto.randomUUID(),
  };
  first.send(JSON.stringify({ type: "req", id: "stream", method: "chat.send", params }));
  await within("the end of a streamed answer", Promise.all(finished));
  return events;
}

/** How many events, and how many of them on their way at once. */
interface Burst {
  readonly events: number;
  readonly depth: number;
}

/** Adds messages to a session; resolves with the deliveries. */
function injections(clients: readonly LoadClient[], burst: Burst): Promise<number> {
  const params = { sessionKey: SESSION, message: "The heating was off at night." };
  const frame = JSON.stringify({ type: "req", id: "note", method: "chat.inject", params });
  const counts = (text: string) => text.startsWith('{"type":"event","event":"chat"');
  return deliveries(clients, { ...burst, frame, counts });
}

function broadcasts(clients: readonly LoadClient[], burst: Burst): Promise<number> {
  return deliveries(clients, { ...burst, frame: `${TO_ALL}${SAMPLE_EVENT}`, counts: () => true });
}

/** Causes events; each time that as many have been delivered as one event makes, causes another. */
async function deliveries(
  clients: readonly LoadClient[],
  { events, depth, frame, counts }: Burst & {
    readonly frame: string;
    readonly counts: (text: string) => boolean;
  },
): Promise<number> {
  const [first] = clients;
  if (first === undefined) return 0;
  const done = Promise.withResolvers<void>();
  let delivered = 0;
  let caused = 0;
  const cause = (): void => {
    if (++caused <= events) first.send(frame);
  };
  for (const client of clients) {
    client.receive((text) => {
      if (!counts(text)) return;
      delivered++;
      if (delivered % clients.length === 0) cause();
      if (delivered === events * clients.length) done.resolve();
    });
  }
  for (let at = 0; at < depth; at++) cause();
  const broken = Promise.race(clients.map((client) => client.broken));
  await within("the last event", Promise.race([done.promise, broken]));
  return delivered;
}
