/** Request heads as text, and what the reader makes of them. */

import assert from "node:assert/strict";
import type { HeadLimits } from "../../src/core/http_head_scanner.ts";
import { bytesOf, type HeadOutcome, piecesOf, type PlainHead, readHead } from "./http_delivery.ts";

/** The field that every head of HTTP/1.1 has. */
export const HOST = "Host: gw.example.org";

/** A head of these lines, with nothing after it. */
export function lines(...all: readonly string[]): string {
  return `${all.join("\r\n")}\r\n\r\n`;
}

/** A GET request with these fields and a host. */
export function get(...fields: readonly string[]): string {
  return lines("GET /a HTTP/1.1", HOST, ...fields);
}

/** A POST request with these fields and a host. */
export function post(...fields: readonly string[]): string {
  return lines("POST /a HTTP/1.1", HOST, ...fields);
}

/** What comes of a head in one piece; the same must come of it a byte at a time. */
export function outcome(text: string, limits: Partial<HeadLimits> = {}): HeadOutcome {
  const bytes = bytesOf(text);
  const whole = readHead([bytes], limits);
  assert.deepEqual(readHead(piecesOf(bytes, 1), limits), whole, JSON.stringify(text));
  return whole;
}

/** The head of a text that is nothing but a head. */
export function accepted(text: string): PlainHead {
  const result = outcome(text);
  assert.equal(result.state, "head", `${JSON.stringify(text)}: ${JSON.stringify(result)}`);
  if (result.state !== "head") throw new Error("unreachable");
  assert.equal(result.rest, "");
  return result.head;
}

/** Asserts the statuses of refusals. */
export function refuses(rows: readonly (readonly [text: string, status: number])[]): void {
  for (const [text, status] of rows) {
    const result = outcome(text);
    const got = result.state === "refused" ? result.status : result.state;
    assert.equal(got, status, `${JSON.stringify(text)}: ${JSON.stringify(result)}`);
    if (result.state === "refused") assert.match(result.reason, /^[^\p{Cc}\p{Cf}]+$/u);
  }
}
