/** What a stranger can cost: connections, bytes and frames before anyone has proved anything. */

import assert from "node:assert/strict";
import { MAX_PINGS } from "../../src/adapters/framed_socket.ts";
import { HANDSHAKE_BOUNDS } from "../../src/core/handshake_gate.ts";
import {
  HANDSHAKE_TIMEOUT_MS,
  MAX_HANDSHAKE_MESSAGE,
} from "../../src/protocols/openclaw/machine.ts";
import { ConnectionFlood, type FloodOptions } from "../support/connection_flood.ts";
import { eventually } from "../support/deadline.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { RawSocket, upgradeLines } from "../support/raw_socket.ts";
import { clientFrame } from "../support/websocket_frames.ts";
import { connectParams, WireClient } from "../support/wire_client.ts";

const MIB = 2 ** 20;

/** Rounds in which memory has to settle. */
const MAX_ROUNDS = 8;

/** Connections of a flood. */
const FLOOD = 5_000;

/** Connections without a whole request head that the listener bears. */
const SILENT_BOUNDS = { perSource: 1_024, total: 4_096 };

/** How long the listener waits for a whole request head, in milliseconds. */
const HEAD_TIMEOUT_MS = 10_000;

/** What a flood may leave in the heap: less than the smallest trace of each of its connections would be. */
const MAX_HEAP_LEFT = 64 * FLOOD;

/** A hundred addresses, one after the other: too few connections of each to be stopped by its own bound. */
const manyAddresses = (index: number) => `127.0.2.${1 + index % 100}`;

Deno.test("S5 silent upgrades are capped per source and in all, real clients get in, and all end at the deadline", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token } = gateway;
  await using admin = await WireClient.connect(url, { token });
  const silent: WireClient[] = [];
  try {
    // 300 of one source, then 1,200 of 30 others.
    await openMany(gateway, { count: 300, address: () => "127.0.0.1", into: silent });
    assert.ok(await handshakes(gateway) <= HANDSHAKE_BOUNDS.perSource);
    await using near = await WireClient.connect(url, { token });
    assert.ok(await near.call("health"), "a client at the flooded address gets in");

    const address = (index: number) => `127.0.2.${1 + index % 30}`;
    await openMany(gateway, { count: 1_200, address, into: silent });
    const pending = await handshakes(gateway);
    assert.ok(pending <= HANDSHAKE_BOUNDS.total, `${pending} handshakes`);
    assert.ok(pending > HANDSHAKE_BOUNDS.total / 2, `${pending} handshakes: the flood is one`);
    await using far = await WireClient.connect(url, { token, localAddress: "127.0.0.2" });
    assert.ok(await far.call("health"), "a client at another address gets in");
    await using same = await WireClient.connect(url, { token, localAddress: "127.0.2.7" });
    assert.ok(await same.call("health"), "a client at a flooding address gets in");
    assert.ok(await admin.call("health"), "who was in stays in");

    const codes = new Map<number, number>();
    for (const client of silent) {
      const { code } = await client.end(HANDSHAKE_TIMEOUT_MS + 10_000);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    // 1000 at the deadline, 1006 for those that gave way to newer ones.
    assert.deepEqual([...codes.keys()].sort(), [1000, 1006]);
    await eventually(async () => await handshakes(gateway) === 0, "no handshake to be left");
  } finally {
    await Promise.all(silent.map((client) => client[Symbol.asyncDispose]()));
  }

  const head = upgradeLines("/", [`Host: 127.0.0.1:${gateway.port}`]).join("\r\n");
  const flood = { count: FLOOD, address: manyAddresses, first: `${head}\r\n\r\n` };
  // What one flood has cost is used again by the next.
  await settles(gateway, 20 * MIB, async () => {
    using upgrades = await ConnectionFlood.open(gateway.port, flood);
    await eventually(() => upgrades.answers.size > 0, "answers");
    assert.deepEqual([...upgrades.answers.keys()], ["HTTP/1.1 101 Switching Protocols"]);
    assert.ok(await handshakes(gateway) <= HANDSHAKE_BOUNDS.total);
    await using real = await WireClient.connect(url, { token, localAddress: "127.0.2.7" });
    assert.ok(await real.call("health"), "a client gets in among 5,000");
    upgrades[Symbol.dispose]();
    await eventually(async () => await handshakes(gateway) === 0, "no handshake to be left");
  });
});

const halfHead = (port: number) => `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-Slow: `;

/** Connections that never come to a request. */
const STALLERS: readonly {
  readonly what: string;
  readonly load: (port: number) => Omit<FloodOptions, "count" | "address">;
}[] = [
  { what: "connections that send nothing", load: () => ({}) },
  { what: "request heads that stop half way", load: (port) => ({ first: halfHead(port) }) },
  {
    what: "request heads that go on a byte at a time",
    load: (port) => ({ first: halfHead(port), drip: { text: "a", everyMs: 500 } }),
  },
];

Deno.test("S5 connections without a request are capped per source and in all, end at the deadline and cost no memory", async (t) => {
  await using gateway = await GatewayProcess.start({ inspect: true });
  const { url, token, port } = gateway;
  await using heap = await gateway.heap();
  await using admin = await WireClient.connect(url, { token });
  for (const { what, load } of STALLERS) {
    await t.step(`5,000 ${what}`, async () => {
      const options = { count: FLOOD, ...load(port) };
      {
        using near = await ConnectionFlood.open(port, { ...options, address: () => "127.0.0.1" });
        await holdsAtMost(near, SILENT_BOUNDS.perSource);
        await using same = await WireClient.connect(url, { token });
        assert.ok(await same.call("health"), "a client at the flooded address gets in");
      }
      // The code that floods need is compiled by now.
      const before = await heap.reachableBytes();
      {
        using flood = await ConnectionFlood.open(port, { ...options, address: manyAddresses });
        await holdsAtMost(flood, SILENT_BOUNDS.total);
        await using far = await WireClient.connect(url, { token, localAddress: "127.0.2.7" });
        assert.ok(await far.call("health"), "a client at a flooding address gets in");
        assert.ok(await admin.call("health"), "who was in stays in");
        await flood.end(HEAD_TIMEOUT_MS + 10_000);
        assert.deepEqual([...flood.answers], [], "there is nothing to answer");
      }
      const left = await heap.reachableBytes() - before;
      assert.ok(left < MAX_HEAP_LEFT, `${left} bytes are left in the heap`);
      await settles(gateway, 20 * MIB, async () => {
        using again = await ConnectionFlood.open(port, { ...options, address: manyAddresses });
        await holdsAtMost(again, SILENT_BOUNDS.total);
      });
    });
  }
});

/** Waits until the listener has ended what is too much; most of what it bears is there. */
async function holdsAtMost(flood: ConnectionFlood, bound: number): Promise<void> {
  await eventually(() => flood.open <= bound, `at most ${bound} connections`);
  assert.ok(flood.open > bound / 2, `${flood.open} connections: the flood is one`);
}

/**
 * Repeats `load` until resident memory grows by less than `limit` bytes. A heap takes its time to find
 * its size; what is never given back makes every round grow.
 */
async function settles(
  gateway: GatewayProcess,
  limit: number,
  load: () => Promise<void>,
): Promise<void> {
  const growths: number[] = [];
  while (growths.length < MAX_ROUNDS) {
    const before = await gateway.residentBytes();
    await load();
    const growth = await gateway.residentBytes() - before;
    if (growth < limit) return;
    growths.push(growth);
  }
  assert.fail(`memory grows by ${growths.join(", ")} bytes and so on`);
}

interface Flood {
  readonly count: number;
  readonly address: (index: number) => string;
  readonly into: WireClient[];
}

/** Opens connections that say nothing, a few at a time; those that gave way by then count as well. */
async function openMany(gateway: GatewayProcess, { count, address, into }: Flood): Promise<void> {
  for (let from = 0; from < count; from += 50) {
    const batch = Array.from(
      { length: Math.min(50, count - from) },
      (_, index) => WireClient.dial(gateway.url, { localAddress: address(from + index) }),
    );
    into.push(...batch);
    await Promise.all(
      batch.map((client) =>
        Promise.race([client.event("connect.challenge").catch(() => {}), client.end()])
      ),
    );
  }
}

async function handshakes(gateway: GatewayProcess): Promise<number> {
  const answer = await fetch(`${gateway.httpUrl}/metrics`, {
    headers: { authorization: `Bearer ${gateway.token}` },
  });
  return Number(/^clawgate_openclaw_handshakes (\d+)$/m.exec(await answer.text())?.[1]);
}

/** A connection that misbehaves, before or after its handshake. */
interface Burst {
  readonly what: string;
  readonly codes: readonly number[];
  readonly run: (socket: RawSocket) => Promise<void>;
}

const text = (length: number) => new Uint8Array(length).fill(0x41);

/** The head of a frame of 8 EiB less one byte. */
const ENDLESS_HEAD = new Uint8Array([0x81, 0xff, 0x7f, ...Array.from({ length: 7 }, () => 0xff)]);

const TOO_LARGE: Burst = {
  what: "a first frame of 64 KiB and one byte",
  codes: [1009],
  run: async (socket) => void await socket.flush(clientFrame(1, text(MAX_HANDSHAKE_MESSAGE + 1))),
};

const BURSTS: readonly Burst[] = [
  {
    what: "a frame of 16 MiB",
    codes: [1009],
    run: async (socket) => void await socket.flush(LARGE_FRAME),
  },
  {
    what: "the head of a frame of 8 EiB",
    codes: [1009],
    run: async (socket) => void await socket.flush(ENDLESS_HEAD),
  },
  {
    what: "the head of a frame of 8 EiB, a byte at a time",
    codes: [1009],
    run: (socket) => socket.trickle(ENDLESS_HEAD),
  },
  {
    what: "fragments of 32 KiB without end",
    codes: [1009],
    run: (socket) => endless(socket, clientFrame(0, text(32 * 1024), { final: false })),
  },
  {
    what: "fragments of one byte without end",
    codes: [1008, 1009],
    run: (socket) => endless(socket, many(clientFrame(0, text(1), { final: false }), 4_096)),
  },
  {
    what: "empty fragments without end",
    codes: [1008, 1009],
    run: (socket) => endless(socket, many(clientFrame(0, text(0), { final: false }), 4_096)),
  },
  {
    what: "a hundred pings, one after the other",
    codes: [1008],
    run: async (socket) => {
      // Each is answered by as many bytes, or by the shorter close.
      const ping = clientFrame(9, text(4));
      for (let count = 1; count <= MAX_PINGS; count++) await socket.exchange(ping, 6);
    },
  },
  {
    what: "100,000 pings, whose sender is dropped while it sends",
    codes: [1008, 1006],
    run: (socket) => flood(socket, many(clientFrame(9, text(125)), 1_000)),
  },
  {
    what: "100,000 pongs, whose sender is dropped while it sends",
    codes: [1008, 1006],
    run: (socket) => flood(socket, many(clientFrame(10, text(125)), 1_000)),
  },
];

const LARGE_FRAME = clientFrame(1, text(16 * MIB));

/** One frame over and over, in one piece. */
function many(frame: Uint8Array, times: number): Uint8Array {
  const all = new Uint8Array(frame.length * times);
  for (let count = 0; count < times; count++) all.set(frame, frame.length * count);
  return all;
}

async function flood(socket: RawSocket, piece: Uint8Array): Promise<void> {
  for (let count = 0; count < 100; count++) if (!await socket.flush(piece)) return;
}

/** A message that begins and never ends; 64 MiB are enough to see that nobody stops it. */
async function endless(socket: RawSocket, piece: Uint8Array): Promise<void> {
  await socket.flush(clientFrame(1, text(1), { final: false }));
  for (let sent = 0; sent < 64 * MIB; sent += piece.length) {
    if (!await socket.flush(piece)) return;
  }
}

/** Who misbehaves: anybody who reaches the port, and a client that has been let in. */
const PARTIES: readonly {
  readonly when: string;
  readonly bursts: readonly Burst[];
  readonly open: (gateway: GatewayProcess) => Promise<RawSocket>;
}[] = [
  {
    when: "before the handshake",
    bursts: [TOO_LARGE, ...BURSTS],
    open: ({ port }) => RawSocket.upgrade(port),
  },
  { when: "after hello", bursts: BURSTS, open: admitted },
];

for (const { when, bursts, open } of PARTIES) {
  Deno.test(`S6 ${when} large frames, endless fragments and floods of pings end the connection and cost no memory`, async (t) => {
    await using gateway = await GatewayProcess.start();
    const { url, token } = gateway;
    await using watcher = await WireClient.connect(url, { token });
    for (const { what, codes, run } of bursts) {
      await t.step(what, async () => {
        await settles(gateway, 5 * MIB, async () => {
          const ends = Array.from({ length: 5 }, async () => {
            using socket = await open(gateway);
            await run(socket);
            return await socket.closeCode(HANDSHAKE_TIMEOUT_MS + 5_000);
          });
          for (const code of await Promise.all(ends)) {
            assert.ok(codes.includes(code), `closed with ${code}`);
          }
        });
        assert.ok(await watcher.call("health"), "others are served");
      });
    }
  });
}

/** Upgrades by hand and comes in. */
async function admitted({ port, token }: GatewayProcess): Promise<RawSocket> {
  const socket = await RawSocket.upgrade(port);
  socket.write(await connectFrame(token));
  await socket.seen('"id":"in","ok":true');
  return socket;
}

async function connectFrame(token: string): Promise<Uint8Array> {
  const params = await connectParams({ token }, "");
  return clientFrame(1, JSON.stringify({ type: "req", id: "in", method: "connect", params }));
}

Deno.test("S6 a client whose bytes come one at a time is served, in the handshake and after it", async () => {
  await using gateway = await GatewayProcess.start();
  const { port, token } = gateway;
  using socket = await RawSocket.open(port);
  const head = upgradeLines("/", [`Host: 127.0.0.1:${port}`]).join("\r\n");
  await socket.trickle(new TextEncoder().encode(`${head}\r\n\r\n`));
  assert.equal((await socket.answer()).status, 101);
  await socket.trickle(await connectFrame(token));
  await socket.seen('"id":"in","ok":true');
  const request = JSON.stringify({ type: "req", id: "slow", method: "health", params: {} });
  await socket.trickle(clientFrame(1, request.slice(0, 20), { final: false }));
  await socket.trickle(clientFrame(9, "within"));
  await socket.trickle(clientFrame(0, request.slice(20)));
  await socket.seen('"id":"slow","ok":true');
  await socket.seen("within");
});

Deno.test("S6 the bound of a first frame ends with the handshake", async () => {
  await using gateway = await GatewayProcess.start();
  using socket = await admitted(gateway);
  const request = JSON.stringify({ type: "req", id: "long", method: "health", params: {} });
  await socket.flush(clientFrame(1, request.padEnd(MAX_HANDSHAKE_MESSAGE + 1)));
  await socket.seen('"id":"long","ok":true');
  assert.ok(socket.open);
});
