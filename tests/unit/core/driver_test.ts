import assert from "node:assert/strict";
import {
  drive,
  SLOW_CLOSE_MS,
  STALL_DEADLINE_MS,
  STALL_LOOK_MS,
  type Wire,
} from "../../../src/core/driver.ts";
import { Disconnect, GatewayError } from "../../../src/core/error.ts";
import type { Effect, WireTypes } from "../../../src/core/machine.ts";
import { LINK_HIGH_WATER_BYTES } from "../../../src/core/outbox.ts";
import { ManualClock, settle } from "../../support/manual_clock.ts";
import { MemoryLink } from "../../support/memory_link.ts";

/** A wire whose frames are the effects to perform, and which reports every input. */
interface EchoTypes extends WireTypes {
  readonly State: number;
  readonly Frame: { readonly effects: readonly Effect<EchoTypes>[] };
  readonly Out: { readonly say: string };
  readonly Call: { readonly name: string };
  readonly Value: string;
  readonly Topic: string;
  readonly Event: string;
}

type Calls = Record<string, Wire<EchoTypes>["call"]>;

function connect(calls: Calls = {}) {
  const link = new MemoryLink();
  const clock = new ManualClock();
  const inputs: string[] = [];
  const defects: unknown[] = [];
  let publish: ((event: string) => void) | undefined;
  const wire: Wire<EchoTypes> = {
    machine: {
      open: () => [0, [{ type: "send", frame: { say: "welcome" } }]],
      step: (state, input) => {
        switch (input.type) {
          case "frame":
            return [state + 1, input.frame.effects];
          case "result": {
            const { outcome } = input;
            const text = outcome.ok ? outcome.value : outcome.error?.code ?? "closed";
            if (text === "defect") throw new Error("machine defect");
            inputs.push(`${input.call.name}=${text}${input.last ? "" : "…"}`);
            const effects: Effect<EchoTypes>[] = [{ type: "send", frame: { say: text } }];
            if (!outcome.ok && outcome.close) effects.push({ type: "close", ...outcome.close });
            return [state, effects];
          }
          case "event":
            if (input.event === "defect") throw new Error("machine defect");
            return [state, [{ type: "send", frame: { say: input.event } }]];
          case "timer":
            inputs.push(`timer ${input.timer}`);
            return [state, []];
        }
      },
    },
    decode: (data) => JSON.parse(String(data)),
    encode: (frame, sequence) => JSON.stringify([frame.say, sequence]),
    delivery: () => ({ sequenced: true, overflow: "disconnect" }),
    call: (call, scope) => calls[call.name]!(call, scope),
    subscribe: (topic, listener) => {
      inputs.push(`subscribe ${topic}`);
      publish = listener;
      return () => {
        inputs.push("unsubscribe");
        publish = undefined;
      };
    },
    defect: (error) => defects.push(error),
    ended: ({ sequence, code }) => inputs.push(`ended ${sequence} ${code}`),
  };
  const connection = drive(wire, {
    link,
    schedule: (ms, task) => clock.after(ms, task),
    maxBufferedBytes: 1_000_000,
  });
  const perform = (...effects: Effect<EchoTypes>[]) => link.receive(JSON.stringify({ effects }));
  return {
    link,
    clock,
    inputs,
    defects,
    connection,
    perform,
    publish: (event: string) => publish?.(event),
  };
}

const call = (name: string): Effect<EchoTypes> => ({ type: "call", call: { name } });

Deno.test("a machine speaks first, then frames become effects", () => {
  const { link, perform } = connect();
  perform({ type: "send", frame: { say: "one" } });
  assert.deepEqual(link.take(), [["welcome", 1], ["one", 2]]);
});

Deno.test("calls answer at once, later, in parts, with errors and with the end of the connection", async () => {
  const { link, perform, inputs, defects } = connect({
    now: () => "at once",
    later: () => Promise.resolve("later"),
    parts: (_call, scope) => {
      scope.interim("part");
      return Promise.resolve("whole");
    },
    wrong: () => {
      throw new GatewayError("INVALID_REQUEST", "no");
    },
    defect: () => Promise.reject(new Error("secret text")),
    end: () => {
      throw new Disconnect(1008, "go away", new GatewayError("NOT_PAIRED", "pair first"));
    },
  });
  link.take();
  perform(call("now"), call("later"), call("parts"), call("wrong"), call("defect"));
  await settle();
  assert.deepEqual(inputs, [
    "now=at once",
    "parts=part…",
    "wrong=INVALID_REQUEST",
    "later=later",
    "parts=whole",
    "defect=UNAVAILABLE",
  ]);
  assert.equal(defects.length, 1);
  perform(call("end"));
  assert.equal(inputs.at(-1), "end=NOT_PAIRED");
  assert.deepEqual(link.take().at(-1), ["NOT_PAIRED", 8]);
  assert.deepEqual(link.closedWith, { code: 1008, reason: "go away" });
});

Deno.test("what a call leaves for after its answer runs after it, once, and also when the peer has gone", async () => {
  const order: string[] = [];
  const gate = Promise.withResolvers<string>();
  const { link, perform } = connect({
    now: (_call, scope) => {
      scope.afterAnswer(() => order.push(`after, sent ${link.sent.length}`));
      return "x";
    },
    later: (_call, scope) => {
      scope.afterAnswer(() => order.push("after the end"));
      return gate.promise;
    },
    fails: (_call, scope) => {
      scope.afterAnswer(() => order.push("never"));
      throw new GatewayError("UNAVAILABLE", "no");
    },
  });
  link.take();
  perform(call("now"), call("fails"), call("later"));
  assert.deepEqual(order, ["after, sent 1"]);
  link.end();
  gate.resolve("too late");
  await settle();
  assert.deepEqual(order, ["after, sent 1", "after the end"]);
});

Deno.test("everything that belongs to a connection ends with it", async () => {
  let signal: AbortSignal | undefined;
  const { link, perform, publish, inputs, clock } = connect({
    waits: (_call, scope) => {
      signal = scope.signal;
      return new Promise(() => {});
    },
  });
  perform(
    { type: "arm", timer: "a", delayMs: 10 },
    { type: "arm", timer: "b", delayMs: 10 },
    { type: "disarm", timer: "b" },
    { type: "subscribe", topic: "news" },
    call("waits"),
  );
  publish("hello");
  assert.equal(signal?.aborted, false);
  link.end(1001);
  assert.equal(signal?.aborted, true);
  assert.equal(clock.waiting, 0);
  await clock.advance(100);
  publish("nobody hears");
  assert.deepEqual(inputs, ["subscribe news", "unsubscribe", "ended 2 1001"]);
});

Deno.test("after a close, whose ever it is, nothing is done and the machine is told nothing", async () => {
  const { link, perform, inputs, clock, connection } = connect({ now: () => "x" });
  link.take();
  perform(
    call("now"),
    { type: "close", code: 1000, reason: "bye" },
    call("now"),
    { type: "arm", timer: "a", delayMs: 10 },
    { type: "subscribe", topic: "news" },
    { type: "send", frame: { say: "more" } },
    { type: "close", code: 1001, reason: "again" },
  );
  perform(call("now"));
  connection.deliver("defect");
  await clock.advance(100);
  assert.equal(clock.waiting, 0);
  assert.deepEqual(link.take(), []);
  assert.deepEqual(link.closedWith, { code: 1000, reason: "bye" });
  link.end(1000);
  assert.deepEqual(inputs, ["ended 1 1000"]);
});

Deno.test("a call that looks at its signal only after the connection has closed finds it aborted", async () => {
  const gate = Promise.withResolvers<void>();
  let aborted: boolean | undefined;
  const { link, perform } = connect({
    late: async (_call, scope) => {
      await gate.promise;
      aborted = scope.signal.aborted;
      return "";
    },
  });
  perform(call("late"));
  link.end();
  gate.resolve();
  await settle();
  assert.equal(aborted, true);
});

Deno.test("what a call leaves for after its answer is done though the answer meets a defect", async () => {
  const done: string[] = [];
  const { link, perform, defects } = connect({
    later: async (_call, scope) => {
      scope.afterAnswer(() => done.push("done"));
      return await Promise.resolve("defect");
    },
  });
  perform(call("later"), call("later"));
  await settle();
  assert.deepEqual(done, ["done", "done"]);
  assert.equal(defects.length, 1);
  assert.equal(link.closedWith?.code, 1011);
});

Deno.test("timers tell the machine, and arming again starts anew", async () => {
  const { perform, inputs, clock } = connect();
  perform({ type: "arm", timer: "a", delayMs: 10 });
  await clock.advance(9);
  perform({ type: "arm", timer: "a", delayMs: 10 });
  await clock.advance(9);
  assert.deepEqual(inputs, []);
  await clock.advance(1);
  assert.deepEqual(inputs, ["timer a"]);
});

Deno.test("a close is told to the link with as much of its reason as fits, and nothing is read after it", () => {
  const { link, connection, inputs } = connect();
  connection.close(1008, "x".repeat(200));
  assert.equal(link.closedWith?.code, 1008);
  assert.equal(link.closedWith?.reason.length, 123);
  link.receive("ignored");
  assert.deepEqual(inputs, []);
});

Deno.test("a defect in the machine ends its own connection", () => {
  const { link, perform, publish, defects } = connect();
  perform({ type: "subscribe", topic: "news" });
  publish("defect");
  assert.equal(defects.length, 1);
  assert.deepEqual(link.closedWith, { code: 1011, reason: "internal error" });
});

Deno.test("reading stops while the peer does not take what it caused, and goes on when it does", () => {
  const { link, perform } = connect();
  link.buffered = 3 * LINK_HIGH_WATER_BYTES;
  perform({ type: "send", frame: { say: "x" } });
  assert.equal(link.paused, true);
  link.drain();
  assert.equal(link.paused, false);
  assert.deepEqual(link.take().at(-1), ["x", 2]);
});

Deno.test("a peer too far behind is closed as a slow consumer, and soon dropped", async () => {
  const { link, perform, clock } = connect();
  link.buffered = 2 * LINK_HIGH_WATER_BYTES;
  perform({ type: "send", frame: { say: "x".repeat(1_000_000) } });
  assert.deepEqual(link.closedWith, { code: 1008, reason: "slow consumer" });
  await clock.advance(SLOW_CLOSE_MS - 1);
  assert.equal(link.terminated, false);
  await clock.advance(1);
  assert.equal(link.terminated, true);
});

Deno.test("a peer that was given up and leaves is not dropped any more", async () => {
  const { link, perform, clock } = connect();
  link.buffered = 2 * LINK_HIGH_WATER_BYTES;
  perform({ type: "send", frame: { say: "x".repeat(1_000_000) } });
  link.end(1008, "slow consumer");
  await clock.advance(2 * SLOW_CLOSE_MS);
  assert.equal(link.terminated, false);
});

Deno.test("a peer that takes nothing for the stall deadline is closed, one that takes a little is not", async () => {
  const { link, perform, clock } = connect();
  link.buffered = 4 * LINK_HIGH_WATER_BYTES;
  perform({ type: "send", frame: { say: "x" } });
  link.buffered -= 8 * 1024;
  await clock.advance(STALL_DEADLINE_MS);
  assert.equal(link.closedWith, undefined);
  link.buffered -= 1;
  await clock.advance(STALL_DEADLINE_MS);
  assert.deepEqual(link.closedWith, { code: 1008, reason: "slow consumer" });
});

Deno.test("what the system takes for a peer at first wins it next to no time", async () => {
  const { link, perform, clock } = connect();
  link.buffered = 8 * LINK_HIGH_WATER_BYTES;
  perform({ type: "send", frame: { say: "x" } });
  link.buffered = 4 * LINK_HIGH_WATER_BYTES;
  await clock.advance(STALL_DEADLINE_MS);
  assert.equal(link.closedWith, undefined);
  await clock.advance(STALL_LOOK_MS);
  assert.deepEqual(link.closedWith, { code: 1008, reason: "slow consumer" });
});

Deno.test("a peer that reads stays though as much comes as it reads", async () => {
  const { link, perform, clock } = connect();
  link.buffered = 4 * LINK_HIGH_WATER_BYTES;
  perform({ type: "send", frame: { say: "x" } });
  for (let at = 0; at < 4; at++) {
    // It takes this much of what waits, and as much is queued behind it.
    link.buffered -= 8 * 1024;
    perform({ type: "send", frame: { say: "x".repeat(10 * 1024) } });
    await clock.advance(STALL_DEADLINE_MS - STALL_LOOK_MS);
    assert.equal(link.closedWith, undefined);
  }
});

Deno.test("a peer that catches up before the stall deadline stays", async () => {
  const { link, perform, clock } = connect();
  link.buffered = 4 * LINK_HIGH_WATER_BYTES;
  perform({ type: "send", frame: { say: "x" } });
  link.drain();
  await clock.advance(2 * STALL_DEADLINE_MS);
  assert.equal(link.closedWith, undefined);
});

Deno.test("a peer that asks for nothing more gets its answers, then the connection ends", async () => {
  const gate = Promise.withResolvers<string>();
  const { link, perform } = connect({ waits: () => gate.promise, fails: () => Promise.reject(1) });
  perform(call("waits"), call("fails"));
  link.finish();
  await settle();
  assert.equal(link.closedWith, undefined);
  gate.resolve("late");
  await settle();
  assert.deepEqual(link.take().map((frame) => JSON.stringify(frame)).at(-1), '["late",3]');
  assert.deepEqual(link.closedWith, { code: 1000, reason: "" });
});

Deno.test("a peer that asks for nothing more and reads slowly is not cut off", () => {
  const { link, perform } = connect();
  link.take();
  link.buffered = LINK_HIGH_WATER_BYTES + 1;
  perform({ type: "send", frame: { say: "waits" } });
  link.finish();
  assert.deepEqual([link.sent.length, link.closedWith], [0, undefined]);
  link.drain();
  assert.deepEqual(link.take(), [["waits", 2]]);
  assert.deepEqual(link.closedWith, { code: 1000, reason: "" });
});

Deno.test("a peer that asked for nothing at all is let go at once", () => {
  const { link } = connect();
  link.finish();
  assert.deepEqual(link.closedWith, { code: 1000, reason: "" });
});
