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
