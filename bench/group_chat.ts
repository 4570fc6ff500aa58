/** The chat channel with many connected users: what a message and its answer cost, and what a user keeps. */

import { Metrics } from "../src/core/metrics.ts";
import type { Link, LinkListener } from "../src/core/link.ts";
import { checked, DEFAULT_TENANT, isSessionKey } from "../src/core/id.ts";
import { systemClock } from "../src/adapters/system_clock.ts";
import { systemRandom } from "../src/adapters/system_random.ts";
import { createChat } from "../src/protocols/chat/mod.ts";
import { chatSettings } from "../src/config/chat_options.ts";
import { parseConfig } from "../src/config/parse.ts";
import type { ChannelInbox } from "../src/services/channel_inbox.ts";
import { sessionRecords } from "../src/services/session_records.ts";
import type { NewMessage, SessionEntry } from "../src/services/session_entry.ts";
import { appendWrites, transcriptStream } from "../src/services/transcript.ts";
import { openSqliteStore } from "../src/adapters/sqlite_store.ts";
import { cpuMicros } from "./process_meter.ts";
import { Hub } from "../src/services/hub.ts";
import { toRunId } from "../src/services/run_record.ts";
import { figureOf, type Group } from "./figure.ts";
import { closeAll, keepInFlight, next, openMany, openSocket } from "./load_client.ts";
import { settle, startEcho, startGatewayProcess } from "./server_process.ts";
import { inTurn, spendingOf } from "./stopwatch.ts";

/** Connected users; each writes again once it was answered. */
const USERS = 1_000;

/** Server CPU of one message with its whole answer, in microseconds. */
const MESSAGE_TARGET_MICROS = 60;

/** Memory of one connected user, in KiB. */
const USER_TARGET_KIB = 20;

const SETTINGS = {
  agents: { defaults: { maxConcurrent: 64 } },
  channels: {
    websocket: {
      port: 0,
      auth: { enabled: false },
      messagesPerMinute: 1_000_000,
      maxConnectionsPerAddress: 20_000,
    },
  },
};

const MESSAGE = JSON.stringify({ type: "chat.send", content: "count to 1" });

/** Messages a second and memory a user. */
export const chatGroup: Group = {
  name: "chat",
  summary: `${USERS} users of the chat channel, all of whom write (baseline: bare ws echoes)`,
  async run({ quick }, found) {
    const users = quick ? 200 : USERS;
    await using gateway = await startGatewayProcess({ settings: SETTINGS });
    await using echo = await startEcho();
    const opened = async (url: string, greeted: boolean) =>
      await openMany(users, async (at) => {
        const client = await openSocket(`${url}?senderId=user${at}`);
        if (greeted) await next(client, (text) => text.includes("Connected"));
        return client;
      });
    // The first connections make a process grow once, whatever comes after.
    const early = [
      ...await opened(`${gateway.url}/chat`, true),
      ...await opened(echo.url, false),
    ];
    await settle();
    const before = { gateway: gateway.resident(), echo: echo.resident() };
    const clients = await opened(`${gateway.url}/chat`, true);
    const others = await opened(echo.url, false);
    await settle();
    found(figureOf("memory of one connected user", {
      unit: "KiB",
      values: [(gateway.resident() - before.gateway) / users / 1_024],
      baselines: [(echo.resident() - before.echo) / users / 1_024],
      target: USER_TARGET_KIB,
    }));
    found(figureOf("a message and its answer in the wire alone: CPU", {
      unit: "µs",
      values: await wireAlone(quick ? 1 : 3),
      target: MESSAGE_TARGET_MICROS,
    }));
    found(figureOf("storing a message and its answer alone: CPU", {
      unit: "µs",
      values: await storingAlone(quick ? 1 : 3),
      target: MESSAGE_TARGET_MICROS,
    }));
    const durationMs = quick ? 500 : 3_000;
    const spent = await inTurn(quick ? 1 : 3, {
      gateway: () =>
        spendingOf(gateway, () =>
          keepInFlight(clients, {
            frame: MESSAGE,
            depth: 1,
            durationMs,
            counts: (text) => text.includes('"done":true'),
          })),
      baseline: () =>
        spendingOf(
          echo,
          () => keepInFlight(others, { frame: MESSAGE, depth: 1, durationMs, counts: () => true }),
        ),
    });
    found(figureOf("a message with its stored answer: server CPU", {
      unit: "µs",
      values: spent.gateway.map((each) => each.cpuMicrosEach),
      baselines: spent.baseline.map((each) => each.cpuMicrosEach),
      target: MESSAGE_TARGET_MICROS,
    }));
    found(figureOf("messages a second with their answers, by the clock", {
      unit: "/s",
      values: spent.gateway.map((each) => each.perSecond),
      baselines: spent.baseline.map((each) => each.perSecond),
    }));
    await closeAll([...early, ...clients, ...others]);
  },
};

/** Messages of one round in the wire alone. */
const WIRE_MESSAGES = 20_000;

/** Those that come in within one turn of the event loop. */
const WIRE_MESSAGES_A_TURN = 100;

/** Every user writes in turn to an inbox that stores nothing and answers at once in one part. */
async function wireAlone(rounds: number): Promise<readonly number[]> {
  const hub = new Hub();
  const { config } = parseConfig(SETTINGS, { env: {} });
  const settings = chatSettings(config, {
    overrides: {},
    places: { stateDir: "/nowhere", home: "/nowhere" },
  });
  const sessionKey = checked("agent:main:main", isSessionKey);
  let run = 0;
  let answered = 0;
  const inbox: Pick<ChannelInbox, "receive"> = {
    receive: () => {
      const runId = toRunId(`run-${++run}`);
      const shared = { type: "run", runId, sessionKey, requestedKey: "main", at: 0 } as const;
      const begin = (): void => {
        const text = "1";
        hub.publish(DEFAULT_TENANT, { ...shared, sequence: 1, step: { kind: "start" } });
        const part = { kind: "text", delta: text, text, partial: true } as const;
        hub.publish(DEFAULT_TENANT, { ...shared, sequence: 2, step: part });
        const end = { kind: "end", text, stopReason: "stop" } as const;
        hub.publish(DEFAULT_TENANT, { ...shared, sequence: 3, step: end });
      };
      return Promise.resolve({ kind: "run", runId, sessionKey, begin });
    },
  };
  const unused = (): Promise<never> => Promise.reject(new Error("not asked"));
  const chat = createChat({
    tenant: DEFAULT_TENANT,
    inbox,
    identities: { verify: unused },
    media: { open: unused },
    uploads: { save: unused },
    hub,
    clock: systemClock,
    random: systemRandom,
    log: { write: () => {}, child: () => ({ write: () => {}, child: unreachable }) },
    metrics: new Metrics(),
    settings: () => settings,
    isId: () => true,
    ownPort: () => ({}),
  });
  const listeners: LinkListener[] = [];
  for (let user = 0; user < USERS; user++) {
    const link: Link = {
      attach: (listener) => listeners.push(listener),
      send: (data) => {
        if (String(data).includes('"done":true')) answered++;
      },
      close: () => {},
      terminate: () => {},
      allow: () => {},
      pause: () => {},
      resume: () => {},
      buffered: 0,
    };
    chat.accept(link, {
      peer: { ip: "127.0.0.1", local: true },
      shown: { senderId: `user${user}` },
    });
  }
  await settle();
  const values: number[] = [];
  for (let round = 0; round < rounds; round++) {
    answered = 0;
    const began = performance.now();
    for (let sent = 0; sent < WIRE_MESSAGES; sent++) {
      listeners[sent % USERS]?.message(MESSAGE);
      if (sent % WIRE_MESSAGES_A_TURN === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    while (answered < WIRE_MESSAGES) await new Promise((resolve) => setTimeout(resolve, 0));
    values.push((performance.now() - began) * 1_000 / WIRE_MESSAGES);
  }
  return values;
}

/** Messages of one round that are stored, each with its answer. */
const STORED_MESSAGES = 10_000;

/** Commits that come within one turn of the event loop, as in a gateway that is busy with them. */
const COMMITS_A_TURN = 64;

/** The commits of every user's messages and answers in turn, as the gateway makes them, and nothing else. */
async function storingAlone(rounds: number): Promise<readonly number[]> {
  const stateDir = await Deno.makeTempDir({ prefix: "clawgate-bench-" });
  const store = openSqliteStore({ path: `${stateDir}/clawgate.db` });
  const { entries } = sessionRecords(store, { life: "1" });
  const revisions = new Array<number>(USERS).fill(0);
  let made = 0;
  const commit = async (role: "user" | "assistant"): Promise<void> => {
    const user = made % USERS;
    const at = systemClock.now() + made++;
    const key = `agent:main:websocket:direct:user${user}`;
    const sessionId = `00000000-0000-4000-8000-${String(user).padStart(12, "0")}`;
    const entry: SessionEntry = { ...STORED_ENTRY, sessionId, updatedAt: at };
    const message = { ...STORED_MESSAGE, role, id: systemRandom.hex(4), at };
    const revision = revisions[user] ?? 0;
    revisions[user] = revision + 1;
    await store.commit([
      entries.put(DEFAULT_TENANT, key, entry, revision),
      ...appendWrites(transcriptStream(DEFAULT_TENANT, sessionId), [message]),
    ]);
  };
  try {
    const values: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const began = cpuMicros(Deno.pid);
      for (let stored = 0; stored < 2 * STORED_MESSAGES; stored += COMMITS_A_TURN) {
        await Promise.all(
          Array.from({ length: COMMITS_A_TURN }, (_, at) => commit(at % 2 ? "assistant" : "user")),
        );
      }
      values.push((cpuMicros(Deno.pid) - began) / STORED_MESSAGES);
    }
    return values;
  } finally {
    await store.close();
    await Deno.remove(stateDir, { recursive: true });
  }
}

/** What the gateway keeps of a user's session, and of what was said in it. */
const STORED_ENTRY: Omit<SessionEntry, "sessionId"> = {
  createdAt: 1,
  updatedAt: 1,
  derivedTitle: "count to 1",
  lastMessagePreview: "count to 1",
  channel: "websocket",
  chatType: "direct",
  abortedLastRun: false,
  modelProvider: "local",
  model: "assistant",
  inputTokens: 12,
  outputTokens: 1,
  totalTokens: 13,
  lastChannel: "websocket",
  lastTo: "user:user1",
  lastAccountId: "default",
};
const STORED_MESSAGE: NewMessage = {
  role: "user",
  text: "count to 1",
  at: 1,
  runId: "00000000-0000-7000-8000-000000000000",
  context: {
    channel: "websocket",
    chatType: "direct",
    sender: { id: "user1", verified: false },
  },
};

function unreachable(): never {
  throw new Error("not asked");
}
