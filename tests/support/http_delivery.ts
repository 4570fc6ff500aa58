/** Hands bytes to a sans-I/O reader of HTTP in pieces, and tells what it made of them. */

import assert from "node:assert/strict";
import { BodyDecoder, type BodyOptions } from "../../src/core/http_body.ts";
import { type RequestBody, type RequestHead, RequestHeadReader } from "../../src/core/http_head.ts";
import type { HeadLimits } from "../../src/core/http_head_scanner.ts";
import type { HttpRefusal } from "../../src/core/http_refusal.ts";

/** What a head reader made of a delivery; `rest` is what came after the head, of this and later pieces. */
export type HeadOutcome =
  | { readonly state: "more" }
  | { readonly state: "head"; readonly head: PlainHead; readonly rest: string }
  | HttpRefusal;

/** A head that `deepEqual` can compare: a Headers object has no members of its own. */
export type PlainHead = Omit<RequestHead, "headers"> & { readonly headers: readonly string[][] };

/** What a body decoder made of a delivery; without data where it refused, as that depends on the split. */
export type BodyOutcome =
  | { readonly state: "data"; readonly data: string; readonly done: boolean; readonly rest: string }
  | HttpRefusal;

/** The bytes of a text whose characters are bytes. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** The text whose characters are the bytes. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Pieces of at most `size` bytes. */
export function piecesOf(bytes: Uint8Array, size: number): readonly Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

/** The bytes, cut at some places. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const inside = places.map((place) => place % (bytes.length + 1));
  const ends = [0, ...inside.toSorted((a, b) => a - b), bytes.length];
  return ends.slice(1).map((end, index) => bytes.subarray(ends[index], end));
}

/** Reads one head. Each piece comes in a buffer that is overwritten after its push. */
export function readHead(
  pieces: readonly Uint8Array[],
  limits: Partial<HeadLimits> = {},
): HeadOutcome {
  const reader = new RequestHeadReader(limits);
  for (const [index, piece] of pieces.entries()) {
    const lent = piece.slice();
    const result = reader.push(lent);
    if (result.state === "refused") {
      assert.deepEqual(reader.push(bytesOf("GET / HTTP/1.1\r\nhost: a\r\n\r\n")), result);
      return result;
    }
    if (result.state === "head") {
      const { headers, ...others } = result.head;
      const rest = textOf(result.rest) + pieces.slice(index + 1).map(textOf).join("");
      return { state: "head", head: { ...others, headers: [...headers] }, rest };
    }
    assert.deepEqual(result, { state: "more" });
    lent.fill(0);
  }
  return { state: "more" };
}

/** Decodes one body. */
export function readBody(
  pieces: readonly Uint8Array[],
  { body, ...options }: BodyOptions & { readonly body: RequestBody },
): BodyOutcome {
  const decoder = new BodyDecoder(body, options);
  let data = "";
  let rest = "";
  let done = false;
  for (const piece of [new Uint8Array(0), ...pieces]) {
    const result = decoder.push(piece);
    if (result.state === "refused") {
      assert.deepEqual(decoder.push(bytesOf("0\r\n\r\n")), result);
      return result;
    }
    for (const part of result.pieces) {
      assert.ok(part.length > 0 && part.buffer === piece.buffer, "a piece is a view of the push");
      data += textOf(part);
    }
    assert.ok(result.done || !done, "a body that is complete stays so");
    assert.ok(result.done || result.rest.length === 0, "nothing is left over before the end");
    done = result.done;
    rest += textOf(result.rest);
  }
  return { state: "data", data, done, rest };
}
