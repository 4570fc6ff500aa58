/** What every adapter of `ports/listener.ts` must do with HTTP. */

import assert from "node:assert/strict";
import type { Arrival, Serve } from "../../../src/core/serve.ts";
import { ListenError } from "../../../src/ports/listener.ts";
import { within } from "../../support/deadline.ts";
import { LOOPBACK_TLS } from "../../support/loopback_certificate.ts";
import { exchange, RawPeer } from "../../support/raw_peer.ts";
import {
  type ListenerUnderTest,
  MAX_BODY_BYTES,
  type Stage,
  withListener,
} from "./listener_stage.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n";

/** Answers with what was asked. */
const mirror: Serve = async (request, { remoteAddress, secure, upgrade }) => {
  const { pathname, search } = new URL(request.url);
  const body = await request.text();
  const { method, headers } = request;
  return Response.json(
    {
      method,
      pathname,
      search,
      headers: [...headers],
      body: body.length < 100 ? body : body.length,
      remoteAddress,
      secure,
      asks: upgrade !== undefined,
    },
    { status: pathname === "/missing" ? 404 : 200 },
  );
};

/** Registers the suite's tests for one adapter. */
export function testHttp({ name, listen, differences }: ListenerUnderTest): void {
  const test = (what: string, serve: Serve, run: (stage: Stage) => Promise<void>): void => {
    Deno.test(`${name}: ${what}`, () => withListener(listen, { serve }, run));
  };

  test(
    "a route sees method, path, query, peer and what the request asks",
    mirror,
    async (stage) => {
      const rows = [
        ["GET", "/", ""],
        ["DELETE", "/a/b%2Fc/%C3%BC", "?x=1&y=%00&z=a+b"],
        ["OPTIONS", "/missing", ""],
        ["PURGE", "/a", "?"],
        ["PATCH", "//double//slash", "?a?b"],
      ] as const;
      for (const [method, path, query] of rows) {
        const response = await fetch(`${stage.url}${path}${query}`, { method });
        assert.equal(response.status, path === "/missing" ? 404 : 200);
        const seen = await response.json();
        assert.deepEqual(
          { ...seen, headers: undefined },
          {
            method,
            pathname: path,
            search: query === "?" ? "" : query,
            headers: undefined,
            body: "",
            remoteAddress: "127.0.0.1",
            secure: false,
            asks: false,
          },
        );
      }
    },
  );

  test(
    "headers arrive as they were sent, those of objects' own machinery too",
    mirror,
    async (stage) => {
      const names = [
        "constructor",
        "__proto__",
        "toString",
        "hasOwnProperty",
        "length",
        "prototype",
      ];
      const fields = [
        ...names.map((each) => `${each}: x`),
        "X-Twice: one",
        "x-tWICE: two",
        "X-Empty:",
        "X-Blank: \t inner  blanks \t",
        "X-Latin: caf\xe9",
      ];
      const answer = await exchange(
        stage.port,
        `${GET}${fields.join("\r\n")}\r\nConnection: close\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1\.1 200 /);
      const { headers } = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));
      const seen = new Map<string, string>(headers);
      for (const each of names) assert.equal(seen.get(each.toLowerCase()), "x", each);
      assert.equal(seen.get("x-twice"), "one, two");
      assert.equal(seen.get("x-empty"), "");
      assert.equal(seen.get("x-blank"), "inner  blanks");
      assert.ok(seen.get("x-latin")?.startsWith("caf"));
      assert.deepEqual(stage.failures, []);
    },
  );

  test(
    "a body comes with a length, in chunks, streamed, or not at all",
    mirror,
    async ({ url, port }) => {
      const put = async (body: BodyInit | null) =>
        (await (await fetch(url, { method: "POST", body })).json()).body;
      assert.equal(await put("hello"), "hello");
      assert.equal(await put(""), "");
      assert.equal(await put(null), "");
      assert.equal(await put("x".repeat(150_000)), 150_000);
      const pieces = ReadableStream.from((async function* () {
        for (let at = 0; at < 50; at++) {
          await Promise.resolve();
          yield new TextEncoder().encode("y".repeat(1_000));
        }
      })());
      assert.equal(await put(pieces), 50_000);
      const chunked = await exchange(
        port,
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" +
          "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n",
      );
      assert.match(chunked, /"body":"hello world"/);
    },
  );

  test(
    "an answer's status, headers and body come down, in one piece or as they are made",
    (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/none") return new Response(null, { status: 204 });
      if (pathname === "/empty") return new Response("");
      if (pathname === "/large") return new Response("z".repeat(3_000_000));
      if (pathname === "/stream") {
        return new Response(ReadableStream.from((async function* () {
          for (const word of ["one ", "", "two ", "three"]) {
            await new Promise((resolve) => setTimeout(resolve, 5));
            yield new TextEncoder().encode(word);
          }
        })()));
      }
      const headers = new Headers([["x-a", "1"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]]);
      return new Response("teapot", { status: 418, headers });
    },
    async ({ url }) => {
      const teapot = await fetch(`${url}/`);
      assert.equal(teapot.status, 418);
      assert.equal(teapot.headers.get("x-a"), "1");
      assert.deepEqual(teapot.headers.getSetCookie(), ["a=1", "b=2"]);
      assert.equal(teapot.headers.get("content-length"), "6");
      const age = Date.now() - Date.parse(teapot.headers.get("date") ?? "");
      assert.ok(age >= 0 && age < 60_000, `answered ${age} ms ago`);
      assert.equal(await teapot.text(), "teapot");
      const none = await fetch(`${url}/none`);
      assert.deepEqual([none.status, await none.text()], [204, ""]);
      assert.equal(await (await fetch(`${url}/empty`)).text(), "");
      assert.equal((await (await fetch(`${url}/large`)).text()).length, 3_000_000);
      const stream = await fetch(`${url}/stream`);
      assert.equal(stream.headers.get("content-length"), null);
      assert.equal(await stream.text(), "one two three");
    },
  );

  test("a connection serves one request after another", mirror, async ({ port }) => {
    using peer = await RawPeer.open(port);
    for (let at = 0; at < 5; at++) {
      await peer.write(`POST /${at} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`);
      const head = await peer.head();
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
      assert.match(await peer.text(length), new RegExp(`"pathname":"/${at}".*"body":"abc"`));
    }
  });

  test(
    "requests that come together are answered in order",
    async (request) => {
      const { pathname } = new URL(request.url);
      // The first takes longest.
      const delay = 20 - 4 * Number(pathname.slice(1));
      await new Promise((resolve) => setTimeout(resolve, delay));
      return new Response(`<${pathname}${await request.text()}>`);
    },
    async ({ port }) => {
      using peer = await RawPeer.open(port);
      let all = "";
      for (let at = 0; at < 5; at++) {
        all += `POST /${at} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n` +
          `${at === 4 ? "Connection: close\r\n" : ""}\r\n:${at}`;
      }
      await peer.write(all);
      const answers = await peer.rest();
      assert.deepEqual(answers.match(/<.*?>/g), ["</0:0>", "</1:1>", "</2:2>", "</3:3>", "</4:4>"]);
    },
  );

  test(
    "an answer to HEAD is the head alone, and lies about no length",
    (request) =>
      new URL(request.url).pathname === "/null"
        ? new Response(null)
        : new Response("0123456789", { headers: { "x-a": "1" } }),
    async ({ port, url }) => {
      for (const path of ["/", "/null"]) {
        const response = await fetch(`${url}${path}`, { method: "HEAD" });
        assert.equal(response.status, 200);
        assert.equal(await response.text(), "");
      }
      using peer = await RawPeer.open(port);
      await peer.write("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + `${GET}Connection: close\r\n\r\n`);
      const head = await peer.head();
      assert.match(head, /^HTTP\/1\.1 200 [^]*x-a: 1\r\n/);
      // What GET would say, or nothing (RFC 9110, section 8.6).
      const said = /content-length: (\d+)/i.exec(head)?.[1];
      assert.ok(said === undefined || said === "10", `content-length: ${said}`);
      assert.match(await peer.rest(), /^HTTP\/1\.1 200 [^]*0123456789$/);
    },
  );

  test(
    "a route that throws costs its own request: 500, and it is told",
    (request) => {
      if (request.headers.has("x-defect")) throw new Error("defect");
      if (request.headers.has("x-later")) return Promise.reject(new Error("later"));
      return new Response("fine");
    },
    async ({ port, failures }) => {
      for (const [at, field] of ["x-defect", "x-later"].entries()) {
        const answer = await exchange(port, `${GET}${field}: 1\r\nConnection: close\r\n\r\n`);
        assert.match(answer, /^HTTP\/1\.1 500 /);
        assert.doesNotMatch(answer, /defect|later/);
        assert.equal(failures.length, at + 1);
      }
      assert.match(await exchange(port, `${GET}Connection: close\r\n\r\n`), /fine$/);
    },
  );

  test(
    "a body that a route does not read neither holds the answer up nor becomes a request",
    (request) => new Response(`${request.method} ${new URL(request.url).pathname}`),
    async ({ port }) => {
      using peer = await RawPeer.open(port);
      const body = `${GET}X-Smuggled: 1\r\n\r\n`;
      await peer.write(
        `POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
          "GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      );
      const answers = await peer.rest();
      const paths = answers.match(/(GET|POST) \/(first|second)?/g);
      assert.equal(paths?.[0], "POST /first");
      assert.ok(paths.length === 1 || (paths.length === 2 && paths[1] === "GET /second"), answers);
      const waiting = "POST /waiting HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nstart";
      using slow = await RawPeer.open(port);
      await slow.write(waiting);
      assert.match(await slow.head(), /^HTTP\/1\.1 200 /);
    },
  );

  test(
    "a client that waits for 100 Continue is told to go on when its body is wanted",
    mirror,
    async ({ port }) => {
      using peer = await RawPeer.open(port);
      await peer.write(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
      );
      assert.match(await peer.head(), /^HTTP\/1\.1 100 /);
      await peer.write("later");
      const head = await peer.head();
      assert.match(head, /^HTTP\/1\.1 200 /);
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
      assert.match(await peer.text(length), /"body":"later"/);
    },
  );

  test(
    `a body beyond the bound that a route reads is answered with ${differences.longBody}`,
    mirror,
    async ({ url, port }) => {
      const response = await fetch(url, { method: "POST", body: "x".repeat(MAX_BODY_BYTES + 1) });
      await response.body?.cancel();
      assert.equal(response.status, differences.longBody);
      const size = (MAX_BODY_BYTES + 1).toString(16);
      const chunked = await exchange(
        port,
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" +
          `${size}\r\n${"x".repeat(MAX_BODY_BYTES + 1)}\r\n0\r\n\r\n`,
      );
      assert.match(chunked, new RegExp(`^HTTP/1\\.1 ${differences.longBody} `));
      const fits = await fetch(url, { method: "POST", body: "x".repeat(MAX_BODY_BYTES) });
      assert.equal((await fits.json()).body, MAX_BODY_BYTES);
    },
  );

  test("a body of two lengths is refused", mirror, async ({ port }) => {
    const both = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n" +
      "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n";
    assert.match(await exchange(port, both), /^HTTP\/1\.1 400 /);
  });

  test(
    `a head whose lines end without CR is answered with ${differences.loneLineFeeds}`,
    mirror,
    async ({ port }) => {
      const answer = await exchange(port, "GET / HTTP/1.1\nHost: a\nConnection: close\n\n");
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${differences.loneLineFeeds} `));
    },
  );

  test("noise is answered with 4xx or the end, and others are served on", mirror, async (stage) => {
    for (const noise of ["\0\x01\x02\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\r\n"]) {
      using peer = await RawPeer.open(stage.port);
      await peer.write(noise);
      await peer.closeWrite();
      assert.match(await peer.rest(), /^($|HTTP\/1\.1 [45])/, JSON.stringify(noise));
    }
    assert.equal((await (await fetch(stage.url)).json()).method, "GET");
  });

  test("clients that leave at any point leave nothing behind", mirror, async ({ port, url }) => {
    const request = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n0123456789";
    for (let at = 0; at <= request.length; at += 7) {
      using peer = await RawPeer.open(port);
      await peer.write(request.slice(0, at));
    }
    const response = await fetch(url);
    await response.body?.cancel();
    assert.equal(response.status, 200);
  });

  Deno.test(`${name}: requests come over TLS, and are told to be secure`, async () => {
    await withListener(listen, { serve: mirror, tls: LOOPBACK_TLS }, async ({ port }) => {
      using client = Deno.createHttpClient({ caCerts: [LOOPBACK_TLS.cert] });
      const body = "over TLS".repeat(5_000);
      for (let at = 0; at < 3; at++) {
        const response = await fetch(`https://localhost:${port}/x?y`, {
          client,
          method: "POST",
          body,
        });
        const { pathname, secure, remoteAddress, body: length } = await response.json();
        assert.deepEqual(
          { pathname, secure, remoteAddress, length },
          { pathname: "/x", secure: true, remoteAddress: "127.0.0.1", length: body.length },
        );
      }
      // One that does not speak TLS gets nothing out of it.
      assert.doesNotMatch(await exchange(port, `${GET}\r\n`), /HTTP/);
    });
  });

  Deno.test(`${name}: port 0 is a free port, and a taken one is refused in words`, async () => {
    await withListener(listen, { serve: mirror }, async ({ port, failures }) => {
      assert.ok(port > 0);
      const options = { serve: mirror, maxMessageBytes: 1_000 };
      await rejects(
        listen({ ...options, hostname: "127.0.0.1", port }),
        "in-use",
        new RegExp(`^cannot listen on 127\\.0\\.0\\.1:${port}: another program has the port`),
      );
      // TEST-NET-1 (RFC 5737) is nobody's.
      await rejects(
        listen({ ...options, hostname: "192.0.2.1", port: 0 }),
        "not-available",
        /^cannot listen on 192\.0\.2\.1:0: this machine has no such address; .*--bind/,
      );
      await rejects(
        listen({ ...options, hostname: "no such host", port: 0 }),
        "other",
        /^cannot listen on no such host:0: /,
      );
      const broken = { cert: "no certificate", key: "no key" };
      await rejects(
        listen({ ...options, hostname: "127.0.0.1", port: 0, tls: broken }),
        "other",
        /^cannot listen on 127\.0\.0\.1:0: /,
      );
      assert.deepEqual(failures, []);
    });
  });

  Deno.test(`${name}: an address can be listened on again when its listener has stopped`, async () => {
    let port = 0;
    await withListener(listen, { serve: mirror }, async (stage) => {
      port = stage.port;
      const response = await fetch(stage.url);
      await response.body?.cancel();
      // A connection that is idle does not hold it up.
      await within(stage.stop(10_000), "a stop with an idle connection", 2_000);
      await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port }));
    });
    await withListener(listen, { serve: mirror, port }, async (stage) => {
      assert.equal(stage.port, port);
      assert.equal((await (await fetch(stage.url)).json()).method, "GET");
    });
  });

  for (
    const [what, rest] of [
      ["a request", "\r\n"],
      ["a request whose body was read", "Content-Length: 2\r\n\r\nhi"],
    ] as const
  ) {
    Deno.test(`${name}: the signal of ${what} is aborted when its client leaves`, async () => {
      const asked = Promise.withResolvers<void>();
      const aborted = Promise.withResolvers<void>();
      const serve: Serve = async (request) => {
        const { signal } = request;
        assert.equal(signal.aborted, false);
        signal.addEventListener("abort", () => aborted.resolve());
        await request.text();
        asked.resolve();
        await aborted.promise;
        return new Response("too late");
      };
      await withListener(listen, { serve }, async ({ port, failures }) => {
        const peer = await RawPeer.open(port);
        await peer.write(`POST / HTTP/1.1\r\nHost: a\r\n${rest}`);
        await asked.promise;
        peer[Symbol.dispose]();
        await within(aborted.promise, "the end of the signal", 5_000);
        assert.deepEqual(failures, []);
      });
    });
  }

  Deno.test(`${name}: a stop lets requests in progress finish within its grace`, async () => {
    const asked = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const serve: Serve = async () => {
      asked.resolve();
      await go.promise;
      return new Response("done");
    };
    await withListener(listen, { serve }, async ({ url, stop }) => {
      const response = fetch(url);
      await asked.promise;
      const stopped = stop(10_000);
      go.resolve();
      assert.equal(await (await response).text(), "done");
      await within(stopped, "the stop after the last answer", 2_000);
    });
  });

  Deno.test(`${name}: a stop drops requests that take longer than its grace`, async () => {
    const asked = Promise.withResolvers<Arrival>();
    const never = Promise.withResolvers<Response>();
    const serve: Serve = (request, arrival) => {
      asked.resolve(arrival);
      if (request.method === "GET") return never.promise;
      return new Response(new ReadableStream({ start: (to) => to.enqueue(new Uint8Array(3)) }));
    };
    await withListener(listen, { serve }, async ({ port, stop }) => {
      using hung = await RawPeer.open(port);
      await hung.write(`${GET}\r\n`);
      using endless = await RawPeer.open(port);
      await endless.write("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
      await endless.head();
      await asked.promise;
      await within(stop(50), "the stop", 2_000);
      assert.equal(await hung.rest(), "");
      never.resolve(new Response("too late"));
    });
  });
}

async function rejects(
  listening: Promise<unknown>,
  reason: ListenError["reason"],
  message: RegExp,
): Promise<void> {
  await assert.rejects(listening, (error) => {
    assert.ok(error instanceof ListenError);
    assert.equal(error.reason, reason, error.message);
    assert.match(error.message, message);
    return true;
  });
}
