/** What a stranger can cost: connections, bytes and frames before anyone has proved anything. */

import assert from "node:assert/strict";
import { MAX_PINGS } from "../../src/adapters/framed_socket.ts";
import { HANDSHAKE_BOUNDS } from "../../src/core/handshake_gate.ts";
import {
  HANDSHAKE_TIMEOUT_MS,
  MAX_HANDSHAKE_MESSAGE,
} from "../../src/protocols/openclaw/machine.ts";
import { eventually } from "../support/deadline.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { clientFrame } from "../support/websocket_frames.ts";
import { WireClient } from "../support/wire_client.ts";

const MIB = 2 ** 20;

/** Rounds in which memory has to settle. */
const MAX_ROUNDS = 8;

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

  // What one flood has cost is used again by the next.
  await settles(gateway, 20 * MIB, async () => {
    const again: WireClient[] = [];
    try {
      const address = (index: number) => `127.0.2.${1 + index % 30}`;
      await openMany(gateway, { count: 1_200, address, into: again });
    } finally {
      await Promise.all(again.map((client) => client[Symbol.asyncDispose]()));
    }
    await eventually(async () => await handshakes(gateway) === 0, "no handshake to be left");
  });
});

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

interface Burst {
  readonly what: string;
  readonly codes: readonly number[];
  readonly run: (socket: RawSocket) => Promise<void>;
}

const text = (length: number) => new Uint8Array(length).fill(0x41);

/** Each is sent before `connect`. */
const BURSTS: readonly Burst[] = [
  {
    what: "a first frame of 64 KiB and one byte",
    codes: [1009],
    run: async (socket) => void await socket.flush(clientFrame(1, text(MAX_HANDSHAKE_MESSAGE + 1))),
  },
  {
    what: "a first frame of 16 MiB",
    codes: [1009],
    run: async (socket) => void await socket.flush(clientFrame(1, text(16 * MIB))),
  },
  {
    what: "the head of a frame of 8 EiB",
    codes: [1009],
    run: async (socket) => {
      const head = new Uint8Array([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
      await socket.flush(head);
    },
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

Deno.test("S6 before the handshake large frames, endless fragments and floods of pings end the connection and cost no memory", async (t) => {
  await using gateway = await GatewayProcess.start();
  const { url, token, port } = gateway;
  await using watcher = await WireClient.connect(url, { token });
  for (const { what, codes, run } of BURSTS) {
    await t.step(what, async () => {
      await settles(gateway, 5 * MIB, async () => {
        for (let count = 0; count < 5; count++) {
          const code = await burst(port, run);
          assert.ok(codes.includes(code), `closed with ${code}`);
        }
      });
      assert.ok(await watcher.call("health"), "others are served");
    });
  }
});

/** Runs one on a connection of its own and returns the code that ended it. */
async function burst(port: number, run: Burst["run"]): Promise<number> {
  using socket = await RawSocket.upgrade(port);
  await run(socket);
  return await socket.closeCode(HANDSHAKE_TIMEOUT_MS + 5_000);
}
