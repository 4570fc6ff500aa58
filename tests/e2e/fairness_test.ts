/** One loud client among others: nobody waits for it longer than its turn. */

import assert from "node:assert/strict";
import { within } from "../support/deadline.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { upgradeLines } from "../support/raw_socket.ts";
import { testWithProgram } from "../support/skip.ts";
import { clientFrame, joined, TEXT } from "../support/websocket_frames.ts";

/** Requests that others make meanwhile, each on a connection of its own. */
const VISITS = 5;

/** Others waited for tens of seconds where a flood was served without giving way. */
const VISIT_MS = 5_000;

async function visit(port: number): Promise<void> {
  const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  try {
    const asked = fetch(`http://127.0.0.1:${port}/healthz`, { client });
    const response = await within(asked, "an answer to another client", VISIT_MS);
    assert.equal(response.status, 200);
    await response.body?.cancel();
  } finally {
    client.close();
  }
}

/** A connection that has been let in. */
async function admitted({ port, token }: GatewayProcess): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const params = {
    minProtocol: 3,
    maxProtocol: 3,
    client: { id: "test", version: "1.0.0", platform: "test", mode: "test" },
    auth: { token },
  };
  const connect = { type: "req", id: "in", method: "connect", params };
  await connection.write(joined(
    `${upgradeLines("/", [`Host: 127.0.0.1:${port}`]).join("\r\n")}\r\n\r\n`,
    clientFrame(TEXT, JSON.stringify(connect)),
  ));
  const buffer = new Uint8Array(64 * 1024);
  let seen = "";
  while (!seen.includes("hello-ok")) {
    const bytes = await within(connection.read(buffer), "a hello");
    assert.notEqual(bytes, null, seen);
    seen += new TextDecoder().decode(buffer.subarray(0, bytes ?? 0));
  }
  return connection;
}

/** Sends `bytes` over and over until the returned function is called, and reads what comes back. */
function flood(connection: Deno.TcpConn, bytes: Uint8Array): () => Promise<void> {
  let over = false;
  const ended = () => {};
  const writing = (async () => {
    while (!over) {
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    }
  })().catch(ended);
  const reading = (async () => {
    const buffer = new Uint8Array(64 * 1024);
    while (await connection.read(buffer) !== null);
  })().catch(ended);
  return async () => {
    over = true;
    connection.close();
    await Promise.all([writing, reading]);
  };
}

Deno.test("a client whose messages never end keeps nobody else waiting", async () => {
  await using gateway = await GatewayProcess.start();
  const empty = joined(...Array.from({ length: 5_000 }, () => clientFrame(TEXT, "")));
  const stop = flood(await admitted(gateway), empty);
  try {
    for (let count = 0; count < VISITS; count++) await visit(gateway.port);
  } finally {
    await stop();
  }
});

Deno.test("a client that never stops asking over HTTP keeps nobody else waiting", async () => {
  await using gateway = await GatewayProcess.start();
  const { port } = gateway;
  const request = `HEAD /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const stop = flood(connection, new TextEncoder().encode(request.repeat(500)));
  try {
    for (let count = 0; count < VISITS; count++) await visit(port);
  } finally {
    await stop();
  }
});

testWithProgram("websockets", {
  name: "connections that are reset before they are accepted cost the others nothing",
  fn: async (python) => {
    await using gateway = await GatewayProcess.start();
    const { port } = gateway;
    const resets = `
import socket, struct, sys, time
for _ in range(400):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.connect(('127.0.0.1', ${port}))
    s.close()
    time.sleep(0.005)
`;
    const child = new Deno.Command(python, { args: ["-c", resets], stdin: "null" }).spawn();
    for (let count = 0; count < VISITS; count++) await visit(port);
    const { success } = await child.status;
    assert.ok(success, "the resets could not be made");
    await visit(port);
  },
});
