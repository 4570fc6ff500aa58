/**
 * Feeds the frame reader the kept inputs, then changed ones for a few seconds, and holds it against the
 * plain reader. An input that fails is written beside the others, so that it is tried from then on.
 */

import assert from "node:assert/strict";
import type { FrameLimits } from "../../src/core/websocket_frame.ts";
import { assertEvents, type Delivery, readStream } from "../support/frame_recorder.ts";
import { referenceEvents, withoutReasons } from "../support/frame_reference.ts";
import { mutated, SeededChance } from "./byte_mutation.ts";

const CORPUS = new URL("websocket_frame/", import.meta.url);

/** Small enough for inputs of a few KiB to meet them. */
const LIMITS: FrameLimits = { maxMessageBytes: 1_024, maxFragments: 8 };

/** Inputs that are the same in every run. */
const FIXED_INPUTS = 4_000;
const FIXED_SEED = 6455;

/** How long new inputs are tried in each run, in milliseconds. */
const NEW_INPUTS_MS = 2_500;

/** Inputs that were tried at least, so that a machine that stands still is seen. */
const MIN_NEW_INPUTS = 100;

const WHOLE: Delivery = { name: "whole", sizes: [Infinity] };
const BYTEWISE: Delivery = { name: "a byte at a time", sizes: [1], readsAscii: true };

interface Kept {
  readonly name: string;
  readonly bytes: Uint8Array;
}

function corpus(): readonly Kept[] {
  return [...Deno.readDirSync(CORPUS)].map(({ name }) => name).sort().map((name) => ({
    name,
    bytes: Deno.readFileSync(new URL(name, CORPUS)),
  }));
}

/** Pieces of any sizes, small ones above all, with and without pauses. */
function anyDelivery(chance: SeededChance): Delivery {
  const sizes = Array.from(
    { length: 1 + chance.below(6) },
    () => 1 + chance.below(chance.pick([3, 20, 300])),
  );
  return {
    name: "random",
    sizes,
    pauses: chance.below(2) === 0,
    readsAscii: chance.below(2) === 0,
  };
}

/**
 * What holds for any input: nothing is thrown, nothing is told behind an end, what is kept is bounded
 * (these three are seen to by the recorder), all splits give the same, and that is what the standard has.
 */
function check(input: Uint8Array, random: Delivery): void {
  const whole = readStream(input, { limits: LIMITS, delivery: WHOLE });
  assertEvents(
    withoutReasons(whole),
    referenceEvents(input, LIMITS),
    "beside the plain reader",
  );
  for (const delivery of [BYTEWISE, random]) {
    assertEvents(readStream(input, { limits: LIMITS, delivery }), whole, delivery.name);
  }
}

/** Checks an input made by chance; keeps it where it fails. */
async function checkNew(
  kept: readonly Uint8Array[],
  { chance, seed }: { readonly chance: SeededChance; readonly seed: number },
): Promise<void> {
  const input = mutated(kept, chance);
  const delivery = anyDelivery(chance);
  try {
    check(input, delivery);
  } catch (error) {
    const name = await keep(input);
    const sizes = delivery.sizes.join(", ");
    throw new Error(`${name} fails (seed ${seed}; pieces of ${sizes})`, { cause: error });
  }
}

/** Writes an input among the kept ones, under a name that is the same for the same bytes. */
async function keep(input: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", input.slice());
  const name = `failed_${new Uint8Array(digest).toHex().slice(0, 16)}.bin`;
  await Deno.writeFile(new URL(name, CORPUS), input);
  return name;
}

Deno.test("the kept inputs are read as the standard has it, at any split", async (context) => {
  const inputs = corpus();
  assert.ok(inputs.length >= 40, `only ${inputs.length} inputs`);
  for (const { name, bytes } of inputs) {
    await context.step(name, () => {
      const chance = new SeededChance(FIXED_SEED);
      for (let round = 0; round < 20; round++) check(bytes, anyDelivery(chance));
    });
  }
});

Deno.test("the kept inputs meet every end, and none", () => {
  const ends = corpus().map(({ bytes }) => readStream(bytes, { limits: LIMITS }).at(-1));
  const seen = new Set(ends.map((event) => event?.[0] === "violation" ? event[2] : event?.[0]));
  const expected = ["text", "binary", "ping", "pong", "close", undefined]
    .concat(["reserved bits are set", "unknown opcode", "frame is not masked"])
    .concat(["fragmented control frame", "control frame too long", "nothing to continue"])
    .concat(["message not ended", "length not minimal", "invalid close code", "invalid UTF-8"])
    .concat(["message too long", "too many fragments"]);
  assert.deepEqual(seen, new Set(expected));
});

Deno.test("changed inputs are read as the standard has it, the same ones in every run", async () => {
  const kept = corpus().map(({ bytes }) => bytes);
  const chance = new SeededChance(FIXED_SEED);
  for (let count = 0; count < FIXED_INPUTS; count++) {
    await checkNew(kept, { chance, seed: FIXED_SEED });
  }
});

Deno.test("changed inputs are read as the standard has it, new ones in every run", async () => {
  const kept = corpus().map(({ bytes }) => bytes);
  const seed = Date.now() >>> 0;
  const chance = new SeededChance(seed);
  const deadline = performance.now() + NEW_INPUTS_MS;
  let count = 0;
  while (count < MIN_NEW_INPUTS || performance.now() < deadline) {
    await checkNew(kept, { chance, seed });
    count++;
  }
});
