import assert from "node:assert/strict";
import { pooledRandom } from "../../../src/adapters/system_random.ts";

Deno.test("bytes have the length that was asked for and do not come twice, however many are asked for", () => {
  const random = pooledRandom();
  const seen = new Set<string>();
  let asked = 0;
  for (const bytes of [16, 32, 4_090, 16, 4_096, 4_097, 9_000, ...new Array(3_000).fill(16)]) {
    const text = random.hex(bytes);
    assert.match(text, /^[0-9a-f]+$/);
    assert.equal(text.length, 2 * bytes);
    assert.ok(!/0{32}/.test(text), "no bytes that were wiped");
    seen.add(text);
    asked++;
  }
  assert.equal(seen.size, asked);
  assert.equal(random.hex(0), "");
});

for (const size of [-8, NaN, 2.5, Infinity]) {
  Deno.test(`after ${size} bytes were asked for, others are as good as before`, () => {
    const random = pooledRandom();
    random.hex(8);
    try {
      assert.ok(random.hex(size).length <= 4);
    } catch (error) {
      assert.ok(error instanceof RangeError);
    }
    const texts = Array.from({ length: 4 }, () => random.hex(8));
    for (const text of texts) assert.match(text, /^(?!0{8})[0-9a-f]{16}$/);
    assert.equal(new Set(texts).size, 4);
  });
}
