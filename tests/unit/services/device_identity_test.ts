import assert from "node:assert/strict";
import {
  type DeviceClaim,
  type IdentityCheck,
  MAX_SIGNATURE_SKEW_MS,
  type SignedConnect,
  verifyDevice,
} from "../../../src/services/device_identity.ts";
import { base64Url, fromHex, idOf, TestDevice } from "../../support/device_key.ts";

const NOW = 1_750_000_000_000;
const NONCE = "5f0c7d1e-0000-4000-8000-000000000001";

const SIGNED: SignedConnect = {
  clientId: "test",
  clientMode: "test",
  role: "operator",
  scopes: ["operator.read", "operator.write"],
  token: "secret",
  platform: "Linux",
  deviceFamily: "Desk Top",
};

const SIGNING = {
  scopes: SIGNED.scopes,
  token: "secret",
  platform: "linux",
  deviceFamily: "desk top",
  signedAt: NOW,
};

function check(change: Partial<IdentityCheck> = {}): IdentityCheck {
  return { signed: SIGNED, challenge: NONCE, local: false, now: NOW, ...change };
}

Deno.test("a device that signed payload v2 or v3 over the nonce is proven", async () => {
  const device = await TestDevice.create();
  for (const version of ["v2", "v3"] as const) {
    const claim = await device.claim({ ...SIGNING, version, nonce: NONCE });
    assert.deepEqual(await verifyDevice(claim, check()), {
      ok: true,
      deviceId: device.id,
      publicKey: device.publicKey,
    });
  }
});

Deno.test("payload v1 proves a local device, and only without a nonce", async () => {
  const device = await TestDevice.create();
  const bare = await device.claim({ ...SIGNING, version: "v1" });
  assert.equal((await verifyDevice(bare, check({ local: true }))).ok, true);
  const withNonce = await device.claim({ ...SIGNING, version: "v1", nonce: NONCE });
  assert.deepEqual(await verifyDevice(withNonce, check({ local: true })), {
    ok: false,
    fault: "signature",
  });
});

Deno.test("a public key may be base64url, base64 with padding, or PEM", async () => {
  const device = await TestDevice.create();
  const claim = await device.claim({ ...SIGNING, nonce: NONCE });
  const plain = btoa(String.fromCharCode(...device.rawKey));
  const der = fromHex("302a300506032b6570032100");
  const body = btoa(String.fromCharCode(...der, ...device.rawKey));
  const keys = [
    device.publicKey,
    plain,
    `${device.publicKey}=`,
    `-----BEGIN PUBLIC KEY-----\n${body}\n-----END PUBLIC KEY-----\n`,
  ];
  for (const publicKey of keys) {
    const verdict = await verifyDevice({ ...claim, publicKey }, check());
    assert.deepEqual(verdict, { ok: true, deviceId: device.id, publicKey: device.publicKey });
  }
});

interface Row {
  readonly name: string;
  readonly fault: string;
  readonly check?: Partial<IdentityCheck>;
  readonly claim: (device: TestDevice) => Promise<DeviceClaim>;
}

const FAULTS: readonly Row[] = [
  {
    name: "an id that is not the digest of the key",
    fault: "id-mismatch",
    claim: async (device) => ({
      ...await device.claim({ ...SIGNING, nonce: NONCE }),
      id: "0".repeat(64),
    }),
  },
  {
    name: "another device's key under this id",
    fault: "id-mismatch",
    claim: async (device) => ({
      ...await device.claim({ ...SIGNING, nonce: NONCE }),
      publicKey: (await TestDevice.create()).publicKey,
    }),
  },
  {
    name: "a key that is no base64",
    fault: "id-mismatch",
    claim: async (device) => ({
      ...await device.claim({ ...SIGNING, nonce: NONCE }),
      publicKey: "not base64!",
    }),
  },
  {
    name: "a PEM block of another algorithm",
    fault: "id-mismatch",
    claim: async (device) => ({
      ...await device.claim({ ...SIGNING, nonce: NONCE }),
      publicKey: `-----BEGIN PUBLIC KEY-----\n${btoa("x".repeat(44))}\n-----END PUBLIC KEY-----`,
    }),
  },
  {
    name: "a signature that is too old",
    fault: "expired",
    claim: (device) =>
      device.claim({ ...SIGNING, nonce: NONCE, signedAt: NOW - MAX_SIGNATURE_SKEW_MS - 1 }),
  },
  {
    name: "a signature from the future",
    fault: "expired",
    claim: (device) =>
      device.claim({ ...SIGNING, nonce: NONCE, signedAt: NOW + MAX_SIGNATURE_SKEW_MS + 1 }),
  },
  {
    name: "no nonce from afar",
    fault: "nonce-required",
    claim: (device) => device.claim(SIGNING),
  },
  {
    name: "another connection's nonce, from afar",
    fault: "nonce-mismatch",
    claim: (device) => device.claim({ ...SIGNING, nonce: `${NONCE}x` }),
  },
  {
    name: "another connection's nonce, on this host",
    fault: "nonce-mismatch",
    check: { local: true },
    claim: (device) => device.claim({ ...SIGNING, nonce: "other" }),
  },
  {
    name: "another role than signed",
    fault: "signature",
    claim: (device) => device.claim({ ...SIGNING, nonce: NONCE, role: "node" }),
  },
  {
    name: "more scopes than signed",
    fault: "signature",
    claim: (device) => device.claim({ ...SIGNING, nonce: NONCE, scopes: ["operator.read"] }),
  },
  {
    name: "another token than signed",
    fault: "signature",
    claim: (device) => device.claim({ ...SIGNING, nonce: NONCE, token: "" }),
  },
  {
    name: "another platform than signed in v3",
    fault: "signature",
    claim: (device) => device.claim({ ...SIGNING, version: "v3", nonce: NONCE, platform: "ios" }),
  },
  {
    name: "a signature that is cut",
    fault: "signature",
    claim: async (device) => {
      const claim = await device.claim({ ...SIGNING, nonce: NONCE });
      return { ...claim, signature: claim.signature.slice(0, -4) };
    },
  },
  {
    name: "a signature that is no base64",
    fault: "signature",
    claim: async (device) => ({
      ...await device.claim({ ...SIGNING, nonce: NONCE }),
      signature: "§",
    }),
  },
  {
    name: "a key of 31 bytes",
    fault: "key-length",
    claim: (device) => withKey(device, new Uint8Array(31).fill(7)),
  },
  {
    name: "a key of 33 bytes",
    fault: "key-length",
    claim: (device) => withKey(device, new Uint8Array(33).fill(7)),
  },
];

async function withKey(
  device: TestDevice,
  rawKey: Uint8Array<ArrayBuffer>,
): Promise<DeviceClaim> {
  const claim = await device.claim({ ...SIGNING, nonce: NONCE });
  return { ...claim, id: await idOf(rawKey), publicKey: base64Url(rawKey) };
}

for (const row of FAULTS) {
  Deno.test(`refused as ${row.fault}: ${row.name}`, async () => {
    const device = await TestDevice.create();
    const verdict = await verifyDevice(await row.claim(device), check(row.check));
    assert.deepEqual(verdict, { ok: false, fault: row.fault });
  });
}

Deno.test("599 seconds either way are within the tolerance", async () => {
  const device = await TestDevice.create();
  for (const offset of [-599_000, 599_000]) {
    const claim = await device.claim({ ...SIGNING, nonce: NONCE, signedAt: NOW + offset });
    assert.equal((await verifyDevice(claim, check())).ok, true);
  }
});

const ORDER_8 = [
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];
const P_MINUS_1 = `ec${"ff".repeat(30)}7f`;
const P = `ed${"ff".repeat(30)}7f`;
const P_PLUS_1 = `ee${"ff".repeat(30)}7f`;
const LAST = `${"ff".repeat(31)}7f`;

const WEAK: readonly { readonly key: string; readonly fault: string }[] = [
  { key: "00".repeat(32), fault: "key-small-order" },
  { key: `01${"00".repeat(31)}`, fault: "key-small-order" },
  { key: P_MINUS_1, fault: "key-small-order" },
  { key: ORDER_8[0]!, fault: "key-small-order" },
  { key: ORDER_8[1]!, fault: "key-small-order" },
  { key: P, fault: "key-non-canonical" },
  { key: P_PLUS_1, fault: "key-non-canonical" },
  { key: LAST, fault: "key-non-canonical" },
];

Deno.test("keys of small order and keys that are not canonical are refused, either sign", async () => {
  const device = await TestDevice.create();
  // R = the neutral point and S = 0: what anybody can present for such a key.
  const forged = base64Url(fromHex(`01${"00".repeat(63)}`));
  for (const { key, fault } of WEAK) {
    for (const sign of [0x00, 0x80]) {
      const rawKey = fromHex(key);
      rawKey[31] = (rawKey[31] ?? 0) | sign;
      const claim = { ...await withKey(device, rawKey), signature: forged };
      assert.deepEqual(await verifyDevice(claim, check()), { ok: false, fault });
    }
  }
});
