/** What every adapter of `ports/listener.ts` must do with WebSockets, seen as the Web's surface and as a link. */

import assert from "node:assert/strict";
// @ts-types="@types/ws"
import WebSocket from "ws";
import type { Link } from "../../../src/core/link.ts";
import type { Serve } from "../../../src/core/serve.ts";
import { READY_STATE, type ServerSocket } from "../../../src/core/web_socket.ts";
import { linkOf } from "../../../src/core/web_socket_link.ts";
import { eventually, within } from "../../support/deadline.ts";
import { LOOPBACK_TLS } from "../../support/loopback_certificate.ts";
import { exchange, HANDSHAKE, joined, maskedFrame, RawPeer } from "../../support/raw_peer.ts";
import {
  accepting,
  type ListenerUnderTest,
  MAX_MESSAGE_BYTES,
  schedule,
  type Stage,
  withListener,
} from "./listener_stage.ts";

const TEXTS = [
  "a",
  "",
  "\0",
  "é",
  "日本語",
  "\u{1f600}",
  "\ufeff",
  "x".repeat(125),
  "x".repeat(126),
];
const LARGE_TEXTS = ["x".repeat(65_535), "ü".repeat(65_536), "日".repeat(1_000_000)];
const LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 3_000_000];

/** What a test does with one accepted socket, whichever surface it uses. */
interface Party {
  readonly socket: ServerSocket;
  readonly messages: (string | Uint8Array)[];
  /** Each end that was told: code and reason. */
  readonly ends: string[];
  drained: number;
  /** Resolves with the first end. */
  readonly over: Promise<string>;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code: number, reason: string): void;
}

interface PartyOptions {
  /** Told of each message. */
  readonly heard?: (party: Party, data: string | Uint8Array) => void;
}

/** The two ways to serve a socket. */
const SURFACES = {
  "Web surface": (socket: ServerSocket, options: PartyOptions = {}): Party => {
    const { party, message, end } = newParty(socket, {
      send: (data) => socket.send(data),
      close: (code, reason) => socket.close(code, reason),
    }, options);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      if (data instanceof ArrayBuffer) return message(new Uint8Array(data));
      assert.equal(typeof data, "string");
      message(String(data));
    });
    socket.addEventListener("close", ({ code, reason }) => end(code, reason));
    return party;
  },
  link: (socket: ServerSocket, options: PartyOptions = {}): Party =>
    linkParty(linkOf(socket, schedule), socket, options),
} as const;

function linkParty(link: Link, socket: ServerSocket, options: PartyOptions = {}): Party {
  const { party, message, end } = newParty(socket, {
    send: (data) => link.send(data),
    close: (code, reason) => link.close(code, reason),
  }, options);
  link.attach({ message, drained: () => party.drained++, closed: end });
  return party;
}

function newParty(
  socket: ServerSocket,
  ways: Pick<Party, "send" | "close">,
  { heard }: PartyOptions,
) {
  const over = Promise.withResolvers<string>();
  const party: Party = {
    socket,
    messages: [],
    ends: [],
    drained: 0,
    over: within(over.promise, "the end of a socket"),
    ...ways,
  };
  // A test that does not ask for the end need not wait for it.
  party.over.catch(() => {});
  return {
    party,
    message: (data: string | Uint8Array) => {
      const own = typeof data === "string" ? data : data.slice();
      party.messages.push(own);
      heard?.(party, own);
    },
    end: (code: number, reason: string) => {
      party.ends.push(`${code} ${reason}`.trim());
      over.resolve(`${code} ${reason}`.trim());
    },
  };
}

function echo(party: Party, data: string | Uint8Array): void {
  party.send(typeof data === "string" ? data : new Uint8Array(data));
}

/** A client of the npm package, and what it received. */
class Client implements Disposable {
  readonly socket: WebSocket;
  readonly messages: (string | Uint8Array)[] = [];
  readonly pongs: string[] = [];
  readonly opened: Promise<void>;
  /** Code and reason of its end. */
  readonly over: Promise<string>;

  constructor(
    port: number,
    protocols: readonly string[] = [],
    options: WebSocket.ClientOptions = {},
  ) {
    const scheme = options.ca === undefined ? "ws" : "wss";
    const socket = new WebSocket(`${scheme}://127.0.0.1:${port}/`, [...protocols], {
      perMessageDeflate: false,
      ...options,
    });
    this.socket = socket;
    socket.on("message", (data, isBinary) => {
      assert.ok(data instanceof Uint8Array);
      this.messages.push(isBinary ? new Uint8Array(data) : String(data));
    });
    socket.on("pong", (data) => this.pongs.push(String(data)));
    this.opened = within(
      new Promise<void>((resolve, reject) => {
        socket.on("open", () => resolve());
        socket.on("error", reject);
      }),
      "an open socket",
    );
    this.opened.catch(() => {});
    this.over = new Promise((resolve) => {
      socket.on("close", (code, reason) => resolve(`${code} ${reason}`.trim()));
    });
  }

  /** Waits for the nth message. */
  async heard(count: number): Promise<readonly (string | Uint8Array)[]> {
    await eventually(() => this.messages.length >= count, `${count} messages`);
    return this.messages;
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}

/** Registers the suite's tests for one adapter. */
export function testWebSockets({ name, listen, differences }: ListenerUnderTest): void {
  for (const [surface, serve] of Object.entries(SURFACES)) {
    /** A test with a listener that accepts every socket, and a way to the party behind the newest. */
    const test = (
      what: string,
      run: (stage: Stage & { parties: Party[]; party(): Promise<Party> }) => Promise<void>,
      heard?: PartyOptions["heard"],
    ): void => {
      Deno.test(`${name}, ${surface}: ${what}`, async () => {
        const parties: Party[] = [];
        const routes = accepting((socket) => void parties.push(serve(socket, { heard })));
        await withListener(listen, { serve: routes }, async (stage) => {
          const party = () => eventually(() => parties.at(-1), "an accepted socket");
          await run({ ...stage, parties, party });
        });
      });
    };

    test("messages come back as they were sent, in order", async ({ port }) => {
      using client = new Client(port);
      await client.opened;
      const sent: (string | Uint8Array<ArrayBuffer>)[] = [...TEXTS, ...LARGE_TEXTS];
      for (const length of LENGTHS) sent.push(Uint8Array.from({ length }, (_, at) => at * 7));
      for (const message of sent) client.socket.send(message);
      assert.deepEqual(await client.heard(sent.length), sent);
    }, echo);

    test("a thousand messages keep their order and kind", async ({ port }) => {
      using client = new Client(port);
      await client.opened;
      const sent = Array.from(
        { length: 1_000 },
        (_, at) => at % 3 === 0 ? new Uint8Array([at, at >> 8]) : `message ${at}`,
      );
      for (const message of sent) client.socket.send(message);
      assert.deepEqual(await client.heard(sent.length), sent);
    }, echo);

    test("a message in fragments with pings between them is one message", async ({ port }) => {
      using peer = await RawPeer.upgrade(port);
      await peer.write(joined([
        maskedFrame(1, "a\u00fc", { final: false }),
        maskedFrame(9, "beat"),
        maskedFrame(0, "", { final: false }),
        maskedFrame(0, "\u{1f600}z"),
      ]));
      const frames = [await peer.frame(), await peer.frame()];
      const seen = frames.map((frame) =>
        `${frame?.opcode} ${new TextDecoder().decode(frame?.payload)}`
      );
      assert.deepEqual(seen.toSorted(), ["1 a\u00fc\u{1f600}z", "10 beat"]);
    }, echo);

    test("a text that is not UTF-8 ends its connection with 1007", async ({ port, party }) => {
      using peer = await RawPeer.upgrade(port);
      await peer.write(maskedFrame(1, new Uint8Array([0x61, 0xff])));
      assert.match(await peer.closeFrame(), /^(1007|end)/);
      assert.deepEqual((await party()).messages, []);
      await (await party()).over;
    });

    test("a socket is open when it is accepted, and what is sent at once arrives", async (stage) => {
      const { port, parties } = stage;
      using client = new Client(port);
      const party = await eventually(() => parties[0], "an accepted socket");
      party.send("first");
      party.send("second");
      assert.deepEqual(await client.heard(2), ["first", "second"]);
      assert.equal(party.socket.protocol, "");
      assert.equal(client.socket.protocol, "");
    });

    test("codes and reasons of a close reach the other side, both ways", async ({ port, party }) => {
      const rows = [
        [1000, "bye"],
        [1000, ""],
        [1001, "going"],
        [1008, "policy"],
        [1011, ""],
        [3000, "\u00fc\u{1f600}"],
        [4999, "x".repeat(123)],
      ] as const;
      for (const [code, reason] of rows) {
        const expected = `${code} ${reason}`.trim();
        using leaver = new Client(port);
        await leaver.opened;
        const left = await party();
        leaver.socket.close(code, reason);
        assert.equal(await left.over, expected);
        assert.match(await leaver.over, new RegExp(`^${code}`));
        assert.equal(left.socket.readyState, READY_STATE.closed);
        assert.deepEqual(left.ends, [expected]);

        using stayer = new Client(port);
        await stayer.opened;
        const leaving = await eventually(async () => {
          const newest = await party();
          return newest !== left && newest;
        }, "another socket");
        leaving.close(code, reason);
        assert.equal(leaving.socket.readyState, READY_STATE.closing);
        assert.equal(await stayer.over, expected);
        assert.match(await leaving.over, new RegExp(`^${code}`));
        assert.equal(leaving.ends.length, 1);
      }
    });

    test("a close without a code is 1005 on both sides", async ({ port, party }) => {
      using client = new Client(port);
      await client.opened;
      const left = await party();
      client.socket.close();
      assert.equal(await left.over, "1005");
      assert.equal(await client.over, "1005");
    });

    test("a peer that vanishes is 1006", async ({ port, party }) => {
      using client = new Client(port);
      await client.opened;
      const left = await party();
      client.socket.terminate();
      assert.equal(await left.over, surface === "link" ? "1006" : differences.vanished);
      assert.equal(left.socket.readyState, READY_STATE.closed);
    });

    test("what is queued goes out before a close, and nothing after it", async ({ port, party }) => {
      using client = new Client(port);
      await client.opened;
      const leaving = await party();
      for (let at = 0; at < 50; at++) leaving.send(`${at} `.padEnd(50_000, "."));
      leaving.close(4_000, "enough");
      leaving.send("too late");
      leaving.close(4_001, "twice");
      assert.equal(await client.over, "4000 enough");
      assert.deepEqual(
        client.messages.map((message) => parseInt(String(message))),
        Array.from({ length: 50 }, (_, at) => at),
      );
      await leaving.over;
      leaving.send("far too late");
      leaving.close(4_002, "");
      assert.equal(leaving.ends.length, 1);
    });

    test("what waits for the network is counted, until it is gone", async ({ port, party }) => {
      using client = new Client(port);
      await client.opened;
      const sender = await party();
      assert.equal(sender.socket.bufferedAmount, 0);
      client.socket.pause();
      const chunk = new Uint8Array(256 * 1024);
      await eventually(() => {
        sender.send(chunk);
        return sender.socket.bufferedAmount > 8 * 1024 * 1024;
      }, "a full network");
      const before = sender.socket.bufferedAmount;
      sender.send(chunk);
      assert.ok(sender.socket.bufferedAmount >= before + chunk.length);
      client.socket.resume();
      await eventually(() => sender.socket.bufferedAmount === 0, "an empty buffer");
      if (surface === "link") await eventually(() => sender.drained > 0, "drained to be told");
    });

    test("a ping is answered with its own payload", async ({ port, party }) => {
      using client = new Client(port);
      await client.opened;
      await party();
      client.socket.ping("a".repeat(125));
      client.socket.ping();
      await eventually(() => client.pongs.length === 2, "two pongs");
      assert.deepEqual(client.pongs, ["a".repeat(125), ""]);
    });

    test(`a message beyond the bound: ${differences.longMessage}`, async ({ port }) => {
      using fits = new Client(port);
      await fits.opened;
      fits.socket.send("x".repeat(MAX_MESSAGE_BYTES));
      assert.equal((await fits.heard(1))[0]?.length, MAX_MESSAGE_BYTES);
      using client = new Client(port);
      await client.opened;
      client.socket.send("x".repeat(MAX_MESSAGE_BYTES + 1));
      if (differences.longMessage === "echo") {
        assert.equal((await client.heard(1))[0]?.length, MAX_MESSAGE_BYTES + 1);
      } else assert.equal(await client.over, differences.longMessage);
    }, echo);

    test(`a frame without a mask: ${differences.unmasked}`, async ({ port }) => {
      using peer = await RawPeer.upgrade(port);
      await peer.write(new Uint8Array([0x81, 2, 0x68, 0x69]));
      const frame = await peer.frame();
      const text = new TextDecoder().decode(frame?.payload.subarray(frame.opcode === 8 ? 2 : 0));
      const outcome = frame?.opcode === 1 && text === "hi" ? "echo" : `1002 ${text}`;
      assert.equal(outcome, differences.unmasked);
    }, echo);

    test(`a message in 2,000 fragments: ${differences.manyFragments}`, async ({ port }) => {
      using peer = await RawPeer.upgrade(port);
      const frames = Array.from(
        { length: 2_000 },
        (_, at) => maskedFrame(at === 0 ? 1 : 0, "x", { final: at === 1_999 }),
      );
      await peer.tryWrite(joined(frames));
      const frame = await peer.frame();
      const outcome = frame?.opcode === 1
        ? "echo"
        : `1009 ${new TextDecoder().decode(frame?.payload.subarray(2))}`;
      assert.equal(outcome, differences.manyFragments);
    }, echo);

    test(`150 pings in a row: ${differences.manyPings}`, async ({ port, party }) => {
      using client = new Client(port);
      await client.opened;
      await party();
      for (let at = 0; at < 150; at++) client.socket.ping(String(at));
      if (differences.manyPings === "150 pongs") {
        await eventually(() => client.pongs.length === 150, "150 pongs");
      } else assert.equal(await client.over, differences.manyPings);
    });

    test("a stop drops sockets after its grace, and their owners are told", async (stage) => {
      using client = new Client(stage.port);
      await client.opened;
      const party = await stage.party();
      const stopped = stage.stop(100);
      party.send("still here");
      await client.heard(1);
      assert.deepEqual(party.ends, []);
      await within(stopped, "the stop", 2_000);
      await party.over;
      await client.over;
      assert.equal(party.socket.readyState, READY_STATE.closed);
    });

    test("a stop is over with the last socket", async (stage) => {
      using client = new Client(stage.port);
      await client.opened;
      const party = await stage.party();
      const stopped = stage.stop(60_000);
      party.close(1012, "service restart");
      assert.equal(await client.over, "1012 service restart");
      await within(stopped, "the stop", 2_000);
    });
  }

  const test = (what: string, serve: Serve, run: (stage: Stage) => Promise<void>): void => {
    Deno.test(`${name}: ${what}`, () => withListener(listen, { serve }, run));
  };

  test(
    "a subprotocol is the one that the route chose, or none",
    (request, { upgrade }) => {
      const offered = request.headers.get("sec-websocket-protocol")?.split(/, */) ?? [];
      const protocol = offered.find((each) => each === "v2" || each === "v1");
      return upgrade?.((socket) => socket.send(`<${socket.protocol}>`), { protocol }) ??
        new Response();
    },
    async ({ port }) => {
      const rows = [["v3, v1, v2", "v1"], ["v2", "v2"], ["other", ""]] as const;
      for (const [offered, chosen] of rows) {
        using peer = await RawPeer.open(port);
        await peer.write(
          `GET / HTTP/1.1\r\nHost: a\r\n${HANDSHAKE}Sec-WebSocket-Protocol: ${offered}\r\n\r\n`,
        );
        const head = await peer.head();
        assert.equal(/^sec-websocket-protocol: (.*)\r$/im.exec(head)?.[1] ?? "", chosen);
        const frame = await peer.frame();
        const told = differences.tellsProtocol ? chosen : "";
        assert.equal(new TextDecoder().decode(frame?.payload), `<${told}>`);
      }
    },
  );

  test(
    `subprotocols without a space between them: ${differences.tightProtocols}`,
    accepting(() => {}, "v1"),
    async ({ port }) => {
      using peer = await RawPeer.open(port);
      await peer.write(
        `GET / HTTP/1.1\r\nHost: a\r\n${HANDSHAKE}Sec-WebSocket-Protocol: v2,v1\r\n\r\n`,
      );
      const head = await peer.head();
      assert.match(head, new RegExp(`^HTTP/1\\.1 ${differences.tightProtocols} `));
      if (differences.tightProtocols === "101") assert.match(head, /protocol: v1\r/i);
    },
  );

  test(
    "a route may refuse an upgrade as it would any request",
    (request, { upgrade }) => {
      if (request.headers.has("x-defect")) throw new Error("defect");
      if (request.headers.has("x-refuse")) return new Response("not you", { status: 403 });
      return upgrade?.((socket) => void SURFACES.link(socket)) ??
        new Response("upgrade", { status: 426 });
    },
    async ({ port, failures }) => {
      const get = "GET / HTTP/1.1\r\nHost: a\r\n";
      for (const [field, status] of [["X-Refuse", 403], ["X-Defect", 500]] as const) {
        using peer = await RawPeer.open(port);
        await peer.write(`${get}${HANDSHAKE}${field}: 1\r\n\r\n`);
        const head = await peer.head();
        assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `));
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
        if (status === 403) assert.equal(await peer.text(length), "not you");
      }
      assert.equal(failures.length, 1);
      assert.match(await exchange(port, `${get}Connection: close\r\n\r\n`), /^HTTP\/1\.1 426 /);
      using client = new Client(port);
      await client.opened;
      client.socket.close();
      await client.over;
    },
  );

  test(
    `a handshake of another version is answered with ${differences.otherVersion}`,
    accepting(() => {}),
    async ({ port }) => {
      using peer = await RawPeer.open(port);
      const other = HANDSHAKE.replace("Version: 13", "Version: 8");
      await peer.write(`GET / HTTP/1.1\r\nHost: a\r\n${other}\r\n`);
      assert.match(await peer.head(), new RegExp(`^HTTP/1\\.1 ${differences.otherVersion} `));
    },
  );

  test(
    "an owner that fails at once costs its own connection, and that is told",
    accepting(() => {
      throw new Error("defect");
    }),
    async ({ port, failures, url }) => {
      using client = new Client(port);
      await client.over;
      assert.match(String(failures), /defect/);
      const response = await fetch(url);
      await response.body?.cancel();
      assert.equal(response.status, 426);
    },
  );

  test(
    "events come in their order and with what the Web says of them",
    accepting((socket) => {
      const seen: string[] = [`accepted ${socket.readyState}`];
      socket.addEventListener("open", () => seen.push(`open ${socket.readyState}`));
      socket.addEventListener("message", ({ data }) => {
        if (data instanceof Blob) return socket.send(`a blob of ${data.size}`);
        if (data instanceof ArrayBuffer) return socket.send(`a buffer of ${data.byteLength}`);
        if (data === "seen") return socket.send(seen.join(", "));
        socket.binaryType = String(data);
      });
      socket.addEventListener("message", ({ data }) => {
        if (data === "seen") socket.send("and a second listener");
      });
    }),
    async ({ port }) => {
      using client = new Client(port);
      await client.opened;
      for (const message of ["blob", new Uint8Array(3), "arraybuffer", new Uint8Array(4), "seen"]) {
        client.socket.send(message);
      }
      assert.deepEqual(await client.heard(4), [
        "a blob of 3",
        "a buffer of 4",
        "accepted 1, open 1",
        "and a second listener",
      ]);
    },
  );

  test(
    "a clean end is told as clean, and one without a word is not",
    accepting((socket) => {
      socket.addEventListener("close", (event) => {
        const { code, reason, wasClean } = event;
        ends.push(`${code} ${reason} ${wasClean} ${socket.readyState}`);
      });
    }),
    async ({ port }) => {
      ends.length = 0;
      using clean = new Client(port);
      await clean.opened;
      clean.socket.close(3_001, "done");
      await eventually(() => ends.length === 1, "a clean end");
      using rude = new Client(port);
      await rude.opened;
      rude.socket.terminate();
      await eventually(() => ends.length === 2, "a rude end");
      assert.deepEqual(ends, ["3001 done true 3", `${differences.vanished}  false 3`]);
    },
  );

  Deno.test(`${name}: WebSockets come over TLS`, async () => {
    const routes = accepting((socket) => void SURFACES.link(socket, { heard: echo }));
    await withListener(listen, { serve: routes, tls: LOOPBACK_TLS }, async ({ port }) => {
      using client = new Client(port, [], { ca: LOOPBACK_TLS.cert });
      await client.opened;
      const sent = ["hello", "x".repeat(500_000), new Uint8Array([1, 2, 3])];
      for (const message of sent) client.socket.send(message);
      assert.deepEqual(await client.heard(3), sent);
      client.socket.close(4_000);
      assert.equal(await client.over, "4000");
    });
  });

  /** A test of a link beyond what the Web's surface has. */
  const linkTest = (
    what: string,
    run: (stage: Stage & { link(): Promise<Link> }) => Promise<void>,
    accepted?: (link: Link) => void,
  ): void => {
    const links: Link[] = [];
    const routes = accepting((socket) => {
      const link = linkOf(socket, schedule);
      links.push(link);
      accepted?.(link);
    });
    test(`link: ${what}`, routes, async (stage) => {
      links.length = 0;
      await run({ ...stage, link: () => eventually(() => links.at(-1), "a link") });
    });
  };

  linkTest("messages that come before a listener wait for it", async ({ port, link }) => {
    using client = new Client(port);
    await client.opened;
    for (let at = 0; at < 100; at++) client.socket.send(String(at));
    // What the pong answers came before it, where anything is read at all.
    client.socket.ping();
    const late = await link();
    const heard: unknown[] = [];
    late.attach({ message: (data) => heard.push(data), drained: () => {}, closed: () => {} });
    assert.deepEqual(heard, [], "nothing is told from inside a call");
    await eventually(() => heard.length === 100, "the messages");
    assert.deepEqual(heard, Array.from({ length: 100 }, (_, at) => String(at)));
  });

  linkTest("a link that pauses loses nothing, and no order", async ({ port, link }) => {
    using client = new Client(port);
    await client.opened;
    const paused = await link();
    const heard: string[] = [];
    const ends: string[] = [];
    paused.attach({
      message: (data) => {
        heard.push(String(data));
        if (heard.length % 10 !== 0) return;
        const before = heard.length;
        paused.pause();
        setTimeout(() => {
          assert.equal(heard.length, before, "a message while it was paused");
          paused.resume();
        }, 5);
      },
      drained: () => {},
      closed: (code) => ends.push(`${code} after ${heard.length}`),
    });
    for (let at = 0; at < 105; at++) client.socket.send(String(at));
    client.socket.close(4_000);
    await eventually(() => ends.length > 0, "the end");
    assert.deepEqual(heard, Array.from({ length: 105 }, (_, at) => String(at)));
    assert.deepEqual(ends, ["4000 after 105"]);
  });

  linkTest("what comes before a close is delivered, though reading paused", async (stage) => {
    using client = new Client(stage.port);
    await client.opened;
    const link = await stage.link();
    const told: string[] = [];
    link.pause();
    link.attach({
      message: (data) => told.push(String(data)),
      drained: () => {},
      closed: (code) => told.push(`closed ${code}`),
    });
    for (const each of ["one", "two", "three"]) client.socket.send(each);
    client.socket.close(4_000);
    // An adapter that reads on has answered the close before this comes.
    const later = await fetch(stage.url);
    await later.body?.cancel();
    assert.deepEqual(told, []);
    link.resume();
    await eventually(() => told.length === 4, "the messages and the close");
    assert.deepEqual(told, ["one", "two", "three", "closed 4000"]);
    await client.over;
  });

  linkTest(`4 MB for a link that pauses: ${differences.pausedFlood}`, async (stage) => {
    using client = new Client(stage.port);
    await client.opened;
    const link = await stage.link();
    let bytes = 0;
    link.attach({ message: (data) => bytes += data.length, drained: () => {}, closed: () => {} });
    link.pause();
    for (let at = 0; at < 64; at++) client.socket.send(new Uint8Array(65_536));
    if (differences.pausedFlood !== "held") {
      assert.match(await client.over, differences.pausedFlood);
      return;
    }
    link.resume();
    await eventually(() => bytes === 64 * 65_536, "all that was sent");
  });

  linkTest(`a terminated link's peer sees: ${differences.terminated}`, async ({ port, link }) => {
    using peer = await RawPeer.upgrade(port);
    const dropped = await link();
    const ends: string[] = [];
    dropped.attach({
      message: () => {},
      drained: () => {},
      closed: (code, reason) => ends.push(`${code} ${reason}`.trim()),
    });
    dropped.terminate();
    dropped.terminate();
    dropped.send("too late");
    assert.deepEqual(ends, [], "nothing is told from inside a call");
    assert.equal(await peer.closeFrame(), differences.terminated);
    await eventually(() => ends.length > 0, "the end");
    assert.deepEqual(ends, ["1006"]);
  });

  linkTest("what a peer may send is bounded until the bound is lifted", async ({ port }) => {
    using flood = new Client(port);
    await flood.opened;
    for (let at = 0; at < 5; at++) flood.socket.send("x".repeat(3_000));
    assert.match(await flood.over, differences.boundBroken);
    using honest = new Client(port);
    await honest.opened;
    honest.socket.send("lift");
    assert.deepEqual(await honest.heard(1), ["lifted"]);
    honest.socket.send("x".repeat(500_000));
    assert.deepEqual(await honest.heard(2), ["lifted", "got 500000"]);
    honest.socket.close(4_000);
    assert.equal(await honest.over, "4000");
  }, (link) => {
    link.allow(10_000);
    let lifted = false;
    link.attach({
      message: (data) => {
        assert.ok(lifted || data.length <= 3_000);
        if (lifted) link.send(`got ${data.length}`);
        if (data !== "lift") return;
        lifted = true;
        link.allow(undefined);
        link.send("lifted");
      },
      drained: () => {},
      closed: () => {},
    });
  });

  linkTest("a link's messages keep their order, whether they can wait or not", async ({ port }) => {
    using client = new Client(port);
    await client.opened;
    client.socket.send("go");
    assert.deepEqual(await client.heard(5), ["event 1", "event 2", "answer", "event 3", "event 4"]);
  }, (link) => {
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
  });
}

/** Of the sockets of the test that runs. */
const ends: string[] = [];
