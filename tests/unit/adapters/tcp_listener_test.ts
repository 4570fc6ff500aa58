import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as netConnect } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { listenTcp } from "../../../src/adapters/tcp_listener.ts";
import { CROWD } from "../../../src/adapters/write_turns.ts";
import type { Link } from "../../../src/core/link.ts";
import type { Serve } from "../../../src/core/serve.ts";
import type { ServerSocket } from "../../../src/core/websocket.ts";
import type { ListenOptions } from "../../../src/ports/listener.ts";
import { eventually, within } from "../../support/deadline.ts";
import { LOOPBACK_TLS } from "../../support/loopback_certificate.ts";
import { exchange, HANDSHAKE, RawPeer } from "../../support/raw_peer.ts";
import { BINARY, clientClose, clientFrame, joined, TEXT } from "../../support/websocket_frames.ts";

interface Stage {
  readonly port: number;
  readonly paths: readonly string[];
  readonly failures: readonly unknown[];
  stop(graceMs: number): Promise<void>;
}

/** A listener on loopback for the time of one test; its sockets go to `accept`. */
async function stage(
  test: (stage: Stage) => Promise<void>,
  { accept = echo, ...options }: Partial<ListenOptions> & {
    readonly accept?: (socket: ServerSocket) => void;
  } = {},
): Promise<void> {
  const paths: string[] = [];
  const failures: unknown[] = [];
  const serve: Serve = async (request, { upgrade, remoteAddress }) => {
    paths.push(new URL(request.url).pathname);
    if (upgrade !== undefined) return upgrade(accept);
    return new Response(`${request.method} from ${remoteAddress}: ${await request.text()}.`);
  };
  const listener = await listenTcp({
    hostname: "127.0.0.1",
    port: 0,
    serve,
    maxMessageBytes: 1_000_000,
    failed: (error) => failures.push(error),
    ...options,
  });
  let stopped: Promise<void> | undefined;
  const stop = (graceMs: number) => stopped ??= listener.stop(graceMs);
  try {
    await test({ port: listener.port, paths, failures, stop });
  } finally {
    await stop(0);
  }
}

function echo(socket: ServerSocket): void {
  socket.addEventListener("message", ({ data }) => {
    socket.send(data instanceof ArrayBuffer ? new Uint8Array(data) : String(data));
  });
}

/** The link of a socket of this listener. */
function linkIn(socket: ServerSocket): Link {
  assert.ok(socket.link !== undefined);
  return socket.link;
}

const MIB = 2 ** 20;

/** Looks in a row, 20 ms apart, that see nothing move where something waits. */
const QUIET_LOOKS = 25;

const IGNORE = { message: () => {}, drained: () => {}, closed: () => {} };

/** Requests that two programs would read in two ways: what follows the head must not be served. */
const SMUGGLED: readonly [what: string, head: string][] = [
  ["both framings", "Content-Length: 4\r\nTransfer-Encoding: chunked"],
  ["both framings, the other way round", "Transfer-Encoding: chunked\r\nContent-Length: 4"],
  ["two lengths", "Content-Length: 4\r\nContent-Length: 5"],
  ["one length twice", "Content-Length: 4\r\nContent-Length: 4"],
  ["a list of lengths", "Content-Length: 4, 4"],
  ["a signed length", "Content-Length: +4"],
  ["a negative length", "Content-Length: -4"],
  ["a length in hex", "Content-Length: 0x4"],
  ["an empty length", "Content-Length:"],
  ["a length with a space in it", "Content-Length: 4 4"],
  ["a coding twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"],
  ["a coding before chunked", "Transfer-Encoding: identity, chunked"],
  ["a coding after chunked", "Transfer-Encoding: chunked, identity"],
  ["a coding in quotes", 'Transfer-Encoding: "chunked"'],
  ["a coding with a vertical tab", "Transfer-Encoding: \vchunked"],
  ["a space before the colon", "Transfer-Encoding : chunked"],
  ["a space before the name", " Transfer-Encoding: chunked"],
  ["a folded line", "X: a\r\n Transfer-Encoding: chunked"],
  ["a lone CR", "X: a\rTransfer-Encoding: chunked"],
  ["a lone LF", "X: a\nTransfer-Encoding: chunked"],
  ["a NUL", "X: a\0b"],
  ["a line without a colon", "Transfer-Encoding"],
  ["a name of none", ": chunked"],
  ["another host", "Host: b"],
];

for (const [what, fields] of SMUGGLED) {
  Deno.test(`a request with ${what} is refused, and nothing behind it is served`, async () => {
    await stage(async ({ port, paths }) => {
      using peer = await RawPeer.open(port);
      await peer.tryWrite(
        `POST /a HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n0\r\n\r\n` +
          "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
      );
      const answer = await peer.rest();
      assert.match(answer, /^HTTP\/1\.1 400 [^]*\r\nconnection: close\r\n/);
      assert.equal(answer.match(/HTTP\/1\.1 \d/g)?.length, 1);
      assert.deepEqual(paths, []);
    });
  });
}

const REFUSED: readonly [what: string, request: string, status: number][] = [
  ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
  ["a tunnel", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501],
  ["an echo of credentials", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501],
  ["another protocol", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505],
  ["HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
  ["a TLS client on a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400],
  ["a long target", `GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
  ["a long head", `GET / HTTP/1.1\r\nHost: a\r\nX: ${"a".repeat(100_000)}\r\n\r\n`, 431],
  ["many fields", `GET / HTTP/1.1\r\nHost: a\r\n${"X: a\r\n".repeat(2_000)}\r\n`, 431],
  ["an unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501],
];

for (const [what, request, status] of REFUSED) {
  Deno.test(`${what} is answered with ${status}, and the end`, async () => {
    await stage(async ({ port, paths, failures }) => {
      assert.match(await exchange(port, request), new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.deepEqual([paths, failures], [[], []]);
    });
  });
}

Deno.test("a head that never ends is refused when its bound is reached", async () => {
  await stage(async ({ port, paths }) => {
    using peer = await RawPeer.open(port);
    await peer.write("GET / HTTP/1.1\r\nHost: a\r\n");
    for (let at = 0; at < 1_000; at++) {
      if (!await peer.tryWrite(`X-${at}: ${"a".repeat(1_000)}\r\n`)) break;
    }
    assert.match(await peer.rest(), /^($|HTTP\/1\.1 431 )/);
    assert.deepEqual(paths, []);
  });
});

Deno.test("a peer of an IPv4 address has that address on a dual-stack socket too", async () => {
  const mapped = "::ffff:127.0.0.1";
  await stage(async ({ port }) => {
    using connection = await Deno.connect({ hostname: mapped, port });
    await connection.write(
      new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    );
    const answer = await new Response(connection.readable).text();
    assert.match(answer, /GET from 127\.0\.0\.1: \.$/);
  }, { hostname: mapped });
});

Deno.test("clients that say nothing give way, the oldest first, and others are served", async () => {
  const perSource = 1_024;
  await stage(async ({ port }) => {
    const silent: RawPeer[] = [];
    try {
      for (let at = 0; at < perSource; at++) silent.push(await RawPeer.open(port));
      using spoken = await RawPeer.upgrade(port);
      await spoken.write(clientFrame(TEXT, "hello"));
      assert.equal((await spoken.frame())?.payload.length, 5);
      const [oldest, ...others] = silent;
      assert.equal(await oldest?.rest(), "", "it was closed");
      const youngest = others.at(-1);
      await youngest?.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      assert.match(await youngest?.rest() ?? "", /^HTTP\/1\.1 200 /);
      // Who has spoken is not counted any more.
      await spoken.write(clientFrame(TEXT, "hello"));
      assert.equal((await spoken.frame())?.payload.length, 5);
    } finally {
      for (const peer of silent) peer[Symbol.dispose]();
    }
  });
});

Deno.test("messages behind the handshake, in one write with it, are heard", async () => {
  await stage(async ({ port }) => {
    using peer = await RawPeer.open(port);
    const head = new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: a\r\n${HANDSHAKE}\r\n`);
    const large = "x".repeat(100_000);
    const frames = joined(clientFrame(TEXT, "early"), clientFrame(TEXT, large));
    await peer.write(joined(head, frames));
    assert.match(await peer.head(), /^HTTP\/1\.1 101 /);
    const sizes = [await peer.frame(), await peer.frame()].map((frame) => frame?.payload.length);
    assert.deepEqual(sizes, [5, 100_000]);
  });
});

Deno.test("a handshake and messages a byte at a time are heard", async () => {
  await stage(async ({ port }) => {
    using peer = await RawPeer.open(port);
    const head = new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: a\r\n${HANDSHAKE}\r\n`);
    for (const byte of head) await peer.write(new Uint8Array([byte]));
    assert.match(await peer.head(), /^HTTP\/1\.1 101 /);
    for (const byte of clientFrame(TEXT, "x".repeat(200))) await peer.write(new Uint8Array([byte]));
    assert.equal((await peer.frame())?.payload.length, 200);
    await peer.write(clientClose(1000, "done"));
    assert.equal(await peer.closeFrame(), "1000");
    assert.equal(await peer.rest(), "", "the server ends the connection");
  });
});

Deno.test("who breaks the protocol reads why, then the end, though it had more to say", async () => {
  await stage(async ({ port }) => {
    using peer = await RawPeer.upgrade(port);
    await peer.write(joined(
      clientFrame(TEXT, "fine"),
      clientFrame(TEXT, new Uint8Array([0xff])),
      clientFrame(TEXT, "x".repeat(500_000)),
    ));
    const [fine, close] = [await peer.frame(), await peer.frame()];
    assert.equal(fine?.opcode, TEXT);
    assert.equal(close?.opcode, 8);
    assert.deepEqual([...close.payload.subarray(0, 2)], [1007 >> 8, 1007 & 0xff]);
    assert.equal(await peer.frame(), undefined);
  });
});

Deno.test("a peer that does not read fills its link, is told of to the owner, and loses nothing", async () => {
  const links: Link[] = [];
  let drained = 0;
  const accept = (socket: ServerSocket) => {
    const link = linkIn(socket);
    link.attach({ ...IGNORE, drained: () => drained++ });
    links.push(link);
  };
  await stage(async ({ port }) => {
    using peer = await RawPeer.upgrade(port);
    const link = await eventually(() => links[0], "a link");
    const chunk = new Uint8Array(100_000);
    let sent = 0;
    await eventually(() => {
      for (let at = 0; at < 20; at++, sent++) link.send(chunk);
      return link.buffered > 4_000_000;
    }, "a full link");
    // What the system took before it was full has been told of.
    drained = 0;
    for (let at = 0; at < sent; at++) assert.equal((await peer.frame())?.payload.length, 100_000);
    await eventually(() => drained === 1, "drained to be told");
    assert.equal(link.buffered, 0);
    // Once more, and then away with all of it.
    await eventually(() => {
      for (let at = 0; at < 20; at++) link.send(chunk);
      return link.buffered > 4_000_000;
    }, "a full link");
    link.terminate();
    await peer.drain();
    await eventually(() => link.buffered === 0, "the buffer to be freed");
  }, { accept });
});

const LARGE_BYTES = 60_000;
const LARGE_FRAME = clientFrame(BINARY, new Uint8Array(LARGE_BYTES));

/** A peer whose link is paused from the beginning. */
class PausedPeer {
  link: Link | undefined;
  heard = 0;
  readonly left = Promise.withResolvers<void>();
  readonly accept = (socket: ServerSocket): void => {
    this.link = linkIn(socket);
    this.link.attach({
      ...IGNORE,
      message: ({ length }) => this.heard += length,
      closed: () => this.left.resolve(),
    });
    this.link.pause();
  };
}

for (const [over, tls] of [["TCP", undefined], ["TLS", LOOPBACK_TLS]] as const) {
  Deno.test(`a peer whose link is paused has to wait, over ${over}, and nothing of it is lost`, async () => {
    const paused = new PausedPeer();
    await stage(async ({ port }) => {
      using peer = await RawPeer.upgrade(port, { caCert: tls?.cert });
      const link = await eventually(() => paused.link, "a link");
      let written = 0;
      let enough = false;
      const send = async (): Promise<void> => {
        for (; !enough && written < 64 * MIB; written += LARGE_BYTES) await peer.write(LARGE_FRAME);
      };
      const sending = send();
      const looks: number[] = [];
      await eventually(() => {
        looks.push(written);
        return looks.at(-QUIET_LOOKS) === written;
      }, "the peer to wait");
      // What the system keeps on both sides of a connection, and no more.
      assert.ok(written < 32 * MIB, `${written} bytes are on their way`);
      assert.equal(paused.heard, 0);
      enough = true;
      link.resume();
      await within(sending, "the last write");
      await eventually(() => paused.heard === written, "all of it");
    }, { accept: paused.accept, tls });
  });
}

for (const [over, tls] of [["TCP", undefined], ["TLS", LOOPBACK_TLS]] as const) {
  Deno.test(`a peer that leaves before it was read has said all, and has left, over ${over}`, async () => {
    const paused = new PausedPeer();
    await stage(async ({ port }) => {
      using peer = await RawPeer.upgrade(port, { caCert: tls?.cert });
      const link = await eventually(() => paused.link, "a link");
      let written = 0;
      for (; written < MIB; written += LARGE_BYTES) await peer.write(LARGE_FRAME);
      await peer.closeWrite();
      link.resume();
      await within(paused.left.promise, "the end");
      assert.equal(paused.heard, written);
    }, { accept: paused.accept, tls });
  });
}

Deno.test("messages keep their order, whether they wait for each other or not, in a crowd too", async () => {
  const accept = (socket: ServerSocket) => {
    const link = linkIn(socket);
    link.attach({
      ...IGNORE,
      message: () => {
        link.send("event 1", { patient: true });
        link.send("event 2", { patient: true });
        link.send("answer");
        link.send("event 3", { patient: true });
        queueMicrotask(() => link.send("event 4", { patient: true }));
      },
    });
  };
  await stage(async ({ port }) => {
    const peers: RawPeer[] = [];
    try {
      for (let at = 0; at <= CROWD; at++) {
        const peer = await RawPeer.upgrade(port);
        peers.push(peer);
        if (at !== 0 && at !== CROWD) continue;
        await peer.write(clientFrame(TEXT, "go"));
        const seen: string[] = [];
        while (seen.length < 5) seen.push(new TextDecoder().decode((await peer.frame())?.payload));
        assert.deepEqual(seen, ["event 1", "event 2", "answer", "event 3", "event 4"]);
      }
    } finally {
      for (const peer of peers) peer[Symbol.dispose]();
    }
  }, { accept });
});

Deno.test("an event to a crowd reaches all of it", async () => {
  const links = new Set<Link>();
  const accept = (socket: ServerSocket) => {
    const link = linkIn(socket);
    links.add(link);
    link.attach(IGNORE);
  };
  await stage(async ({ port }) => {
    const peers: RawPeer[] = [];
    try {
      for (let at = 0; at < CROWD + 10; at++) peers.push(await RawPeer.upgrade(port));
      await eventually(() => links.size === peers.length, "all links");
      for (let at = 0; at < 20; at++) {
        for (const link of links) link.send(`event ${at}`, { patient: true });
        await Promise.resolve();
      }
      for (const peer of peers) {
        for (let at = 0; at < 20; at++) {
          const frame = await peer.frame();
          assert.equal(new TextDecoder().decode(frame?.payload), `event ${at}`);
        }
      }
    } finally {
      for (const peer of peers) peer[Symbol.dispose]();
    }
  }, { accept });
});

Deno.test("a stop is over in time with peers that take no part, in any state", async () => {
  const links: Link[] = [];
  const ends: number[] = [];
  const accept = (socket: ServerSocket) => {
    const link = linkIn(socket);
    link.attach({ ...IGNORE, closed: (code) => ends.push(code) });
    links.push(link);
  };
  await stage(async ({ port, stop, failures }) => {
    using silent = await RawPeer.open(port);
    using halfHead = await RawPeer.open(port);
    await halfHead.write("GET / HTT");
    using halfBody = await RawPeer.open(port);
    await halfBody.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx");
    using idle = await RawPeer.upgrade(port);
    using closing = await RawPeer.upgrade(port);
    using stuck = await RawPeer.upgrade(port);
    using paused = await RawPeer.upgrade(port);
    await eventually(() => links.length === 4, "all links");
    links[1]?.close(1001, "");
    for (let at = 0; at < 100; at++) links[2]?.send(new Uint8Array(1_000_000));
    links[3]?.pause();
    await within(stop(100), "the stop", 3_000);
    assert.deepEqual(ends, [1006, 1006, 1006, 1006]);
    assert.deepEqual(failures, []);
    for (const peer of [silent, halfHead, halfBody, idle, closing, stuck, paused]) {
      await peer.drain();
    }
  }, { accept });
});

Deno.test("an owner whose listener throws costs its connection alone, and the stop still ends", async () => {
  const accept = (socket: ServerSocket) => {
    linkIn(socket).attach({
      message: () => {
        throw new Error("defect at message");
      },
      drained: () => {},
      closed: () => {
        throw new Error("defect at closed");
      },
    });
  };
  await stage(async ({ port, failures, stop }) => {
    using peer = await RawPeer.upgrade(port);
    await peer.write(clientFrame(TEXT, "go"));
    assert.equal(await peer.closeFrame(), "1011 internal error");
    await peer.write(clientClose(1011));
    assert.equal(await peer.rest(), "");
    await eventually(() => failures.length === 2, "both defects to be told");
    await within(stop(1_000), "the stop", 500);
  }, { accept });
});

Deno.test("a client that does not finish TLS holds nothing up", async () => {
  const { cert } = LOOPBACK_TLS;
  await stage(async ({ port, stop, failures }) => {
    using silent = await RawPeer.open(port);
    using rude = await RawPeer.open(port);
    await rude.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.doesNotMatch(await rude.rest(), /HTTP/);
    using peer = await RawPeer.upgrade(port, { caCert: cert });
    await peer.write(clientFrame(TEXT, "x".repeat(300_000)));
    assert.equal((await peer.frame())?.payload.length, 300_000);
    await peer.write(new Uint8Array([0x81, 0]));
    assert.equal(await peer.closeFrame(), "1002 frame is not masked");
    assert.equal(await peer.rest(), "");
    using polite = await RawPeer.open(port, { caCert: cert });
    await polite.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert.match(await polite.rest(), /^HTTP\/1\.1 200 [^]*GET from 127\.0\.0\.1: \.$/);
    assert.deepEqual(failures, []);
    assert.equal(await silent.tryWrite("still there"), true);
    await within(stop(50), "the stop", 2_000);
  }, { tls: LOOPBACK_TLS });
});

Deno.test("a WebSocket that was closed tells so in TLS, too", async () => {
  await stage(async ({ port }) => {
    const address = { hostname: "127.0.0.1", port };
    using peer = await Deno.connectTls({ ...address, caCerts: [LOOPBACK_TLS.cert] });
    const head = `GET / HTTP/1.1\r\nHost: a\r\n${HANDSHAKE}\r\n`;
    await peer.write(joined(head, clientClose(1000)));
    // Fails where the end comes without its alert, as what is cut off looks.
    for (const buffer = new Uint8Array(1_000); await peer.read(buffer) !== null;);
  }, { tls: LOOPBACK_TLS });
});

Deno.test("who sends a broken record over TLS is gone at once", async () => {
  const { cert } = LOOPBACK_TLS;
  const closed = Promise.withResolvers<number>();
  const accept = (socket: ServerSocket): void => {
    echo(socket);
    socket.addEventListener("close", ({ code }) => closed.resolve(code));
  };
  await stage(async ({ port, failures }) => {
    const wire = netConnect(port, "127.0.0.1");
    const secured = tlsConnect({ socket: wire, ca: cert, servername: "localhost" });
    const ended = new Promise<void>((resolve) => wire.once("close", () => resolve()));
    wire.on("error", () => {});
    secured.on("error", () => {});
    secured.write(`GET / HTTP/1.1\r\nHost: a\r\n${HANDSHAKE}\r\n`);
    await within(once(secured, "data"), "the upgrade");
    wire.write(new Uint8Array([23, 3, 3, 0, 32, ...new Uint8Array(32)]));
    assert.equal(await within(closed.promise, "the end of the socket", 2_000), 1006);
    await within(ended, "the end of the connection", 2_000);
    secured.destroy();
    assert.deepEqual(failures, []);
  }, { tls: LOOPBACK_TLS, accept });
});
