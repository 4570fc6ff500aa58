/** Makes new inputs of kept ones, by chance that can be had again. */

import { joined } from "../support/websocket_frames.ts";

/** Chance that gives the same for the same seed. */
export class SeededChance {
  #state: number;

  /** `seed`: 32 bits. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 up to and without `bound`; 0 where that leaves none. */
  below(bound: number): number {
    // Equal steps through a mixing function: short, and good enough to reach everywhere.
    this.#state = this.#state + 0x9e37_79b9 >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ mixed >>> 16, 0x85eb_ca6b);
    mixed = Math.imul(mixed ^ mixed >>> 13, 0xc2b2_ae35);
    mixed = (mixed ^ mixed >>> 16) >>> 0;
    return Math.floor(mixed / 2 ** 32 * bound);
  }

  /** One of them. */
  pick<Value>(values: ArrayLike<Value>): Value {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new Error("there is nothing to pick from");
    return value;
  }
}

/** The most bytes of an input; what grows beyond is cut. */
const MAX_INPUT_BYTES = 4_096;

/** Bytes that mean something: heads, lengths, borders of UTF-8. */
const TELLING = Uint8Array.fromHex("0001027d7e7f808182888a89fdfeff8f909fa0bfc0c2e0edeff0f4f5");

/** Makes another input of one; `other` lends it bytes. */
type Mutation = (input: Uint8Array, other: Uint8Array, chance: SeededChance) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  function flipBit(input, _other, chance) {
    const at = chance.below(input.length);
    return replaced(input, { at, bytes: Uint8Array.of((input[at] ?? 0) ^ 1 << chance.below(8)) });
  },
  function setByte(input, _other, chance) {
    const at = chance.below(input.length);
    return replaced(input, { at, bytes: Uint8Array.of(chance.below(256)) });
  },
  function setTellingByte(input, _other, chance) {
    const at = chance.below(input.length);
    return replaced(input, { at, bytes: Uint8Array.of(chance.pick(TELLING)) });
  },
  function putIn(input, _other, chance) {
    const at = chance.below(input.length + 1);
    const bytes = Uint8Array.from({ length: 1 + chance.below(6) }, () => chance.pick(TELLING));
    return joined(input.subarray(0, at), bytes, input.subarray(at));
  },
  function takeOut(input, _other, chance) {
    const at = chance.below(input.length);
    return joined(input.subarray(0, at), input.subarray(at + 1 + chance.below(8)));
  },
  function cut(input, _other, chance) {
    return input.slice(0, chance.below(input.length));
  },
  function repeatPart(input, _other, chance) {
    const [from, to] = span(input, chance);
    return joined(input.subarray(0, to), input.subarray(from));
  },
  function splice(input, other, chance) {
    const [from, to] = span(other, chance);
    const at = chance.below(input.length + 1);
    return joined(input.subarray(0, at), other.subarray(from, to), input.subarray(at));
  },
  function cross(input, other, chance) {
    const at = chance.below(input.length + 1);
    return joined(input.subarray(0, at), other.subarray(chance.below(other.length + 1)));
  },
  function append(input, other) {
    return joined(input, other);
  },
  function prepend(input, other) {
    return joined(other, input);
  },
];

/** An input made of two kept ones by a few changes. */
export function mutated(corpus: readonly Uint8Array[], chance: SeededChance): Uint8Array {
  let input = chance.pick(corpus);
  for (let changes = 1 + chance.below(4); changes > 0; changes--) {
    input = chance.pick(MUTATIONS)(input, chance.pick(corpus), chance);
  }
  return input.slice(0, MAX_INPUT_BYTES);
}

function replaced(
  input: Uint8Array,
  { at, bytes }: { readonly at: number; readonly bytes: Uint8Array },
): Uint8Array {
  return joined(input.subarray(0, at), bytes, input.subarray(at + bytes.length));
}

/** The bounds of some part. */
function span(input: Uint8Array, chance: SeededChance): readonly [number, number] {
  const from = chance.below(input.length);
  return [from, from + chance.below(input.length - from + 1)];
}
