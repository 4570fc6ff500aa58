import assert from "node:assert/strict";
// @ts-types="@types/ws"
import WebSocket from "ws";
import { CROWD } from "../../../src/adapters/ws_link.ts";
import { listenWithWs } from "../../../src/adapters/ws_listener.ts";
import type { Link } from "../../../src/core/link.ts";
import type { Arrival, Serve } from "../../../src/core/serve.ts";

interface Stage {
  readonly port: number;
  readonly links: Link[];
  readonly failures: unknown[];
  readonly requests: { request: Request; arrival: Arrival }[];
}

/** A listener on loopback for the time of one test. */
async function stage(test: (stage: Stage) => Promise<void>, connect?: (link: Link) => void) {
  const links: Link[] = [];
  const failures: unknown[] = [];
  const requests: Stage["requests"] = [];
  const serve: Serve = (request, arrival) => {
    requests.push({ request, arrival });
    if (request.headers.has("x-refuse")) return new Response("refused", { status: 403 });
    if (request.headers.has("x-defect")) throw new Error("defect");
    if (arrival.upgrade === undefined) return new Response(`hello ${request.method}`);
    return arrival.upgrade((link) => {
      links.push(link);
      connect?.(link);
    });
  };
  const listener = await listenWithWs({
    hostname: "127.0.0.1",
    port: 0,
    serve,
    maxMessageBytes: 1_000_000,
    failed: (error) => failures.push(error),
  });
  try {
    await test({ port: listener.port, links, failures, requests });
  } finally {
    await listener.stop(0);
  }
}

/** Sends bytes on a bare connection and returns all that comes back until the end. */
async function exchange(port: number, text: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(text));
  const received: Uint8Array[] = [];
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const count = await connection.read(buffer).catch(() => null);
    if (count === null) break;
    received.push(buffer.slice(0, count));
  }
  return new TextDecoder().decode(Uint8Array.from(received.flatMap((part) => [...part])));
}

const UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

const NAMES = ["constructor", "__proto__", "toString", "hasOwnProperty", "length", "prototype"];

Deno.test("header names of objects' own machinery are headers like others", async () => {
  await stage(async ({ port, failures, requests }) => {
    for (const name of NAMES) {
      const head = `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n${name}: x\r\n`;
      assert.match(
        await exchange(port, `${head}Connection: close\r\n\r\n`),
        /^HTTP\/1\.1 200 /,
        name,
      );
      assert.match(
        await exchange(port, `${head}${UPGRADE}X-Refuse: 1\r\n\r\n`),
        /^HTTP\/1\.1 403 /,
        name,
      );
      assert.equal(requests.at(-1)?.request.headers.get(name), "x", name);
    }
    assert.deepEqual(failures, []);
  });
});

Deno.test("a defect while answering costs its own connection and is told", async () => {
  await stage(async ({ port, failures }) => {
    const head = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Defect: 1\r\n";
    assert.equal(await exchange(port, `${head}\r\n`), "");
    assert.equal(await exchange(port, `${head}${UPGRADE}\r\n`), "");
    assert.equal(failures.length, 2);
    assert.match(
      await exchange(port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
      /hello GET/,
    );
  });
});

Deno.test("a body is neither read nor waited for, and odd methods are requests like others", async () => {
  await stage(async ({ port }) => {
    const post = await exchange(
      port,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nstart",
    );
    assert.match(post, /^HTTP\/1\.1 200 [^]*connection: close[^]*hello POST$/i);
    const trace = await exchange(port, "TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert.match(trace, /hello REFUSED$/);
    const head = await exchange(port, "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert.match(head, /content-length: 10\r\n[^]*\r\n\r\n$/i);
  });
});

/** Resolves with the close code of a client. */
function closed(client: WebSocket): Promise<number> {
  return new Promise((resolve) => client.on("close", (code) => resolve(code)));
}

function opened(client: WebSocket): Promise<void> {
  return new Promise((resolve) => client.on("open", () => resolve()));
}

Deno.test("what a peer may send in all is bounded until the bound is lifted", async () => {
  let lifted = false;
  const connect = (link: Link) => {
    link.allow(10_000);
    link.attach({
      message: (data) => {
        if (data !== "lift") return;
        lifted = true;
        link.allow(undefined);
        link.send("lifted");
      },
      drained: () => {},
      closed: () => {},
    });
  };
  await stage(async ({ port }) => {
    const flood = new WebSocket(`ws://127.0.0.1:${port}/`);
    await opened(flood);
    for (let at = 0; at < 5; at++) flood.send("x".repeat(3_000));
    assert.equal(await closed(flood), 1009);
    const honest = new WebSocket(`ws://127.0.0.1:${port}/`);
    const answer = new Promise((resolve) => honest.on("message", resolve));
    await opened(honest);
    honest.send("lift");
    await answer;
    assert.ok(lifted);
    honest.send("x".repeat(500_000));
    honest.close(4_000);
    assert.equal(await closed(honest), 4_000);
  }, connect);
});

Deno.test("messages keep their order, whether they wait for each other or not, in a crowd too", async () => {
  const connect = (link: Link) => {
    link.attach({
      message: () => {
        link.send("event 1", { patient: true });
        link.send("event 2", { patient: true });
        link.send("answer");
        link.send("event 3", { patient: true });
        queueMicrotask(() => link.send("event 4", { patient: true }));
      },
      drained: () => {},
      closed: () => {},
    });
  };
  await stage(async ({ port }) => {
    const clients: WebSocket[] = [];
    for (let at = 0; at <= CROWD; at++) {
      const client = new WebSocket(`ws://127.0.0.1:${port}/`);
      await opened(client);
      clients.push(client);
      if (at !== 0 && at !== CROWD) continue;
      const seen: string[] = [];
      const all = new Promise<void>((resolve) => {
        client.on("message", (data) => {
          if (seen.push(String(data)) === 5) resolve();
        });
      });
      client.send("go");
      await all;
      assert.deepEqual(seen, ["event 1", "event 2", "answer", "event 3", "event 4"]);
    }
    const ends = clients.map(closed);
    for (const client of clients) client.close();
    await Promise.all(ends);
  }, connect);
});

Deno.test("a hundred pings in a row are one too many", async () => {
  await stage(async ({ port, links }) => {
    const client = new WebSocket(`ws://127.0.0.1:${port}/`);
    await opened(client);
    links[0]?.attach({ message: () => {}, drained: () => {}, closed: () => {} });
    for (let at = 0; at < 200; at++) client.ping();
    assert.equal(await closed(client), 1008);
  });
});
