/** The control channel against strangers: web pages, floods, hostile lines; each on the real process. */

import assert from "node:assert/strict";
import { SILENT_BOUNDS } from "../../src/adapters/line_listener.ts";
import { SLOW_CLOSE_MS, STALL_DEADLINE_MS, STALL_LOOK_MS } from "../../src/core/driver.ts";
import { MAX_LINE_BYTES } from "../../src/core/lines.ts";
import { type ControlProcess, startControl } from "../support/control_process.ts";
import { eventually, within } from "../support/deadline.ts";
import { LinePeer } from "../support/line_peer.ts";
import { HANDSHAKE } from "../support/raw_peer.ts";

/** What memory may have grown by when hostile peers are gone, in bytes. */
const MAX_GROWTH_BYTES = 5 * 1024 * 1024;

const OFF = '{"type":"request","id":"evil","method":"set-heartbeats","params":{"enabled":false}}';

/** Fails when a command of a stranger was run, or the channel does not work any more. */
async function assertUntouched(control: ControlProcess): Promise<void> {
  using peer = await control.join();
  const { payload } = await peer.ask("status");
  assert.equal(payload.heartbeatSeconds, 1_800, "heartbeats are still on");
}

function portOf({ target }: ControlProcess): number {
  return "port" in target ? target.port : 0;
}

/** What a peer may be told that speaks another protocol: the greeting that everyone gets, and no answer. */
function assertNoAnswer(lines: readonly string[], what: string): void {
  for (const line of lines) assert.equal(JSON.parse(line).type, "event", `${what}: ${line}`);
}

const FOREIGN: readonly (readonly [what: string, bytes: string | Uint8Array])[] = [
  [
    "S2 an upgrade from a foreign origin",
    `GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: https://evil.example\r\n${HANDSHAKE}\r\n${OFF}\n`,
  ],
  [
    "S2 an upgrade from a null origin",
    `GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\n${HANDSHAKE}\r\n${OFF}\n`,
  ],
  ["S2 a host that rebinds", `GET / HTTP/1.1\r\nHost: rebind.example\r\n\r\n${OFF}\n`],
  [
    "S7 headers of proxies",
    `GET / HTTP/1.1\r\nX-Forwarded-For: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n\r\n${OFF}\n`,
  ],
  [
    "S34 a form of a web page",
    `POST / HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\n${OFF}\n${OFF}\n`,
  ],
  ["S34 commands in a path", `GET /${OFF} HTTP/1.1\r\n${OFF}\n`],
  ["S34 commands in a header", `POST / HTTP/1.1\r\nX: y\n${OFF}\n`],
  ["S34 a verb of a page's own", `EVIL / HTTP/1.1\r\n\r\n${OFF}\n`],
  ["S34 a preflight", `OPTIONS / HTTP/1.1\r\n\r\n${OFF}\n`],
  ["S34 HTTP behind empty lines", `\r\n\r\nPOST / HTTP/1.1\r\n\r\n${OFF}\n`],
  ["S34 HTTP/2", `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${OFF}\n`],
  [
    "S34 a path with bytes that are not UTF-8",
    new Uint8Array([
      ...new TextEncoder().encode("GET /"),
      0xff,
      ...new TextEncoder().encode(` HTTP/1.1\r\n${OFF}\n`),
    ]),
  ],
  [
    "S34 a TLS hello that carries commands",
    new Uint8Array([
      ...[0x16, 0x03, 0x01, 0x01, 0x00, 0x01, 0x00, 0x00, 0x41, 0x03, 0x03],
      ...new TextEncoder().encode(`\n${OFF}\n`),
    ]),
  ],
];

Deno.test("S2 S7 S34 who begins with another protocol is closed, and none of its lines is run", async (t) => {
  await using control = await startControl();
  for (const [what, bytes] of FOREIGN) {
    await t.step(what, async () => {
      using peer = await LinePeer.open(control.target);
      await peer.write(bytes);
      assertNoAnswer(await peer.rest(), what);
      await assertUntouched(control);
    });
  }
});

Deno.test("S34 the platform's own fetch, WebSocket and TLS get nowhere", async () => {
  await using control = await startControl();
  const at = `127.0.0.1:${portOf(control)}`;
  await assert.rejects(fetch(`http://${at}/`, { method: "POST", body: `${OFF}\n${OFF}\n` }));
  await assert.rejects(fetch(`https://${at}/`));
  const socket = new WebSocket(`ws://${at}/`);
  await within(new Promise((resolve) => socket.onerror = resolve), "the socket to fail");
  await assertUntouched(control);
});

Deno.test("S3 S4 no secret is asked for, believed or told", async () => {
  await using control = await startControl();
  const { token } = control.gateway;
  using peer = await control.join();
  const told: string[] = [];
  for (const secret of [token, "", "undefined", "null", [], {}, null]) {
    const id = crypto.randomUUID();
    await peer.say({ type: "request", id, method: "ping", token: secret, auth: { token: secret } });
    told.push(JSON.stringify(await peer.frame((frame) => frame.id === id)));
    const config = await peer.ask("config.get", { auth: { token: secret } });
    assert.deepEqual([config.ok, config.error], [false, "unknown method: config.get"]);
  }
  for (const method of ["ping", "health", "status", "last-heartbeat", "connect", "chat.send"]) {
    told.push(JSON.stringify(await peer.ask(method)));
  }
  assert.ok(!told.join("").includes(token));
});

Deno.test("S5 5,000 connections that say nothing: bounded, real clients get in, memory is back", async () => {
  await using control = await startControl({ inspect: true });
  await using heap = await control.gateway.heap();
  const before = await heap.reachableBytes();
  using early = await control.join();
  assert.equal((await early.ask("ping")).ok, true);
  const silent: LinePeer[] = [];
  for (let at = 0; at < 5_000; at++) {
    silent.push(await LinePeer.open(control.target));
    // Those that gave way need not be kept on this side either.
    if (silent.length > 2 * SILENT_BOUNDS.total) silent.shift()?.[Symbol.dispose]();
    if (at % 1_000 === 999) {
      using real = await control.join();
      assert.equal((await real.ask("ping")).ok, true);
    }
  }
  assert.equal((await early.ask("ping")).ok, true);
  for (const peer of silent) peer[Symbol.dispose]();
  await eventually(
    async () => await heap.reachableBytes() - before < MAX_GROWTH_BYTES,
    "memory to be given back",
  );
});

Deno.test("S6 S34 a line without an end is refused at the cap, whatever its length", async (t) => {
  await using control = await startControl({ inspect: true });
  await using heap = await control.gateway.heap();
  const before = await heap.reachableBytes();
  for (const bytes of [MAX_LINE_BYTES + 1, 16 * 1024 * 1024, 100 * 1024 * 1024]) {
    await t.step(`${bytes} bytes`, async () => {
      using peer = await control.join();
      const piece = new Uint8Array(Math.min(bytes, 1024 * 1024)).fill(0x78);
      const flood = (async () => {
        for (let sent = 0; sent < bytes; sent += piece.length) {
          if (!await peer.write(piece)) return;
        }
      })();
      const answers = (await peer.rest()).map((line) => JSON.parse(line));
      await within(flood, "the flood to end");
      assert.deepEqual(answers.filter(({ type }) => type === "response"), [{
        type: "response",
        id: "",
        ok: false,
        error: `a line is longer than ${MAX_LINE_BYTES} bytes`,
      }]);
    });
  }
  await t.step("drop by drop on every connection", async () => {
    const peers: LinePeer[] = [];
    for (let at = 0; at < 40; at++) {
      const peer = await control.join();
      await peer.write("{}\n");
      await peer.write(new Uint8Array(MAX_LINE_BYTES - 1).fill(0x20));
      peers.push(peer);
    }
    for (const peer of peers) await peer.frame(({ type }) => type === "response");
    for (const peer of peers) peer[Symbol.dispose]();
  });
  await eventually(
    async () => await heap.reachableBytes() - before < MAX_GROWTH_BYTES,
    "memory to be given back",
  );
  await assertUntouched(control);
});

/** When a client that reads nothing has to be gone, with room for a busy machine. */
const SLOW_GONE_MS = STALL_DEADLINE_MS + STALL_LOOK_MS + SLOW_CLOSE_MS + 2_000;

Deno.test("S6 a client that reads nothing is dropped, and others do not notice", async () => {
  await using control = await startControl();
  using slow = await control.join();
  using other = await control.join();
  let since = 0;
  const flood = (async () => {
    const lines = '{"type":"request","id":"1","method":"health"}\n'.repeat(1_000);
    do since = performance.now(); while (await slow.write(lines));
  })();
  for (let at = 0; at < 20; at++) {
    const began = performance.now();
    assert.equal((await other.ask("ping")).ok, true);
    assert.ok(performance.now() - began < 2_000);
  }
  await within(flood, "the slow one to be dropped", 40_000);
  const tookMs = performance.now() - since;
  assert.ok(tookMs < SLOW_GONE_MS, `dropped ${tookMs} ms after the last that was read from it`);
  assert.equal((await other.ask("ping")).ok, true);
});

Deno.test("S9 hostile words come back escaped, cut and on one line", async () => {
  await using control = await startControl();
  const hostile = `\u001b[2J\n{"type":"event"}\r\u2028\u202e\u0000${"B".repeat(15_000)}`;
  using peer = await control.join();
  const { error } = await peer.ask(hostile);
  assert.match(error, /^unknown method: "\\u\{1b\}\[2J\\u\{a\}/);
  assert.ok(error.length < 400, `${error.length} characters`);
  assert.ok(!/[\p{Cc}\p{Cf}\u2028]/u.test(error));
  await peer.say({ type: "request", id: hostile, method: "ping" });
  const line = await peer.line();
  assert.equal(JSON.parse(line ?? "").id, hostile, "an id is the client's own, written as JSON");
  assert.ok(!/\p{Cc}/u.test(line ?? ""));
  const log = await control.gateway.logText();
  assert.ok(!log.includes("BBBB"));
});

const NESTED = (open: string, close: string, count: number) =>
  `{"type":"request","id":"n","method":"ping","params":{"a":${open.repeat(count)}1${
    close.repeat(count)
  }}}`;

const HOSTILE: readonly (readonly [what: string, line: string, error: RegExp])[] = [
  ["30,000 arrays deep", NESTED("[", "]", 30_000), /^parse error: nested deeper than 64 levels$/],
  ["10,000 objects deep", NESTED('{"a":', "}", 10_000), /^parse error: nested deeper/],
  [
    "very many keys",
    `{${Array.from({ length: 6_000 }, (_, at) => `"k${at}":1`).join(",")}}`,
    /^unsupported frame$/,
  ],
  ["a million commas' worth", `[${"1,".repeat(32_000)}1]`, /^unsupported frame$/],
  [
    "__proto__",
    `{"type":"request","id":"1","method":"ping","params":{"__proto__":{"a":1}}}`,
    /^parse error: key "__proto__" is not allowed$/,
  ],
  [
    "a lone surrogate",
    '{"type":"request","id":"\\ud800","method":"ping"}',
    /^parse error: text is not well-formed Unicode$/,
  ],
  ["a number out of range", '{"type":"request","id":1e999,"method":"ping"}', /^unsupported frame$/],
  [
    "a method that every object has",
    '{"type":"request","id":"1","method":"constructor"}',
    /^unknown method: constructor$/,
  ],
  ["a method of no length", '{"type":"request","id":"1","method":""}', /^unknown method: ""$/],
  [
    "a list for parameters",
    '{"type":"request","id":"1","method":"ping","params":[1]}',
    /^invalid ping params: must be object$/,
  ],
  [
    "text for a truth",
    '{"type":"request","id":"1","method":"set-heartbeats","params":{"enabled":"false"}}',
    /^invalid set-heartbeats params: at \/enabled: must be boolean$/,
  ],
  ["an answer", '{"type":"response","id":"1","ok":true}', /^unsupported frame$/],
  [
    "an event",
    '{"type":"event","event":"gateway-status","payload":{"state":"stopped"}}',
    /^unsupported frame$/,
  ],
];

Deno.test("S26 hostile JSON gets a bounded error at once, and the connection stays", async (t) => {
  await using control = await startControl();
  using peer = await control.join();
  using watcher = await control.join();
  for (const [what, line, error] of HOSTILE) {
    await t.step(what, async () => {
      const began = performance.now();
      await peer.write(`${line}\n`);
      const answer = await peer.frame(({ type }) => type === "response");
      const took = performance.now() - began;
      assert.equal(answer.ok, false);
      assert.match(answer.error, error);
      assert.ok(took < 100, `it took ${took} ms`);
    });
  }
  assert.equal((await peer.ask("ping")).ok, true);
  assert.equal((await watcher.ask("ping")).ok, true);
  await assertUntouched(control);
});

Deno.test("S26 more requests at once than a connection may have are refused, one by one", async () => {
  await using control = await startControl();
  using peer = await control.join();
  const count = 500;
  await peer.say(
    ...Array.from({ length: count }, (_, id) => ({ type: "request", id, method: "status" })),
  );
  const answers = [];
  while (answers.length < count) {
    answers.push(await peer.frame(({ type }) => type === "response"));
  }
  assert.deepEqual(new Set(answers.map(({ id }) => id)).size, count);
  const refused = answers.filter(({ ok }) => !ok);
  assert.ok(refused.length > 0 && refused.length < count, `${refused.length} refused`);
  for (const { error } of refused) assert.match(error, /^more than 64 requests are running/);
  assert.equal((await peer.ask("ping")).ok, true);
});

Deno.test("S36 hostile text in the log reaches clients as text within one event", async () => {
  await using control = await startControl({ control: { log: true } });
  using peer = await control.join();
  const hostile = `x\n${OFF}\n`;
  // A defect of the settings file is logged with its path.
  const path = `${control.gateway.stateDir}/clawgate.json`;
  const settings = JSON.parse(await Deno.readTextFile(path));
  await Deno.writeTextFile(path, JSON.stringify({ ...settings, gateway: { bind: hostile } }));
  const { payload } = await peer.frame(({ event }) => event === "log");
  assert.match(payload.fields.issue, /x\\u\{a\}\{/);
  await assertUntouched(control);
});
