/** The gateway with a certificate of its own: `https` and `wss` on its one port. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { OPEN } from "../support/chat_gateway.ts";
import { eventually } from "../support/deadline.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { RawPeer } from "../support/raw_peer.ts";
import { upgradeLines } from "../support/raw_socket.ts";
import { testWithProgram } from "../support/skip.ts";
import { clientFrame } from "../support/websocket_frames.ts";
import { connectParams } from "../support/wire_client.ts";

/** Files in the folder that {@linkcode withFolder} makes. */
const CERTIFICATE = "certs/server.pem";
const KEY = "certs/server.key";

const settings = (tls: unknown) => ({ gateway: { tls } });
const TLS = settings({ enabled: true, certPath: CERTIFICATE, keyPath: KEY });

/** A folder with settings, and the certificate of an authority that vouches for the gateway's. */
interface Folder {
  readonly stateDir: string;
  readonly authority: string;
}

/** Runs `test` with a state folder in which `openssl` has made a small authority and a server's certificate. */
async function withFolder(
  openssl: string,
  test: (folder: Folder) => Promise<void>,
): Promise<void> {
  const stateDir = await Deno.makeTempDir({ prefix: "gateway-tls-" });
  try {
    const folder = join(stateDir, "certs");
    await Deno.mkdir(folder);
    await Deno.writeTextFile(
      join(folder, "server.ext"),
      "basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n",
    );
    const newKey = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for (
      const command of [
        `req -x509 ${newKey} -days 2 -subj /CN=authority -keyout ca.key -out ca.pem` +
        " -addext basicConstraints=critical,CA:TRUE",
        `req ${newKey} -subj /CN=localhost -keyout server.key -out server.csr`,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2" +
        " -extfile server.ext -out server.pem",
      ]
    ) {
      const args = command.split(" ");
      const { success, stderr } = await new Deno.Command(openssl, { args, cwd: folder }).output();
      assert.ok(success, `${command}: ${new TextDecoder().decode(stderr)}`);
    }
    await test({ stateDir, authority: await Deno.readTextFile(join(folder, "ca.pem")) });
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
}

testWithProgram("openssl", {
  name: "a gateway with a certificate speaks https and wss, and shows nothing to who speaks plain",
  fn: (openssl) =>
    withFolder(openssl, async ({ stateDir, authority }) => {
      await using gateway = await GatewayProcess.start({ stateDir, settings: TLS });
      const { port, token } = gateway;
      assert.match(gateway.url, /^wss:\/\/127\.0\.0\.1:\d+$/);
      assert.doesNotMatch(gateway.output, /put TLS in front/);

      using client = Deno.createHttpClient({ caCerts: [authority] });
      const answer = await fetch(`https://127.0.0.1:${port}/healthz`, { client });
      assert.equal(answer.status, 200);
      assert.equal((await answer.json()).ok, true);
      const stranger = fetch(`https://127.0.0.1:${port}/healthz`);
      await assert.rejects(stranger, ({ message, cause }: Error) => {
        // The runtime says in the one or the other why it could not send.
        assert.match(`${message} ${cause}`, /certificate/);
        return true;
      }, "who does not know the authority");

      using peer = await RawPeer.open(port, { caCert: authority });
      const head = upgradeLines("/", [
        `Host: 127.0.0.1:${port}`,
        // The gateway's own page, as a browser names it.
        `Origin: https://127.0.0.1:${port}`,
      ]);
      await peer.write(`${head.join("\r\n")}\r\n\r\n`);
      assert.match(await peer.head(), /^HTTP\/1\.1 101 /);
      assert.equal((await nextFrame(peer)).event, "connect.challenge");
      await call(peer, "connect", await connectParams({ token }, ""));
      const hello = await nextFrame(peer);
      assert.equal(hello.ok, true);
      await call(peer, "health", {});
      for (let frame = await nextFrame(peer);; frame = await nextFrame(peer)) {
        if (frame.id !== "health") continue;
        assert.equal(frame.ok, true);
        break;
      }

      using plain = await RawPeer.open(port);
      await plain.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
      assert.doesNotMatch(await plain.rest(), /HTTP|ok/);
      const after = await fetch(`https://127.0.0.1:${port}/healthz`, { client });
      assert.equal(after.status, 200, "others are served");
      await after.body?.cancel();
      assert.equal(await gateway.stop(), 0);
    }),
});

testWithProgram("openssl", {
  name: "the chat channel's own port has the gateway's certificate, too",
  fn: (openssl) =>
    withFolder(openssl, async ({ stateDir, authority }) => {
      const channels = { websocket: { port: 0, ...OPEN } };
      await using gateway = await GatewayProcess.start({
        stateDir,
        settings: { ...TLS, channels },
      });
      const port = Number(
        await eventually(
          () => /^chat channel +wss:\/\/127\.0\.0\.1:(\d+)\/ws$/m.exec(gateway.output)?.[1],
          "the line that names the chat channel",
        ),
      );
      using peer = await RawPeer.open(port, { caCert: authority });
      const head = upgradeLines("/ws?senderId=ann", [
        `Host: 127.0.0.1:${port}`,
        `Origin: https://127.0.0.1:${port}`,
      ]);
      await peer.write(`${head.join("\r\n")}\r\n\r\n`);
      assert.match(await peer.head(), /^HTTP\/1\.1 101 /);
      const greeting = await peer.frame();
      assert.match(new TextDecoder().decode(greeting?.payload), /Connected to WebSocket chat/);
      using plain = await RawPeer.open(port);
      await plain.write("GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
      assert.doesNotMatch(await plain.rest(), /HTTP|ok/);
      assert.equal(await gateway.stop(), 0);
    }),
});

testWithProgram("openssl", {
  name:
    "a certificate or key that is missing or wrong keeps the gateway from starting, and is named",
  fn: (openssl, test) =>
    withFolder(openssl, async ({ stateDir }) => {
      await Deno.writeTextFile(join(stateDir, "certs/empty.pem"), "");
      const cases = [
        {
          what: "no certificate file",
          tls: { certPath: "certs/none.pem", keyPath: KEY },
          says: ["gateway.tls.certPath", "certs/none.pem"],
        },
        {
          what: "no key file",
          tls: { certPath: CERTIFICATE, keyPath: "certs/none.key" },
          says: ["gateway.tls.keyPath", "certs/none.key"],
        },
        {
          what: "a key in the place of the certificate",
          tls: { certPath: KEY, keyPath: KEY },
          says: ["gateway.tls.certPath", KEY],
        },
        {
          what: "an empty file in the place of the key",
          tls: { certPath: CERTIFICATE, keyPath: "certs/empty.pem" },
          says: ["gateway.tls.keyPath", "certs/empty.pem"],
        },
        {
          what: "the key of another certificate",
          tls: { certPath: CERTIFICATE, keyPath: "certs/ca.key" },
          says: ["gateway.tls.keyPath", "certs/ca.key", CERTIFICATE],
        },
      ];
      for (const { what, tls, says } of cases) {
        await test.step(what, async () => {
          const message = await refusal(stateDir, { enabled: true, ...tls });
          for (const word of says) assert.ok(message.includes(word), `${word} in ${message}`);
          assert.doesNotMatch(message, /at file:|PRIVATE KEY/);
        });
      }
    }),
});

Deno.test("TLS that is enabled without both paths is refused by the settings", async () => {
  const stateDir = await Deno.makeTempDir({ prefix: "gateway-tls-" });
  try {
    for (const paths of [{}, { certPath: CERTIFICATE }, { keyPath: KEY }]) {
      const message = await refusal(stateDir, { enabled: true, ...paths });
      assert.match(
        message,
        /gateway\.tls\.enabled needs gateway\.tls\.certPath and gateway\.tls\.keyPath/,
      );
    }
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

/** What a start with these settings fails with. */
async function refusal(stateDir: string, tls: unknown): Promise<string> {
  try {
    await using gateway = await GatewayProcess.start({ stateDir, settings: settings(tls) });
    assert.fail(`it listens on ${gateway.url}`);
  } catch (error) {
    if (error instanceof assert.AssertionError || !(error instanceof Error)) throw error;
    return error.message;
  }
}

async function call(peer: RawPeer, method: string, params: unknown): Promise<void> {
  await peer.write(clientFrame(1, JSON.stringify({ type: "req", id: method, method, params })));
}

async function nextFrame(
  peer: RawPeer,
): Promise<{ readonly id?: string; readonly event?: string; readonly ok?: boolean }> {
  const frame = await peer.frame();
  assert.ok(frame !== undefined, "the connection has ended");
  return JSON.parse(new TextDecoder().decode(frame.payload));
}
