/** Writes an answer of the routes on an HTTP/1.1 connection. */

import type { RequestHead } from "../core/http_head.ts";
import { chunk, CHUNK_END, type ResponseBody, responseHead } from "../core/http_response.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** How an answer goes out. */
export interface WriteOptions {
  readonly request: Pick<RequestHead, "method" | "version">;
  /** Another request may follow. */
  readonly keepAlive: boolean;
  readonly write: (bytes: Bytes) => Promise<void>;
  /** Resolves when the connection is closed: nothing more is asked of the body. */
  readonly closed: Promise<unknown>;
}

/**
 * Writes `response`; a body that is there at once goes out with the head and its length, another in
 * chunks as it comes. False when only the end of the connection ends the body.
 */
export async function writeResponse(response: Response, options: WriteOptions): Promise<boolean> {
  const { request, write } = options;
  const { status, statusText, headers } = response;
  const head = (body: ResponseBody): Bytes =>
    responseHead({
      status,
      statusText,
      headers,
      body,
      // An origin server with a clock must say when it answered (RFC 9110, section 6.6.1).
      date: new Date().toUTCString(),
      keepAlive: options.keepAlive && body.kind !== "close",
    });
  if (request.method === "HEAD" || response.body === null || status === 204 || status === 304) {
    await response.body?.cancel();
    await write(head({ kind: request.method === "HEAD" ? "unsaid" : "none" }));
    return true;
  }
  const reader = response.body.getReader();
  // A body that is never heard of again must not keep a connection that is gone.
  options.closed.then(() => reader.cancel()).catch(() => {});
  try {
    const start = await startOf(reader);
    if (start.ended) {
      const { length } = start.bytes;
      await write(joined([head({ kind: "length", bytes: length }), start.bytes]));
      return true;
    }
    const chunked = request.version === "1.1";
    const wrap = chunked ? chunk : (bytes: Bytes) => bytes;
    await write(joined([head({ kind: chunked ? "chunked" : "close" }), wrap(start.bytes)]));
    for (let next = await start.next; !next.done; next = await reader.read()) {
      if (next.value.length > 0) await write(wrap(next.value));
    }
    if (chunked) await write(CHUNK_END);
    return chunked;
  } catch (error) {
    await reader.cancel(error);
    throw error;
  }
}

type Piece = ReadableStreamReadResult<Bytes>;
type Start =
  | { readonly ended: true; readonly bytes: Bytes }
  | { readonly ended: false; readonly bytes: Bytes; readonly next: Promise<Piece> };

/** The first piece, and whether it is all: what comes within the same turn counts as there at once. */
async function startOf(reader: ReadableStreamDefaultReader<Bytes>): Promise<Start> {
  const first = await reader.read();
  if (first.done) return { ended: true, bytes: new Uint8Array(0) };
  const next = reader.read();
  const turn = Promise.withResolvers<"later">();
  const timer = setTimeout(() => turn.resolve("later"), 0);
  const second = await Promise.race([next, turn.promise]);
  clearTimeout(timer);
  return second !== "later" && second.done
    ? { ended: true, bytes: first.value }
    : { ended: false, bytes: first.value, next };
}

function joined(pieces: readonly Bytes[]): Bytes {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
