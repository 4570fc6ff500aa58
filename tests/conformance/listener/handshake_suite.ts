/** What every adapter of `ports/listener.ts` must do with the upgrade and the events of a WebSocket. */

import assert from "node:assert/strict";
import type { Serve } from "../../../src/core/serve.ts";
import { eventually } from "../../support/deadline.ts";
import { LOOPBACK_TLS } from "../../support/loopback_certificate.ts";
import { exchange, HANDSHAKE, RawPeer } from "../../support/raw_peer.ts";
import { accepting, type ListenerUnderTest, type Stage, withListener } from "./listener_stage.ts";
import { Client, echo, SURFACES } from "./socket_party.ts";

/** Of the sockets of the test that runs. */
const ends: string[] = [];

/** Registers the suite's tests for one adapter. */
export function testHandshakes({ name, listen, differences }: ListenerUnderTest): void {
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
}
