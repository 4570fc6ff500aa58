/** Guessing: who tries secrets is locked out, and nobody else is. */

import assert from "node:assert/strict";
import { LOCAL_PACE, LOCK_OUT, PROXY_LOCK_OUT } from "../../src/services/auth.ts";
import { TestDevice } from "../support/device_key.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { rawRequest } from "../support/raw_socket.ts";
import { refusalOf, refusedConnect, WireClient } from "../support/wire_client.ts";

const GUESSES = 1_000;

/** Guesses under way at once; fewer than the connections that one source may have in their handshake. */
const AT_ONCE = 32;

type Verdict = "wrong" | "locked" | "untold";

Deno.test("S3 a thousand wrong secrets over WebSocket and HTTP lock their source out within ten, and no other", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, port, token } = gateway;
  await using before = await WireClient.connect(url, { token });
  const device = await TestDevice.create();
  const wrong = { program: 0, page: 0 };
  const began = performance.now();
  for (let from = 0; from < GUESSES; from += AT_ONCE) {
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, GUESSES - from) }, async (_, index) => {
        const source = index % 2 === 0 ? "program" : "page";
        const verdict = await guess(gateway, { kind: (from + index) % 6, source, device });
        if (verdict === "wrong") wrong[source]++;
      }),
    );
  }
  // Those over HTTP are counted, too, but answered alike. Programs of this host get one more a second.
  const seconds = Math.ceil((performance.now() - began) / LOCAL_PACE.lockMs);
  const most = { page: LOCK_OUT.failures, program: LOCAL_PACE.failures + seconds };
  for (const source of ["program", "page"] as const) {
    assert.ok(wrong[source] <= most[source], `${wrong[source]} guesses of a ${source}`);
    assert.ok(wrong[source] > 0, `the first guesses of a ${source} are answered`);
  }

  const headers = { origin: gateway.httpUrl };
  const locked = await refusedConnect(url, { token, headers });
  assert.match(locked.error.message, /^unauthorized: too many failed attempts from this address/);
  assert.equal(locked.error.retryable, true);
  assert.ok((locked.error.retryAfterMs ?? 0) > LOCK_OUT.lockMs - 60_000);
  const unpaired = await refusedConnect(url, { token, headers, device });
  assert.match(unpaired.error.message, /too many/);
  assert.equal(await metrics(port, { bearer: token, origin: gateway.httpUrl }), 401);
  await using owner = await WireClient.connect(url, { token });
  assert.ok(
    await owner.call("health"),
    "no guessing shuts out who has the gateway's own token here",
  );
  assert.equal(await metrics(port, { bearer: token }), 200);

  await using elsewhere = await WireClient.connect(url, { token, localAddress: "127.0.0.2" });
  assert.ok(await elsewhere.call("health"));
  assert.equal(await metrics(port, { bearer: token, localAddress: "127.0.0.2" }), 200);
  assert.ok(await before.call("health"), "who was in stays in");
  await using public_ = await WireClient.open(url);
  assert.ok(public_, "a connection as such is not refused");
});

Deno.test("S3 a page that guesses does not lock out the programs of the same host", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, httpUrl, token } = gateway;
  const headers = { origin: httpUrl };
  for (let count = 0; count < LOCK_OUT.failures; count++) {
    const { error } = await refusedConnect(url, { headers, token: `guess-${count}` });
    assert.match(error.message, /token mismatch/);
  }
  assert.match((await refusedConnect(url, { headers, token })).error.message, /too many/);
  await using client = await WireClient.connect(url, { token });
  assert.ok(await client.call("health"));
});

Deno.test("S3 addresses that a client claims give it guesses up to a bound, and lock nobody else out", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token } = gateway;
  let wrong = 0;
  for (let count = 0; count < 2 * PROXY_LOCK_OUT.failures; count++) {
    const headers = { "x-forwarded-for": `198.51.100.${count}` };
    const { error } = await refusedConnect(url, { headers, token: `guess-${count}` });
    if (/mismatch/.test(error.message)) wrong++;
  }
  assert.equal(wrong, PROXY_LOCK_OUT.failures);
  const proxied = { "x-forwarded-for": "198.51.100.250" };
  assert.match((await refusedConnect(url, { token, headers: proxied })).error.message, /too many/);
  await using owner = await WireClient.connect(url, { token });
  assert.ok(await owner.call("health"));
});

Deno.test("S3 one client behind an unnamed proxy that guesses locks itself out alone", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token } = gateway;
  const headers = { "x-forwarded-for": "198.51.100.1" };
  for (let count = 0; count < LOCK_OUT.failures; count++) {
    const { error } = await refusedConnect(url, { headers, token: `guess-${count}` });
    assert.match(error.message, /token mismatch/);
  }
  assert.match((await refusedConnect(url, { headers, token })).error.message, /too many/);
  const other = { "x-forwarded-for": "198.51.100.2" };
  await using neighbour = await WireClient.connect(url, { token, headers: other });
  await using owner = await WireClient.connect(url, { token });
  assert.ok(await neighbour.call("health"));
  assert.ok(await owner.call("health"));
});

interface Guess {
  readonly kind: number;
  readonly source: "program" | "page";
  readonly device: TestDevice;
}

/** One try with a secret that is not the right one, of one of several kinds. */
async function guess(gateway: GatewayProcess, { kind, source, device }: Guess): Promise<Verdict> {
  const { url, httpUrl, port, token } = gateway;
  const origin = source === "page" ? httpUrl : undefined;
  const secret = [crypto.randomUUID(), token.slice(1), `${token}0`][kind % 3] ?? "";
  if (kind < 2) {
    assert.equal(await metrics(port, { bearer: secret, origin }), 401);
    return "untold";
  }
  const headers: Record<string, string> = origin === undefined ? {} : { origin };
  await using client = await WireClient.open(url, { headers });
  const options = kind < 4 ? { token: secret } : { token: secret, device };
  const { message } = await refusalOf(client.connect(options));
  assert.equal((await client.end()).code, 1008);
  if (/too many failed attempts/.test(message)) return "locked";
  assert.match(message, /^unauthorized: gateway token mismatch/);
  return "wrong";
}

async function metrics(
  port: number,
  options: {
    readonly bearer: string;
    readonly origin?: string;
    readonly localAddress?: string;
  },
): Promise<number> {
  const { bearer, origin, localAddress } = options;
  const lines = [
    "GET /metrics HTTP/1.1",
    `Host: 127.0.0.1:${port}`,
    `Authorization: Bearer ${bearer}`,
    ...(origin === undefined ? [] : [`Origin: ${origin}`]),
  ];
  return (await rawRequest(port, lines, { localAddress })).status;
}
