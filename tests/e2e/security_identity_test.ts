/** Who a client is and what it may do: what it proves, never what it says. */

import assert from "node:assert/strict";
import { eventually } from "../support/deadline.ts";
import { base64Url, fromHex, idOf, TestDevice } from "../support/device_key.ts";
import { GatewayProcess, runProgram } from "../support/gateway_process.ts";
import {
  connectParams,
  type Parsed,
  refusalOf,
  refusedConnect,
  WireClient,
} from "../support/wire_client.ts";

const ADMIN = ["operator.admin"];
const REMOTE = { "x-forwarded-for": "203.0.113.9" };

Deno.test("S11 a shared token grants what it grants, whatever scopes a client declares", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token } = gateway;
  const may = async (client: WireClient, method: string): Promise<boolean> =>
    !/^missing scope/.test((await client.request(method, "none")).error?.message ?? "");
  const rows: readonly (readonly [string, Parsed, readonly string[]])[] = [
    ["local, none named", {}, ["chat.send", "health"]],
    ["local, an empty list", { scopes: [] }, ["chat.send", "health"]],
    ["local, admin", { scopes: ADMIN }, ["chat.send", "health", "config.get", "device.pair.list"]],
    ["remote, none named", { headers: REMOTE }, ["chat.send", "health"]],
    ["remote, admin", { headers: REMOTE, scopes: ADMIN }, []],
    [
      "remote, all",
      { headers: REMOTE, scopes: ["operator.read", "operator.write", ...ADMIN] },
      ["chat.send", "health"],
    ],
    ["unknown words", { scopes: ["admin", "*", "operator.*", "OPERATOR.ADMIN"] }, []],
  ];
  for (const [what, options, allowed] of rows) {
    await using client = await WireClient.connect(url, { token, ...options });
    for (const method of ["chat.send", "health", "config.get", "device.pair.list"]) {
      assert.equal(await may(client, method), allowed.includes(method), `${method}: ${what}`);
    }
  }
});

Deno.test("S12 approving, rotating and pairing again never grant more than the approver and the record have", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token } = gateway;
  await using admin = await WireClient.connect(url, { token, scopes: ADMIN });
  await using pairer = await WireClient.connect(url, { token, scopes: ["operator.pairing"] });
  const device = await TestDevice.create();
  const ask = async (scopes: readonly string[]): Promise<string> => {
    const { error } = await refusedConnect(url, { token, headers: REMOTE, device, scopes });
    assert.equal(error.message, "pairing required");
    const details: Parsed = error.details;
    return details.requestId;
  };

  const wide = await ask(["operator.read", "operator.admin"]);
  const tooMuch = await refusalOf(pairer.call("device.pair.approve", { requestId: wide }));
  assert.match(tooMuch.message, /^missing scope: operator\.(admin|read)$/);
  await admin.call("device.pair.reject", { requestId: wide });

  const narrow = await ask(["operator.read"]);
  await admin.call("device.pair.approve", { requestId: narrow });
  const join = (scopes: readonly string[], secret: string) =>
    refusedConnect(url, { token: secret, headers: REMOTE, device, scopes });
  const own = await WireClient.open(url, { headers: REMOTE });
  const { auth } = await own.connect({ token, device, scopes: ["operator.read"] });
  await own[Symbol.asyncDispose]();
  assert.deepEqual(auth.scopes, ["operator.read"]);
  const mine = auth.deviceToken;
  assert.match((await join(ADMIN, mine)).error.message, /token mismatch/);
  assert.match((await join(["operator.read", "operator.write"], mine)).error.message, /mismatch/);
  // With the shared token it may ask for more, and waits for somebody to agree.
  assert.equal((await join(ADMIN, token)).error.message, "pairing required");

  // Asking for nothing gives what the record has, not more.
  await using plain = await WireClient.open(url, { headers: REMOTE });
  const hello = await plain.connect({ token: mine, device, scopes: [] });
  assert.deepEqual(hello.auth.scopes, ["operator.read"]);
  const write = await plain.request("chat.send", {});
  assert.equal(write.error?.message, "missing scope: operator.write");

  // A token is for one role, and rotation goes neither beyond the record nor beyond the caller.
  const node = await refusedConnect(url, { token: mine, headers: REMOTE, device, role: "node" });
  assert.match(node.error.message, /token mismatch/);
  const rotate = { deviceId: device.id, role: "operator", scopes: ADMIN };
  assert.match(
    (await refusalOf(admin.call("device.token.rotate", rotate))).message,
    /not approved/,
  );
  assert.match(
    (await refusalOf(pairer.call("device.token.rotate", { ...rotate, scopes: ["operator.read"] })))
      .message,
    /^missing scope: operator\.read$/,
  );
  const nobody = { deviceId: "0".repeat(64), role: "operator" };
  const unknown = await refusalOf(admin.call("device.token.rotate", nobody));
  assert.equal(unknown.message, "unknown deviceId/role");
  // Another device's token is worth nothing with this key.
  const other = await TestDevice.create();
  const stolen = await refusedConnect(url, { token: mine, headers: REMOTE, device: other });
  assert.match(stolen.error.message, /token mismatch/);
  const bare = await refusedConnect(url, { token: mine, localAddress: "127.0.0.3" });
  assert.match(bare.error.message, /token mismatch/);
});

Deno.test("S13 a proof for another nonce, key, id, time or text is refused, each with its own code", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token } = gateway;
  await using another = await WireClient.open(url);
  const device = await TestDevice.create();
  const stranger = await TestDevice.create();
  const ten = 600_000;
  type Row = readonly [code: string, forge: (nonce: string, claim: Parsed) => unknown];
  const rows: readonly Row[] = [
    ["DEVICE_AUTH_NONCE_MISMATCH", (_nonce, claim) => ({ ...claim, nonce: another.nonce })],
    [
      "DEVICE_AUTH_NONCE_MISMATCH",
      () => device.claim({ token, signedAt: Date.now(), nonce: another.nonce }),
    ],
    ["DEVICE_AUTH_DEVICE_ID_MISMATCH", (_nonce, claim) => ({ ...claim, id: stranger.id })],
    [
      "DEVICE_AUTH_DEVICE_ID_MISMATCH",
      (_nonce, claim) => ({ ...claim, publicKey: stranger.publicKey }),
    ],
    [
      "DEVICE_AUTH_SIGNATURE_INVALID",
      (_nonce, claim) => ({ ...claim, id: stranger.id, publicKey: stranger.publicKey }),
    ],
    [
      "DEVICE_AUTH_SIGNATURE_EXPIRED",
      (nonce) => device.claim({ token, signedAt: Date.now() - ten - 5_000, nonce }),
    ],
    [
      "DEVICE_AUTH_SIGNATURE_EXPIRED",
      (nonce) => device.claim({ token, signedAt: Date.now() + ten + 5_000, nonce }),
    ],
    [
      "DEVICE_AUTH_SIGNATURE_INVALID",
      (nonce) => device.claim({ token: "another", signedAt: Date.now(), nonce }),
    ],
    [
      "DEVICE_AUTH_SIGNATURE_INVALID",
      (nonce) => device.claim({ token, scopes: ADMIN, signedAt: Date.now(), nonce }),
    ],
    [
      "DEVICE_AUTH_SIGNATURE_INVALID",
      (nonce) => device.claim({ token, role: "node", signedAt: Date.now(), nonce }),
    ],
    // A key of small order, for which anyone can sign; one that is not canonical; one too short.
    ...["00".repeat(32), `ed${"ff".repeat(30)}7f`, "000000"].map((hex): Row => [
      "DEVICE_AUTH_PUBLIC_KEY_INVALID",
      async (_nonce, claim) => {
        const raw = fromHex(hex);
        return { ...claim, id: await idOf(raw), publicKey: base64Url(raw) };
      },
    ]),
  ];
  for (const [code, forge] of rows) {
    await using client = await WireClient.open(url);
    const { nonce } = client;
    const claim = await device.claim({ token, signedAt: Date.now(), nonce });
    const extra = { device: await forge(nonce, claim) };
    const error = await refusalOf(client.connect({ token, extra }));
    const details: Parsed = error.details;
    assert.equal(details?.code, code, error.message);
    assert.deepEqual(await client.end(), { code: 1008, reason: error.message });
  }
  // From elsewhere a proof without a nonce could be replayed.
  const old = { device: await device.claim({ token, signedAt: Date.now() }) };
  const { error } = await refusedConnect(url, { token, headers: REMOTE, extra: old });
  assert.equal(error.message, "device nonce required");
  // A connect that was seen on the wire opens no second connection.
  await using first = await WireClient.open(url);
  const params = await connectParams({ token, device }, first.nonce);
  await first.call("connect", params);
  await using replay = await WireClient.open(url);
  assert.equal((await refusalOf(replay.call("connect", params))).message, "device nonce mismatch");
});

Deno.test("S14 revoking and rotating a device's token close its open connections within a second, and no other", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token } = gateway;
  await using admin = await WireClient.connect(url, { token, scopes: ADMIN });
  await using bystander = await WireClient.connect(url, {
    token,
    device: await TestDevice.create(),
  });
  for (const method of ["device.token.revoke", "device.token.rotate"]) {
    const device = await TestDevice.create();
    const shared = await WireClient.open(url);
    const { auth } = await shared.connect({ token, device });
    const issued = auth.deviceToken;
    const own = await WireClient.connect(url, { token: issued, device, library: "platform" });
    const node = await WireClient.connect(url, { token, device, role: "node" });
    await admin.call(method, { deviceId: device.id, role: "operator" });
    for (const client of [shared, own]) {
      const closing = await client.end(1_000);
      assert.deepEqual(closing, { code: 1008, reason: "device access was revoked" });
    }
    assert.equal((await node.request("health")).error?.message, "unauthorized role: node");
    await node[Symbol.asyncDispose]();
    assert.match((await refusedConnect(url, { token: issued, device })).error.message, /mismatch/);
  }
  assert.ok(await bystander.call("health"));
});

Deno.test("S14 a new token on the host closes within a second what the old one opened, and devices stay", async (t) => {
  const ways:
    readonly (readonly [string, Parsed, (gateway: GatewayProcess) => Promise<unknown>])[] = [
      ["token rotate", undefined, async ({ stateDir }) => {
        const { code, err } = await runProgram(["token", "rotate", "--state-dir", stateDir]);
        assert.equal(code, 0, err);
      }],
      [
        "the token file is written",
        undefined,
        ({ stateDir }) => Deno.writeTextFile(`${stateDir}/token`, "another-secret-of-ours-1\n"),
      ],
      [
        "the settings are written",
        { gateway: { auth: { token: "a-secret-in-the-settings-1" } } },
        ({ stateDir }) =>
          Deno.writeTextFile(
            `${stateDir}/clawgate.json`,
            JSON.stringify({ gateway: { auth: { token: "a-secret-in-the-settings-2" } } }),
          ),
      ],
    ];
  for (const [what, settings, change] of ways) {
    await t.step(what, async () => {
      await using gateway = await GatewayProcess.start({ settings });
      const { url } = gateway;
      const token = settings?.gateway.auth.token ?? gateway.token;
      const device = await TestDevice.create();
      const first = await WireClient.open(url);
      const { auth } = await first.connect({ token, device });
      await first[Symbol.asyncDispose]();
      await using paired = await WireClient.connect(url, { token: auth.deviceToken, device });
      await using shared = await WireClient.connect(url, { token });
      await change(gateway);
      // The gateway looks at its files twice a second.
      const closing = await shared.end(1_000);
      const reason = "the gateway's token or password was changed";
      assert.deepEqual(closing, { code: 1008, reason });
      assert.match((await refusedConnect(url, { token })).error.message, /token mismatch/);
      assert.ok(await paired.call("health"), "a device's own token is another secret");
    });
  }
});

Deno.test("S14 an emptied token file neither ends the gateway nor lets anyone in", async () => {
  await using gateway = await GatewayProcess.start();
  const { url, token, stateDir } = gateway;
  await using watcher = await WireClient.connect(url, { token });
  await Deno.writeTextFile(`${stateDir}/token`, "");
  await eventually(
    async () => /a changed file is not used.*token is empty/.test(await gateway.logText()),
    "the gateway to notice",
  );
  const { error } = await refusedConnect(url, { extra: { auth: { token: "" } } });
  assert.equal(error.message, "device identity required");
  assert.ok(await watcher.call("health"), "the former token counts");
});
