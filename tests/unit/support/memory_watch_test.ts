import assert from "node:assert/strict";
import { assertMemoryFlat, LEAK_BYTES, MIN_MESSAGES } from "../../support/memory_watch.ts";

const MIB = 2 ** 20;

/** A process whose memory is as the test says: `kept` bytes of each message, noise of either sign. */
function pretend(
  { heap = 0, resident = 0, warmUp = 0, noise = 0, messages = MIN_MESSAGES },
): { readonly rounds: () => number; readonly flat: () => Promise<void> } {
  let rounds = 0;
  const swing = () => noise * (rounds % 2 === 0 ? 1 : -1);
  const settled = () => warmUp * Math.min(rounds, 3);
  const flat = () =>
    assertMemoryFlat({
      read: () =>
        Promise.resolve({
          heap: 20 * MIB + rounds * messages * heap + settled() + swing(),
          resident: 80 * MIB + rounds * messages * resident + 2 * settled() + swing(),
        }),
      round: () => {
        rounds++;
        return Promise.resolve(messages);
      },
    });
  return { rounds: () => rounds, flat };
}

Deno.test("memory: what goes up and down, or finds its size first, is flat", async () => {
  for (const steady of [{}, { noise: MIB }, { warmUp: 10 * MIB }, { heap: 100, resident: 200 }]) {
    await pretend(steady).flat();
  }
});

Deno.test("memory: a leak of 1 KiB a message is told, in the heap or outside, at any number of messages", async () => {
  for (const messages of [MIN_MESSAGES, 50 * MIN_MESSAGES]) {
    for (const leak of [{ heap: LEAK_BYTES }, { resident: LEAK_BYTES }]) {
      for (const noise of [0, MIB]) {
        await assert.rejects(pretend({ ...leak, noise, messages }).flat(), /leaves bytes behind/);
      }
    }
  }
});

Deno.test("memory: too few messages tell nothing", async () => {
  await assert.rejects(pretend({ messages: MIN_MESSAGES - 1 }).flat(), /too few/);
});
