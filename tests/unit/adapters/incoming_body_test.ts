import assert from "node:assert/strict";
import { IncomingBody } from "../../../src/adapters/incoming_body.ts";
import { type RequestHead, RequestHeadReader } from "../../../src/core/http_head.ts";
import { bytesOf, textOf } from "../../support/http_delivery.ts";

/** The head of a request with these fields. */
function headOf(method: string, ...fields: readonly string[]): RequestHead {
  const text = [`${method} / HTTP/1.1`, "Host: a", ...fields].join("\r\n");
  const result = new RequestHeadReader().push(bytesOf(`${text}\r\n\r\n`));
  assert.ok(result.state === "head");
  return result.head;
}

/** A body whose bytes come in pieces; `undefined` in place of a piece is the end of the connection. */
function bodyOf(head: RequestHead, pieces: readonly (string | undefined)[], rest = "") {
  const log: string[] = [];
  const waiting = [...pieces];
  const body = new IncomingBody(head, {
    maxBytes: 100,
    rest: bytesOf(rest),
    read: () => {
      log.push("read");
      const next = waiting.shift();
      return Promise.resolve(next === undefined ? undefined : bytesOf(next));
    },
    ended: () => log.push("ended"),
    proceed: () => {
      log.push("proceed");
      return Promise.resolve();
    },
  });
  return { body, log };
}

async function readAll(body: IncomingBody): Promise<string> {
  let text = "";
  for await (const piece of body.stream ?? []) text += textOf(piece);
  return text;
}

Deno.test("nothing is read before it is asked for, and no more than the body", async () => {
  const { body, log } = bodyOf(headOf("POST", "Content-Length: 6"), ["llo!GET", " /"], "he");
  assert.deepEqual([body.finished, log.length], [false, 0]);
  assert.equal(await readAll(body), "hello!");
  assert.deepEqual([body.finished, log.length], [true, 1]);
  assert.equal(textOf(body.rest), "GET");
});

Deno.test("a body that came with its head needs no read", async () => {
  const { body, log } = bodyOf(headOf("POST", "Content-Length: 2"), [], "hiGET");
  assert.equal(await readAll(body), "hi");
  assert.equal(textOf(body.rest), "GET");
  assert.deepEqual(log, []);
});

Deno.test("chunks are put together, however they are cut", async () => {
  const text = "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: x\r\n\r\nGET";
  for (let size = 1; size <= text.length; size++) {
    const pieces: string[] = [];
    for (let at = 0; at < text.length; at += size) pieces.push(text.slice(at, at + size));
    const { body } = bodyOf(headOf("PUT", "Transfer-Encoding: chunked"), pieces);
    assert.equal(await readAll(body), "abcde", `pieces of ${size}`);
    assert.equal(body.finished, true);
    assert.ok("GET".startsWith(textOf(body.rest)));
  }
});

Deno.test("a request without a body has none, and is finished", () => {
  for (const head of [headOf("POST"), headOf("GET"), headOf("POST", "Content-Length: 0")]) {
    const { body } = bodyOf(head, [], "GET");
    assert.deepEqual([body.stream, body.finished, textOf(body.rest)], [null, true, "GET"]);
  }
});

Deno.test("a Web request of these methods has no body, so it stays unread", () => {
  for (const method of ["GET", "HEAD"]) {
    const { body } = bodyOf(headOf(method, "Content-Length: 3"), [], "abc");
    assert.deepEqual([body.stream, body.finished], [null, false]);
  }
});

Deno.test("a client that waits is told once to go on, when the body is first asked for", async () => {
  const head = headOf("POST", "Content-Length: 4", "Expect: 100-continue");
  const { body, log } = bodyOf(head, ["bo", "dy"]);
  assert.deepEqual(log, []);
  assert.equal(await readAll(body), "body");
  assert.deepEqual(log, ["proceed", "read", "read", "ended"]);
});

Deno.test("a length beyond the bound is refused before any byte, and chunks when they say so", async () => {
  const announced = bodyOf(headOf("POST", "Content-Length: 101"), []).body;
  assert.equal(announced.refusal?.status, 413);
  const { body } = bodyOf(headOf("POST", "Transfer-Encoding: chunked"), ["65\r\n"]);
  assert.equal(body.broken, false);
  await assert.rejects(readAll(body), /at most 100 bytes/);
  assert.deepEqual([body.refusal?.status, body.broken, body.finished], [413, true, false]);
});

for (const [what, last] of [["leaves", undefined], ["breaks the framing", "zz"]] as const) {
  Deno.test(`a client that ${what} fails the stream, and is to blame`, async () => {
    const { body } = bodyOf(headOf("POST", "Transfer-Encoding: chunked"), ["3\r\nabc\r\n", last]);
    assert.equal(body.broken, false);
    await assert.rejects(readAll(body), Error);
    assert.deepEqual([body.broken, body.finished], [true, false]);
    assert.equal(body.refusal?.status, what === "leaves" ? undefined : 400);
  });
}

Deno.test("pieces belong to the route: what it does with them changes nothing else", async () => {
  const { body } = bodyOf(headOf("POST", "Content-Length: 4"), [], "bodyGET");
  for await (const piece of body.stream ?? []) {
    piece.fill(0);
    assert.equal(new Uint8Array(piece.buffer).length, piece.length);
  }
  assert.equal(textOf(body.rest), "GET");
});
