import assert from "node:assert/strict";
import { createMemoryStore } from "../../../../src/adapters/memory_store.ts";
import { type Scope, SCOPES } from "../../../../src/core/access.ts";
import { Disconnect, type GatewayError } from "../../../../src/core/error.ts";
import { checked, DEFAULT_TENANT, isConnectionId } from "../../../../src/core/id.ts";
import type { Peer } from "../../../../src/core/peer.ts";
import {
  type Admission,
  type AdmissionRequest,
  type AdmissionServices,
  admit,
} from "../../../../src/protocols/openclaw/admission.ts";
import {
  type ConnectParams,
  parseConnectParams,
} from "../../../../src/protocols/openclaw/connect_params.ts";
import { Authenticator, type AuthOptions, LOCK_OUT } from "../../../../src/services/auth.ts";
import { Devices } from "../../../../src/services/devices.ts";
import type { DomainEvent } from "../../../../src/services/domain_event.ts";
import { Hub } from "../../../../src/services/hub.ts";
import { CountingRandom } from "../../../support/counting_random.ts";
import { base64Url, fromHex, idOf, type Signing, TestDevice } from "../../../support/device_key.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

const TOKEN = "a-long-shared-token";
const NONCE = "nonce-of-this-connection";
const LOCAL: Peer = { ip: "127.0.0.1", local: true, host: "127.0.0.1:18789" };
/** A loopback address behind which a proxy speaks for somebody else. */
const REMOTE: Peer = { ip: "127.0.0.1", local: false, host: "127.0.0.1:18789" };
const PAGE: Peer = { ...LOCAL, origin: "http://127.0.0.1:18789" };

const CONNECTION = checked("connection-1", isConnectionId);

function gateway(options: Partial<AuthOptions> = {}) {
  const clock = new ManualClock();
  const hub = new Hub();
  const events: DomainEvent[] = [];
  hub.observe((_tenant, event) => events.push(event));
  const settings: AuthOptions = { mode: "token", token: TOKEN, ...options };
  const services: AdmissionServices = {
    tenant: DEFAULT_TENANT,
    auth: new Authenticator({ clock, options: () => settings }),
    devices: new Devices({
      store: createMemoryStore(),
      clock,
      random: new CountingRandom(),
      hub,
      keyring: { secret: "k".repeat(64) },
    }),
    allowedOrigins: () => ["https://chat.example.org"],
  };
  const admitting = (params: ConnectParams, change: Partial<AdmissionRequest> = {}) =>
    admit(
      { params, nonce: NONCE, peer: LOCAL, connection: CONNECTION, now: clock.now(), ...change },
      services,
    );
  return { clock, hub, events, services, settings, admitting };
}

type Gateway = ReturnType<typeof gateway>;

interface Wish {
  readonly id?: string;
  readonly mode?: string;
  readonly role?: string;
  readonly scopes?: readonly string[];
  readonly token?: string;
  readonly password?: string;
  readonly extra?: Record<string, unknown>;
}

function connect(wish: Wish = {}): ConnectParams {
  const { id = "test", mode = "test", role, scopes, token, password, extra } = wish;
  return parseConnectParams({
    minProtocol: 3,
    maxProtocol: 3,
    client: { id, mode, version: "1", platform: "Linux", deviceFamily: "PC" },
    ...(role === undefined ? {} : { role }),
    ...(scopes === undefined ? {} : { scopes }),
    ...(token === undefined && password === undefined ? {} : { auth: { token, password } }),
    ...extra,
  });
}

/** A connect that the device signed. */
async function signed(
  device: TestDevice,
  wish: Wish & { readonly at: number; readonly signing?: Partial<Signing> },
): Promise<ConnectParams> {
  const claim = await device.claim({
    clientId: wish.id ?? "test",
    clientMode: wish.mode ?? "test",
    role: wish.role ?? "operator",
    scopes: wish.scopes ?? [],
    token: wish.token ?? "",
    platform: "linux",
    deviceFamily: "pc",
    signedAt: wish.at,
    nonce: NONCE,
    ...wish.signing,
  });
  return { ...connect(wish), device: claim };
}

async function refusalOf(admission: Promise<Admission>): Promise<{
  readonly close: readonly [number, string];
  readonly answer: GatewayError;
}> {
  const thrown = await admission.then(() => undefined, (error: unknown) => error);
  assert.ok(thrown instanceof Disconnect, String(thrown));
  assert.ok(thrown.answer !== undefined);
  return { close: [thrown.code, thrown.reason], answer: thrown.answer };
}

interface FailureRow {
  readonly name: string;
  readonly code?: "INVALID_REQUEST" | "NOT_PAIRED";
  readonly message: string;
  readonly details?: unknown;
  readonly options?: Partial<AuthOptions>;
  readonly peer?: Peer;
  readonly connect: (g: Gateway, device: TestDevice) => ConnectParams | Promise<ConnectParams>;
}

const ORIGIN =
  "origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)";
const SECURE = "control ui requires HTTPS or localhost (secure context)";
const PASSWORD = { mode: "password", password: "open sesame" } as const;
const UI = "openclaw-control-ui";

const FAILURES: readonly FailureRow[] = [
  {
    name: "an unknown role",
    message: "invalid role",
    connect: () => connect({ role: "admin", token: TOKEN }),
  },
  {
    name: "no device, no secret",
    code: "NOT_PAIRED",
    message: "device identity required",
    connect: () => connect(),
  },
  {
    name: "no device, blank secrets",
    code: "NOT_PAIRED",
    message: "device identity required",
    connect: () => connect({ token: " ", password: "" }),
  },
  {
    name: "a wrong token",
    message: "unauthorized: gateway token mismatch (provide gateway auth token)",
    connect: () => connect({ token: "wrong" }),
  },
  {
    name: "a wrong token with a device",
    message: "unauthorized: gateway token mismatch (provide gateway auth token)",
    connect: (g, device) => signed(device, { token: "wrong", at: g.clock.now() }),
  },
  {
    name: "no token, device unknown",
    message: "unauthorized: gateway token missing (provide gateway auth token)",
    connect: (g, device) => signed(device, { at: g.clock.now() }),
  },
  {
    name: "the text undefined as a token",
    message: "unauthorized: gateway token mismatch (provide gateway auth token)",
    connect: () => connect({ token: "undefined" }),
  },
  {
    name: "a gateway without a usable token",
    message: "unauthorized: gateway token not configured on gateway (set gateway.auth.token)",
    options: { token: "  " },
    connect: () => connect({ token: "  x" }),
  },
  {
    name: "a wrong token of a command line",
    message:
      "unauthorized: gateway token mismatch (set gateway.remote.token to match gateway.auth.token)",
    connect: () => connect({ id: "cli", mode: "cli", token: "wrong" }),
  },
  {
    name: "a wrong token of the dashboard",
    message:
      "unauthorized: gateway token mismatch (open a tokenized dashboard URL or paste token in Control UI settings)",
    peer: PAGE,
    connect: (g, device) => signed(device, { id: UI, mode: "ui", token: "no", at: g.clock.now() }),
  },
  {
    name: "no token of a web chat",
    message:
      "unauthorized: gateway token missing (open a tokenized dashboard URL or paste token in Control UI settings)",
    peer: PAGE,
    connect: (g, device) => signed(device, { id: "webchat", mode: "webchat", at: g.clock.now() }),
  },
  {
    name: "a wrong password",
    message: "unauthorized: gateway password mismatch (provide gateway auth password)",
    options: PASSWORD,
    connect: () => connect({ password: "wrong" }),
  },
  {
    name: "the password as a token",
    message: "unauthorized: gateway password missing (provide gateway auth password)",
    options: PASSWORD,
    connect: () => connect({ token: PASSWORD.password }),
  },
  {
    name: "a wrong password of a command line",
    message:
      "unauthorized: gateway password mismatch (set gateway.remote.password to match gateway.auth.password)",
    options: PASSWORD,
    connect: () => connect({ id: "cli", mode: "cli", password: "wrong" }),
  },
  {
    name: "a wrong password of the dashboard",
    message: "unauthorized: gateway password mismatch (enter the password in Control UI settings)",
    options: PASSWORD,
    peer: PAGE,
    connect: (g, device) =>
      signed(device, { id: UI, mode: "ui", password: "no", at: g.clock.now() }),
  },
  {
    name: "a device id that is not the key's digest",
    message: "device identity mismatch",
    details: { code: "DEVICE_AUTH_DEVICE_ID_MISMATCH", reason: "device-id-mismatch" },
    connect: async (g, device) => {
      const params = await signed(device, { token: TOKEN, at: g.clock.now() });
      const other = await TestDevice.create();
      return { ...params, device: { ...params.device!, publicKey: other.publicKey } };
    },
  },
  {
    name: "a signature of 601 seconds ago",
    message: "device signature expired",
    details: { code: "DEVICE_AUTH_SIGNATURE_EXPIRED", reason: "device-signature-stale" },
    connect: (g, device) => signed(device, { token: TOKEN, at: g.clock.now() - 601_000 }),
  },
  {
    name: "a signature of 601 seconds ahead",
    message: "device signature expired",
    details: { code: "DEVICE_AUTH_SIGNATURE_EXPIRED", reason: "device-signature-stale" },
    connect: (g, device) => signed(device, { token: TOKEN, at: g.clock.now() + 601_000 }),
  },
  {
    name: "no nonce from afar",
    message: "device nonce required",
    details: { code: "DEVICE_AUTH_NONCE_REQUIRED", reason: "device-nonce-missing" },
    peer: REMOTE,
    connect: (g, device) =>
      signed(device, { token: TOKEN, at: g.clock.now(), signing: { nonce: undefined } }),
  },
  {
    name: "another connection's nonce, replayed",
    message: "device nonce mismatch",
    details: { code: "DEVICE_AUTH_NONCE_MISMATCH", reason: "device-nonce-mismatch" },
    connect: (g, device) =>
      signed(device, { token: TOKEN, at: g.clock.now(), signing: { nonce: "another" } }),
  },
  {
    name: "a signature over other scopes",
    message: "device signature invalid",
    details: { code: "DEVICE_AUTH_SIGNATURE_INVALID", reason: "device-signature" },
    connect: (g, device) =>
      signed(device, {
        token: TOKEN,
        scopes: ["operator.admin"],
        at: g.clock.now(),
        signing: { scopes: [] },
      }),
  },
  {
    name: "key bytes that are no key",
    message: "device signature invalid",
    details: { code: "DEVICE_AUTH_PUBLIC_KEY_INVALID", reason: "device-public-key-length" },
    connect: (g, device) => withRawKey(g, device, new Uint8Array(16).fill(9)),
  },
  {
    name: "a key of small order",
    message: "device signature invalid",
    details: { code: "DEVICE_AUTH_PUBLIC_KEY_INVALID", reason: "device-public-key-small-order" },
    connect: (g, device) => withRawKey(g, device, fromHex(`01${"00".repeat(31)}`)),
  },
  {
    name: "a key that is not canonical",
    message: "device signature invalid",
    details: { code: "DEVICE_AUTH_PUBLIC_KEY_INVALID", reason: "device-public-key-non-canonical" },
    connect: (g, device) => withRawKey(g, device, fromHex(`ee${"ff".repeat(30)}7f`)),
  },
  {
    name: "a device that nobody paired, from afar",
    code: "NOT_PAIRED",
    message: "pairing required",
    details: { requestId: "00000000-0000-4000-8000-000000000001" },
    peer: REMOTE,
    connect: (g, device) => signed(device, { token: TOKEN, at: g.clock.now() }),
  },
  {
    name: "the dashboard without an Origin",
    message: ORIGIN,
    connect: () => connect({ id: UI, mode: "ui", token: TOKEN }),
  },
  {
    name: "a web chat without an Origin",
    message: ORIGIN,
    connect: () => connect({ id: "webchat-ui", mode: "ui", token: TOKEN }),
  },
  {
    name: "any client in mode webchat without an Origin",
    message: ORIGIN,
    connect: () => connect({ mode: "webchat", token: TOKEN }),
  },
  {
    name: "a foreign Origin",
    message: ORIGIN,
    peer: { ...LOCAL, origin: "https://evil.example" },
    connect: () => connect({ token: TOKEN }),
  },
  {
    name: "the Origin null",
    message: ORIGIN,
    peer: { ...LOCAL, origin: "null" },
    connect: () => connect({ id: "webchat-ui", mode: "webchat", token: TOKEN }),
  },
  {
    name: "a loopback Origin at a public host",
    message: ORIGIN,
    peer: { ip: "192.0.2.1", local: false, host: "gw.example", origin: "http://localhost:3000" },
    connect: () => connect({ id: "webchat-ui", mode: "webchat", token: TOKEN }),
  },
  {
    name: "the dashboard without a device",
    message: SECURE,
    peer: PAGE,
    connect: () => connect({ id: UI, mode: "ui", token: TOKEN }),
  },
  {
    name: "a node without a device, from afar",
    code: "NOT_PAIRED",
    message: "device identity required",
    peer: REMOTE,
    connect: () => connect({ id: "node-host", mode: "node", role: "node", token: TOKEN }),
  },
];

async function withRawKey(g: Gateway, device: TestDevice, rawKey: Uint8Array<ArrayBuffer>) {
  const params = await signed(device, { token: TOKEN, at: g.clock.now() });
  const signature = base64Url(fromHex(`01${"00".repeat(63)}`));
  const id = await idOf(rawKey);
  return { ...params, device: { ...params.device!, id, publicKey: base64Url(rawKey), signature } };
}

for (const row of FAILURES) {
  Deno.test(`refused: ${row.name}`, async () => {
    const g = gateway(row.options);
    const params = await row.connect(g, await TestDevice.create());
    const { answer, close } = await refusalOf(g.admitting(params, { peer: row.peer ?? LOCAL }));
    assert.equal(answer.code, row.code ?? "INVALID_REQUEST");
    assert.equal(answer.message, row.message);
    assert.deepEqual(answer.extras.details, row.details);
    assert.deepEqual(close, [1008, row.message.slice(0, 120)]);
  });
}

Deno.test("the checks come in the order of the protocol: one fault after the other shows", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const other = await TestDevice.create();
  const at = g.clock.now();
  // Everything is wrong at first; each step mends what was told.
  const wish = { id: "webchat-ui", mode: "webchat", token: "wrong", at: at - 700_000 };
  const signing = { nonce: "another", scopes: ["operator.admin"] };
  const steps: readonly [string, () => Promise<Admission>][] = [
    ["invalid role", async () => {
      const params = await signed(device, { ...wish, role: "root", signing });
      return g.admitting(params, { peer: REMOTE });
    }],
    [ORIGIN, async () => g.admitting(await signed(device, { ...wish, signing }), { peer: REMOTE })],
    ["device identity mismatch", async () => {
      const params = await signed(device, { ...wish, signing });
      const claim = { ...params.device!, id: other.id };
      return g.admitting({ ...params, device: claim }, { peer: { ...PAGE, local: false } });
    }],
    ["device signature expired", async () => {
      const params = await signed(device, { ...wish, signing });
      return g.admitting(params, { peer: { ...PAGE, local: false } });
    }],
    ["device nonce mismatch", async () => {
      const params = await signed(device, { ...wish, at, signing });
      return g.admitting(params, { peer: { ...PAGE, local: false } });
    }],
    ["device signature invalid", async () => {
      const params = await signed(device, { ...wish, at, signing: { scopes: ["operator.admin"] } });
      return g.admitting(params, { peer: { ...PAGE, local: false } });
    }],
    [
      "unauthorized: gateway token mismatch (open a tokenized dashboard URL or paste token in Control UI settings)",
      async () => {
        const params = await signed(device, { ...wish, at });
        return g.admitting(params, { peer: { ...PAGE, local: false } });
      },
    ],
    ["pairing required", async () => {
      const params = await signed(device, { ...wish, at, token: TOKEN });
      return g.admitting(params, { peer: { ...PAGE, local: false } });
    }],
  ];
  for (const [message, attempt] of steps) {
    assert.equal((await refusalOf(attempt())).answer.message, message);
  }
  const mended = await signed(device, { ...wish, at, token: TOKEN });
  assert.equal((await g.admitting(mended, { peer: PAGE })).principal.device, device.id);
});

Deno.test("pages of the gateway, of named origins and of this host get in", async () => {
  const g = gateway();
  const params = connect({ id: "webchat-ui", mode: "webchat", token: TOKEN });
  const peers: readonly Peer[] = [
    PAGE,
    { ...LOCAL, origin: "http://localhost:5173" },
    { ...LOCAL, origin: "https://chat.example.org" },
    { ip: "192.0.2.1", local: false, host: "gw.example:8443", origin: "https://gw.example:8443" },
  ];
  for (const peer of peers) {
    assert.equal((await g.admitting(params, { peer })).principal.role, "operator");
  }
});

// What a credential grants.

const READ_WRITE = ["operator.read", "operator.write"];
const ALL = [...SCOPES].sort();

interface GrantRow {
  readonly name: string;
  readonly peer: Peer;
  readonly device: boolean;
  readonly role?: string;
  readonly asked: readonly string[] | undefined;
  readonly options?: Partial<AuthOptions>;
  readonly granted: readonly string[];
}

const GRANTS: readonly GrantRow[] = [
  {
    name: "a program here that asks for all",
    peer: LOCAL,
    device: false,
    asked: SCOPES,
    granted: ALL,
  },
  {
    name: "a program here that asks for none",
    peer: LOCAL,
    device: false,
    asked: [],
    granted: READ_WRITE,
  },
  {
    name: "a program here that says nothing",
    peer: LOCAL,
    device: false,
    asked: undefined,
    granted: READ_WRITE,
  },
  {
    name: "a program here where the settings grant admin unasked",
    peer: LOCAL,
    device: false,
    asked: [],
    options: { defaultScopes: ["operator.admin"] },
    granted: ["operator.admin"],
  },
  {
    name: "a program from afar where the settings grant admin unasked",
    peer: REMOTE,
    device: false,
    asked: [],
    options: { defaultScopes: ["operator.admin"] },
    granted: [],
  },
  {
    name: "a program from afar that asks for all",
    peer: REMOTE,
    device: false,
    asked: SCOPES,
    granted: READ_WRITE,
  },
  {
    name: "a program from afar that asks for admin",
    peer: REMOTE,
    device: false,
    asked: ["operator.admin"],
    granted: [],
  },
  {
    name: "a program from afar that asks for none",
    peer: REMOTE,
    device: false,
    asked: [],
    granted: READ_WRITE,
  },
  {
    name: "a program from afar that the settings trust with pairing",
    peer: REMOTE,
    device: false,
    asked: SCOPES,
    options: { remoteScopes: ["operator.pairing"] },
    granted: ["operator.pairing"],
  },
  {
    name: "made-up scopes",
    peer: LOCAL,
    device: false,
    asked: ["root", "operator.*", "OPERATOR.ADMIN"],
    granted: [],
  },
  {
    name: "a device here that asks for all",
    peer: LOCAL,
    device: true,
    asked: SCOPES,
    granted: ALL,
  },
  {
    name: "a device here that asks for none",
    peer: LOCAL,
    device: true,
    asked: [],
    granted: READ_WRITE,
  },
  {
    name: "a node with a device that asks for admin",
    peer: LOCAL,
    device: true,
    role: "node",
    asked: ["operator.admin"],
    granted: [],
  },
  {
    name: "a node here without a device",
    peer: LOCAL,
    device: false,
    role: "node",
    asked: undefined,
    granted: [],
  },
];

for (const row of GRANTS) {
  Deno.test(`granted: ${row.name}`, async () => {
    const g = gateway(row.options);
    const { role = "operator", asked } = row;
    const wish = { token: TOKEN, role, ...(asked === undefined ? {} : { scopes: asked }) };
    const device = await TestDevice.create();
    const params = row.device
      ? await signed(device, { ...wish, at: g.clock.now() })
      : connect(wish);
    const { principal, auth } = await g.admitting(params, { peer: row.peer });
    assert.deepEqual(principal, {
      tenant: DEFAULT_TENANT,
      role,
      scopes: row.granted,
      connection: CONNECTION,
      credential: "shared",
      subject: row.device ? `device:${device.id}` : "shared",
      local: row.peer.local,
      ...(row.device ? { device: device.id } : {}),
    });
    assert.equal(auth === undefined, !row.device);
  });
}

// Devices.

async function deviceToken(g: Gateway, device: TestDevice, scopes: readonly Scope[]) {
  const params = await signed(device, { token: TOKEN, scopes, at: g.clock.now() });
  const { auth } = await g.admitting(params);
  assert.ok(auth !== undefined);
  return auth.deviceToken;
}

Deno.test("payloads v1, v2 and v3 admit a device here, v2 and v3 from afar once it is paired", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const at = g.clock.now();
  for (const peer of [LOCAL, REMOTE]) {
    for (const version of ["v3", "v2"] as const) {
      const params = await signed(device, { token: TOKEN, at, signing: { version } });
      assert.equal((await g.admitting(params, { peer })).principal.device, device.id);
    }
  }
  const bare = await signed(device, { token: TOKEN, at, signing: { nonce: undefined } });
  assert.equal((await g.admitting(bare)).principal.device, device.id);
});

Deno.test("a device here is paired without a word to anybody but that it is resolved", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const params = await signed(device, { token: TOKEN, scopes: SCOPES, at: g.clock.now() });
  const { auth } = await g.admitting(params);
  assert.deepEqual(auth, {
    deviceToken: auth?.deviceToken,
    role: "operator",
    scopes: ALL,
    issuedAtMs: g.clock.now(),
  });
  assert.match(auth?.deviceToken ?? "", /^[0-9a-f]{32}$/);
  assert.deepEqual(g.events.map((event) => event.type), ["device.resolved"]);
  const again = await g.admitting(params);
  assert.deepEqual(again.auth, auth);
});

Deno.test("a proxied peer on loopback is never paired silently", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const params = await signed(device, { token: TOKEN, at: g.clock.now() });
  const first = await refusalOf(g.admitting(params, { peer: REMOTE }));
  const second = await refusalOf(g.admitting(params, { peer: REMOTE }));
  assert.deepEqual(first.answer.extras.details, second.answer.extras.details);
  assert.deepEqual(g.events.map((event) => event.type), ["device.requested"]);
  assert.equal((await g.services.devices.list(DEFAULT_TENANT)).paired.length, 0);
});

Deno.test("an approved device from afar gets what it was approved for, and no more", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const at = g.clock.now();
  const attempt = async (scopes: readonly string[]) =>
    g.admitting(await signed(device, { token: TOKEN, scopes, at }), { peer: REMOTE });
  const pending = await refusalOf(attempt(["operator.read", "operator.pairing"]));
  const requestId = pending.answer.extras.details?.requestId;
  assert.ok(typeof requestId === "string");
  await g.services.devices.approve(DEFAULT_TENANT, requestId, { scopes: SCOPES });
  assert.deepEqual((await attempt(["operator.pairing"])).principal.scopes, ["operator.pairing"]);
  const more = await refusalOf(attempt(["operator.admin"]));
  assert.equal(more.answer.message, "pairing required");
  const { pending: [repair] } = await g.services.devices.list(DEFAULT_TENANT);
  assert.equal(repair?.isRepair, true);
});

Deno.test("a device token stands in for the shared token in both modes, for its scopes and role", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const token = await deviceToken(g, device, ["operator.write"]);
  const at = g.clock.now();
  const rows: readonly [readonly string[], readonly string[] | undefined][] = [
    [["operator.write"], ["operator.write"]],
    [["operator.read"], ["operator.read"]],
    [[], READ_WRITE],
    [["operator.admin"], undefined],
  ];
  for (const [scopes, granted] of rows) {
    const attempt = g.admitting(await signed(device, { token, scopes, at }), { peer: REMOTE });
    if (granted === undefined) {
      const { answer } = await refusalOf(attempt);
      assert.match(answer.message, /^unauthorized: gateway token mismatch/);
    } else {
      const { principal, auth } = await attempt;
      assert.deepEqual(principal.scopes, granted);
      assert.equal(principal.credential, "device");
      assert.equal(auth?.deviceToken, token);
    }
  }
  const asNode = await signed(device, { token, role: "node", at });
  assert.match((await refusalOf(g.admitting(asNode))).answer.message, /token mismatch/);
  const without = connect({ token });
  assert.match((await refusalOf(g.admitting(without))).answer.message, /token mismatch/);
  const thief = await signed(await TestDevice.create(), { token, at });
  assert.match((await refusalOf(g.admitting(thief))).answer.message, /token mismatch/);
});

Deno.test("a device token works where the gateway asks for a password", async () => {
  const options: { mode: "token" | "password"; token: string; password: string } = {
    mode: "token",
    token: TOKEN,
    password: "open sesame",
  };
  const g = gateway();
  const services = {
    ...g.services,
    auth: new Authenticator({ clock: g.clock, options: () => options }),
  };
  const device = await TestDevice.create();
  const token = await deviceToken(g, device, ["operator.read"]);
  options.mode = "password";
  const params = await signed(device, { token, scopes: ["operator.read"], at: g.clock.now() });
  const request = {
    params,
    nonce: NONCE,
    peer: REMOTE,
    connection: CONNECTION,
    now: g.clock.now(),
  };
  assert.equal((await admit(request, services)).principal.credential, "device");
});

Deno.test("a revoked or rotated token is refused at once", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const token = await deviceToken(g, device, ["operator.read"]);
  const name = { deviceId: device.id, role: "operator" };
  await g.services.devices.rotateToken(DEFAULT_TENANT, name, { scopes: SCOPES });
  const params = await signed(device, { token, scopes: ["operator.read"], at: g.clock.now() });
  assert.match((await refusalOf(g.admitting(params))).answer.message, /token mismatch/);
  await g.services.devices.revokeToken(DEFAULT_TENANT, name, { scopes: SCOPES });
  assert.match((await refusalOf(g.admitting(params))).answer.message, /token mismatch/);
  assert.notEqual(await deviceToken(g, device, ["operator.read"]), token);
});

Deno.test("a device is a node only once it is paired as one", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  await deviceToken(g, device, ["operator.read"]);
  const wish = { id: "node-host", mode: "node", role: "node", token: TOKEN, at: g.clock.now() };
  const params = await signed(device, wish);
  const { answer } = await refusalOf(g.admitting(params, { peer: REMOTE }));
  assert.equal(answer.message, "pairing required");
  assert.equal((await g.admitting(params)).principal.role, "node");
  assert.equal((await g.admitting(params, { peer: REMOTE })).principal.role, "node");
});

// Lock-out.

Deno.test("a thousand wrong tokens, with and without a device, in turn or at once, are locked out after ten", async () => {
  for (const mode of ["in turn", "at once"]) {
    const g = gateway();
    const device = await TestDevice.create();
    const guesses = await Promise.all(Array.from({ length: 1000 }, (_, n) => {
      const token = n.toString(16).padStart(32, "0");
      return n % 2 === 0 ? connect({ token }) : signed(device, { token, at: g.clock.now() });
    }));
    const answers: GatewayError[] = [];
    const attempt = async (params: ConnectParams) => {
      answers.push((await refusalOf(g.admitting(params, { peer: PAGE }))).answer);
    };
    if (mode === "at once") await Promise.all(guesses.map(attempt));
    else for (const guess of guesses) await attempt(guess);
    const wrong = answers.filter((answer) => answer.message.includes("mismatch"));
    const locked = answers.filter((answer) => answer.message.includes("too many failed attempts"));
    assert.equal(wrong.length, LOCK_OUT.failures);
    assert.equal(locked.length, guesses.length - LOCK_OUT.failures);

    const right = connect({ token: TOKEN });
    const refused = await refusalOf(g.admitting(right, { peer: PAGE }));
    assert.equal(refused.answer.code, "INVALID_REQUEST");
    assert.equal(
      refused.answer.message,
      "unauthorized: too many failed attempts from this address (try again in 300 s)",
    );
    assert.deepEqual(refused.answer.extras, { retryable: true, retryAfterMs: LOCK_OUT.lockMs });
    assert.deepEqual(refused.close, [1008, refused.answer.message]);
    for (const peer of [LOCAL, { ...PAGE, ip: "192.0.2.9" }]) {
      assert.equal((await g.admitting(right, { peer })).principal.role, "operator");
    }
    await g.clock.advance(LOCK_OUT.lockMs);
    assert.equal((await g.admitting(right, { peer: PAGE })).principal.role, "operator");
  }
});

Deno.test("HTTP and WebSocket failures add up", async () => {
  const g = gateway();
  for (let n = 0; n < 5; n++) {
    await refusalOf(g.admitting(connect({ token: `wrong-${n}` })));
    await g.services.auth.authorizeBearer(`Bearer wrong-${n}`, LOCAL);
  }
  const { answer } = await refusalOf(g.admitting(connect({ token: TOKEN })));
  assert.match(answer.message, /too many failed attempts/);
});

Deno.test("a connect without a secret, or a good device token for too much, is no guess", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const token = await deviceToken(g, device, ["operator.read"]);
  const at = g.clock.now();
  for (let n = 0; n < LOCK_OUT.failures; n++) {
    await refusalOf(g.admitting(connect()));
    await refusalOf(g.admitting(await signed(device, { at })));
    await refusalOf(g.admitting(await signed(device, { token, scopes: ["operator.admin"], at })));
  }
  assert.equal(g.services.auth.lockedFor(LOCAL), 0);
});

// What a client says of itself.

Deno.test("what a client says of itself changes nothing about who it is", async () => {
  const g = gateway();
  const claims = [
    { userAgent: "operator.admin", locale: "admin" },
    { caps: ["operator.admin", "device"], commands: ["system.run"], permissions: { admin: true } },
    { pathEnv: "/root", resume: { connId: "of-another", seq: 1 } },
  ];
  const plain = await g.admitting(connect({ token: TOKEN }), { peer: REMOTE });
  for (const extra of claims) {
    const { principal } = await g.admitting(connect({ token: TOKEN, extra }), { peer: REMOTE });
    assert.deepEqual(principal, plain.principal);
  }
  const posing = await g.admitting(
    connect({
      id: "gateway-client",
      mode: "backend",
      token: TOKEN,
      extra: {
        client: {
          id: "gateway-client",
          mode: "backend",
          version: "1",
          platform: "x",
          displayName: "admin",
          instanceId: "0".repeat(64),
        },
      },
    }),
    { peer: REMOTE },
  );
  assert.deepEqual(posing.principal, plain.principal);
});

Deno.test("names are one escaped line of bounded length, shown and stored", async () => {
  const g = gateway();
  const device = await TestDevice.create();
  const hostile = `\u001b[31mred\r\n\u202eevil${"x".repeat(400)}`;
  const params = await signed(device, { token: TOKEN, at: g.clock.now() });
  const client = { ...params.client, displayName: hostile, instanceId: hostile };
  const peer = { ...LOCAL, userAgent: hostile };
  const admission = await g.admitting({ ...params, client }, { peer });
  const stored = await g.services.devices.get(DEFAULT_TENANT, admission.principal.device!);
  const shown = [
    admission.client.displayName,
    admission.client.instanceId,
    admission.client.userAgent,
    stored?.displayName,
  ];
  for (const text of shown) {
    assert.ok(text !== undefined && text.length <= 257, text);
    assert.match(text, /^[\x20-\x7e…]+$/);
  }
});

Deno.test("a client may name its former connection", async () => {
  const g = gateway();
  const resume = { connId: "former", seq: 12 };
  const { resume: told } = await g.admitting(connect({ token: TOKEN, extra: { resume } }));
  assert.deepEqual(told, resume);
});
