import assert from "node:assert/strict";
import { CROWD, type Flushable, WriteTurns } from "../../../src/adapters/write_turns.ts";
import { eventually } from "../../support/deadline.ts";

/** Connections that note their flushes; `held` as a socket keeps it. */
class Stage {
  readonly flushed: string[] = [];
  readonly turns: WriteTurns;
  now = 0;
  readonly #held = new Set<Flushable>();
  readonly #connections = new Map<string, Flushable>();

  constructor(connections: number) {
    this.turns = new WriteTurns(() => connections, () => this.now);
  }

  hold(name: string, patient: boolean): void {
    const connection = this.of(name);
    const fresh = !this.#held.has(connection);
    this.#held.add(connection);
    this.turns.hold(connection, { fresh, patient });
  }

  of(name: string): Flushable {
    const known = this.#connections.get(name);
    if (known !== undefined) return known;
    const connection: Flushable = {
      flush: () => {
        this.#held.delete(connection);
        this.flushed.push(name);
      },
    };
    this.#connections.set(name, connection);
    return connection;
  }
}

/** The end of this turn: the microtasks that were queued in it have run. */
async function turnEnd(): Promise<void> {
  await Promise.resolve();
  await Promise.resolve();
}

/** A crowd in which an event has just come, so that the next one follows it closely. */
async function hurriedCrowd(): Promise<Stage> {
  const stage = new Stage(CROWD + 1);
  stage.hold("a lone event", true);
  await turnEnd();
  assert.deepEqual(stage.flushed.splice(0), ["a lone event"]);
  return stage;
}

Deno.test("what is held within a turn is flushed once, at its end, in order", async () => {
  const stage = new Stage(3);
  stage.hold("a", false);
  stage.hold("b", true);
  stage.hold("a", true);
  stage.hold("c", false);
  stage.hold("b", false);
  assert.deepEqual(stage.flushed, []);
  await turnEnd();
  assert.deepEqual(stage.flushed, ["a", "b", "c"]);
  stage.hold("a", false);
  await turnEnd();
  assert.deepEqual(stage.flushed, ["a", "b", "c", "a"]);
});

Deno.test("what is held while others are flushed has a turn of its own", async () => {
  const flushed: string[] = [];
  const turns = new WriteTurns(() => 2);
  const second: Flushable = { flush: () => flushed.push("second") };
  turns.hold({
    flush: () => {
      flushed.push("first");
      turns.hold(second, { fresh: true, patient: false });
      assert.deepEqual(flushed, ["first"], "not from inside");
    },
  }, { fresh: true, patient: false });
  await turnEnd();
  await turnEnd();
  assert.deepEqual(flushed, ["first", "second"]);
});

Deno.test("up to a crowd, and for a lone event in one, nothing waits", async () => {
  for (const connections of [1, CROWD]) {
    const stage = new Stage(connections);
    for (const name of ["a", "b", "c"]) {
      stage.hold(name, true);
      await turnEnd();
    }
    assert.deepEqual(stage.flushed, ["a", "b", "c"]);
  }
  const crowd = await hurriedCrowd();
  crowd.now += 3;
  crowd.hold("another lone event", true);
  await turnEnd();
  assert.deepEqual(crowd.flushed, ["another lone event"]);
});

Deno.test("in a crowd an event that follows closely waits for more, but hardly any time", async () => {
  const stage = await hurriedCrowd();
  const start = performance.now();
  stage.hold("a", true);
  stage.hold("b", true);
  await turnEnd();
  assert.deepEqual(stage.flushed, []);
  stage.hold("a", true);
  stage.hold("c", true);
  await eventually(() => stage.flushed.length > 0, "the flush");
  assert.deepEqual(stage.flushed, ["a", "b", "c"]);
  // 8 ms by design; a busy machine may be late.
  assert.ok(performance.now() - start < 5_000);
});

/** Has an event follow the one before closely; whether it waits. It is flushed before this returns. */
async function waits(stage: Stage, { joined = false } = {}): Promise<boolean> {
  stage.hold("a", true);
  await turnEnd();
  const waited = stage.flushed.length === 0;
  if (joined && waited) {
    stage.hold("a", true);
    await turnEnd();
  }
  await eventually(() => stage.flushed.length > 0, "the flush");
  assert.deepEqual(stage.flushed.splice(0), ["a"]);
  return waited;
}

Deno.test("events that wait in vain wait ever less often, until waiting has paid again", async () => {
  const stage = await hurriedCrowd();
  const waited: boolean[] = [];
  for (let event = 0; event < 40; event++) waited.push(await waits(stage));
  const gaps: number[] = [];
  for (let at = 1, last = 0; at < waited.length; at++) {
    if (!waited[at]) continue;
    gaps.push(at - last - 1);
    last = at;
  }
  assert.deepEqual([waited[0], gaps], [true, [1, 2, 4, 8, 16]]);

  while (!await waits(stage, { joined: true }));
  assert.equal(await waits(stage), true);
  assert.equal(await waits(stage), false);
  assert.equal(await waits(stage), true);
});

Deno.test("an urgent message takes what waits along at once", async () => {
  const stage = await hurriedCrowd();
  stage.hold("a", true);
  stage.hold("b", true);
  await turnEnd();
  stage.hold("a", false);
  await turnEnd();
  assert.deepEqual(stage.flushed, ["a"]);
  // What comes later does not make it wait again.
  stage.hold("b", false);
  stage.hold("b", true);
  await turnEnd();
  assert.deepEqual(stage.flushed, ["a", "b"]);
  // Nothing is left for the timer that runs.
  stage.hold("a", true);
  await eventually(() => stage.flushed.length === 3, "the last flush");
});

Deno.test("a connection that is gone is not flushed with the crowd", async () => {
  const stage = await hurriedCrowd();
  stage.hold("a", true);
  stage.hold("b", true);
  stage.turns.forget(stage.of("a"));
  await eventually(() => stage.flushed.length > 0, "the flush");
  assert.deepEqual(stage.flushed, ["b"]);
});

// The sanitizer of this test sees a timer that is left.
Deno.test("what waits in a crowd is given up with all connections", async () => {
  const stage = await hurriedCrowd();
  stage.hold("a", true);
  stage.turns.forget(stage.of("a"));
  stage.turns.stop();
  stage.turns.stop();
  assert.deepEqual(stage.flushed, []);
});
