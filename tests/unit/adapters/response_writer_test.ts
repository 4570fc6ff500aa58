import assert from "node:assert/strict";
import { writeResponse } from "../../../src/adapters/response_writer.ts";
import { eventually } from "../../support/deadline.ts";
import { textOf } from "../../support/http_delivery.ts";

const NEVER = new Promise<never>(() => {});

/** What is written for an answer, write by write, and whether the connection goes on. */
async function written(
  response: Response,
  { method = "GET", version = "1.1", keepAlive = true }: {
    readonly method?: string;
    readonly version?: "1.0" | "1.1";
    readonly keepAlive?: boolean;
  } = {},
): Promise<{ readonly goesOn: boolean; readonly writes: readonly string[] }> {
  const writes: string[] = [];
  const goesOn = await writeResponse(response, {
    request: { method, version },
    keepAlive,
    write: (bytes) => {
      writes.push(textOf(bytes));
      return Promise.resolve();
    },
    closed: NEVER,
  });
  return { goesOn, writes };
}

/** A body that comes piece by piece, each in a turn of its own. */
function pieces(...texts: readonly string[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from((async function* () {
    for (const text of texts) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      yield new TextEncoder().encode(text);
    }
  })());
}

Deno.test("a body that is there goes out with its head and length, in one write", async () => {
  const { goesOn, writes } = await written(new Response("hello", { headers: { "x-a": "1" } }));
  assert.equal(goesOn, true);
  assert.equal(writes.length, 1);
  assert.match(
    writes[0] ?? "",
    /^HTTP\/1\.1 200 OK\r\n[^]*x-a: 1\r\n[^]*content-length: 5\r\nconnection: keep-alive\r\n\r\nhello$/,
  );
});

Deno.test("no body and an empty one have the length 0", async () => {
  for (const response of [new Response(null), new Response(""), new Response(pieces())]) {
    const { goesOn, writes } = await written(response);
    assert.equal(goesOn, true);
    assert.match(writes.join(""), /\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n$/);
  }
});

Deno.test("a body that comes later is chunked, and empty pieces do not end it", async () => {
  const { goesOn, writes } = await written(new Response(pieces("one", "", "three")));
  assert.equal(goesOn, true);
  assert.match(
    writes.join(""),
    /transfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\n\r\n$/,
  );
  assert.doesNotMatch(writes.join(""), /content-length/);
});

Deno.test("a first piece that is empty does not end a chunked body", async () => {
  const { writes } = await written(new Response(pieces("", "later")));
  assert.match(writes.join(""), /\r\n\r\n5\r\nlater\r\n0\r\n\r\n$/);
});

Deno.test("HTTP/1.0 gets a body of unknown length as it is, and then the end", async () => {
  const { goesOn, writes } = await written(new Response(pieces("one", "two")), { version: "1.0" });
  assert.equal(goesOn, false);
  assert.match(writes.join(""), /\r\nconnection: close\r\n\r\nonetwo$/);
  const known = await written(new Response("known"), { version: "1.0" });
  assert.equal(known.goesOn, true);
  assert.match(known.writes.join(""), /content-length: 5\r\n/);
});

Deno.test("an answer to HEAD says no length, as nobody knows it, and its body is not made", async () => {
  let cancelled = false;
  const body = new ReadableStream({
    cancel: () => {
      cancelled = true;
    },
  });
  for (const response of [new Response(body), new Response(null), new Response("ten bytes!")]) {
    const { goesOn, writes } = await written(response, { method: "HEAD" });
    assert.equal(goesOn, true);
    assert.match(writes.join(""), /^HTTP\/1\.1 200 OK\r\n[^]*connection: keep-alive\r\n\r\n$/);
    assert.doesNotMatch(writes.join(""), /content-length|transfer-encoding/);
  }
  assert.equal(cancelled, true);
});

Deno.test("statuses without a body have none", async () => {
  for (const status of [204, 304]) {
    const { writes } = await written(new Response(null, { status }));
    assert.match(writes.join(""), new RegExp(`^HTTP/1\\.1 ${status} [^]*\\r\\n\\r\\n$`));
    assert.doesNotMatch(writes.join(""), /content-length|transfer-encoding/);
  }
});

Deno.test("fields of the connection are not the route's to set", async () => {
  const headers = { "content-length": "3", "transfer-encoding": "gzip", connection: "upgrade" };
  const { writes } = await written(new Response("hello", { headers }), { keepAlive: false });
  const fields = writes.join("").split("\r\n").slice(1);
  assert.deepEqual(
    fields.filter((field) => /^(content-length|transfer|connection)/.test(field)),
    ["content-length: 5", "connection: close"],
  );
});

Deno.test("a write that fails gives the body up", async () => {
  let cancelled: unknown;
  const body = new ReadableStream({
    start: (to) => to.enqueue(new Uint8Array([1])),
    cancel: (reason) => {
      cancelled = reason;
    },
  });
  const fault = new Error("gone");
  await assert.rejects(
    writeResponse(new Response(body), {
      request: { method: "GET", version: "1.1" },
      keepAlive: true,
      write: () => Promise.reject(fault),
      closed: NEVER,
    }),
    fault,
  );
  assert.equal(cancelled, fault);
});

Deno.test("a body that is waited for is given up when the connection is closed", async () => {
  let cancelled = false;
  const body = new ReadableStream({
    start: (to) => to.enqueue(new Uint8Array([1])),
    cancel: () => {
      cancelled = true;
    },
  });
  const closed = Promise.withResolvers<void>();
  const writes: string[] = [];
  const writing = writeResponse(new Response(body), {
    request: { method: "GET", version: "1.1" },
    keepAlive: true,
    write: (bytes) => {
      writes.push(textOf(bytes));
      return Promise.resolve();
    },
    closed: closed.promise,
  });
  await eventually(() => writes.length === 1, "the head");
  closed.resolve();
  await writing;
  assert.equal(cancelled, true);
});

Deno.test("a body that is not of bytes is a defect, and ends within the answer", async () => {
  const body = ReadableStream.from([1, 2]);
  await assert.rejects(written(new Response(Object(body))));
});
