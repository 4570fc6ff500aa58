/** A server on loopback that does exactly what a test's script says. */

import { GatewayClient } from "../../../src/client/gateway_client.ts";
import type { GatewayClientOptions } from "../../../src/client/client_options.ts";

/** The server's side of one connection. */
export interface ScriptedPeer {
  /** Sends an object as JSON, text as it is. */
  send(frame: unknown): void;
  /** The next request that came; waits for it. */
  next(): Promise<Request>;
  close(code?: number, reason?: string): void;
  /** How the client closed. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

/** A request as the client sent it. */
export interface Request {
  readonly id: string;
  readonly method: string;
  // deno-lint-ignore no-explicit-any
  readonly params: any;
}

/** The script's server. */
export interface ScriptedGateway extends AsyncDisposable {
  readonly url: string;
}

/** Runs `script` for every connection. */
export function scriptedGateway(
  script: (peer: ScriptedPeer) => Promise<void> | void,
): ScriptedGateway {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    if (request.headers.get("upgrade") !== "websocket") return new Response(null, { status: 404 });
    if (new URL(request.url).pathname === "/forbidden") return new Response(null, { status: 403 });
    const { socket, response } = Deno.upgradeWebSocket(request);
    const requests: Request[] = [];
    const readers: ((request: Request) => void)[] = [];
    const closed = Promise.withResolvers<{ code: number; reason: string }>();
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      const reader = readers.shift();
      if (reader === undefined) requests.push(frame);
      else reader(frame);
    };
    socket.onclose = ({ code, reason }) => closed.resolve({ code, reason });
    socket.onerror = () => closed.resolve({ code: 1006, reason: "" });
    socket.onopen = () =>
      script({
        send: (frame) => socket.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
        next: () => {
          const waiting = requests.shift();
          if (waiting !== undefined) return Promise.resolve(waiting);
          return new Promise((resolve) => readers.push(resolve));
        },
        close: (code, reason) => socket.close(code, reason),
        closed: closed.promise,
      });
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** The gateway's greeting. */
export function hello(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    type: "hello-ok",
    protocol: 3,
    server: { version: "2026.11.22", connId: "c-1" },
    features: { methods: ["health"], events: ["tick"] },
    snapshot: { presence: [], health: {}, stateVersion: { presence: 0, health: 0 }, uptimeMs: 5 },
    policy: { maxPayload: 524_288, maxBufferedBytes: 1_572_864, tickIntervalMs: 30_000 },
    ...changes,
  };
}

/** Challenges and greets; returns the client's `connect` request. */
export async function greet(
  peer: ScriptedPeer,
  changes: Readonly<Record<string, unknown>> = {},
): Promise<Request> {
  peer.send({ type: "event", event: "connect.challenge", payload: { nonce: "n-1", ts: 1 } });
  const connect = await peer.next();
  peer.send({ type: "res", id: connect.id, ok: true, payload: hello(changes) });
  return connect;
}

/** A client of a gateway that greets and then follows `script`. */
export async function connected(
  script: (peer: ScriptedPeer) => Promise<void> | void,
  options: Partial<GatewayClientOptions> & { hello?: Readonly<Record<string, unknown>> } = {},
): Promise<{ readonly client: GatewayClient } & AsyncDisposable> {
  const { hello: changes, ...rest } = options;
  const gateway = scriptedGateway(async (peer) => {
    await greet(peer, changes);
    await script(peer);
  });
  const client = await GatewayClient.connect({ url: gateway.url, ...rest });
  return {
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await gateway[Symbol.asyncDispose]();
    },
  };
}
