/** Who may open a connection at all, and what the gateway tells whom it does not know. */

import assert from "node:assert/strict";
import { hostname } from "node:os";
import { join } from "node:path";
import { DEFAULT_TENANT } from "../../src/core/id.ts";
import { VERSION } from "../../src/version.ts";
import { TestDevice } from "../support/device_key.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { type RawAnswer, rawRequest, upgradeLines } from "../support/raw_socket.ts";
import { type Parsed, refusedConnect, WireClient } from "../support/wire_client.ts";

const PATHS = [
  "/",
  "/ws",
  "/metrics",
  "/healthz",
  "/__openclaw__/ws",
  "/no/such/path?gatewayUrl=ws://evil.example",
  "//evil.example/",
];

Deno.test("S1 the page takes no address and no token from its URL, and may load nothing foreign", async () => {
  await using gateway = await GatewayProcess.start();
  const { httpUrl } = gateway;
  const plain = await fetch(`${httpUrl}/`);
  const page = await plain.text();
  for (const query of ["?gatewayUrl=ws://evil.example", "?token=x", "?url=ws://evil.example"]) {
    assert.equal(
      await (await fetch(`${httpUrl}/${query}`)).text(),
      page,
      "the URL changes nothing",
    );
  }
  // Of its URL it reads the scheme and the host that served it; whether there is more, it may ask.
  const asked = /\blocation\.(search|hash) !== ""/g;
  const read = [...page.replaceAll(asked, "").matchAll(/\blocation\b(?:\.(\w+))?/g)].map((match) =>
    match[1]
  );
  assert.deepEqual(new Set(read), new Set(["protocol", "host"]));
  assert.doesNotMatch(page, /gatewayUrl|URLSearchParams|document\.(URL|referrer|cookie)/);
  assert.doesNotMatch(page, /localStorage|postMessage|eval\(|innerHTML|document\.write/);
  assert.doesNotMatch(page, /(?:src|href)\s*=\s*["']?(?:https?:)?\/\//);
  const policy = plain.headers.get("content-security-policy") ?? "";
  for (const rule of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"]) {
    assert.ok(policy.includes(rule), `${rule} in ${policy}`);
  }
  assert.equal(plain.headers.get("referrer-policy"), "no-referrer");
  assert.equal(plain.headers.get("x-frame-options"), "DENY");
});

Deno.test("S2 a foreign or null Origin or a rebinding Host is answered with 403 before the upgrade, on every path", async () => {
  await using gateway = await GatewayProcess.start();
  const { port } = gateway;
  const own = `Host: 127.0.0.1:${port}`;
  const wrong = [
    [own, "Origin: https://evil.example"],
    [own, "Origin: null"],
    [own, "Origin: "],
    [own, `Origin: http://127.0.0.1.evil.example:${port}`],
    [own, "Origin: http://localhost.evil.example"],
    [own, `Origin: http://127.0.0.1:${port}@evil.example`],
    [own, "Origin: file://"],
    [own, "Origin: chrome-extension://abcdef"],
    [own, `Origin: http://127.0.0.1:${port}`, "Origin: https://evil.example"],
    ["Host: evil.example"],
    [`Host: evil.example:${port}`, `Origin: http://evil.example:${port}`],
    [`Host: 127.0.0.1.evil.example:${port}`],
    ["Host: localhost.evil.example"],
    [`Host: 127.0.0.1:${port}.evil.example`],
    ["Host: evil.example", "X-Forwarded-Host: localhost"],
  ];
  for (const path of PATHS) {
    for (const headers of wrong) {
      const what = `${path} with ${headers.join(", ")}`;
      // A Host that is none at all is refused even earlier.
      const status = headers[0]?.endsWith(`:${port}.evil.example`) ? 400 : 403;
      assert.equal((await rawRequest(port, upgradeLines(path, headers))).status, status, what);
      const plain = await rawRequest(port, [`GET ${path} HTTP/1.1`, ...headers]);
      assert.equal(plain.status, status, `${what}, plain`);
    }
    for (const headers of [[], [own, "Host: evil.example"]]) {
      const { status } = await rawRequest(port, upgradeLines(path, headers));
      assert.ok(
        status === 400 || status === 403,
        `${path} with ${headers.length} Hosts: ${status}`,
      );
    }
  }
  const right = [
    [own],
    [own, `Origin: http://127.0.0.1:${port}`],
    [`Host: localhost:${port}`, "Origin: http://localhost:5173"],
    [`Host: [::1]:${port}`],
    [`Host: ${hostname()}:${port}`],
  ];
  for (const headers of right) {
    const { status } = await rawRequest(port, upgradeLines("/", headers));
    assert.equal(status, 101, headers.join(", "));
  }
});

Deno.test("S4 a token that is absent, blank or the name of nothing, or no text at all, is refused", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, port } = gateway;
  const auths: Parsed[] = [undefined, {}];
  const values = ["", " ", "\t\n", "undefined", "null", "NaN", "[object Object]"];
  for (const value of values) auths.push({ token: value }, { password: value });
  // Fewer wrong ones than lock the source out.
  for (const value of [null, 0, true, [], ["x"], {}, { length: 48 }]) auths.push({ token: value });
  for (const [index, auth] of auths.entries()) {
    const localAddress = `127.0.1.${1 + index}`;
    const { error, closing } = await refusedConnect(url, { localAddress, extra: { auth } });
    const what = JSON.stringify(auth);
    assert.equal(closing.code, 1008, what);
    assert.match(
      error.message,
      /^(device identity required|unauthorized: |invalid connect params: at \/auth)/,
      what,
    );
  }
  for (const header of ["", "Bearer", "Bearer ", ...values.map((value) => `Bearer ${value}`)]) {
    const field = header.replace(/[\t\n]/g, " ");
    const answer = await rawRequest(port, [
      "GET /metrics HTTP/1.1",
      `Host: 127.0.0.1:${port}`,
      `Authorization: ${field}`,
    ]);
    assert.equal(answer.status, 401, field);
  }
});

Deno.test("S7 forwarding headers from an untrusted peer never make it local, nor pair it unasked", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token } = gateway;
  const forged: readonly Record<string, string>[] = [
    { "x-forwarded-for": "127.0.0.1" },
    { "x-forwarded-for": "127.0.0.1, 127.0.0.1" },
    { "x-forwarded-for": "203.0.113.5, 127.0.0.1" },
    { "x-forwarded-for": "" },
    { "x-real-ip": "127.0.0.1" },
    { "x-real-ip": "::1", "x-forwarded-for": "127.0.0.1" },
    { "x-forwarded-host": "localhost" },
    { "forwarded": "for=127.0.0.1;host=localhost;proto=https" },
    { "forwarded": "for=127.0.0.1", "x-forwarded-for": "::1", "x-real-ip": "127.0.0.1" },
  ];
  for (const headers of forged) {
    const what = JSON.stringify(headers);
    const device = await TestDevice.create();
    const pairing = await refusedConnect(url, { headers, token, device });
    assert.equal(pairing.error.code, "NOT_PAIRED", what);
    assert.equal(pairing.error.message, "pairing required", what);
    assert.deepEqual(pairing.closing, { code: 1008, reason: "pairing required" });

    const node = await refusedConnect(url, { headers, token, role: "node" });
    assert.equal(node.error.code, "NOT_PAIRED", what);

    await using remote = await WireClient.connect(url, {
      headers,
      token,
      scopes: ["operator.admin"],
    });
    const { error } = await remote.request("sessions.resolve", {});
    assert.equal(error?.message, "missing scope: operator.admin", what);
  }
});

Deno.test("S8 headers that claim an identity or scopes grant nothing", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, port, token } = gateway;
  const headers = {
    "x-forwarded-user": "admin",
    "x-openclaw-scopes": "operator.admin",
    "x-clawgate-scopes": "operator.admin",
    "x-scopes": "operator.admin",
    "x-role": "operator",
    "x-tenant": "other",
    "tailscale-user-login": "admin@example.org",
    "x-openclaw-token": token,
    "authorization": `Bearer ${token}`,
    "cookie": `token=${token}`,
  };
  const { error } = await refusedConnect(url, { headers });
  assert.deepEqual(error, { code: "NOT_PAIRED", message: "device identity required" });
  await using reader = await WireClient.connect(url, { headers, token, scopes: ["operator.read"] });
  const answer = await reader.request("sessions.patch", { key: "main", label: "x" });
  assert.equal(answer.error?.message, "missing scope: operator.admin");
  const { status } = await rawRequest(port, [
    `GET /metrics?token=${token} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    "X-Role: operator",
    `X-OpenClaw-Token: ${token}`,
  ]);
  assert.equal(status, 401);
});

Deno.test("S9 hostile text in names and headers is shown escaped, cut and on one line", async () => {
  await using gateway = await GatewayProcess.start({
    settings: { logging: { level: "trace" } },
  });
  const { url, token } = gateway;
  const hostile = `\u001b[31mred\u001b]0;title\u0007\r\n{"level":"error"}\u202eevil\u2066\u200b`;
  const displayName = `${hostile}${"A".repeat(512 - hostile.length)}`;
  const client = {
    id: "test",
    mode: "test",
    version: hostile,
    platform: hostile,
    displayName,
    deviceFamily: hostile,
    modelIdentifier: hostile,
    instanceId: hostile,
  };
  const headers = { "user-agent": "\u00a0B".repeat(2_000) };
  const scopes = ["operator.admin"];
  await using one = await WireClient.connect(url, { headers, token, scopes, extra: { client } });
  const extra = { client, auth: { token: `${hostile}${"C".repeat(3_000)}` } };
  await refusedConnect(url, { headers, extra });
  const wide = { client: { ...client, displayName: "A".repeat(15_000) } };
  const { error } = await refusedConnect(url, { token, extra: wide });
  assert.ok(error.message.length < 1_000, "a refusal does not repeat it");

  const presence: Parsed[] = await one.call("system-presence");
  const shown = presence.find(({ mode }: Parsed) => mode === "test");
  const unsafe = /[\p{Cc}\p{Cf}\u2028\u2029]/u;
  for (const text of Object.values(shown).filter((value) => typeof value === "string")) {
    assert.doesNotMatch(text, unsafe);
    assert.ok(text.length <= 257, `${text.length} characters`);
  }
  assert.ok(shown.version.startsWith("\\u{1b}[31mred"));
  for (const line of (await gateway.logText()).trimEnd().split("\n")) {
    assert.doesNotMatch(line, unsafe);
    assert.ok(JSON.parse(line).level !== "error", line);
  }
  assert.doesNotMatch(gateway.output.replaceAll("\n", ""), unsafe);
});

Deno.test("S35 what an unknown visitor reads shows no version, path, agent or tenant", async () => {
  await using gateway = await GatewayProcess.start();
  const { port, url } = gateway;
  const host = `Host: 127.0.0.1:${port}`;
  const answers: RawAnswer[] = [];
  for (
    const path of ["/", "/health", "/healthz", "/ready", "/readyz", "/metrics", "/nope", "/%00"]
  ) {
    for (const method of ["GET", "HEAD", "POST", "OPTIONS", "TRACE"]) {
      answers.push(await rawRequest(port, [`${method} ${path} HTTP/1.1`, host]));
    }
  }
  answers.push(await rawRequest(port, ["GET / HTTP/1.1", "Host: evil.example"]));
  answers.push(await rawRequest(port, ["GET / HTTP/1.1", host, "Origin: null"]));
  answers.push(await rawRequest(port, ["nonsense"]));
  answers.push(await rawRequest(port, ["GET / HTTP/1.1", host, `X: ${"y".repeat(20_000)}`]));
  await using client = await WireClient.open(url);
  const { error, closing } = await refusedConnect(url, {});
  const shown = [
    ...answers.map(({ headers, body }) => JSON.stringify([...headers]) + body),
    JSON.stringify([client.frames, error, closing]),
  ].join("\n");
  const secrets = [
    VERSION,
    Deno.version.deno,
    gateway.stateDir,
    join(gateway.stateDir, "clawgate.json"),
    hostname(),
    "agent:main",
    `"${DEFAULT_TENANT}"`,
    gateway.token,
    "node_modules",
    "src/",
  ];
  for (const secret of secrets) assert.ok(!shown.includes(secret), `it shows ${secret}`);
  assert.ok(answers.every(({ headers }) => !headers.has("server") && !headers.has("x-powered-by")));
});
