import assert from "node:assert/strict";
import type { Peer } from "../../../src/core/peer.ts";
import type { ServerSocket } from "../../../src/core/websocket.ts";
import { peerOf } from "../../../src/http/peer.ts";
import { createRoutes } from "../../../src/http/routes.ts";
import { socketOf } from "../../support/link_socket.ts";
import { MemoryLink } from "../../support/memory_link.ts";

function routes(ready = true) {
  const connected: { socket: ServerSocket; peer: Peer }[] = [];
  const serve = createRoutes({
    trustedProxies: () => ["10.0.0.1"],
    allowedOrigins: () => ["https://chat.example.org"],
    allowedHosts: () => ["gw.example.org"],
    ready: () => ready,
    authorize: (authorization) => Promise.resolve(authorization === "Bearer good"),
    metrics: () => "clawgate_up 1\n",
    page: "<!doctype html><title>Clawgate</title>",
    connect: (socket, peer) => connected.push({ socket, peer }),
  });
  return { serve, connected };
}

const HOME = { host: "127.0.0.1:18789" };

function request(path: string, headers: Record<string, string> = HOME, method = "GET"): Request {
  return new Request(`http://gateway.invalid${path}`, { headers, method });
}

const LOOPBACK = { remoteAddress: "127.0.0.1", secure: false };

const PAGES: readonly {
  path: string;
  headers?: Record<string, string>;
  status: number;
  body: RegExp;
}[] = [
  { path: "/healthz", status: 200, body: /^{"ok":true,"status":"live"}$/ },
  { path: "/health", status: 200, body: /^{"ok":true,"status":"live"}$/ },
  { path: "/readyz", status: 200, body: /^{"ready":true,"status":"ready"}$/ },
  { path: "/", status: 200, body: /Clawgate/ },
  { path: "/metrics", status: 401, body: /Unauthorized/ },
  {
    path: "/metrics",
    headers: { ...HOME, authorization: "Bearer bad" },
    status: 401,
    body: /Unauthorized/,
  },
  {
    path: "/metrics",
    headers: { ...HOME, authorization: "Bearer good" },
    status: 200,
    body: /^clawgate_up 1\n$/,
  },
  { path: "/nope", status: 404, body: /^{"error":{"message":"Not found"}}$/ },
  { path: "/../../etc/passwd", status: 404, body: /Not found/ },
];

Deno.test("each path answers what it is for, with the headers that keep a browser safe", async () => {
  const { serve } = routes();
  for (const { path, headers, status, body } of PAGES) {
    const response = await serve(request(path, headers), LOOPBACK);
    assert.equal(response.status, status, path);
    assert.match(await response.text(), body, path);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff", path);
    assert.match(
      response.headers.get("content-security-policy") ?? "",
      /frame-ancestors 'none'/,
      path,
    );
  }
});

Deno.test("a gateway that still loads says so", async () => {
  const { serve } = routes(false);
  const response = await serve(request("/readyz"), LOOPBACK);
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), { ready: false, status: "starting" });
});

const STRANGERS: readonly Record<string, string>[] = [
  { host: "rebind.evil.example:18789" },
  { host: "127.0.0.1.evil.example" },
  { ...HOME, origin: "https://evil.example" },
  { ...HOME, origin: "null" },
  { ...HOME, origin: "http://127.0.0.1.evil.example" },
  { host: "gw.example.org", origin: "http://localhost:5173" },
  {},
];

Deno.test("a foreign Origin and a rebound Host are refused on every path, before an upgrade", async () => {
  const { serve, connected } = routes();
  for (const headers of STRANGERS) {
    for (const path of ["/", "/healthz", "/metrics", "/ws", "/any/path"]) {
      const plain = await serve(request(path, headers), LOOPBACK);
      assert.equal(plain.status, 403, `${path} ${JSON.stringify(headers)}`);
      let upgraded = false;
      const response = await serve(request(path, headers), {
        ...LOOPBACK,
        upgrade: () => {
          upgraded = true;
          return new Response();
        },
      });
      assert.deepEqual(
        [response.status, upgraded],
        [403, false],
        `${path} ${JSON.stringify(headers)}`,
      );
    }
  }
  assert.deepEqual(connected, []);
});

Deno.test("an upgrade on any path becomes a connection of its peer", async () => {
  const { serve, connected } = routes();
  const friends: readonly Record<string, string>[] = [
    HOME,
    { ...HOME, origin: "http://localhost:5173" },
    { host: "gw.example.org", origin: "https://gw.example.org" },
    { host: "gw.example.org", origin: "https://chat.example.org" },
  ];
  for (const headers of friends) {
    await serve(request("/anything", headers), {
      ...LOOPBACK,
      upgrade: (accept) => {
        accept(socketOf(new MemoryLink()));
        return new Response();
      },
    });
  }
  assert.equal(connected.length, friends.length);
  assert.equal(connected[1]?.peer.origin, "http://localhost:5173");
});

interface PeerRow {
  readonly name: string;
  readonly from: string;
  readonly headers: Record<string, string>;
  readonly expect: { readonly ip: string; readonly local: boolean };
}

const PEERS: readonly PeerRow[] = [
  { name: "this host", from: "127.0.0.1", headers: HOME, expect: { ip: "127.0.0.1", local: true } },
  {
    name: "this host over IPv6",
    from: "::1",
    headers: { host: "[::1]:1" },
    expect: { ip: "::1", local: true },
  },
  {
    name: "this host under another name",
    from: "127.0.0.1",
    headers: { host: "gw.example.org" },
    expect: { ip: "127.0.0.1", local: false },
  },
  {
    name: "another host that claims ours",
    from: "192.168.1.9",
    headers: HOME,
    expect: { ip: "192.168.1.9", local: false },
  },
  {
    name: "a forged address",
    from: "192.168.1.9",
    headers: { ...HOME, "x-forwarded-for": "127.0.0.1" },
    expect: { ip: "192.168.1.9", local: false },
  },
  {
    name: "a proxy on this host that is not named",
    from: "127.0.0.1",
    headers: { ...HOME, "x-forwarded-for": "127.0.0.1" },
    expect: { ip: "127.0.0.1", local: false },
  },
  {
    name: "X-Real-IP alone",
    from: "127.0.0.1",
    headers: { ...HOME, "x-real-ip": "127.0.0.1" },
    expect: { ip: "127.0.0.1", local: false },
  },
  {
    name: "Forwarded alone",
    from: "127.0.0.1",
    headers: { ...HOME, forwarded: "for=127.0.0.1" },
    expect: { ip: "127.0.0.1", local: false },
  },
  {
    name: "X-Forwarded-Host alone",
    from: "127.0.0.1",
    headers: { ...HOME, "x-forwarded-host": "localhost" },
    expect: { ip: "127.0.0.1", local: false },
  },
  {
    name: "a trusted proxy",
    from: "10.0.0.1",
    headers: { ...HOME, "x-forwarded-for": "6.6.6.6, 203.0.113.7" },
    expect: { ip: "203.0.113.7", local: false },
  },
  {
    name: "a trusted proxy behind another",
    from: "10.0.0.1",
    headers: { ...HOME, "x-forwarded-for": "203.0.113.7, 10.0.0.1" },
    expect: { ip: "203.0.113.7", local: false },
  },
  {
    name: "a trusted proxy and a client that claims to be local",
    from: "10.0.0.1",
    headers: { ...HOME, "x-forwarded-for": "127.0.0.1" },
    expect: { ip: "127.0.0.1", local: false },
  },
];

Deno.test("every header that a proxy adds makes a peer of this host not local", () => {
  const names = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-anything",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
  ];
  for (const name of names) {
    for (const value of ["127.0.0.1", ""]) {
      const { local, forwarded } = peerOf(new Headers({ ...HOME, [name]: value }), {
        remoteAddress: "127.0.0.1",
        trustedProxies: [],
      });
      assert.deepEqual({ local, forwarded }, { local: false, forwarded: true }, name);
    }
  }
});

Deno.test("whom a proxy names is believed from a trusted one, and from others kept for counting alone", () => {
  const rows: readonly [Record<string, string>, string, string | undefined, string | undefined][] =
    [
      [{ "x-forwarded-for": "1.1.1.1, 203.0.113.7:5544" }, "10.0.0.1", "203.0.113.7", undefined],
      [{ "x-forwarded-for": "[2001:db8::1]:9" }, "10.0.0.1", "2001:db8::1", undefined],
      [{ "x-forwarded-for": "unknown" }, "10.0.0.1", "10.0.0.1", undefined],
      [{ "x-real-ip": "203.0.113.7" }, "10.0.0.1", "10.0.0.1", "203.0.113.7"],
      [{ via: "1.1 proxy" }, "10.0.0.1", "10.0.0.1", undefined],
      [{ "x-forwarded-for": "6.6.6.6, 203.0.113.7" }, "127.0.0.1", "127.0.0.1", "203.0.113.7"],
      [{ "x-forwarded-for": "x".repeat(9_000) }, "127.0.0.1", "127.0.0.1", undefined],
      [{ "x-forwarded-for": `${"0".repeat(90)}::1` }, "127.0.0.1", "127.0.0.1", undefined],
    ];
  for (const [headers, remoteAddress, ip, claimedIp] of rows) {
    const peer = peerOf(new Headers({ ...HOME, ...headers }), {
      remoteAddress,
      trustedProxies: ["10.0.0.1"],
    });
    assert.deepEqual([peer.ip, peer.claimedIp], [ip, claimedIp], JSON.stringify(headers));
  }
});

Deno.test("forwarding headers are believed from a named proxy alone, and never make a peer local", () => {
  for (const { name, from, headers, expect } of PEERS) {
    const { ip, local } = peerOf(new Headers(headers), {
      remoteAddress: from,
      trustedProxies: ["10.0.0.1"],
    });
    assert.deepEqual({ ip, local }, expect, name);
  }
});

Deno.test("hostile text in headers is escaped and cut", () => {
  const { userAgent } = peerOf(
    new Headers({ ...HOME, "user-agent": `${"\u001b".length}x`.repeat(8_000) }),
    { remoteAddress: "127.0.0.1", trustedProxies: [] },
  );
  assert.ok(userAgent !== undefined && userAgent.length <= 257);
});
