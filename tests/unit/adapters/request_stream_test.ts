import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import type { Serve } from "../../../src/core/serve.ts";
import { eventually, within } from "../../support/deadline.ts";
import { textOf } from "../../support/http_delivery.ts";
import { settle } from "../../support/manual_clock.ts";
import { HANDSHAKE } from "../../support/raw_peer.ts";
import { PATIENT, RequestStage } from "../../support/request_stage.ts";

const GET = "GET /a HTTP/1.1\r\nHost: a\r\n";
const POST = "POST /a HTTP/1.1\r\nHost: a\r\n";

/** Answers with the method and the body. */
const mirror: Serve = async (request) =>
  new Response(`${request.method} ${new URL(request.url).pathname} ${await request.text()}.`);

/** Answers without a look at the body. */
const deaf: Serve = ({ method }) => new Response(`${method}.`);

Deno.test("a head may come in any split, and what follows it is the next", async () => {
  const text =
    `${POST}Content-Length: 5\r\n\r\nfirst${GET}\r\n${POST}Transfer-Encoding: chunked\r\n` +
    "\r\n3\r\nthi\r\n2\r\nrd\r\n0\r\n\r\n";
  for (const size of [1, 2, 5, 50, text.length]) {
    await using stage = new RequestStage(mirror);
    for (let at = 0; at < text.length; at += size) stage.send(text.slice(at, at + size));
    await eventually(() => stage.got.match(/HTTP\/1\.1 200/g)?.length === 3, "three answers");
    const bodies = stage.got.match(/(GET|POST) .*?\./g);
    assert.deepEqual(bodies, ["POST /a first.", "GET /a .", "POST /a third."], `pieces of ${size}`);
    assert.equal(stage.heads, 3);
  }
});

Deno.test("one request is served at a time", async () => {
  const answers: ((response: Response) => void)[] = [];
  await using stage = new RequestStage(() => new Promise((resolve) => answers.push(resolve)));
  stage.send(`${GET}\r\n${GET}\r\n${GET}\r\n`);
  for (let at = 1; at <= 3; at++) {
    await eventually(() => answers.length === at, "a request");
    await settle();
    assert.equal(answers.length, at);
    answers.at(-1)?.(new Response(`answer ${at}`));
    await eventually(() => stage.got.includes(`answer ${at}`), "its answer");
  }
});

Deno.test("a refused head is answered, what follows it is not served, and the end follows", async () => {
  for (
    const head of [
      "GET  / HTTP/1.1\r\n\r\n",
      `${GET}Content-Length: x\r\n\r\n`,
      `${GET}a : b\r\n\r\n`,
    ]
  ) {
    await using stage = new RequestStage(mirror);
    stage.send(`${head}${GET}\r\n`);
    await eventually(() => stage.stream.finished, "the end of the answer");
    assert.match(stage.got, /^HTTP\/1\.1 400 [^]*\r\nconnection: close\r\n/);
    assert.equal(stage.heads, 0);
    stage.send(`${GET}\r\n`);
    stage.stream.feed(null);
    await stage.over();
    assert.equal(stage.got.match(/HTTP\/1\.1 \d/g)?.length, 1);
    assert.equal(stage.stream.closed, true);
  }
});

const HTTP_10: readonly [what: string, head: string, connection: RegExp][] = [
  ["ends with its answer", "GET /a HTTP/1.0\r\n\r\n", /connection: close\r\n/],
  [
    "goes on where it asks for it",
    "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    /connection: keep-alive\r\n/,
  ],
];

for (const [what, head, connection] of HTTP_10) {
  Deno.test(`a connection of HTTP/1.0 ${what}`, async () => {
    await using stage = new RequestStage(mirror);
    stage.send(head);
    await eventually(() => stage.got.endsWith("GET /a ."), "the answer");
    assert.match(stage.got, connection);
    await settle();
    assert.equal(stage.stream.finished, what.startsWith("ends"));
  });
}

Deno.test("a body without a known length is chunked, or for HTTP/1.0 ends with its connection", async () => {
  const pieces = ["one", "two", "three"];
  const serve: Serve = () =>
    new Response(ReadableStream.from((async function* () {
      for (const piece of pieces) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        yield new TextEncoder().encode(piece);
      }
    })()));
  await using modern = new RequestStage(serve);
  modern.send(`${GET}\r\n`);
  await eventually(() => modern.got.endsWith("0\r\n\r\n"), "the end of the body");
  assert.match(modern.got, /\r\n\r\n3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n$/);
  assert.equal(modern.stream.finished, false);
  await using old = new RequestStage(serve);
  old.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  await eventually(() => old.stream.finished, "the end");
  assert.match(old.got, /connection: close\r\n\r\nonetwothree$/);
  assert.doesNotMatch(old.got, /transfer-encoding|content-length/);
});

Deno.test("an answer is made no faster than its client reads", async () => {
  let made = 0;
  const serve: Serve = () =>
    new Response(
      new ReadableStream({
        async pull(to) {
          await new Promise((resolve) => setTimeout(resolve, 0));
          to.enqueue(new Uint8Array(10_000));
          if (++made === 50) to.close();
        },
      }, { highWaterMark: 0 }),
    );
  await using stage = new RequestStage(serve);
  stage.stream.stuck = true;
  stage.send(`${GET}\r\n`);
  await eventually(() => made > 0, "the first piece");
  const before = made;
  for (let at = 0; at < 20; at++) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.ok(made <= before + 2, `${made} pieces were made for nobody`);
  stage.stream.loosen();
  await eventually(() => stage.got.endsWith("\r\n0\r\n\r\n"), "the end of the body");
  assert.equal(made, 50);
});

Deno.test("a route's stream that fails ends its connection within the body", async () => {
  const serve: Serve = () =>
    new Response(ReadableStream.from((async function* () {
      yield new TextEncoder().encode("begun");
      await new Promise((resolve) => setTimeout(resolve, 2));
      throw new Error("defect");
    })()));
  await using stage = new RequestStage(serve);
  stage.send(`${GET}\r\n${GET}\r\n`);
  await stage.over();
  assert.match(stage.got, /\r\n5\r\nbegun\r\n$/);
  assert.equal(stage.stream.closed, true);
});

Deno.test("a body beyond the bound is refused with 413, announced or not, read or not", async () => {
  const chunked = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
  const long = "x".repeat(1_001);
  for (
    const [serve, text] of [
      [mirror, `${POST}Content-Length: 1001\r\n\r\n`],
      [deaf, `${POST}Content-Length: 1001\r\n\r\n`],
      [mirror, `${POST}Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n`],
      [mirror, `${chunked}3e9\r\n${long}\r\n0\r\n\r\n`],
      [mirror, `${chunked}3e8\r\n${long.slice(1)}\r\n1\r\nx\r\n0\r\n\r\n`],
    ] as const
  ) {
    await using stage = new RequestStage(serve);
    stage.send(text);
    await eventually(() => stage.stream.finished, "the answer");
    assert.match(stage.got, /^HTTP\/1\.1 413 [^]*connection: close/);
    assert.deepEqual(stage.failures, [], "what a client does is no failure of the listener");
  }
});

Deno.test("a body whose framing is wrong is refused with 400", async () => {
  for (const body of ["x\r\n", "3\r\nabcX", "-1\r\n", "3\nabc\r\n", "0\r\n\0: x\r\n\r\n"]) {
    await using stage = new RequestStage(mirror);
    stage.send(`${POST}Transfer-Encoding: chunked\r\n\r\n${body}${GET}\r\n`);
    await eventually(() => stage.stream.finished, "the answer");
    assert.match(stage.got, /^HTTP\/1\.1 400 /, JSON.stringify(body));
    assert.equal(stage.got.match(/HTTP\/1\.1 \d/g)?.length, 1);
    assert.deepEqual(stage.failures, []);
  }
});

Deno.test("a client that leaves within its body is no failure of the listener", async () => {
  await using stage = new RequestStage(mirror);
  stage.send(`${POST}Content-Length: 10\r\n\r\nhalf`);
  stage.stream.feed(null);
  await stage.over();
  assert.deepEqual(stage.failures, []);
  assert.doesNotMatch(stage.got, /200/);
});

Deno.test("a client that expects to be told goes on only when its body is wanted", async () => {
  const expecting = `${POST}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n`;
  await using wanted = new RequestStage(mirror);
  wanted.send(expecting);
  await eventually(() => wanted.got === "HTTP/1.1 100 Continue\r\n\r\n", "100");
  wanted.send("body");
  await eventually(() => wanted.got.endsWith("POST /a body."), "the answer");
  assert.equal(wanted.got.match(/100 Continue/g)?.length, 1);
  await using unwanted = new RequestStage(deaf);
  unwanted.send(expecting);
  await eventually(() => unwanted.stream.finished, "the answer");
  assert.match(unwanted.got, /^HTTP\/1\.1 200 [^]*connection: close/);
  await using other = new RequestStage(mirror);
  other.send(`${POST}Content-Length: 4\r\nExpect: a-miracle\r\n\r\n`);
  await eventually(() => other.stream.finished, "the answer");
  assert.match(other.got, /^HTTP\/1\.1 417 /);
});

Deno.test("a request whose body was not read is the last of its connection", async () => {
  await using stage = new RequestStage(deaf);
  stage.send(`${POST}Content-Length: 60\r\n\r\n${GET}\r\n`.padEnd(200, "x"), `${GET}\r\n`);
  await eventually(() => stage.stream.finished, "the answer");
  stage.stream.feed(null);
  await stage.over();
  assert.match(stage.got, /connection: close\r\n\r\nPOST\.$/);
  assert.equal(stage.heads, 1);
});

Deno.test("what an answer says of its connection holds, though the body comes whole later", async () => {
  // The answer is the request, while that is still coming.
  await using stage = new RequestStage((request) => new Response(request.body));
  stage.send(`${POST}Content-Length: 8\r\n\r\nhalf`);
  await eventually(() => stage.got.includes("half"), "the first half");
  stage.send(`done${GET}\r\n`);
  await eventually(() => stage.stream.finished, "the end");
  assert.match(stage.got, /connection: close\r\n[^]*done[^]*0\r\n\r\n$/);
  assert.equal(stage.heads, 1);
});

Deno.test("a GET with a body is served without it, and is the last of its connection", async () => {
  await using stage = new RequestStage((request) =>
    new Response(`${request.body === null ? "none" : "some"}.`)
  );
  stage.send(`${GET}Content-Length: 4\r\n\r\nbody${GET}\r\n`);
  await eventually(() => stage.stream.finished, "the answer");
  assert.match(stage.got, /connection: close\r\n\r\nnone\.$/);
});

const WAITS: readonly [what: string, sends: readonly string[], serve: Serve][] = [
  ["says nothing", [], mirror],
  ["sends half a head", [GET], mirror],
  ["says nothing after an answer", [`${GET}\r\n`], mirror],
  ["sends half a head after an answer", [`${GET}\r\n${GET}`], mirror],
  ["sends half a body", [`${POST}Content-Length: 10\r\n\r\nhalf`], mirror],
  ["expects to be told to go on, and does not", [
    `${POST}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n`,
  ], mirror],
  ["sends no end of a body that nobody reads", [`${POST}Content-Length: 10\r\n\r\nhalf`], deaf],
  ["does not leave after a refusal", ["nonsense\r\n\r\n"], mirror],
];

for (const [what, sends, serve] of WAITS) {
  Deno.test(`a client that ${what} is waited for, and then dropped`, async () => {
    const times = { head: 60, keepAlive: 50, stall: 60, linger: 60 };
    await using stage = new RequestStage(serve, { times });
    stage.send(...sends);
    const start = performance.now();
    await within(stage.over(), "the end", 5_000);
    assert.ok(performance.now() - start >= 40);
    assert.equal(stage.stream.closed, true);
    assert.deepEqual(stage.failures, []);
  });
}

Deno.test("a head has its time in all, however often a byte of it comes", async () => {
  await using stage = new RequestStage(mirror, { times: { ...PATIENT, head: 80 } });
  const drip = setInterval(() => stage.send("x"), 5);
  try {
    stage.send("GET /");
    await within(stage.over(), "the end", 5_000);
    assert.equal(stage.stream.closed, true);
  } finally {
    clearInterval(drip);
  }
});

Deno.test("what came while the process stood still is served, though its time is over", async () => {
  await using stage = new RequestStage(mirror, { times: { ...PATIENT, head: 100 } });
  const standsUntil = performance.now() + 2_200;
  while (performance.now() < standsUntil);
  // Behind the timers, as a network's bytes are.
  setImmediate(() => stage.send(`${GET}\r\n`));
  await eventually(() => stage.got.includes("GET /a ."), "the answer");
});

Deno.test("a client that does not read its answer is dropped", async () => {
  const serve: Serve = () => new Response("x".repeat(100_000));
  await using stage = new RequestStage(serve, { times: { ...PATIENT, stall: 60 } });
  stage.stream.stuck = true;
  stage.send(`${GET}\r\n`);
  await within(stage.over(), "the end", 5_000);
  assert.equal(stage.stream.closed, true);
});

Deno.test("a route has all the time that it wants", async () => {
  const times = { head: 20, keepAlive: 21, stall: 20, linger: 20 };
  const serve: Serve = async () => {
    await new Promise((resolve) => setTimeout(resolve, 120));
    return new Response("late");
  };
  await using stage = new RequestStage(serve, { times });
  stage.send(`${GET}\r\n`);
  await eventually(() => stage.got.endsWith("late"), "the answer");
});

Deno.test("closed from outside it is over at once, though a route still thinks", async () => {
  const answer = Promise.withResolvers<Response>();
  await using stage = new RequestStage(() => answer.promise);
  stage.send(`${GET}\r\n`);
  await settle();
  stage.requests.close();
  assert.equal(await within(stage.over(), "the end", 1_000), undefined);
  answer.resolve(new Response("too late"));
  await settle();
  assert.equal(stage.got, "");
});

Deno.test("closed from outside it gives up an answer that is never made whole", async () => {
  let cancelled = false;
  const serve: Serve = () =>
    new Response(
      new ReadableStream({
        start: (to) => to.enqueue(new Uint8Array([0x61])),
        cancel: () => {
          cancelled = true;
        },
      }),
    );
  await using stage = new RequestStage(serve);
  stage.send(`${GET}\r\n`);
  await eventually(() => stage.got.endsWith("1\r\na\r\n"), "the first piece");
  stage.requests.close();
  await within(stage.over(), "the end", 1_000);
  await eventually(() => cancelled, "the stream to be cancelled");
});

Deno.test("finishing lets a request be answered and takes no other", async () => {
  const answer = Promise.withResolvers<Response>();
  await using stage = new RequestStage(() => answer.promise);
  stage.send(`${GET}\r\n${GET}\r\n`);
  await eventually(() => stage.heads === 1, "a request");
  stage.requests.finish();
  answer.resolve(new Response("last"));
  await eventually(() => stage.stream.finished, "the end");
  assert.match(stage.got, /connection: close\r\n\r\nlast$/);
  assert.equal(stage.heads, 1);
  await using idle = new RequestStage(mirror);
  await settle();
  idle.requests.finish();
  await within(idle.over(), "the end of an idle one", 1_000);
});

Deno.test("an upgrade is answered and handed on, with what came behind its head", async () => {
  const serve: Serve = (request, arrival) => {
    assert.equal(arrival.remoteAddress, "192.0.2.1");
    return arrival.upgrade?.(() => {}, { protocol: request.headers.get("x-want") ?? undefined }) ??
      new Response("none");
  };
  await using stage = new RequestStage(serve);
  stage.send(`${GET}\r\n${GET}${HANDSHAKE}X-Want: v1\r\n\r\nfirst bytes`);
  const upgraded = await stage.over();
  assert.equal(upgraded?.protocol, "v1");
  assert.equal(textOf(upgraded.rest), "first bytes");
  assert.equal(stage.stream.closed, false, "the connection is the caller's");
  assert.match(
    stage.got,
    /none(HTTP\/1\.1 101 [^]*sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\nsec-websocket-protocol: v1\r\n\r\n)$/,
  );
});

Deno.test("a route that accepts an upgrade and answers something else has refused it", async () => {
  await using stage = new RequestStage((_request, { upgrade }) => {
    upgrade?.(() => assert.fail("not accepted"));
    return new Response("on second thoughts", { status: 403 });
  });
  stage.send(`${GET}${HANDSHAKE}\r\n${GET}\r\n`);
  await eventually(() => stage.got.match(/403 Forbidden/g)?.length === 2, "two refusals");
});

Deno.test("a handshake that is wrong never reaches a route", async () => {
  for (
    const [field, status] of [
      ["Sec-WebSocket-Version: 8", 400],
      ["Sec-WebSocket-Key: AAAA", 400],
      ["Content-Length: 3", 400],
    ] as const
  ) {
    await using stage = new RequestStage(() => assert.fail("served"));
    stage.send(`${GET}${HANDSHAKE}${field}\r\n\r\n`);
    await eventually(() => stage.stream.finished, "the answer");
    assert.ok(
      stage.got.startsWith(`HTTP/1.1 ${status} `) || stage.got.startsWith("HTTP/1.1 426 "),
      field,
    );
  }
});

Deno.test("an answer that went out, and the next request, abort no signal", async () => {
  const signals: AbortSignal[] = [];
  await using stage = new RequestStage(async (request) => {
    signals.push(request.signal);
    return new Response(await request.text());
  });
  stage.send(`${GET}\r\n`);
  await eventually(() => stage.got.includes("200"), "the first answer");
  stage.send(`${POST}Content-Length: 2\r\n\r\nhi${GET}\r\n`);
  await eventually(() => stage.got.match(/200/g)?.length === 3, "the others");
  stage.requests.close();
  await stage.over();
  assert.deepEqual(signals.map(({ aborted }) => aborted), [false, false, false]);
});

Deno.test("a client that ends its own side has its signal aborted, and gets what the route answers", async () => {
  const go = Promise.withResolvers<void>();
  await using stage = new RequestStage(async ({ signal }) => {
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    }
    await go.promise;
    return new Response("all the same");
  });
  stage.send(`${GET}\r\n`);
  await eventually(() => stage.heads === 1, "the request");
  stage.stream.feed(null);
  await settle();
  go.resolve();
  await stage.over();
  assert.match(stage.got, /^HTTP\/1\.1 200 [^]*all the same$/);
});

Deno.test("a client that leaves within its body has its signal aborted", async () => {
  const left = Promise.withResolvers<void>();
  await using stage = new RequestStage(async (request) => {
    request.signal.addEventListener("abort", () => left.resolve());
    return new Response(await request.text());
  });
  stage.send(`${POST}Content-Length: 3\r\n\r\nhi`);
  await eventually(() => stage.heads === 1, "the request");
  stage.stream.feed(null);
  await within(left.promise, "the end of the signal");
  await stage.over();
  assert.deepEqual(stage.failures, []);
});

Deno.test("a route that gives up with its signal has no defect", async () => {
  await using stage = new RequestStage(({ signal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
  );
  stage.send(`${GET}\r\n`);
  await eventually(() => stage.heads === 1, "the request");
  stage.requests.close();
  await stage.over();
  await settle();
  assert.deepEqual(stage.failures, []);
});

Deno.test("a connection waits but while a request is served", async () => {
  const answer = Promise.withResolvers<Response>();
  await using stage = new RequestStage(() => answer.promise);
  const { requests } = stage;
  const began = requests.waitingSince;
  assert.ok(began !== undefined);
  stage.send(GET);
  await settle();
  assert.equal(requests.waitingSince, began, "half a head is waited for as long as the whole");
  stage.send("\r\n");
  await eventually(() => stage.heads === 1, "the request");
  assert.equal(requests.waitingSince, undefined);
  answer.resolve(new Response(null));
  await eventually(() => requests.waitingSince !== undefined, "the end of the answer");
  assert.ok((requests.waitingSince ?? 0) >= began);
});
