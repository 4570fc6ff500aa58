/** One event to many clients: what each delivery costs the server. */

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
import { startEcho, startGatewayProcess } from "./server_process.ts";
import { inTurn, spendingOf } from "./stopwatch.ts";

/** Clients that get every event. */
const CLIENTS = 200;

/** Processor time in µs that one delivery may take. */
const TARGET_MICROS = 6;

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
    const baseline = () => spendingOf(echo, () => broadcasts(bare, events));
    await streamedAnswer(ours, events);
    await injections(ours, events);
    await broadcasts(bare, events);

    const streams = await inTurn(rounds, {
      gateway: () => spendingOf(gateway, () => streamedAnswer(ours, events)),
      baseline,
    });
    found(figureOf("one event of a streamed answer to one client: server CPU", {
      unit: "µs",
      values: streams.gateway.map((each) => each.cpuMicrosEach),
      baselines: streams.baseline.map((each) => each.cpuMicrosEach),
      target: TARGET_MICROS,
    }));
    const notes = await inTurn(rounds, {
      gateway: () => spendingOf(gateway, () => injections(ours, events)),
      baseline,
    });
    found(figureOf("one chat.inject to one client, storing included: server CPU", {
      unit: "µs",
      values: notes.gateway.map((each) => each.cpuMicrosEach),
      baselines: notes.baseline.map((each) => each.cpuMicrosEach),
      target: TARGET_MICROS,
    }));
    await closeAll([...ours, ...bare]);
  },
};

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

/** Adds messages to a session one after another, each once every client has got the one before. */
async function injections(clients: readonly LoadClient[], events: number): Promise<number> {
  const params = { sessionKey: SESSION, message: "The heating was off at night." };
  const frame = JSON.stringify({ type: "req", id: "note", method: "chat.inject", params });
  await oneAfterAnother(clients, {
    events,
    frame,
    counts: (text) => text.startsWith('{"type":"event","event":"chat"'),
  });
  return events * clients.length;
}

async function broadcasts(clients: readonly LoadClient[], events: number): Promise<number> {
  await oneAfterAnother(clients, {
    events,
    frame: `${TO_ALL}${SAMPLE_EVENT}`,
    counts: () => true,
  });
  return events * clients.length;
}

async function oneAfterAnother(
  clients: readonly LoadClient[],
  { events, frame, counts }: {
    readonly events: number;
    readonly frame: string;
    readonly counts: (text: string) => boolean;
  },
): Promise<void> {
  const [first] = clients;
  if (first === undefined) return;
  const done = Promise.withResolvers<void>();
  let missing = clients.length;
  let left = events;
  for (const client of clients) {
    client.receive((text) => {
      if (!counts(text) || --missing > 0) return;
      missing = clients.length;
      if (--left === 0) done.resolve();
      else first.send(frame);
    });
  }
  first.send(frame);
  const broken = Promise.race(clients.map((client) => client.broken));
  await within("the last event", Promise.race([done.promise, broken]));
}
