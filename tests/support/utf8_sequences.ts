/** Byte sequences that are UTF-8 and that are not, by the class of what is right or wrong with them. */

import { bytesOf, hex, joined } from "./websocket_frames.ts";

/** Wrong bytes, and how many of them show it: the last of these is the first that cannot stand there. */
export interface BrokenSequence {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly shownBy: number;
}

/** A sequence that is text as it is. */
export interface GoodSequence {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** `digits` are broken at their byte number `shownBy`, counted from one. */
function broken(name: string, [digits, shownBy]: readonly [string, number]): BrokenSequence {
  return { name: `${name} ${digits}`, bytes: hex(digits), shownBy };
}

function ofClass(name: string, rows: readonly (readonly [string, number])[]): BrokenSequence[] {
  return rows.map((row) => broken(name, row));
}

export const BROKEN_SEQUENCES: readonly BrokenSequence[] = [
  ...ofClass("above the last code point", [
    ["f4908080", 2],
    ["f49fbfbf", 2],
    ["f4bfbfbf", 2],
    ["f5808080", 1],
    ["f7bfbfbf", 1],
  ]),
  ...ofClass("lead of five or six bytes", [
    ["f888808080", 1],
    ["fbbfbfbfbf", 1],
    ["fc8480808080", 1],
    ["fdbfbfbfbfbf", 1],
  ]),
  ...ofClass("no byte of UTF-8 at all", [["fe", 1], ["ff", 1], ["fefeffff", 1]]),
  ...ofClass("overlong form", [
    ["c0af", 1],
    ["c1bf", 1],
    ["c080", 1],
    ["e080af", 2],
    ["e09fbf", 2],
    ["e08080", 2],
    ["f08080af", 2],
    ["f08fbfbf", 2],
    ["f0808080", 2],
    ["f8808080af", 1],
    ["fc80808080af", 1],
  ]),
  ...ofClass("surrogate", [
    ["eda080", 2],
    ["edadbf", 2],
    ["edae80", 2],
    ["edafbf", 2],
    ["edb080", 2],
    ["edbe80", 2],
    ["edbfbf", 2],
    ["eda080edb080", 2],
    ["edafbfedbfbf", 2],
    ["cebae1bdb9cf83cebcceb5eda080656469746564", 13],
  ]),
  ...range(0x80, 0xbf).map((byte) => broken("stray continuation", [byte.toString(16), 1])),
  ...ofClass("stray continuation", [["41c3a980", 4], ["e282ac80", 4], ["f09f988080", 5]]),
  ...range(0xc2, 0xf4).map((lead) => broken("lead before a space", [`${lead.toString(16)}20`, 2])),
  ...ofClass("continuation missing before a letter", [
    ["e0a061", 3],
    ["efbf61", 3],
    ["f0908061", 4],
    ["f48fbf61", 4],
  ]),
  ...ofClass("continuation missing before a lead", [
    ["c3c3a9", 2],
    ["e282e282ac", 3],
    ["f09f98f09f9880", 4],
  ]),
];

/** Text that stops within a character. */
export const CUT_SEQUENCES: readonly GoodSequence[] = [
  "c3",
  "df",
  "e0a0",
  "e2",
  "e282",
  "ed9f",
  "efbf",
  "f0",
  "f090",
  "f09080",
  "f48fbf",
  "41c3a9e2",
].map((digits) => ({ name: `cut character ${digits}`, bytes: hex(digits) }));

export const GOOD_SEQUENCES: readonly GoodSequence[] = [
  ...[
    ["one byte", "00", "7f"],
    ["two bytes", "c280", "dfbf"],
    ["three bytes", "e0a080", "efbfbf"],
    ["four bytes", "f0908080", "f48fbfbf"],
    ["beside the surrogates", "ed9fbf", "ee8080"],
    ["byte order mark", "efbbbf", "efbbbf41"],
    ["replacement character", "efbfbd", "efbfbdefbfbd"],
    ["specials", "efbfb9efbfba", "efbfbbefbfbc"],
    ["Greek", "cebae1bdb9cf83cebcceb5", "cebae1bdb9cf83cebcceb5cebae1bdb9"],
  ].flatMap(([name, ...all]) =>
    all.map((digits) => ({ name: `${name} ${digits}`, bytes: hex(digits) }))
  ),
  // The last two code points of each plane and U+FDD0 to U+FDEF are no characters and yet are text.
  {
    name: "all that are no characters",
    bytes: bytesOf(
      String.fromCodePoint(
        ...range(0, 16).flatMap((plane) => [plane * 0x10000 + 0xfffe, plane * 0x10000 + 0xffff]),
        ...range(0xfdd0, 0xfdef),
      ),
    ),
  },
  {
    name: "a text of all widths",
    bytes: joined("Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!! \u20ac \u{1f600}"),
  },
];
