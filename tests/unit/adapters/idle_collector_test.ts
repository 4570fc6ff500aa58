import assert from "node:assert/strict";
import {
  collectGarbage,
  collectWhenIdle,
  LEFT_ALONE_TIMES,
  LOOK_EVERY_MS,
  RESTING_MS,
  WORTHWHILE_BYTES,
} from "../../../src/adapters/idle_collector.ts";
import { ManualClock } from "../../support/manual_clock.ts";

/** A process whose work and heap a test decides; a collection leaves `live` bytes. */
function stage() {
  const clock = new ManualClock();
  const state = {
    spentMs: 5_000,
    heap: WORTHWHILE_BYTES,
    live: WORTHWHILE_BYTES / 2,
    collected: 0,
    takesMs: 0,
    tookMs: 0,
  };
  const cancel = collectWhenIdle({
    clock: {
      after: (delayMs, task) => clock.after(delayMs, task),
      monotonic: () => clock.monotonic() + state.tookMs,
    },
    spentMs: () => state.spentMs,
    heapBytes: () => state.heap,
    collect: () => {
      state.tookMs += state.takesMs;
      state.collected++;
      state.heap = state.live;
    },
  });
  return { clock, state, cancel };
}

const CASES: readonly {
  readonly name: string;
  /** What happened since the look before: processor time, and bytes that came onto the heap. */
  readonly looks: readonly { readonly spent: number; readonly grown: number }[];
  readonly collected: number;
}[] = [
  {
    name: "a process that rests is collected once",
    looks: [{ spent: 0, grown: 0 }, { spent: 0, grown: 0 }],
    collected: 1,
  },
  {
    name: "one that works is left alone until it rests",
    looks: [
      { spent: RESTING_MS, grown: 0 },
      { spent: RESTING_MS * 50, grown: WORTHWHILE_BYTES },
    ],
    collected: 0,
  },
  {
    name: "one that has grown since is collected again",
    looks: [
      { spent: 0, grown: 0 },
      { spent: RESTING_MS - 1, grown: WORTHWHILE_BYTES },
      { spent: 0, grown: WORTHWHILE_BYTES - 1 },
    ],
    collected: 2,
  },
];

for (const { name, looks, collected } of CASES) {
  Deno.test(name, async () => {
    const { clock, state, cancel } = stage();
    for (const { spent, grown } of looks) {
      state.spentMs += spent;
      state.heap += grown;
      await clock.advance(LOOK_EVERY_MS);
    }
    assert.equal(state.collected, collected);
    cancel();
  });
}

Deno.test("after a long collection the process is left alone for long", async () => {
  const { clock, state, cancel } = stage();
  state.takesMs = 50;
  await clock.advance(LOOK_EVERY_MS);
  for (let at = 0; at * LOOK_EVERY_MS < state.takesMs * LEFT_ALONE_TIMES; at++) {
    assert.equal(state.collected, 1);
    state.heap += WORTHWHILE_BYTES;
    await clock.advance(LOOK_EVERY_MS);
  }
  assert.equal(state.collected, 2);
  cancel();
});

Deno.test("after the cancellation nothing is looked at any more", async () => {
  const { clock, state, cancel } = stage();
  await clock.advance(LOOK_EVERY_MS);
  cancel();
  state.heap += WORTHWHILE_BYTES * 2;
  await clock.advance(LOOK_EVERY_MS * 3);
  assert.equal(state.collected, 1);
});

Deno.test("a collection takes what nothing refers to", async () => {
  const lost = new WeakRef({ size: new Array(1_000) });
  // A reference that was looked at is kept until the turn ends.
  await new Promise((resolve) => setTimeout(resolve, 0));
  await collectGarbage();
  assert.equal(lost.deref(), undefined);
  assert.equal(Reflect.get(globalThis, "gc"), undefined);
});
