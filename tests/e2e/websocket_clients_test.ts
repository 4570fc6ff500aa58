/** The listener as clients in use see it: libraries, browsers and tools that others wrote. */

import assert from "node:assert/strict";
import { chromium } from "playwright-core";
// @ts-types="@types/ws"
import Ws from "ws";
import { listenTcp } from "../../src/adapters/tcp_listener.ts";
import type { Serve } from "../../src/core/serve.ts";
import { eventually, within } from "../support/deadline.ts";
import { testWithProgram } from "../support/skip.ts";

const PROTOCOL = "echo.v1";

/** Bodies of HTTP, and messages, come back; `/greet` speaks first; the message `close` closes with 4321. */
const echo: Serve = async (request, { upgrade }) => {
  const { pathname } = new URL(request.url);
  if (upgrade === undefined) {
    if (pathname === "/page") {
      return new Response("<!doctype html><title>a page</title>", {
        headers: { "content-type": "text/html" },
      });
    }
    if (pathname !== "/echo") return new Response("no such page", { status: 404 });
    return new Response(`${request.method}:${await request.text()}`);
  }
  if (pathname === "/refused") return new Response("not here", { status: 403 });
  const offered = request.headers.get("sec-websocket-protocol")?.split(/, */) ?? [];
  return upgrade((socket) => {
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      if (data === "close") socket.close(4_321, "as you wish");
      else socket.send(data instanceof ArrayBuffer ? new Uint8Array(data) : String(data));
    });
    if (pathname === "/greet") socket.send("hello");
  }, { protocol: offered.find((each) => each === PROTOCOL) });
};

/** A listener for the time of one test; its closes are told as `code reason`. */
async function withEcho(
  test: (stage: { readonly port: number; readonly closes: readonly string[] }) => Promise<void>,
): Promise<void> {
  const closes: string[] = [];
  const failures: unknown[] = [];
  const serve: Serve = (request, arrival) =>
    echo(request, {
      ...arrival,
      upgrade: arrival.upgrade && ((accept, options) =>
        arrival.upgrade?.((socket) => {
          socket.addEventListener("close", ({ code, reason }) => {
            closes.push(`${code} ${reason}`.trim());
          });
          accept(socket);
        }, options) ?? new Response()),
    });
  const listener = await listenTcp({
    hostname: "127.0.0.1",
    port: 0,
    serve,
    maxMessageBytes: 4 * 1024 * 1024,
    failed: (error) => failures.push(error),
  });
  try {
    await test({ port: listener.port, closes });
    assert.deepEqual(failures, []);
  } finally {
    await listener.stop(0);
  }
}

/** Runs a program to its end and returns what it printed. */
async function run(path: string, args: readonly string[]): Promise<string> {
  const child = new Deno.Command(path, {
    args: [...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await within(child.output(), `the end of ${path}`, 60_000);
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stderr));
  return text.decode(stdout);
}

Deno.test("npm ws: compression is declined; fragments, pings, large messages and closes pass", () =>
  withEcho(async ({ port, closes }) => {
    const socket = new Ws(`ws://127.0.0.1:${port}/greet`, ["other", PROTOCOL], {
      perMessageDeflate: true,
    });
    const heard: unknown[] = [];
    const pongs: string[] = [];
    socket.on("message", (data, isBinary) => {
      assert.ok(data instanceof Uint8Array);
      heard.push(isBinary ? new Uint8Array(data) : String(data));
    });
    socket.on("pong", (data) => pongs.push(String(data)));
    const over = new Promise<string>((resolve) => {
      socket.on("close", (code, reason) => resolve(`${code} ${reason}`));
    });
    await within(new Promise((resolve) => socket.on("open", resolve)), "an open socket");
    assert.deepEqual([socket.extensions, socket.protocol], ["", PROTOCOL]);
    const large = "\u{1f600}".repeat(500_000);
    const bytes = new Uint8Array(1_000_000).map((_, at) => at);
    socket.send("in ", { fin: false });
    socket.ping("within");
    socket.send("three ", { fin: false });
    socket.send("parts", { fin: true });
    socket.send(large);
    socket.send(bytes);
    socket.send("");
    await eventually(() => heard.length === 5, "the messages");
    assert.deepEqual(heard, ["hello", "in three parts", large, bytes, ""]);
    assert.deepEqual(pongs, ["within"]);
    socket.close(4_000, "enough");
    assert.equal(await over, "4000 ");
    assert.deepEqual(closes, ["4000 enough"]);
  }));

Deno.test("npm ws: a refused upgrade is a refusal, and a close of the server's has code and reason", () =>
  withEcho(async ({ port, closes }) => {
    const refused = new Ws(`ws://127.0.0.1:${port}/refused`);
    const error = await within(
      new Promise((resolve) => refused.on("error", resolve)),
      "the refusal",
    );
    assert.match(String(error), /403/);
    const socket = new Ws(`ws://127.0.0.1:${port}/`);
    await within(new Promise((resolve) => socket.on("open", resolve)), "an open socket");
    socket.send("close");
    const over = new Promise((resolve) => {
      socket.on("close", (code, reason) => resolve(`${code} ${reason}`));
    });
    assert.equal(await over, "4321 as you wish");
    await eventually(() => closes.length === 1, "the close to be told");
    assert.deepEqual(closes, ["4321 as you wish"]);
  }));

Deno.test("the platform's WebSocket: texts, bytes, subprotocol and closes", () =>
  withEcho(async ({ port, closes }) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/greet`, [PROTOCOL]);
    socket.binaryType = "arraybuffer";
    const heard: unknown[] = [];
    socket.onmessage = ({ data }) => heard.push(data);
    const over = new Promise<string>((resolve) => {
      socket.onclose = ({ code, reason, wasClean }) => resolve(`${code} ${reason} ${wasClean}`);
    });
    await within(new Promise((resolve) => socket.onopen = resolve), "an open socket");
    assert.equal(socket.protocol, PROTOCOL);
    socket.send("\u00fc\u{1f600}");
    socket.send(new Uint8Array([1, 2, 3]));
    socket.send("x".repeat(1_000_000));
    await eventually(() => heard.length === 4, "the messages");
    assert.deepEqual(heard.slice(0, 3), [
      "hello",
      "\u00fc\u{1f600}",
      new Uint8Array([1, 2, 3]).buffer,
    ]);
    assert.equal(String(heard[3]).length, 1_000_000);
    socket.close(3_210, "done");
    assert.match(await over, /^3210 .*true$/);
    assert.deepEqual(closes, ["3210 done"]);
  }));

const STREAM_CLIENT = `
const stream = new WebSocketStream(Deno.args[0], { protocols: ["${PROTOCOL}"] });
const { readable, writable, protocol } = await stream.opened;
const reader = readable.getReader();
const writer = writable.getWriter();
const heard = [protocol, (await reader.read()).value];
await writer.write("text");
heard.push((await reader.read()).value);
await writer.write(new Uint8Array([1, 2, 3]));
heard.push([...(await reader.read()).value]);
await writer.write("close");
const { closeCode, reason } = await stream.closed;
console.log(JSON.stringify([...heard, closeCode, reason]));
`;

Deno.test("the platform's WebSocketStream, where it has one", () =>
  withEcho(async ({ port, closes }) => {
    const folder = await Deno.makeTempDir();
    try {
      const script = `${folder}/client.js`;
      await Deno.writeTextFile(script, STREAM_CLIENT);
      const args = ["run", "--no-config", "--unstable-net", "--allow-net", script];
      const out = await run(Deno.execPath(), [...args, `ws://127.0.0.1:${port}/greet`]);
      const expected = [PROTOCOL, "hello", "text", [1, 2, 3], 4_321, "as you wish"];
      assert.deepEqual(JSON.parse(out), expected);
      await eventually(() => closes.length === 1, "the close to be told");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }));

const PAGE = `(async () => {
  const socket = new WebSocket("ws://" + location.host + "/greet", ["other", "${PROTOCOL}"]);
  socket.binaryType = "arraybuffer";
  const heard = [];
  const next = () => new Promise((resolve) => socket.onmessage = ({ data }) => resolve(data));
  heard.push(await next(), socket.protocol, socket.extensions);
  socket.send("\\u00fc\\u{1f600}");
  heard.push(await next());
  socket.send(new Uint8Array([1, 2, 3]));
  heard.push([...new Uint8Array(await next())]);
  socket.send("x".repeat(1000000));
  heard.push((await next()).length);
  socket.send(new Blob(["blob"]));
  heard.push((await next()).byteLength);
  const over = (each) => new Promise((resolve) => {
    each.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean]);
  });
  socket.close(4000, "from a page");
  heard.push(await over(socket));
  const other = new WebSocket("ws://" + location.host + "/");
  other.onopen = () => other.send("close");
  heard.push(await over(other));
  const refused = new WebSocket("ws://" + location.host + "/refused");
  heard.push((await over(refused))[0]);
  heard.push(await (await fetch("/echo", { method: "POST", body: "posted" })).text());
  return heard;
})()`;

testWithProgram("chromium", {
  name: "Chromium: a page's WebSocket speaks, is spoken to, closes and is closed",
  fn: (path) =>
    withEcho(async ({ port, closes }) => {
      const browser = await chromium.launch({
        executablePath: path,
        args: [
          "--no-sandbox",
          "--disable-gpu",
          "--no-first-run",
          "--disable-background-networking",
        ],
      });
      try {
        const page = await browser.newPage();
        await page.goto(`http://127.0.0.1:${port}/page`);
        assert.equal(await page.title(), "a page");
        assert.deepEqual(await within(page.evaluate(PAGE), "the page", 30_000), [
          "hello",
          PROTOCOL,
          "",
          "\u00fc\u{1f600}",
          [1, 2, 3],
          1_000_000,
          4,
          [4_000, "", true],
          [4_321, "as you wish", true],
          1_006,
          "POST:posted",
        ]);
      } finally {
        await browser.close();
      }
      assert.deepEqual(closes.slice(0, 2), ["4000 from a page", "4321 as you wish"]);
    }),
});

const PYTHON_CLIENT = `
import asyncio, json, sys, websockets

async def main(port):
    heard = []
    url = f"ws://127.0.0.1:{port}"
    async with websockets.connect(f"{url}/greet", subprotocols=["${PROTOCOL}"], max_size=None) as socket:
        heard += [await socket.recv(), socket.subprotocol, len(socket.extensions)]
        await socket.send("\\u00fc\\U0001f600")
        heard.append(await socket.recv())
        await socket.send(["in ", "three ", "parts"])
        heard.append(await socket.recv())
        await socket.send(b"\\x01\\x02\\x03")
        heard.append(list(await socket.recv()))
        await socket.send("x" * 1000000)
        heard.append(len(await socket.recv()))
        await (await socket.ping(b"beat"))
        heard.append("pong")
        await socket.close(code=4000, reason="from python")
    async with websockets.connect(url) as socket:
        await socket.send("close")
        try:
            await socket.recv()
        except websockets.ConnectionClosed as closed:
            heard.append([closed.rcvd.code, closed.rcvd.reason])
    async with websockets.connect(url, max_size=None) as socket:
        # Refused by its head alone: a client that the machine holds up hears of it before it has sent all.
        try:
            await socket.send("x" * (4 * 1024 * 1024 + 1))
            await socket.recv()
        except websockets.ConnectionClosed as closed:
            heard.append([closed.rcvd.code, closed.rcvd.reason])
    try:
        await websockets.connect(f"{url}/refused")
    except websockets.WebSocketException as refused:
        heard.append("403" in str(refused))
    print(json.dumps(heard))

asyncio.run(main(sys.argv[1]))
`;

testWithProgram("websockets", {
  name: "Python's websockets: messages, fragments, pings, closes and refusals",
  fn: (path) =>
    withEcho(async ({ port, closes }) => {
      const out = await run(path, ["-c", PYTHON_CLIENT, String(port)]);
      assert.deepEqual(JSON.parse(out), [
        "hello",
        PROTOCOL,
        0,
        "\u00fc\u{1f600}",
        "in three parts",
        [1, 2, 3],
        1_000_000,
        "pong",
        [4_321, "as you wish"],
        [1_009, "message too long"],
        true,
      ]);
      await eventually(() => closes.length === 3, "the closes to be told");
      assert.deepEqual(closes.slice(0, 2), ["4000 from python", "4321 as you wish"]);
    }),
});

testWithProgram("curl", {
  name: "curl: methods, bodies of every kind, several requests on a connection, and 404",
  fn: (path) =>
    withEcho(async ({ port }) => {
      const url = `http://127.0.0.1:${port}/echo`;
      const curl = (...args: readonly string[]) => run(path, ["-sS", "--max-time", "30", ...args]);
      assert.equal(await curl(url), "GET:");
      assert.equal(await curl(url, "-d", "hello"), "POST:hello");
      assert.equal(await curl(url, "-X", "DELETE"), "DELETE:");
      const chunked = await curl(url, "-H", "Transfer-Encoding: chunked", "-d", "in chunks");
      assert.equal(chunked, "POST:in chunks");
      const large = "x".repeat(100_000);
      const expecting = await curl(url, "-H", "Expect: 100-continue", "-d", large);
      assert.equal(expecting.length, 5 + large.length);
      assert.equal(await curl("--http1.0", url, "-d", "old"), "POST:old");
      assert.match(await curl("-I", url), /^HTTP\/1\.1 200 OK\r\n/);
      const connects = await curl(url, url, url, "-w", "%{num_connects},");
      assert.equal(connects, "GET:1,GET:0,GET:0,");
      const missing = await curl("-w", " %{http_code}", `http://127.0.0.1:${port}/missing`);
      assert.equal(missing, "no such page 404");
    }),
});

testWithProgram("curl", {
  name: "curl: an upgrade by hand is answered, and frames follow",
  fn: (path) =>
    withEcho(async ({ port }) => {
      const headers = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ];
      const child = new Deno.Command(path, {
        args: [
          ...["-sSi", "--http1.1", "--no-buffer", "--max-time", "30"],
          ...headers.flatMap((each) => ["-H", each]),
          `http://127.0.0.1:${port}/greet`,
        ],
        stdin: "null",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      let out = "";
      const decoder = new TextDecoder("latin1");
      for await (const chunk of child.stdout) {
        out += decoder.decode(chunk, { stream: true });
        if (out.endsWith("\x81\x05hello")) break;
      }
      child.kill();
      await child.status;
      assert.match(out, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
      assert.match(out, /\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
      assert.ok(out.endsWith("\r\n\r\n\x81\x05hello"));
    }),
});

testWithProgram("curl", {
  name: "curl: a WebSocket of its own, where it has them",
  fn: (path) =>
    withEcho(async ({ port, closes }) => {
      const version = await run(path, ["--version"]);
      const protocols = /^Protocols: (.*)$/m.exec(version)?.[1]?.split(" ") ?? [];
      assert.ok(protocols.includes("http"), version);
      if (!protocols.includes("ws")) return;
      const child = new Deno.Command(path, {
        args: ["-sS", "--no-buffer", "--max-time", "30", `ws://127.0.0.1:${port}/greet`],
        stdin: "null",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      let out = "";
      for await (const chunk of child.stdout) {
        out += new TextDecoder().decode(chunk);
        if (out.includes("hello")) break;
      }
      child.kill();
      await child.status;
      assert.equal(out, "hello");
      await eventually(() => closes.length === 1, "the close to be told");
    }),
});
