/** What a small call costs before and behind the socket: dispatch alone, and a whole connection in memory. */

import { createMemoryStore } from "../src/adapters/memory_store.ts";
import { systemClock } from "../src/adapters/system_clock.ts";
import { systemRandom } from "../src/adapters/system_random.ts";
import { createGateway } from "../src/app.ts";
import { agentOptions } from "../src/config/service_options.ts";
import { defaultConfig, settingsCodec } from "../src/config.ts";
import type { Principal } from "../src/core/access.ts";
import { createDispatch } from "../src/core/dispatch.ts";
import { checked, DEFAULT_TENANT, isConnectionId } from "../src/core/id.ts";
import type { Link, LinkListener, Outgoing } from "../src/core/link.ts";
import { socketOf } from "../tests/support/link_socket.ts";
import { METHODS } from "../src/protocols/openclaw/method_table.ts";
import { Agents } from "../src/services/agents.ts";
import { MemoryLog } from "../tests/support/memory_log.ts";
import { within } from "./deadline.ts";
import { figureOf, type Group } from "./figure.ts";
import { isAnswer } from "./load_client.ts";
import { nanosPerOperation, nanosPerTask } from "./stopwatch.ts";

const PRINCIPAL: Principal = {
  tenant: DEFAULT_TENANT,
  role: "operator",
  scopes: ["operator.read"],
  connection: checked("bench", isConnectionId),
  subject: "bench",
  credential: "shared",
  local: true,
};

const TOKEN = "bench-token";

const CALLS: readonly { readonly method: string; readonly params: unknown }[] = [
  { method: "last-heartbeat", params: {} },
  { method: "agent.identity.get", params: { agentId: "main" } },
  { method: "health", params: {} },
];

/** Calls that are in flight at once; a connection may have four times as many. */
const BATCH = 64;

/** Dispatch of small calls. */
export const dispatchGroup: Group = {
  name: "dispatch",
  summary:
    "small calls in this process, without a socket; baseline: JSON.parse and JSON.stringify of the same frames",
  async run({ quick }, found) {
    const rounds = quick ? 5 : 30;
    const options = agentOptions(defaultConfig());
    const context = Object.assign(Object.create(null), {
      principal: PRINCIPAL,
      agents: new Agents({ options: () => options }),
      heartbeat: { last: () => null },
    });
    const dispatch = createDispatch(METHODS);
    for (const { method, params } of CALLS.slice(0, 2)) {
      const call = { method, params, principal: PRINCIPAL };
      const values = nanosPerOperation(() => dispatch(call, context), rounds);
      const text = JSON.stringify(params);
      const baselines = nanosPerOperation(() => JSON.stringify(JSON.parse(text)), rounds);
      found(figureOf(`dispatch ${method}`, { unit: "ns", values, baselines }));
    }
    const link = await connectInMemory();
    for (const { method, params } of CALLS) {
      const frame = JSON.stringify({ type: "req", id: "c0ffee-17", method, params });
      const answer = await link.answersTo([frame]);
      const batch = Array.from({ length: BATCH }, () => frame);
      const values = await nanosPerTask(() => link.answersTo(batch), { rounds, size: BATCH });
      const baselines = nanosPerOperation(
        () => JSON.stringify({ of: JSON.parse(frame), is: JSON.parse(answer) }),
        rounds,
      );
      found(figureOf(`${method}, frame in to frame out`, { unit: "ns", values, baselines }));
    }
    link.end();
  },
};

/** A link whose peer is this process. */
class LoopLink implements Link {
  readonly buffered = 0;
  #listener: LinkListener | undefined;
  #missing = 0;
  #last = "";
  #answered: () => void = () => {};

  attach(listener: LinkListener): void {
    this.#listener = listener;
  }

  send(data: Outgoing): void {
    const text = String(data);
    if (!isAnswer(text)) return;
    this.#last = text;
    if (--this.#missing === 0) this.#answered();
  }

  /** Delivers frames; resolves with the last answer when all are answered. Rejects a refusal. */
  async answersTo(frames: readonly string[]): Promise<string> {
    this.#missing = frames.length;
    const answered = new Promise<void>((resolve) => this.#answered = resolve);
    for (const frame of frames) this.#listener?.message(frame);
    await answered;
    if (!this.#last.includes('"ok":true')) throw new Error(`a call was refused: ${this.#last}`);
    return this.#last;
  }

  end(): void {
    this.#listener?.closed(1000, "");
  }

  close(): void {}
  terminate(): void {}
  allow(): void {}

  pause(): void {}
  resume(): void {}
}

/** A whole gateway without disk and sockets, and one connection to it after its handshake. */
async function connectInMemory(): Promise<LoopLink> {
  const log = new MemoryLog();
  const file = { path: "memory", raw: "{}" };
  const gateway = createGateway({
    clock: systemClock,
    random: systemRandom,
    store: createMemoryStore(),
    log,
    logs: { tail: () => Promise.reject(new Error("there is no log file")) },
    settingsFile: { read: () => Promise.resolve(file), write: () => Promise.resolve() },
    settingsCodec: await settingsCodec({ format: "json5", env: {} }),
    config: defaultConfig(),
    secret: () => ({ mode: "token", token: TOKEN }),
    keyring: "0".repeat(48),
    server: {
      version: "2026.1.1",
      host: "bench",
      platform: Deno.build.os,
      configPath: "memory",
      stateDir: "memory",
    },
    hostNames: [],
  });
  const link = new LoopLink();
  const request = new Request("http://127.0.0.1/", { headers: { host: "127.0.0.1" } });
  await gateway.serve(request, {
    remoteAddress: "127.0.0.1",
    secure: false,
    upgrade: (accept) => {
      accept(socketOf(link));
      return new Response(null);
    },
  });
  const connect = {
    minProtocol: 3,
    maxProtocol: 3,
    client: { id: "test", version: "1.0.0", platform: "bench", mode: "cli" },
    scopes: ["operator.admin"],
    auth: { token: TOKEN },
  };
  const frame = JSON.stringify({ type: "req", id: "first", method: "connect", params: connect });
  await within("hello-ok", link.answersTo([frame]));
  return link;
}
