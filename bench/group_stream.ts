/** Streamed answers: the time to the first piece, and what a piece costs the server. */

import { within } from "./deadline.ts";
import { figureOf, type Group } from "./figure.ts";
import {
  closeAll,
  isAnswer,
  type LoadClient,
  next,
  openGatewayClient,
  openMany,
  openSocket,
} from "./load_client.ts";
import { startEcho, startGatewayProcess, startProvider } from "./server_process.ts";
import { spendingOf } from "./stopwatch.ts";

/** Pieces of a long answer; the embedded model counts no further. */
const PARTS = 1_000;

/** Pieces of a long answer in a hurry. */
const QUICK_PARTS = 300;

/** Clients that watch an answer. */
const CROWDS = [1, 50] as const;

/** First deltas, and long answers of the embedded model and of a provider. */
export const streamGroup: Group = {
  name: "stream",
  summary: `chat.send to the first delta (baseline: one echo), and answers of ${PARTS} pieces`,
  async run({ quick }, found) {
    await firstDelta(quick ? 10 : 50, found);
    if (!quick) {
      await using gateway = await startGatewayProcess();
      await longAnswers(gateway, { source: "the embedded model", parts: PARTS, rounds: 1, found });
    }
    await using provider = await startProvider();
    await using gateway = await startGatewayProcess({ settings: settingsFor(provider.url) });
    await longAnswers(gateway, {
      source: "a provider",
      parts: quick ? QUICK_PARTS : PARTS,
      rounds: quick ? 1 : 3,
      found,
    });
  },
};

type Found = Parameters<Group["run"]>[1];
type Gateway = Awaited<ReturnType<typeof startGatewayProcess>>;

async function firstDelta(times: number, found: Found): Promise<void> {
  await using gateway = await startGatewayProcess();
  await using echo = await startEcho();
  const client = await openGatewayClient(gateway, { instanceId: "bench" });
  const socket = await openSocket(echo.url);
  const values: number[] = [];
  const baselines: number[] = [];
  for (let time = 0; time < times; time++) {
    const finished = Promise.withResolvers<void>();
    const sentAt = performance.now();
    let first = true;
    client.receive((text) => {
      if (isAnswer(text)) return;
      if (first && text.includes('"state":"delta"')) {
        first = false;
        values.push(performance.now() - sentAt);
      } else if (text.includes('"state":"final"')) finished.resolve();
    });
    client.send(chatSend("count to 3"));
    await within("the end of an answer", Promise.race([finished.promise, client.broken]));

    const echoedAt = performance.now();
    const echoed = next(socket, () => true);
    socket.send("hello");
    await echoed;
    baselines.push(performance.now() - echoedAt);
  }
  found(figureOf("chat.send to the first delta, by the clock", { unit: "ms", values, baselines }));
  await closeAll([client, socket]);
}

async function longAnswers(
  gateway: Gateway,
  { source, parts, rounds, found }: {
    source: string;
    parts: number;
    rounds: number;
    found: Found;
  },
): Promise<void> {
  for (const crowd of CROWDS) {
    const clients = await openMany(
      crowd,
      (at) => openGatewayClient(gateway, { instanceId: `bench-${at}` }),
    );
    const [first] = clients;
    if (first === undefined) return;
    const values: number[] = [];
    const seconds: number[] = [];
    await watch(clients, { sender: first, message: "count to 100" });
    for (let round = 0; round < rounds; round++) {
      const spent = await spendingOf(
        gateway,
        () => watch(clients, { sender: first, message: `count to ${parts}` }),
      );
      values.push(spent.cpuMicrosEach);
      seconds.push(parts / spent.perSecond * 1_000);
    }
    const watchers = crowd === 1 ? "1 client" : `${crowd} clients`;
    found(figureOf(`a piece of ${source}'s answer to ${watchers}: server CPU`, {
      unit: "µs",
      values,
    }));
    found(figureOf(`${parts} pieces of ${source} to ${watchers}, by the clock`, {
      unit: "ms",
      values: seconds,
    }));
    await closeAll(clients);
  }
}

/** Asks and lets every client see the answer's end; resolves with the number of pieces. */
async function watch(
  clients: readonly LoadClient[],
  { sender, message }: { sender: LoadClient; message: string },
): Promise<number> {
  let pieces = 0;
  const finished = clients.map((client) =>
    new Promise<void>((resolve, reject) => {
      client.broken.catch(reject);
      client.receive((text) => {
        if (client === sender && text.includes('"stream":"assistant"')) pieces++;
        if (text.includes('"state":"final"')) resolve();
        if (text.includes('"state":"error"')) reject(new Error(`a run failed: ${text}`));
      });
    })
  );
  sender.send(chatSend(message));
  await within("the end of a long answer", Promise.all(finished));
  return pieces;
}

function chatSend(message: string): string {
  const idempotencyKey = crypto.randomUUID();
  // A session of its own, so that no conversation grows from one question to the next.
  const params = { sessionKey: `agent:main:${idempotencyKey}`, message, idempotencyKey };
  return JSON.stringify({ type: "req", id: "chat", method: "chat.send", params });
}

function settingsFor(providerUrl: string): unknown {
  const models = [{ id: "stream", name: "Stream" }];
  return {
    models: {
      providers: {
        bench: { baseUrl: providerUrl, apiKey: "bench", api: "openai-completions", models },
      },
    },
    agents: { defaults: { model: { primary: "bench/stream" } } },
  };
}
