/** What hostile input leaves behind in the gateway: nothing. */

import assert from "node:assert/strict";
import { MAX_CALLS_IN_FLIGHT } from "../../src/protocols/openclaw/machine.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import type { HeapMeter } from "../support/heap_meter.ts";
import { assertMemoryFlat, type MemoryReading, MIN_MESSAGES } from "../support/memory_watch.ts";
import { rawRequest, RawSocket } from "../support/raw_socket.ts";
import { WireClient } from "../support/wire_client.ts";

/** Messages that are on their way at once; fewer than a connection may have in flight. */
const AT_ONCE = 64;

/** Reads at once: more than a connection may have in flight, so that some are refused at the door. */
const READS_AT_ONCE = 2 * MAX_CALLS_IN_FLIGHT;

/** Large messages of each kind in a round; each is retained whole or not at all. */
const LARGE_EACH = 4;

/** One hostile message; `n` makes each of them another, so that nothing keyed by its content is met twice. */
type Hostile = (n: number) => string;

function request(method: string, params: (n: number) => unknown): Hostile {
  return (n) => JSON.stringify({ type: "req", id: `h${n}`, method, params: params(n) });
}

function raw(params: (n: number) => string): Hostile {
  return (n) => `{"type":"req","id":"h${n}","method":"chat.history","params":${params(n)}}`;
}

/** Each is answered with an error. */
const SMALL: readonly Hostile[] = [
  request("chat.history", (n) => ({ sessionKey: `none-${n}`, [`unknown-${n}`]: n })),
  request("chat.history", (n) => ({ sessionKey: n })),
  request("chat.history", (n) => ({ sessionKey: "main", limit: -n })),
  request("chat.send", (n) => ({ sessionKey: "", message: "x", idempotencyKey: `k${n}` })),
  request("chat.send", (n) => ({ sessionKey: "main", message: ["x"], idempotencyKey: `k${n}` })),
  request("sessions.patch", (n) => ({ key: `../../etc/${n}`, label: n })),
  request("device.pair.approve", (n) => ({ requestId: `00000000-0000-4000-8000-${n}` })),
  request("device.token.revoke", (n) => ({ deviceId: `${n}`.padStart(64, "0"), role: "operator" })),
  request("config.set", (n) => ({ raw: `{ gateway: { port: "${n}" }, oops` })),
  request("connect", (n) => ({ minProtocol: 3, maxProtocol: 3, auth: { token: `guess-${n}` } })),
  (n) => JSON.stringify({ type: "req", id: `h${n}`, method: `no.such.${n}` }),
  (n) => JSON.stringify({ type: "req", id: `h${n}`, method: "health", extra: n }),
  (n) => JSON.stringify({ type: "req", id: n, method: "health" }),
  (n) => JSON.stringify({ type: `t${n}`, id: `h${n}` }),
  (n) => JSON.stringify([n, "req"]),
  raw((n) => `{"__proto__":{"n":${n}},"sessionKey":"main"}`),
  raw((n) => `{"constructor":{"prototype":{"n":${n}}},"sessionKey":"main"}`),
  raw((n) => `{"sessionKey":"\\ud800${n}"}`),
  raw((n) => `{"sessionKey":"main","limit":1e999,"n${n}":0}`),
  raw((n) => `{"sessionKey":"main\\u0000${n}"}`),
  raw((n) => `${"[".repeat(200)}${n}${"]".repeat(200)}`),
];

const LARGE: readonly Hostile[] = [
  raw((n) => `${"[".repeat(100_000)}${n}${"]".repeat(100_000)}`),
  raw((n) => `${'{"a":'.repeat(80_000)}${n}${"}".repeat(80_000)}`),
  raw((n) => `{${Array.from({ length: 25_000 }, (_, at) => `"k${n}-${at}":1`).join(",")}}`),
  raw((n) => `{"sessionKey":"${`${n}`.repeat(80_000)}"}`),
  // Base64 of a picture that is none, as large as a message may be.
  request("chat.send", (n) => ({
    sessionKey: "main",
    message: "x",
    idempotencyKey: `large-${n}`,
    attachments: [{ type: "image", mimeType: "image/png", content: "A".repeat(500_001) }],
  })),
];

async function memoryOf(gateway: GatewayProcess, meter: HeapMeter): Promise<MemoryReading> {
  return { heap: await meter.reachableBytes(), resident: await gateway.residentBytes() };
}

/** Repeats what sends some messages and tells how many, until they make a round; how many that was. */
async function volleys(send: () => Promise<number>): Promise<number> {
  let sent = 0;
  while (sent < MIN_MESSAGES) sent += await send();
  return sent;
}

Deno.test("S26 hostile messages after hello leave heap and resident memory as they were", async () => {
  await using gateway = await GatewayProcess.start({ inspect: true });
  const { url, token } = gateway;
  await using heap = await gateway.heap();
  await using client = await WireClient.connect(url, { token, scopes: ["operator.admin"] });
  const errors = () => client.frames.filter(({ ok }) => ok === false).length;
  let sent = 0;
  const volley = async (messages: readonly Hostile[]) => {
    client.frames.length = 0;
    for (const message of messages) client.send(message(100_000 + ++sent));
    await client.frame(() => errors() === messages.length, { what: "an error for each message" });
  };
  await assertMemoryFlat({
    read: () => memoryOf(gateway, heap),
    round: async () => {
      const before = sent;
      for (const kind of LARGE) {
        for (let count = 0; count < LARGE_EACH; count++) await volley([kind]);
      }
      while (sent - before < MIN_MESSAGES) {
        await volley(
          Array.from({ length: AT_ONCE }, (_, at) => SMALL[(sent + at) % SMALL.length]!),
        );
        // What is no JSON is passed over.
        client.send(`nonsense ${sent}`);
        client.send(new Uint8Array([0xff, 0xfe, sent & 0xff]));
      }
      await client.call("health");
      return sent - before;
    },
  });
});

/** Reads of what is not there, which a client may ask for as often as it likes. */
const READS: readonly Hostile[] = [
  request(
    "sessions.preview",
    (n) => ({ keys: Array.from({ length: 64 }, (_, at) => `s${n}-${at}`) }),
  ),
  request("sessions.list", (n) => ({ search: `nothing-${n}` })),
  request("sessions.resolve", (n) => ({ label: `nobody-${n}` })),
  request("chat.history", (n) => ({ sessionKey: `none-${n}`, limit: 1_000 })),
  request("chat.abort", (n) => ({ sessionKey: `none-${n}`, runId: `run-${n}` })),
  request("agent.wait", (n) => ({ runId: `run-${n}`, timeoutMs: 0 })),
  request("agent.identity.get", (n) => ({ agentId: `agent-${n}` })),
];

Deno.test("a flood of reads leaves heap and resident memory as they were", async () => {
  await using gateway = await GatewayProcess.start({ inspect: true });
  const { url, token } = gateway;
  await using heap = await gateway.heap();
  await using client = await WireClient.connect(url, { token, scopes: ["operator.admin"] });
  const answers = () => client.frames.filter(({ type }) => type === "res").length;
  let sent = 0;
  await assertMemoryFlat({
    read: () => memoryOf(gateway, heap),
    round: () =>
      volleys(async () => {
        client.frames.length = 0;
        for (let at = 0; at < READS_AT_ONCE; at++) {
          client.send(READS[sent % READS.length]!(100_000 + ++sent));
        }
        await client.frame(() => answers() === READS_AT_ONCE, { what: "all answers" });
        return READS_AT_ONCE;
      }),
  });
});

/** Sent as they are, each on a connection of its own. */
function heads(port: number, n: number): readonly (readonly string[])[] {
  const host = `Host: 127.0.0.1:${port}`;
  return [
    ["GET /healthz HTTP/1.1", host, `X-A: ${`${n}`.repeat(6_000)}`],
    [`\u0000\u0001${n}`],
    ["POST / HTTP/1.1", host, "Content-Length: 1", `Content-Length: ${n}`],
    ["POST / HTTP/1.1", host, "Content-Length: 4", "Transfer-Encoding: chunked"],
    [`POST /metrics?${n} HTTP/1.1`, host, "Content-Length: 1073741824"],
    [`POST /healthz?${n} HTTP/1.1`, host, "Transfer-Encoding: chunked"],
    [`POST /v1/${n} HTTP/1.1`, host, "Content-Encoding: gzip", "Content-Length: 99999"],
    ["GET /metrics HTTP/1.1", host, `Authorization: Bearer guess-${n}`],
    ["GET / HTTP/1.1", `Host: h${n}.example`],
  ];
}

Deno.test("S26 hostile HTTP requests leave heap and resident memory as they were", async () => {
  await using gateway = await GatewayProcess.start({ inspect: true });
  const { port } = gateway;
  await using heap = await gateway.heap();
  let turn = 0;
  await assertMemoryFlat({
    read: () => memoryOf(gateway, heap),
    round: () =>
      volleys(async () => {
        const volley = Array.from({ length: 4 }, () => heads(port, 100_000 + ++turn)).flat();
        await Promise.all(volley.map((lines) => rawRequest(port, lines)));
        return volley.length;
      }),
  });
});

/** Requests of one connection that are sent together. */
const PIPELINED = 50;

Deno.test("S26 requests without end on one connection leave heap and resident memory as they were", async () => {
  await using gateway = await GatewayProcess.start({ inspect: true });
  const { port } = gateway;
  await using heap = await gateway.heap();
  using socket = await RawSocket.open(port);
  const request = `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
  await assertMemoryFlat({
    read: () => memoryOf(gateway, heap),
    round: async () => {
      for (let sent = 0; sent < MIN_MESSAGES; sent += PIPELINED) {
        socket.write(request.repeat(PIPELINED));
        for (let answered = 0; answered < PIPELINED; answered++) {
          assert.equal((await socket.answer()).status, 200);
        }
      }
      return MIN_MESSAGES;
    },
  });
});
