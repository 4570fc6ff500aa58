import assert from "node:assert/strict";
import { sha256, sha256Hex, toHex } from "../../../src/core/digest.ts";

const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

Deno.test("the digest is SHA-256, of bytes as of a text's UTF-8", async () => {
  const bytes = new TextEncoder().encode("abc");
  assert.equal(toHex(await sha256(bytes)), ABC);
  assert.equal(await sha256Hex(bytes), ABC);
  assert.equal(await sha256Hex("abc"), ABC);
  assert.equal(await sha256Hex("ä"), await sha256Hex(new Uint8Array([0xc3, 0xa4])));
});

Deno.test("hex has two lower-case digits for every byte", () => {
  assert.equal(toHex(new Uint8Array([0, 1, 0x0f, 0xab, 0xff])), "00010fabff");
  assert.equal(toHex(new Uint8Array()), "");
});
