/** One client that does not read, among many that do: it goes, and nobody else notices. */

import assert from "node:assert/strict";
import { SLOW_CLOSE_MS, STALL_DEADLINE_MS } from "../../src/core/driver.ts";
import { eventually } from "../support/deadline.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { makeLargeHistory, SlowReader, UNSEEN_CLIENT } from "../support/slow_reader.ts";
import { WireClient } from "../support/wire_client.ts";

const MIB = 2 ** 20;

const SESSION = "agent:main:main";

/** Clients that read. */
const CROWD = 1_000;

/** Those of them that come at once. */
const COME_AT_ONCE = 50;

/** Calls of 480 KB each: far more than the system keeps for a connection, so that the gateway has to. */
const MANY_CALLS = 30;

/** Calls of which the gateway has to keep a part, but not more than may wait for a client. */
const FEW_CALLS = 8;

/** The most that may be left in the heap once a slow reader is gone. */
const MAX_HEAP_LEFT = 2 * MIB;

/** When a reader that takes nothing has to be gone, with room for a busy machine. */
const GONE_MS = STALL_DEADLINE_MS + SLOW_CLOSE_MS + 2_000;

Deno.test("a reader that takes nothing loses its connection and its memory, and 1,000 others get every event in order", async () => {
  await using gateway = await GatewayProcess.start({ inspect: true });
  await using heap = await gateway.heap();
  await makeLargeHistory(gateway);
  await using sender = await openSender(gateway);
  const crowd = await openCrowd(gateway);
  try {
    let notes = await inject(sender, { from: 0, count: 50 });
    await warmUp(gateway);
    const before = await heap.reachableBytes();
    const { connections } = await counts(gateway);

    using slow = await SlowReader.connect(gateway);
    notes = await inject(sender, { from: notes, count: 100 });
    await slow.ask(MANY_CALLS);
    const held = await eventually(async () => {
      const bytes = await heap.reachableBytes() - before;
      return bytes > 4 * MIB && bytes;
    }, "answers to wait for the slow reader");
    assert.ok(held > 4 * MIB);
    assert.equal((await counts(gateway)).connections, connections + 1, "answers alone are borne");
    const since = performance.now();
    while ((await counts(gateway)).connections > connections) {
      assert.ok(performance.now() - since < GONE_MS, "the slow reader is still there");
      notes = await inject(sender, { from: notes, count: 5 });
    }
    const left = await eventually(async () => {
      const bytes = await heap.reachableBytes() - before;
      return bytes < held / 2 && { bytes };
    }, "the memory of the slow reader");
    await inOrder(crowd, notes);

    const { sequence, close } = await slow.read();
    assert.ok(sequence.length >= 100, `${sequence.length} events`);
    assert.deepEqual(sequence, upTo(sequence.length), "what it got is without a gap");
    assert.match(close, /^(1008 slow consumer|end)$/);
    // What the crowd's last events have cost is in this figure as well.
    assert.ok(left.bytes < MAX_HEAP_LEFT, `${left.bytes} bytes are left in the heap`);
  } finally {
    await Promise.all(crowd.map((client) => client[Symbol.asyncDispose]()));
  }
});

Deno.test("a reader that takes nothing is closed though nothing more is sent to it", async () => {
  await using gateway = await GatewayProcess.start({ inspect: true });
  await using heap = await gateway.heap();
  await makeLargeHistory(gateway);
  await warmUp(gateway);
  const before = await heap.reachableBytes();
  using slow = await SlowReader.connect(gateway);
  await slow.ask(MANY_CALLS);
  await eventually(
    async () => await heap.reachableBytes() - before > 4 * MIB,
    "answers to wait for the slow reader",
  );
  const gone = async () => (await counts(gateway)).connections === 0;
  await eventually(gone, "the end of the slow reader", GONE_MS);
  const left = await heap.reachableBytes() - before;
  assert.ok(left < MAX_HEAP_LEFT, `${left} bytes are left in the heap`);
  assert.match((await slow.read()).close, /^(1008 slow consumer|end)$/);
});

Deno.test("a reader that goes on reading in time has missed no event and no answer", async () => {
  await using gateway = await GatewayProcess.start();
  await makeLargeHistory(gateway);
  await using sender = await openSender(gateway);
  using slow = await SlowReader.connect(gateway);
  for (let round = 1; round <= 3; round++) {
    const known = sender.events().at(-1)?.seq ?? 0;
    await slow.ask(FEW_CALLS);
    await inject(sender, { from: 0, count: 100 });
    // Both are told of the same, and the sender was there first.
    const newest = (sender.events().at(-1)?.seq ?? 0) - known;
    assert.ok(newest >= 100);
    const { sequence, answers, close } = await slow.read({ event: round * 100 });
    assert.equal(close, "");
    assert.ok(answers <= FEW_CALLS * round);
    assert.deepEqual(sequence, upTo(sequence.length));
  }
});

/** A client that causes events in a session that is there. */
async function openSender({ url, token }: GatewayProcess): Promise<WireClient> {
  const scopes = ["operator.admin"];
  const sender = await WireClient.connect(url, { token, scopes, extra: { client: UNSEEN_CLIENT } });
  const begin = { sessionKey: SESSION, message: "begin", idempotencyKey: "begin" };
  await sender.call("chat.send", begin);
  await sender.event("chat", ({ state }) => state === "final");
  return sender;
}

async function openCrowd({ url, token }: GatewayProcess): Promise<readonly WireClient[]> {
  const crowd: WireClient[] = [];
  const options = { library: "platform", token, extra: { client: UNSEEN_CLIENT } } as const;
  while (crowd.length < CROWD) {
    const come = Array.from({ length: COME_AT_ONCE }, () => WireClient.connect(url, options));
    crowd.push(...await Promise.all(come));
  }
  return crowd;
}

/** Adds notes to the session, one after the other; resolves with the number of the next. */
async function inject(
  sender: WireClient,
  { from, count }: { readonly from: number; readonly count: number },
): Promise<number> {
  for (let at = from; at < from + count; at++) {
    await sender.call("chat.inject", { sessionKey: SESSION, message: `note ${at}` });
  }
  return from + count;
}

/** Waits until each client has every note; fails where one came twice, late or not at all. */
async function inOrder(crowd: readonly WireClient[], notes: number): Promise<void> {
  const wanted = Array.from({ length: notes }, (_, at) => `note ${at}`);
  for (const client of crowd) {
    await eventually(() => notesOf(client).length >= notes, "every note");
    assert.deepEqual(notesOf(client), wanted);
    const sequence = client.events().map(({ seq }) => seq).filter((seq) => seq !== undefined);
    assert.deepEqual(sequence, upTo(sequence.length));
  }
}

function notesOf(client: WireClient): readonly string[] {
  return client.events("chat").map(({ payload }) => payload.message?.content?.[0]?.text ?? "");
}

/** 1, 2, 3 … */
function upTo(length: number): readonly number[] {
  return Array.from({ length }, (_, at) => at + 1);
}

async function counts(gateway: GatewayProcess): Promise<{ readonly connections: number }> {
  const answer = await fetch(`${gateway.httpUrl}/metrics`, {
    headers: { authorization: `Bearer ${gateway.token}` },
  });
  const text = await answer.text();
  const connections = Number(/^clawgate_openclaw_connections (\d+)$/m.exec(text)?.[1]);
  assert.ok(Number.isInteger(connections), text);
  return { connections };
}

/** Has one slow reader come and go before memory is measured: code is compiled, caches and pools are filled. */
async function warmUp(gateway: GatewayProcess): Promise<void> {
  const { connections } = await counts(gateway);
  for (let count = 0; count < 100; count++) await counts(gateway);
  {
    using other = await SlowReader.connect(gateway);
    await other.ask(MANY_CALLS);
    await counts(gateway);
  }
  const gone = async () => (await counts(gateway)).connections === connections;
  await eventually(gone, "the end of the first slow reader");
}
