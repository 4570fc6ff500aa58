import assert from "node:assert/strict";
import { toHex } from "../../../src/core/digest.ts";
import { sha1 } from "../../../src/core/sha1.ts";

const encoder = new TextEncoder();

Deno.test("the digests of RFC 3174 and FIPS 180 come out", () => {
  const rows: readonly [message: string, digest: string][] = [
    ["", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
    ["abc", "a9993e364706816aba3e25717850c26c9cd0d89d"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
    ],
    ["a".repeat(1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"],
    ["01234567".repeat(80), "dea356a2cddd90c7a7ecedc5ebb563934f460452"],
  ];
  for (const [message, digest] of rows) {
    assert.equal(toHex(sha1(encoder.encode(message))), digest, message.slice(0, 20));
  }
});

Deno.test("messages of every length round the ends of blocks are digested as the platform does", async () => {
  for (let length = 0; length <= 200; length++) {
    const message = Uint8Array.from({ length }, (_, index) => (index * 167 + length) & 0xff);
    const expected = new Uint8Array(await crypto.subtle.digest("SHA-1", message));
    assert.equal(toHex(sha1(message)), toHex(expected), `${length} bytes`);
  }
});

Deno.test("a digest leaves its message alone, also one that is a view of more bytes", () => {
  const bytes = encoder.encode("xxabcxx");
  assert.equal(toHex(sha1(bytes.subarray(2, 5))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  assert.equal(new TextDecoder().decode(bytes), "xxabcxx");
});
