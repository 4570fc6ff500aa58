import assert from "node:assert/strict";
import { explainFailure } from "../../../src/cli/connect_failure.ts";
import { run } from "../../../src/cli/program.ts";
import { ConnectionFailed } from "../../../src/client/client_error.ts";
import { FakeTerminal } from "./fake_terminal.ts";

/** What a server with TLS says to a client without: a fatal alert, `protocol_version`. */
const TLS_ALERT = new Uint8Array([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]);
/** What a server without TLS says to a client with it. */
const BAD_REQUEST = new TextEncoder().encode(
  "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
);

interface Row {
  readonly scheme: "ws" | "wss";
  /** What the peer says once it has heard something; absent: it closes. */
  readonly says?: Uint8Array<ArrayBuffer>;
  readonly message: RegExp;
}

const ROWS: readonly Row[] = [
  {
    scheme: "ws",
    says: TLS_ALERT,
    message: /not speak plain HTTP there; if it wants TLS, write wss:/,
  },
  {
    scheme: "wss",
    says: BAD_REQUEST,
    message: /not speak TLS there; if it is a gateway without TLS, /,
  },
  { scheme: "ws", message: /ended the connection without an answer; is it a gateway\?/ },
  { scheme: "wss", message: /not speak TLS there/ },
];

for (const { scheme, says, message } of ROWS) {
  const peer = says === undefined ? "closes" : says === TLS_ALERT ? "wants TLS" : "knows no TLS";
  Deno.test(`${scheme} to a peer that ${peer}: the message says what to write`, async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepting = (async () => {
      for await (const connection of listener) {
        await connection.read(new Uint8Array(4_096));
        if (says !== undefined) await connection.write(says);
        connection.close();
      }
    })();
    const terminal = new FakeTerminal();
    const url = `${scheme}://127.0.0.1:${listener.addr.port}`;
    const exit = await run(["health", "--url", url, "--token", "t"], {
      terminal,
      startGateway: () => Promise.reject(new Error("not here")),
    });
    listener.close();
    await accepting;
    assert.equal(exit, 3);
    assert.match(terminal.stderr, message);
    assert.doesNotMatch(terminal.stderr, /InvalidContentType|HTTP version|eof|canceled/);
  });
}

const WORDS = [
  ["ws://nonsense", "dns error", /there is no host "nonsense"; .* like ws:\/\/127\.0\.0\.1:18789/],
  ["ws://127.0.0.1:1", "tcp connect error", /127\.0\.0\.1:1: nothing listens there$/],
  ["ws://192.0.2.7:1", "tcp connect error", /192\.0\.2\.7:1: nothing answers there$/],
  [
    "wss://192.0.2.7",
    "invalid peer certificate: Expired",
    /trusts for "192\.0\.2\.7" \(Expired\)$/,
  ],
  [
    "wss://192.0.2.7",
    "invalid peer certificate: UnknownIssuer",
    /\(UnknownIssuer\); name the file of its issuer in DENO_CERT$/,
  ],
  [
    "wss://192.0.2.7",
    "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
    /has to be made with basicConstraints=CA:FALSE$/,
  ],
] as const;

Deno.test("the platform's words become a person's, and others stay", () => {
  for (const [address, words, message] of WORDS) {
    const url = new URL(address);
    const failed = new ConnectionFailed("unreachable", `cannot connect to ${url.host}: ${words}`);
    const { fault, message: said } = explainFailure(failed, url);
    assert.equal(fault, "unreachable");
    assert.match(said, message);
  }
  const url = new URL("ws://127.0.0.1:1");
  for (
    const failed of [
      new ConnectionFailed("unreachable", "cannot connect to 127.0.0.1:1: something new"),
      new ConnectionFailed("refused", "the gateway refused: dns error"),
    ]
  ) assert.equal(explainFailure(failed, url), failed);
});
