import assert from "node:assert/strict";
import { CallFailed } from "../../../src/client/client_error.ts";
import { MAX_MESSAGE_CHARS, MAX_PENDING_CALLS } from "../../../src/client/client_options.ts";
import { afterOn, failureOf } from "../../support/client_stage.ts";
import { ManualClock, settle } from "../../support/manual_clock.ts";
import { connected } from "./scripted_gateway.ts";

Deno.test("a call returns the payload of its answer, whatever the order of answers", async () => {
  await using session = await connected(async (peer) => {
    const first = await peer.next();
    const second = await peer.next();
    assert.deepEqual([first.method, first.params], ["a", { n: 1 }]);
    peer.send({ type: "res", id: second.id, ok: true, payload: "second" });
    peer.send({ type: "res", id: first.id, ok: true, payload: "first" });
  });
  const { client } = session;
  assert.deepEqual(await Promise.all([client.call("a", { n: 1 }), client.call("b")]), [
    "first",
    "second",
  ]);
});

Deno.test("a call throws the gateway's error with its details, the message escaped", async () => {
  const error = {
    code: "UNAVAILABLE",
    message: "busy\x1b[2J",
    details: { a: 1 },
    retryable: true,
    retryAfterMs: 5,
  };
  await using session = await connected(async (peer) => {
    const { id } = await peer.next();
    peer.send({ type: "res", id, ok: false, error });
  });
  const thrown = await session.client.call("x").catch((reason) => reason);
  assert(thrown instanceof CallFailed);
  assert.equal(thrown.message, "busy\\u{1b}[2J");
  assert.deepEqual(thrown.answer, error);
});

Deno.test("frames that are no frames are passed over", async () => {
  const noise = [
    "not json",
    "",
    "null",
    "[]",
    '"text"',
    "{}",
    { type: "res" },
    { type: "res", id: 7, ok: true },
    { type: "res", id: "unknown", ok: true },
    { type: "event" },
    { type: "event", event: 5 },
    { type: "req", id: "1", method: "x" },
  ];
  await using session = await connected(async (peer) => {
    const { id } = await peer.next();
    for (const frame of noise) peer.send(frame);
    peer.send({ type: "res", id, ok: true, payload: "still here" });
  });
  assert.equal(await session.client.call("x"), "still here");
});

Deno.test("an answer whose outcome is unclear fails its call at once", async () => {
  await using session = await connected(async (peer) => {
    const { id } = await peer.next();
    peer.send({ type: "res", id, payload: "ok is missing" });
  });
  assert.equal((await failureOf(session.client.call("x"))).fault, "protocol");
});

Deno.test("a call without an answer fails in time, and its late answer is ignored", async () => {
  const clock = new ManualClock();
  const late = Promise.withResolvers<void>();
  await using session = await connected(async (peer) => {
    const first = await peer.next();
    await late.promise;
    peer.send({ type: "res", id: first.id, ok: true, payload: "late" });
    const second = await peer.next();
    peer.send({ type: "res", id: second.id, ok: true, payload: "second" });
  }, { after: afterOn(clock) });
  const call = failureOf(session.client.call("slow", {}, { timeoutMs: 50 }));
  await clock.advance(50);
  const error = await call;
  assert.equal(error.fault, "timeout");
  assert.equal(error.message, 'no answer to "slow" within 50 ms');
  late.resolve();
  assert.equal(await session.client.call("next"), "second");
});

Deno.test("a call can be given up", async () => {
  await using session = await connected(() => {});
  const controller = new AbortController();
  const call = failureOf(session.client.call("x", {}, { signal: controller.signal }));
  controller.abort();
  assert.equal((await call).fault, "aborted");
  const signal = AbortSignal.abort();
  assert.equal((await failureOf(session.client.call("x", {}, { signal }))).fault, "aborted");
});

Deno.test("a two-answer call gives both answers", async () => {
  await using session = await connected(async (peer) => {
    const { id } = await peer.next();
    peer.send({ type: "res", id, ok: true, payload: { runId: "r", status: "accepted" } });
    peer.send({ type: "res", id, ok: true, payload: { runId: "r", status: "ok" } });
  });
  const { accepted, finished } = await session.client.callTwice("agent", {});
  assert.deepEqual(accepted, { runId: "r", status: "accepted" });
  assert.deepEqual(await finished, { runId: "r", status: "ok" });
});

Deno.test("a two-answer call whose second answer is an error rejects the outcome alone", async () => {
  await using session = await connected(async (peer) => {
    const { id } = await peer.next();
    peer.send({ type: "res", id, ok: true, payload: { status: "accepted" } });
    const error = { code: "UNAVAILABLE", message: "no model" };
    peer.send({ type: "res", id, ok: false, payload: { status: "error" }, error });
  });
  const { finished } = await session.client.callTwice("agent", {});
  await assert.rejects(finished, CallFailed);
});

Deno.test("a two-answer call that is answered once has one answer", async () => {
  await using session = await connected(async (peer) => {
    const { id } = await peer.next();
    peer.send({ type: "res", id, ok: true, payload: { status: "ok" } });
  });
  const { accepted, finished } = await session.client.callTwice("agent", {});
  assert.deepEqual([accepted, await finished], [{ status: "ok" }, { status: "ok" }]);
});

Deno.test("the second answer has a time of its own", async () => {
  const clock = new ManualClock();
  await using session = await connected(async (peer) => {
    const { id } = await peer.next();
    peer.send({ type: "res", id, ok: true, payload: { status: "accepted" } });
  }, { after: afterOn(clock) });
  const { finished } = await session.client.callTwice("agent", {}, {
    timeoutMs: 10,
    finishTimeoutMs: 100,
  });
  let settled = false;
  const outcome = failureOf(finished).finally(() => settled = true);
  await clock.advance(99);
  assert.equal(settled, false);
  await clock.advance(1);
  assert.equal((await outcome).fault, "timeout");
});

Deno.test("a close fails what waits with its code and reason, and ends the event streams", async () => {
  const ready = Promise.withResolvers<void>();
  await using session = await connected(async (peer) => {
    await peer.next();
    await ready.promise;
    peer.send({ type: "event", event: "shutdown", payload: { reason: "gateway stopping" } });
    peer.close(4012, "service\x1b restart");
  });
  const { client } = session;
  const events = client.events();
  const call = failureOf(client.call("x"));
  ready.resolve();
  const error = await call;
  assert.equal(error.fault, "closed");
  assert.equal(error.closeCode, 4012);
  assert.match(error.message, /code 4012: service\\u\{1b\} restart/);
  assert.deepEqual((await Array.fromAsync(events)).map(({ event }) => event), ["shutdown"]);
  assert.equal((await client.closed).code, 4012);
  assert.equal((await failureOf(client.call("y"))).fault, "closed");
  assert.deepEqual(await Array.fromAsync(client.events()), []);
});

Deno.test("events come in order, by name, from the time of asking on", async () => {
  await using session = await connected(async (peer) => {
    const { id } = await peer.next();
    for (const [index, event] of ["chat", "tick", "chat"].entries()) {
      peer.send({ type: "event", event, payload: index, seq: index + 1 });
    }
    const stateVersion = { presence: 1, health: 2 };
    peer.send({ type: "event", event: "health", payload: 3, seq: 4, stateVersion });
    peer.send({ type: "res", id, ok: true });
  });
  const { client } = session;
  const chat = client.events("chat");
  const all = client.events();
  await client.call("go");
  chat.close();
  all.close();
  assert.deepEqual(await Array.fromAsync(chat), [
    { event: "chat", payload: 0, seq: 1 },
    { event: "chat", payload: 2, seq: 3 },
  ]);
  assert.deepEqual((await Array.fromAsync(all)).at(-1), {
    event: "health",
    payload: 3,
    seq: 4,
    stateVersion: { presence: 1, health: 2 },
  });
});

Deno.test("a message beyond the gateway's limit is not sent", async () => {
  await using session = await connected(async (peer) => {
    const { id, method } = await peer.next();
    peer.send({ type: "res", id, ok: true, payload: method });
  }, { hello: { policy: { maxPayload: 1_000 } } });
  const error = await failureOf(session.client.call("big", { text: "é".repeat(600) }));
  assert.equal(error.fault, "usage");
  assert.match(error.message, /has 12\d\d bytes; the gateway takes at most 1000/);
  assert.equal(await session.client.call("small"), "small");
});

Deno.test("calls in flight are bounded", async () => {
  await using session = await connected(() => {});
  const { client } = session;
  const calls = Array.from({ length: MAX_PENDING_CALLS }, () => failureOf(client.call("x")));
  assert.equal((await failureOf(client.call("one more"))).fault, "overloaded");
  await client.close();
  assert((await Promise.all(calls)).every(({ fault }) => fault === "closed"));
});

Deno.test("an oversized message ends the connection", async () => {
  const told = Promise.withResolvers<{ code: number }>();
  await using session = await connected(async (peer) => {
    peer.send("x".repeat(MAX_MESSAGE_CHARS + 1));
    told.resolve(await peer.closed);
  });
  assert.equal((await session.client.closed).reason, "message too big");
  assert.equal((await told.promise).code, 4009);
});

Deno.test("a gateway that falls silent counts as dead after two missed ticks", async () => {
  const clock = new ManualClock();
  const told = Promise.withResolvers<{ code: number; reason: string }>();
  await using session = await connected(async (peer) => {
    const { id } = await peer.next();
    peer.send({ type: "res", id, ok: true });
    told.resolve(await peer.closed);
  }, { after: afterOn(clock), hello: { policy: { tickIntervalMs: 1_000 } } });
  const { client } = session;
  await clock.advance(1_000);
  await clock.advance(1_000);
  await client.call("still alive");
  let dead = false;
  const closed = client.closed.then((end) => {
    dead = true;
    return end;
  });
  await clock.advance(2_000);
  await settle();
  assert.equal(dead, false);
  await clock.advance(1_000);
  assert.deepEqual(await closed, { code: 4000, reason: "tick timeout" });
  assert.deepEqual(await told.promise, { code: 4000, reason: "tick timeout" });
});
