import assert from "node:assert/strict";
import { Utf8Check } from "../../../src/core/utf8_check.ts";
import { BROKEN_SEQUENCES, CUT_SEQUENCES, GOOD_SEQUENCES } from "../../support/utf8_sequences.ts";
import { bytesOf, joined } from "../../support/websocket_frames.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** As the platform has it: what is no text does not come back the same. */
function isText(bytes: Uint8Array): boolean {
  const again = bytesOf(decoder.decode(bytes));
  return again.length === bytes.length && again.every((byte, at) => byte === bytes[at]);
}

/** Every second byte that a lead may need, and then enough of the rest. */
const COMPLETIONS = ["", "80", "90", "a0"].flatMap((second) =>
  ["", "80", "8080"].map((rest) => Uint8Array.fromHex(second + rest))
);

/** Whether some bytes behind these make them text. */
function mayBecomeText(bytes: Uint8Array): boolean {
  return COMPLETIONS.some((rest) => isText(joined(bytes, rest)));
}

function checked(bytes: Uint8Array): Utf8Check {
  const check = new Utf8Check();
  check.push(bytes);
  return check;
}

Deno.test("nothing is text", () => {
  const check = new Utf8Check();
  assert.deepEqual([check.broken, check.complete], [false, true]);
  check.push(new Uint8Array(0));
  assert.deepEqual([check.broken, check.complete], [false, true]);
});

Deno.test("text is complete, at any split", () => {
  for (const { name, bytes } of GOOD_SEQUENCES) {
    assert.ok(checked(bytes).complete, name);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const check = new Utf8Check();
      check.push(bytes, 0, cut);
      assert.ok(!check.broken, name);
      assert.equal(check.complete, isText(bytes.subarray(0, cut)), name);
      check.push(bytes, cut);
      assert.ok(check.complete && !check.broken, name);
    }
  }
});

Deno.test("what is no text is broken at the byte that shows it, at any split", () => {
  for (const { name, bytes, shownBy } of BROKEN_SEQUENCES) {
    for (const before of ["", "ab", "\u00e9", "\u{1f600}"]) {
      const stream = joined(before, bytes);
      const at = stream.length - bytes.length + shownBy;
      for (let cut = 0; cut <= stream.length; cut++) {
        const check = new Utf8Check();
        check.push(stream, 0, cut);
        assert.equal(check.broken, cut >= at, `${name}, ${cut} bytes`);
        check.push(stream, cut);
        assert.ok(check.broken && !check.complete, name);
      }
    }
  }
});

Deno.test("a cut character is neither broken nor complete, until the rest comes or something else", () => {
  for (const { name, bytes } of CUT_SEQUENCES) {
    const check = checked(bytes);
    assert.deepEqual([check.broken, check.complete], [false, false], name);
    check.push(bytesOf("a"));
    assert.deepEqual([check.broken, check.complete], [true, false], name);
  }
});

Deno.test("what is broken stays broken, whatever follows", () => {
  for (const { name, bytes } of BROKEN_SEQUENCES) {
    const check = checked(bytes);
    for (const more of ["80", "8080", "41", "c3a9"]) {
      check.push(Uint8Array.fromHex(more));
      assert.deepEqual([check.broken, check.complete], [true, false], name);
    }
  }
});

Deno.test("only the named range is looked at", () => {
  const bytes = joined(Uint8Array.of(0xff), "\u00e9", Uint8Array.of(0xff));
  const check = new Utf8Check();
  check.push(bytes, 1, 3);
  assert.ok(check.complete);
  check.push(bytes, 1, 2);
  check.push(bytes, 3, 3);
  assert.deepEqual([check.broken, check.complete], [false, false]);
});

Deno.test("all sequences of two bytes are judged as the platform does", () => {
  const bytes = new Uint8Array(2);
  for (let value = 0; value < 0x10000; value++) {
    bytes[0] = value >> 8;
    bytes[1] = value & 0xff;
    assert.equal(checked(bytes).complete, isText(bytes), bytes.toHex());
  }
});

/** One byte of each class, and both sides of every border. */
const BORDERS = Uint8Array.fromHex(
  "007f808f909fa0bfc0c1c2dfe0e1ecedeeeff0f1f3f4f5f7f8ff",
);

Deno.test("sequences of three and four bytes are judged as the platform does, over all borders", () => {
  for (const first of BORDERS) {
    for (const second of BORDERS) {
      for (const third of BORDERS) {
        const three = Uint8Array.of(first, second, third);
        assert.equal(checked(three).complete, isText(three), three.toHex());
        if (first < 0xf0) continue;
        for (const fourth of BORDERS) {
          const four = Uint8Array.of(first, second, third, fourth);
          assert.equal(checked(four).complete, isText(four), four.toHex());
        }
      }
    }
  }
});

Deno.test("broken is exactly what nothing can complete", () => {
  for (const first of BORDERS) {
    assert.equal(checked(Uint8Array.of(first)).broken, !mayBecomeText(Uint8Array.of(first)));
    for (const second of BORDERS) {
      const two = Uint8Array.of(first, second);
      assert.equal(checked(two).broken, !mayBecomeText(two), two.toHex());
      if (first < 0xe0) continue;
      for (const third of BORDERS) {
        const three = Uint8Array.of(first, second, third);
        assert.equal(checked(three).broken, !mayBecomeText(three), three.toHex());
      }
    }
  }
});
