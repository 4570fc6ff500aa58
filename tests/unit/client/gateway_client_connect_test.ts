import assert from "node:assert/strict";
import type { ConnectionFailed } from "../../../src/client/client_error.ts";
import { GatewayClient } from "../../../src/client/gateway_client.ts";
import { afterOn, failureOf } from "../../support/client_stage.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { greet, hello, scriptedGateway } from "./scripted_gateway.ts";

Deno.test("connect asks for protocol 3 as an operator with every scope and the token", async () => {
  const seen = Promise.withResolvers<Record<string, unknown>>();
  await using gateway = scriptedGateway(async (peer) => seen.resolve((await greet(peer)).params));
  await using client = await GatewayClient.connect({
    url: gateway.url,
    token: "t-1",
    client: { version: "2026.1.2", platform: "linux" },
  });
  assert.deepEqual(await seen.promise, {
    minProtocol: 3,
    maxProtocol: 3,
    client: { id: "cli", version: "2026.1.2", platform: "linux", mode: "cli" },
    role: "operator",
    scopes: [
      "operator.admin",
      "operator.approvals",
      "operator.pairing",
      "operator.read",
      "operator.write",
    ],
    auth: { token: "t-1" },
  });
  assert.equal(client.hello.serverVersion, "2026.11.22");
  assert.equal(client.hello.maxPayload, 524_288);
});

Deno.test("a node asks for no scopes unless told to", async () => {
  const seen = Promise.withResolvers<Record<string, unknown>>();
  await using gateway = scriptedGateway(async (peer) => seen.resolve((await greet(peer)).params));
  await using _client = await GatewayClient.connect({ url: gateway.url, role: "node" });
  const { role, scopes, auth } = await seen.promise;
  assert.deepEqual({ role, scopes, auth }, { role: "node", scopes: [], auth: undefined });
});

Deno.test("the device signs the challenge's nonce", async () => {
  const seen = Promise.withResolvers<Record<string, unknown>>();
  await using gateway = scriptedGateway(async (peer) => seen.resolve((await greet(peer)).params));
  await using _client = await GatewayClient.connect({
    url: gateway.url,
    device: (nonce) => Promise.resolve({ id: "d", nonce }),
  });
  assert.deepEqual((await seen.promise).device, { id: "d", nonce: "n-1" });
});

Deno.test("without a challenge it connects after two seconds, and a late one does no harm", async () => {
  const clock = new ManualClock();
  const listening = Promise.withResolvers<void>();
  const nonces: unknown[] = [];
  await using gateway = scriptedGateway(async (peer) => {
    const request = peer.next();
    listening.resolve();
    const connect = await request;
    peer.send({ type: "event", event: "connect.challenge", payload: { nonce: "late", ts: 1 } });
    peer.send({ type: "res", id: connect.id, ok: true, payload: hello() });
  });
  const connecting = GatewayClient.connect({
    url: gateway.url,
    after: afterOn(clock),
    device: (nonce) => {
      nonces.push(nonce);
      return Promise.resolve({});
    },
  });
  await listening.promise;
  // The client's side of the opening may come after the server's.
  while (clock.waiting < 2) await new Promise((resolve) => setTimeout(resolve, 0));
  await clock.advance(1_999);
  assert.deepEqual(nonces, []);
  await clock.advance(1);
  await using _client = await connecting;
  assert.deepEqual(nonces, [undefined]);
});

interface Refusal {
  readonly name: string;
  readonly script: Parameters<typeof scriptedGateway>[0];
  readonly fault: ConnectionFailed["fault"];
  readonly message: RegExp;
  readonly code?: string;
  readonly closeCode?: number;
}

const challenge = { type: "event", event: "connect.challenge", payload: { nonce: "n", ts: 1 } };

const REFUSALS: readonly Refusal[] = [
  {
    name: "an error answer and a close",
    script: async (peer) => {
      peer.send(challenge);
      const { id } = await peer.next();
      const error = {
        code: "NOT_PAIRED",
        message: "pairing required",
        details: { requestId: "r" },
      };
      peer.send({ type: "res", id, ok: false, error });
      peer.close(1008, "pairing required");
    },
    fault: "refused",
    message: /^the gateway refused: pairing required$/,
    code: "NOT_PAIRED",
  },
  {
    name: "an error without its shape",
    script: async (peer) => {
      peer.send(challenge);
      const { id } = await peer.next();
      peer.send({ type: "res", id, ok: false, error: "no" });
    },
    fault: "refused",
    message: /gave no reason/,
    code: "UNAVAILABLE",
  },
  {
    name: "a close with a reason instead of an answer",
    script: async (peer) => {
      peer.send(challenge);
      await peer.next();
      peer.close(4003, "go away");
    },
    fault: "refused",
    message: /code 4003: go away/,
    closeCode: 4003,
  },
  {
    name: "a close before the challenge",
    script: (peer) => peer.close(4001, "full"),
    fault: "refused",
    message: /code 4001: full/,
    closeCode: 4001,
  },
  {
    name: "a greeting that is none",
    script: async (peer) => {
      peer.send(challenge);
      const { id } = await peer.next();
      peer.send({ type: "res", id, ok: true, payload: { type: "hello" } });
    },
    fault: "protocol",
    message: /not one of gateway protocol 3/,
  },
  {
    name: "a greeting of another protocol",
    script: async (peer) => {
      peer.send(challenge);
      const { id } = await peer.next();
      peer.send({ type: "res", id, ok: true, payload: hello({ protocol: 4 }) });
    },
    fault: "protocol",
    message: /not one of gateway protocol 3/,
  },
  {
    name: "a malformed answer",
    script: async (peer) => {
      peer.send(challenge);
      const { id } = await peer.next();
      peer.send({ type: "res", id, ok: "yes" });
    },
    fault: "protocol",
    message: /answer to "connect" is malformed/,
  },
  {
    name: "text that would steer a terminal",
    script: async (peer) => {
      peer.send(challenge);
      const { id } = await peer.next();
      const error = { code: "INVALID_REQUEST", message: "\x1b]52;c;AAAA\x07\x9b2J\u202e\nroot#" };
      peer.send({ type: "res", id, ok: false, error });
    },
    fault: "refused",
    message:
      /^the gateway refused: \\u\{1b\}\]52;c;AAAA\\u\{7\}\\u\{9b\}2J\\u\{202e\}\\u\{a\}root#$/,
    code: "INVALID_REQUEST",
  },
];

for (const { name, script, fault, message, code, closeCode } of REFUSALS) {
  Deno.test(`connect fails on ${name}`, async () => {
    await using gateway = scriptedGateway(script);
    const error = await failureOf(GatewayClient.connect({ url: gateway.url }));
    assert.equal(error.fault, fault);
    assert.match(error.message, message);
    assert.equal(error.answer?.code, code);
    assert.equal(error.closeCode, closeCode);
  });
}

Deno.test("connect fails as unreachable where nothing listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const error = await failureOf(GatewayClient.connect({ url: `ws://127.0.0.1:${port}` }));
  assert.equal(error.fault, "unreachable");
  assert.match(error.message, new RegExp(`^cannot connect to 127.0.0.1:${port}`));
});

Deno.test("connect names the HTTP status of a refused upgrade", async () => {
  await using gateway = scriptedGateway(() => {});
  const error = await failureOf(GatewayClient.connect({ url: `${gateway.url}/forbidden` }));
  assert.equal(error.fault, "unreachable");
  assert.match(error.message, /HTTP status 403$/);
});

Deno.test("connect gives up when no greeting comes in time", async () => {
  const clock = new ManualClock();
  const asked = Promise.withResolvers<void>();
  await using gateway = scriptedGateway(async (peer) => {
    peer.send(challenge);
    await peer.next();
    asked.resolve();
  });
  const connecting = failureOf(
    GatewayClient.connect({ url: gateway.url, after: afterOn(clock), connectTimeoutMs: 700 }),
  );
  await asked.promise;
  await clock.advance(700);
  const error = await connecting;
  assert.equal(error.fault, "timeout");
  assert.match(error.message, /within 700 ms/);
});

Deno.test("connect can be given up before and during the opening", async () => {
  const asked = Promise.withResolvers<void>();
  await using gateway = scriptedGateway(async (peer) => {
    peer.send(challenge);
    await peer.next();
    asked.resolve();
  });
  const before = await failureOf(
    GatewayClient.connect({ url: gateway.url, signal: AbortSignal.abort() }),
  );
  assert.equal(before.fault, "aborted");
  const controller = new AbortController();
  const during = failureOf(GatewayClient.connect({ url: gateway.url, signal: controller.signal }));
  await asked.promise;
  controller.abort();
  assert.equal((await during).fault, "aborted");
});
