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
import type { Link, LinkListener } from "../src/core/link.ts";
import { METHODS } from "../src/protocols/openclaw/method_table.ts";
import { Agents } from "../src/services/agents.ts";
import { MemoryLog } from "../tests/support/memory_log.ts";
import { within } from "./deadline.ts";
import { figureOf, type Group } from "./figure.ts";
import { nanosPerOperation } from "./stopwatch.ts";

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
      link.deliver(frame);
      const answer = link.last;
      console.log(answer.slice(0,150));
      const values = nanosPerOperation(() => link.deliver(frame), rounds);
      const baselines = nanosPerOperation(
        () => JSON.stringify({ of: JSON.parse(frame), is: JSON.parse(answer) }),
        rounds,
      );
      found(figureOf(`${method}, frame in to frame out`, { unit: "ns", values, baselines }));
    }
    link.end();
  },
};

/** A link whose peer is this process; it keeps the last frame that was sent. */
class LoopLink implements Link {
  readonly buffered = 0;
  last = "";
  sent: (text: string) => void = () => {};
  #listener: LinkListener | undefined;

  attach(listener: LinkListener): void {
    this.#listener = listener;
  }

  send(data: string | Uint8Array): void {
    this.last = String(data);
    this.sent(this.last);
  }

  deliver(text: string): void {
    this.#listener?.message(text);
  }

  end(): void {
    this.#listener?.closed(1000, "");
  }

  close(): void {}
  terminate(): void {}
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
    settingsCodec: settingsCodec({ format: "json5", env: {} }),
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
      accept(link);
      return new Response(null);
    },
  });
  await answerTo(link, {
    method: "connect",
    params: {
      minProtocol: 3,
      maxProtocol: 3,
      client: { id: "test", version: "1.0.0", platform: "bench", mode: "cli" },
      scopes: ["operator.admin"],
      auth: { token: TOKEN },
    },
  });
  await answerTo(link, { method: "health", params: {} });
  return link;
}

function answerTo(link: LoopLink, call: { method: string; params: unknown }): Promise<void> {
  const answered = new Promise<void>((resolve, reject) => {
    link.sent = (text) => {
      if (!text.startsWith('{"type":"res"')) return;
      if (text.includes('"ok":true')) resolve();
      else reject(new Error(`${call.method} was refused: ${text}`));
    };
  });
  link.deliver(JSON.stringify({ type: "req", id: "first", ...call }));
  return within(`the answer to ${call.method}`, answered).finally(() => link.sent = () => {});
}
