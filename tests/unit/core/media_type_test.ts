import assert from "node:assert/strict";
import { agreesWith, plainType, sniffType } from "../../../src/core/media_type.ts";

const bytes = (...text: readonly (string | number)[]): Uint8Array =>
  Uint8Array.from(
    text.flatMap((part) => typeof part === "number" ? [part] : [...new TextEncoder().encode(part)]),
  );

const KNOWN: readonly [type: string, start: Uint8Array][] = [
  ["image/png", bytes(0x89, "PNG\r\n", 0x1a, "\n")],
  ["image/jpeg", bytes(0xff, 0xd8, 0xff, 0xe0)],
  ["image/gif", bytes("GIF89a")],
  ["image/webp", bytes("RIFF....WEBPVP8 ")],
  ["audio/wav", bytes("RIFF....WAVEfmt ")],
  ["application/pdf", bytes("%PDF-1.7")],
  ["audio/ogg", bytes("OggS")],
  ["audio/mpeg", bytes("ID3", 3)],
  ["video/mp4", bytes(0, 0, 0, 24, "ftypisom")],
];

Deno.test("a file is what its first bytes say", () => {
  for (const [type, start] of KNOWN) {
    assert.equal(sniffType(start), type);
    assert.ok(agreesWith(type, start));
    for (const [other] of KNOWN) assert.equal(agreesWith(other, start), other === type);
    assert.ok(!agreesWith("text/plain", start), type);
  }
});

Deno.test("bytes that tell nothing may be text or a type without a sure beginning, no picture", () => {
  const words = bytes("hello");
  assert.equal(sniffType(words), undefined);
  assert.ok(agreesWith("text/plain", words) && agreesWith("audio/mpeg", words));
  assert.ok(!agreesWith("image/png", words) && !agreesWith("application/pdf", words));
  assert.ok(!agreesWith("text/plain", bytes("a", 0, "b")));
});

Deno.test("a content type is read without its parameters", () => {
  const table: readonly (readonly [string | null | undefined, string | undefined])[] = [
    ["image/png", "image/png"],
    [" Text/Plain; charset=utf-8", "text/plain"],
    ["application/vnd.x+json", "application/vnd.x+json"],
    ...["", "image", "image/", "/png", "image/../x", null, undefined].map((text) =>
      [text, undefined] as const
    ),
  ];
  for (const [text, type] of table) assert.equal(plainType(text), type);
});
