import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_HEAD_FIELDS } from "../../src/core/http_head_scanner.ts";
import {
  chunk,
  CHUNK_END,
  refusalResponse,
  responseHead,
  switchingProtocols,
} from "../../src/core/http_response.ts";
import {
  bytesOf,
  cutAt,
  type HeadOutcome,
  readBody,
  readHead,
  textOf,
} from "../support/http_delivery.ts";

const RUNS = 2_000;

const TOKEN_CHARS = "!#$%&'*+-.^_`|~09azAZ";
const FIELD_LINE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+: ?[\t\x20-\x7e\x80-\xff]*$/;

/** One head by the letter of its grammar, lines ends included. */
const HEAD =
  /^(?:\r\n){0,2}[!#$%&'*+\-.^_`|~0-9A-Z]+ [!-"$-~]+ HTTP\/1\.[01]\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n$/;

const places = fc.array(fc.nat(), { maxLength: 8 });
const latin1 = fc.integer({ min: 0, max: 0xff }).map((code) => String.fromCharCode(code));
const anyBytes = fc.string({ unit: latin1, maxLength: 200 });

const token = fc.string({
  unit: fc.constantFrom(...TOKEN_CHARS),
  minLength: 1,
  maxLength: 12,
});

const value = fc.string({ unit: latin1, maxLength: 30 })
  .map((text) => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, "").replace(/^[\t ]+|[\t ]+$/g, ""));

/** Names that decide on nothing, and some that objects inherit. */
const name = fc.oneof(
  token.map((text) => `x-${text}`),
  fc.constantFrom("__proto__", "constructor", "toString", "Cookie", "Set-Cookie", "Origin"),
);

const target = fc.string({
  unit: fc.constantFrom(..."/a%?&=;.:@-_~!'()*+,$[]{}|\"<>"),
  maxLength: 40,
})
  .map((text) => `/${text}`);

/** Pieces of heads: put together at random they nearly are some. */
const headPieces = fc.constantFrom(
  "GET ",
  "POST ",
  "GET / HTTP/1.1\r\n",
  "POST /a?b HTTP/1.1\r\n",
  "GET http://a/ HTTP/1.0\r\n",
  " HTTP/2.0\r\n",
  "Host: a\r\n",
  "Host: b\r\n",
  "host:a:1\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 05, 5\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: x, chunked\r\n",
  "Connection: Upgrade\r\n",
  "Upgrade: websocket\r\n",
  "Sec-WebSocket-Version: 13\r\n",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
  "Sec-WebSocket-Protocol: a, b\r\n",
  "Expect: 100-continue\r\n",
  "X-A: b\r\n",
  " folded\r\n",
  "no colon\r\n",
  "\r\n",
  "\r\n",
  "\r",
  "\n",
  "\0",
  ":",
  " ",
  "\t",
  "\xe9",
  "x".repeat(300),
);

const nearHead = fc.oneof(
  anyBytes,
  fc.array(headPieces, { maxLength: 20 }).map((parts) => parts.join("")),
  // A request line, a host, and whatever: most of these have an end.
  fc.array(headPieces, { maxLength: 8 }).map((parts) =>
    `GET / HTTP/1.1\r\nHost: a\r\n${parts.join("")}\r\n`
  ),
);

const bodyPieces = fc.constantFrom(
  "0\r\n",
  "1\r\na\r\n",
  "5\r\nabcde\r\n",
  "0\r\n\r\n",
  "a;x=y\r\n",
  "ffffffff\r\n",
  "X: y\r\n",
  "\r\n",
  "\r",
  "\n",
  "0x1",
  "1_0",
  "+1",
  "2",
  " ",
  ";",
  "\0",
  "\xe9",
);

const nearBody = fc.oneof(
  anyBytes,
  fc.array(bodyPieces, { maxLength: 30 }).map((parts) => parts.join("")),
);

Deno.test("a head that was written is read back, cut anywhere, and what follows is left over", () => {
  const request = fc.record({
    method: token.map((text) => text.toUpperCase().slice(0, 20)),
    target: target,
    fields: fc.array(fc.tuple(name, value, fc.constantFrom("", " ", "\t \t")), {
      maxLength: MAX_HEAD_FIELDS - 1,
    }),
    rest: anyBytes,
    places,
  });
  fc.assert(
    fc.property(request, ({ method, target, fields, rest, places }) => {
      const lines = fields.map(([name, value, blank]) => `${name}:${blank}${value}${blank}\r\n`);
      const text = `${method} ${target} HTTP/1.1\r\nhost: a\r\n${lines.join("")}\r\n${rest}`;
      const result = readHead(cutAt(bytesOf(text), places));
      assert.ok(result.state === "head", JSON.stringify(result));
      const expected = new Headers({ host: "a" });
      for (const [name, value] of fields) expected.append(name, value);
      assert.deepEqual(result, {
        state: "head",
        head: {
          method,
          target,
          version: "1.1",
          headers: [...expected],
          body: { kind: "none" },
          keepAlive: true,
          upgrade: "none",
          expectContinue: false,
        },
        rest,
      });
    }),
    { numRuns: RUNS },
  );
});

function checkHead(text: string, result: HeadOutcome): void {
  if (result.state === "refused") {
    assert.ok(result.status >= 400 && result.status < 600);
    const [head = "", ...body] = textOf(refusalResponse(result)).split("\r\n\r\n");
    assert.equal(body.length, 1);
    const length = /^content-length: (\d+)$/m.exec(head.replaceAll("\r", ""))?.[1];
    assert.equal(Number(length), body[0]?.length);
  }
  if (result.state !== "head") return;
  const read = text.slice(0, text.length - result.rest.length);
  assert.match(read, HEAD);
  assert.ok([...read.matchAll(/^(?:content-length|transfer-encoding):/gim)].length < 2);
  assert.ok([...read.matchAll(/^host:/gim)].length < 2);
  assert.match(result.head.target, /^\/[!-"$-~]*$/);
  // What the gateway makes of it cannot throw.
  const { pathname } = new URL(`http://gateway.invalid${result.head.target}`);
  assert.ok(pathname.startsWith("/"));
}

Deno.test("whatever bytes come, a head is one by its grammar or is refused, and no split changes that", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(nearHead, places, (text, places) => {
      const bytes = bytesOf(text);
      const whole = readHead([bytes]);
      seen.set(whole.state, (seen.get(whole.state) ?? 0) + 1);
      checkHead(text, whole);
      assert.deepEqual(readHead(cutAt(bytes, places)), whole);
    }),
    { numRuns: RUNS * 3 },
  );
  for (const state of ["head", "more", "refused"]) assert.ok((seen.get(state) ?? 0) > 50, state);
});

Deno.test("small bounds hold for whatever comes, in every split", () => {
  const limits = { headBytes: 64, fields: 2, targetBytes: 8 };
  fc.assert(
    fc.property(nearHead, places, (text, places) => {
      const bytes = bytesOf(text);
      const whole = readHead([bytes], limits);
      assert.ok(whole.state !== "more" || bytes.length < limits.headBytes);
      if (whole.state === "head") {
        assert.ok(text.length - whole.rest.length <= limits.headBytes);
        assert.ok(whole.head.headers.length <= limits.fields);
      }
      assert.deepEqual(readHead(cutAt(bytes, places), limits), whole);
    }),
    { numRuns: RUNS },
  );
});

Deno.test("a chunked body that was written is read back, cut anywhere", () => {
  const part = fc.string({ unit: latin1, maxLength: 40 });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 20 }), anyBytes, places, (parts, rest, places) => {
      const framed = [
        ...parts.map((text) => textOf(chunk(bytesOf(text)))),
        textOf(CHUNK_END),
        rest,
      ];
      const pieces = cutAt(bytesOf(framed.join("")), places);
      const result = readBody(pieces, { body: { kind: "chunked" }, maxBytes: 800 });
      assert.deepEqual(result, { state: "data", data: parts.join(""), done: true, rest });
    }),
    { numRuns: RUNS },
  );
});

Deno.test("a body of a known length is read back, cut anywhere", () => {
  fc.assert(
    fc.property(anyBytes, fc.nat(250), places, (text, bytes, places) => {
      const result = readBody(cutAt(bytesOf(text), places), {
        body: { kind: "length", bytes },
        maxBytes: 250,
      });
      assert.deepEqual(result, {
        state: "data",
        data: text.slice(0, bytes),
        done: text.length >= bytes,
        rest: text.slice(bytes),
      });
    }),
    { numRuns: RUNS },
  );
});

Deno.test("whatever chunks come, no split changes what they are, and the bound holds", () => {
  const options = { body: { kind: "chunked" }, maxBytes: 40 } as const;
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(nearBody, places, (text, places) => {
      const bytes = bytesOf(text);
      const whole = readBody([bytes], options);
      assert.deepEqual(readBody(cutAt(bytes, places), options), whole);
      seen.set(whole.state, (seen.get(whole.state) ?? 0) + 1);
      if (whole.state === "data") assert.ok(whole.data.length <= options.maxBytes);
    }),
    { numRuns: RUNS },
  );
  for (const state of ["data", "refused"]) assert.ok((seen.get(state) ?? 0) > 50, state);
});

Deno.test("no answer has a line that the gateway did not write, whatever the application sets", () => {
  const wild = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.array(fc.constantFrom("\r\n", "\n", "\0", ":", " ", "x", "é", "€"), { maxLength: 8 })
      .map((parts) => parts.join("")),
  );
  const names = fc.oneof(wild, name, fc.constantFrom("Connection", "TRANSFER-ENCODING", "Upgrade"));
  const answer = fc.record({
    status: fc.oneof(fc.integer({ min: 100, max: 700 }), fc.double()),
    statusText: wild,
    headers: fc.array(fc.tuple(names, wild), { maxLength: 8 }),
    keepAlive: fc.boolean(),
    date: wild,
  });
  fc.assert(
    fc.property(answer, wild, (options, protocol) => {
      const body = { kind: "chunked" } as const;
      const written = [
        responseHead({ ...options, body }),
        switchingProtocols({ accept: "x", protocol }),
      ];
      for (const bytes of written) {
        const lines = textOf(bytes).split("\r\n");
        assert.deepEqual(lines.splice(-2), ["", ""]);
        assert.match(lines.shift() ?? "", /^HTTP\/1\.1 [1-5][0-9][0-9] [\t\x20-\x7e\x80-\xff]*$/);
        for (const line of lines) assert.match(line, FIELD_LINE);
        for (const own of ["connection", "transfer-encoding", "upgrade", "content-length"]) {
          assert.ok(lines.filter((line) => line.toLowerCase().startsWith(`${own}:`)).length < 2);
        }
        assert.ok(lines.length <= options.headers.length + 4);
      }
    }),
    { numRuns: RUNS },
  );
});
