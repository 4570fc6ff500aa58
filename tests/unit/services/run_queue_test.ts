import assert from "node:assert/strict";
import { GatewayError } from "../../../src/core/error.ts";
import {
  MAX_WAITING_PER_PARTY,
  MAX_WAITING_PER_SESSION,
  MAX_WAITING_RUNS,
  type Place,
  RunQueue,
} from "../../../src/services/run_queue.ts";
import { settle } from "../../support/manual_clock.ts";

/** A queue, the names of what started, and a way to end each. */
function stage(maxConcurrent: number) {
  const limit = { value: maxConcurrent };
  const queue = new RunQueue({ maxConcurrent: () => limit.value });
  const started: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  return {
    queue,
    limit,
    started,
    reserve(lane: string, name: string, party = "one"): Place {
      const ending = Promise.withResolvers<void>();
      ends.set(name, ending);
      const work = () => {
        started.push(name);
        return ending.promise;
      };
      return queue.reserve(lane, { work, party, label: lane });
    },
    add(lane: string, name: string, party?: string): Place {
      const place = this.reserve(lane, name, party);
      place.begin();
      return place;
    },
    async end(name: string): Promise<void> {
      ends.get(name)?.resolve();
      await settle();
    },
    async fail(name: string): Promise<void> {
      ends.get(name)?.reject(new Error("defect"));
      await settle();
    },
  };
}

Deno.test("queue: a lane works in the order of the reservations, not of the beginnings", async () => {
  const { queue, started, reserve, end } = bound(stage(4));
  const [a, b, c] = ["a", "b", "c"].map((name) => reserve("lane", name));
  c?.begin();
  b?.begin();
  assert.deepEqual(started, []);
  a?.begin();
  assert.deepEqual(started, ["a"]);
  await end("a");
  await end("b");
  assert.deepEqual(started, ["a", "b", "c"]);
  await end("c");
  assert.equal(queue.running, 0);
  assert.equal(queue.waiting, 0);
});

Deno.test("queue: no more run at once than allowed, and a raised limit holds from the next turn", async () => {
  const { queue, limit, started, add, end } = bound(stage(2));
  for (const name of ["a", "b", "c", "d", "e"]) add(name, name);
  assert.deepEqual(started, ["a", "b"]);
  assert.deepEqual([queue.running, queue.waiting], [2, 3]);
  limit.value = 3;
  await end("a");
  assert.deepEqual(started, ["a", "b", "c", "d"]);
  limit.value = 0;
  for (const name of ["b", "c", "d"]) await end(name);
  assert.deepEqual(started, ["a", "b", "c", "d", "e"]);
  await end("e");
});

Deno.test("queue: lanes take turns, so one with much to do does not keep another waiting", async () => {
  const { started, add, end } = bound(stage(1));
  for (const name of ["a1", "a2", "a3"]) add("a", name);
  add("b", "b1");
  add("c", "c1");
  for (const name of ["a1", "b1", "c1", "a2", "a3"]) await end(name);
  assert.deepEqual(started, ["a1", "b1", "c1", "a2", "a3"]);
});

Deno.test("queue: parties take turns, so one with many lanes does not keep another waiting", async () => {
  const { started, add, end } = bound(stage(1));
  for (let at = 1; at <= 100; at++) add(`one ${at}`, `one ${at}`, "one");
  add("two 1", "two 1", "two");
  add("two 2", "two 2", "two");
  add("three", "three", "three");
  for (const name of ["one 1", "two 1", "three", "one 2", "two 2", "one 3"]) await end(name);
  assert.deepEqual(started, ["one 1", "two 1", "three", "one 2", "two 2", "one 3", "one 4"]);
});

Deno.test("queue: whoever has the fewest running is served next, whatever came before", async () => {
  const { started, limit, add, end } = bound(stage(3));
  for (let at = 1; at <= 5; at++) add(`one ${at}`, `one ${at}`, "one");
  for (let at = 1; at <= 3; at++) add(`two ${at}`, `two ${at}`, "two");
  await end("one 1");
  assert.deepEqual(started.splice(0), ["one 1", "one 2", "one 3", "two 1"]);
  limit.value = 4;
  add("two 4", "two 4", "two");
  assert.deepEqual(started.splice(0), ["two 2"]);
  // Equals go by who was served longest ago.
  await end("one 2");
  await end("two 1");
  assert.deepEqual(started, ["one 4", "two 3"]);
});

Deno.test("queue: in a lane of two parties the turn is that of whoever waits at its head", async () => {
  const { queue, started, add, end } = bound(stage(1));
  add("shared", "a1", "a");
  const given = add("shared", "a2", "a");
  add("shared", "b1", "b");
  add("own", "a3", "a");
  given.leave();
  for (const name of ["a1", "b1", "a3"]) await end(name);
  assert.deepEqual(started, ["a1", "b1", "a3"]);
  assert.deepEqual([queue.running, queue.waiting], [0, 0]);
});

Deno.test("queue: work that fails does not hold up its lane", async () => {
  const { queue, started, add, fail, end } = bound(stage(1));
  add("a", "a1");
  add("a", "a2");
  await fail("a1");
  assert.deepEqual(started, ["a1", "a2"]);
  await end("a2");
  assert.equal(queue.running, 0);
});

Deno.test("queue: a place can be given up until its work starts, and those behind move up", async () => {
  const { queue, started, reserve, add, end } = bound(stage(1));
  const running = add("a", "a1");
  const held = reserve("a", "a2");
  const behind = add("a", "a3");
  assert.equal(running.leave(), false);
  assert.equal(held.leave(), true);
  assert.equal(held.leave(), false);
  held.begin();
  await end("a1");
  assert.deepEqual(started, ["a1", "a3"]);
  assert.equal(behind.leave(), false);
  await end("a3");
  assert.deepEqual([queue.running, queue.waiting], [0, 0]);
});

Deno.test("queue: a place that was given up at the head lets the next begin at once", () => {
  const { started, reserve } = bound(stage(1));
  const head = reserve("a", "a1");
  reserve("a", "a2").begin();
  assert.deepEqual(started, []);
  head.leave();
  assert.deepEqual(started, ["a2"]);
});

Deno.test("queue: a late beginning of a place given up does not disturb the lane made since", async () => {
  const { queue, started, reserve, add, end } = bound(stage(4));
  const stale = reserve("a", "old");
  stale.leave();
  add("a", "a1");
  stale.begin();
  add("a", "a2");
  assert.deepEqual(started, ["a1"]);
  await end("a1");
  await end("a2");
  assert.deepEqual(started, ["a1", "a2"]);
  assert.equal(queue.running, 0);
});

Deno.test("queue: a full lane and a full queue refuse, to be tried again, and take more when there is room", async () => {
  const refused = (work: () => unknown, pattern: RegExp) =>
    assert.throws(work, (error) => {
      assert.ok(error instanceof GatewayError);
      assert.equal(error.code, "UNAVAILABLE");
      assert.equal(error.extras.retryable, true);
      assert.match(error.message, pattern);
      return true;
    });
  const { queue, add, end } = bound(stage(1));
  add("a", "first");
  for (let at = 0; at < MAX_WAITING_PER_SESSION; at++) add("a", `a${at}`);
  refused(() => add("a", "more"), /^session "a" has 32 messages waiting/);
  for (let at = queue.waiting; at < MAX_WAITING_PER_PARTY; at++) add(`lane ${at}`, `w${at}`);
  refused(() => add("new", "more"), /^this client has 250 messages waiting/);
  for (let at = queue.waiting; at < MAX_WAITING_RUNS; at++) {
    add(`lane ${at}`, `w${at}`, `party ${Math.floor(at / MAX_WAITING_PER_PARTY)}`);
  }
  refused(() => add("new", "more", "late"), /^the gateway has 1000 messages waiting/);
  await end("first");
  add("new", "now", "late");
  assert.equal(queue.waiting, MAX_WAITING_RUNS);
});

/** The stage with its functions free of `this`. */
function bound(made: ReturnType<typeof stage>): ReturnType<typeof stage> {
  return {
    ...made,
    reserve: made.reserve.bind(made),
    add: made.add.bind(made),
    end: made.end.bind(made),
    fail: made.fail.bind(made),
  };
}
