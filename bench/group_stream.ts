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
import type { Replay } from "./provider_server.ts";
import {
  type ServerProcess,
  startEcho,
  startGatewayProcess,
  startProvider,
} from "./server_process.ts";
import { inTurn, spendingOf } from "./stopwatch.ts";

/** Pieces of a long answer; the embedded model counts no further. */
const PARTS = 1_000;

/** Pieces of a long answer in a hurry. */
const QUICK_PARTS = 300;

/** Clients that watch an answer. */
const CROWDS = [1, 50] as const;

/** Wait of the embedded model between two pieces, in milliseconds; its baseline waits as long. */
const EMBEDDED_PAUSE_MS = 5;

/** First deltas, and long answers of the embedded model and of a provider. */
export const streamGroup: Group = {
  name: "stream",
  summary: `chat.send to the first delta (baseline: one echo), and answers of ${PARTS} pieces ` +
    "(baseline: bare ws sends frames of the same sizes)",
  async run({ quick }, found) {
    await firstDelta(quick ? 10 : 50, found);
    await using bare = await startProvider();
    if (!quick) {
      await using gateway = await startGatewayProcess();
      await longAnswers({ gateway, bare }, {
        source: "the embedded model",
        parts: PARTS,
        rounds: 1,
        pauseMs: EMBEDDED_PAUSE_MS,
        found,
      });
    }
    await using provider = await startProvider();
    await using gateway = await startGatewayProcess({ settings: settingsFor(provider.url) });
    await longAnswers({ gateway, bare }, {
      source: "a provider",
      parts: quick ? QUICK_PARTS : PARTS,
      rounds: quick ? 1 : 3,
      pauseMs: 0,
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

/** Answers to crowds, each followed by a replay of its frames to a crowd of the baseline's. */
async function longAnswers(
  { gateway, bare }: { readonly gateway: Gateway; readonly bare: ServerProcess },
  { source, parts, rounds, pauseMs, found }: {
    readonly source: string;
    readonly parts: number;
    readonly rounds: number;
    readonly pauseMs: number;
    readonly found: Found;
  },
): Promise<void> {
  for (const crowd of CROWDS) {
    const clients = await openMany(
      crowd,
      (at) => openGatewayClient(gateway, { instanceId: `bench-${at}` }),
    );
    const others = await openMany(crowd, () => openSocket(bare.url.replace(/^http/, "ws")));
    let turns = await watch(clients, "count to 100");
    await replay(others, { turns, pauseMs });
    const spent = await inTurn(rounds, {
      gateway: () =>
        spendingOf(gateway, async () => {
          turns = await watch(clients, `count to ${parts}`);
          return piecesOf(turns);
        }),
      baseline: () =>
        spendingOf(bare, async () => {
          await replay(others, { turns, pauseMs });
          return piecesOf(turns);
        }),
    });
    const watchers = crowd === 1 ? "1 client" : `${crowd} clients`;
    found(figureOf(`a piece of ${source}'s answer to ${watchers}: server CPU`, {
      unit: "µs",
      values: spent.gateway.map((each) => each.cpuMicrosEach),
      baselines: spent.baseline.map((each) => each.cpuMicrosEach),
    }));
    found(figureOf(`${parts} pieces of ${source} to ${watchers}, by the clock`, {
      unit: "ms",
      values: spent.gateway.map(({ count, perSecond }) => count / perSecond * 1_000),
      baselines: spent.baseline.map(({ count, perSecond }) => count / perSecond * 1_000),
    }));
    await closeAll([...clients, ...others]);
  }
}

/**
 * The first client asks, and every one sees the answer to its end; resolves with the sizes of the
 * frames that the first one got, those of one piece in one turn.
 */
async function watch(clients: readonly LoadClient[], message: string): Promise<Replay["turns"]> {
  const [first] = clients;
  const turns: number[][] = [];
  const finished = clients.map((client) =>
    new Promise<void>((resolve, reject) => {
      client.broken.catch(reject);
      client.receive((text) => {
        if (client === first && !isAnswer(text)) {
          // Frames of the gateway in these answers are ASCII: a character is a byte.
          if (turns.length === 0 || text.includes('"stream":"assistant"')) {
            turns.push([text.length]);
          } else turns.at(-1)?.push(text.length);
        }
        if (text.includes('"state":"final"')) resolve();
        if (text.includes('"state":"error"')) reject(new Error(`a run failed: ${text}`));
      });
    })
  );
  first?.send(chatSend(message));
  await within("the end of a long answer", Promise.all(finished));
  return turns;
}

/** How many pieces an answer came in: its first turn is the start of the run. */
function piecesOf(turns: Replay["turns"]): number {
  return turns.length - 1;
}

/** The first client asks the baseline for frames, and every one gets all of them. */
async function replay(clients: readonly LoadClient[], asked: Replay): Promise<void> {
  const frames = asked.turns.flat().length;
  const finished = clients.map((client) =>
    new Promise<void>((resolve, reject) => {
      client.broken.catch(reject);
      let left = frames;
      client.receive(() => {
        if (--left === 0) resolve();
      });
    })
  );
  clients[0]?.send(JSON.stringify(asked));
  await within("the end of a replay", Promise.all(finished));
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
