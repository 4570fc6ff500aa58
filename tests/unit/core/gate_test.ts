import assert from "node:assert/strict";
import { GatewayError } from "../../../src/core/error.ts";
import { Gate } from "../../../src/core/gate.ts";

const LIMITS = { running: 2, waitingPerCaller: 3, waiting: 5 };

/** Work that begins in the open and ends when it is told to. */
class Bench {
  readonly gate = new Gate(LIMITS);
  readonly began: string[] = [];
  readonly #open = new Map<string, () => void>();

  run(caller: string, name: string, signal?: AbortSignal): Promise<string> {
    return this.gate.run({
      caller,
      signal,
      work: async () => {
        this.began.push(name);
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#open.set(name, resolve);
        await promise;
        return name;
      },
    });
  }

  async end(name: string): Promise<void> {
    this.#open.get(name)?.();
    await settled();
  }
}

/** Lets everything happen that needs no further event. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

function unavailable(message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof GatewayError, String(error));
    assert.equal(error.code, "UNAVAILABLE");
    assert.equal(error.extras.retryable, true);
    assert.match(error.message, message);
    return true;
  };
}

Deno.test("only so many run at once; those that wait take turns by caller", async () => {
  const bench = new Bench();
  const all = [
    bench.run("a", "a1"),
    bench.run("a", "a2"),
    bench.run("a", "a3"),
    bench.run("a", "a4"),
    bench.run("a", "a5"),
    bench.run("b", "b1"),
    bench.run("b", "b2"),
  ];
  await settled();
  assert.deepEqual(bench.began, ["a1", "a2"]);
  assert.equal(bench.gate.waiting, 5);
  for (const name of ["a1", "a2", "a3", "b1", "a4", "b2", "a5"]) await bench.end(name);
  assert.deepEqual(bench.began, ["a1", "a2", "a3", "b1", "a4", "b2", "a5"]);
  assert.deepEqual(await Promise.all(all), ["a1", "a2", "a3", "a4", "a5", "b1", "b2"]);
  assert.equal(bench.gate.waiting, 0);
});

Deno.test("one more than a caller may have waiting is refused, and so is one more of all", async () => {
  const bench = new Bench();
  const waiting = ["a1", "a2", "a3", "a4", "a5"].map((name) => bench.run("a", name));
  await assert.rejects(bench.run("a", "a6"), unavailable(/too many reads are waiting/));
  waiting.push(bench.run("b", "b1"), bench.run("c", "c1"));
  await assert.rejects(bench.run("d", "d1"), unavailable(/too many reads are waiting/));
  for (const name of ["a1", "a2", "a3", "b1", "c1", "a4", "a5"]) await bench.end(name);
  assert.equal((await Promise.all(waiting)).length, 7);
});

Deno.test("what is owed waits however many do, and takes its turn", async () => {
  const gate = new Gate({ running: 1, waitingPerCaller: 1, waiting: 1 });
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = gate.run({ caller: "a", work: () => promise });
  const second = gate.run({ caller: "a", work: () => Promise.resolve("second") });
  const work = () => Promise.resolve("owed");
  await assert.rejects(gate.run({ caller: "b", work }), unavailable(/too many reads are waiting/));
  const owed = gate.run({ caller: "b", work, owed: true });
  assert.equal(gate.waiting, 2);
  resolve();
  await first;
  assert.deepEqual(await Promise.all([second, owed]), ["second", "owed"]);
  assert.equal(gate.waiting, 0);
});

Deno.test("what was aborted while it waited never begins and leaves its place", async () => {
  const bench = new Bench();
  const gone = new AbortController();
  const running = [bench.run("a", "a1"), bench.run("a", "a2")];
  const dropped = bench.run("b", "b1", gone.signal);
  running.push(bench.run("c", "c1"));
  gone.abort();
  await assert.rejects(dropped, unavailable(/went away/));
  await assert.rejects(bench.run("b", "b2", gone.signal), unavailable(/went away/));
  assert.equal(bench.gate.waiting, 1);
  for (const name of ["a1", "a2", "c1"]) await bench.end(name);
  await Promise.all(running);
  assert.deepEqual(bench.began, ["a1", "a2", "c1"]);
});

Deno.test("work that fails gives its place back", async () => {
  const gate = new Gate({ running: 1, waitingPerCaller: 1, waiting: 1 });
  const failing = gate.run({ caller: "a", work: () => Promise.reject(new RangeError("broken")) });
  const next = gate.run({ caller: "a", work: () => Promise.resolve("next") });
  await assert.rejects(failing, RangeError);
  assert.equal(await next, "next");
  assert.equal(await gate.run({ caller: "b", work: () => Promise.resolve("last") }), "last");
});
