import assert from "node:assert/strict";
import {
  CLIENT_IDS,
  CLIENT_MODES,
  MAX_BLOB_CHARS,
  MAX_COMMANDS,
  MAX_NAME_CHARS,
  MAX_SCOPES,
  parseConnectParams,
} from "../../../../src/protocols/openclaw/connect_params.ts";

const CLIENT = { id: "test", version: "1", platform: "linux", mode: "test" };
const PLAIN = { minProtocol: 3, maxProtocol: 3, client: CLIENT };
const DEVICE = { id: "i", publicKey: "k", signature: "s", signedAt: 0 };

Deno.test("the listed ids and modes and any well-formed name are accepted", () => {
  for (const id of [...CLIENT_IDS, "my-own-client", "a", "0", "x".repeat(64)]) {
    assert.equal(parseConnectParams({ ...PLAIN, client: { ...CLIENT, id } }).client.id, id);
  }
  for (const mode of [...CLIENT_MODES, "kiosk"]) {
    assert.equal(parseConnectParams({ ...PLAIN, client: { ...CLIENT, mode } }).client.mode, mode);
  }
});

Deno.test("a full connect of the document and the resume member are accepted", () => {
  const full = {
    ...PLAIN,
    client: {
      ...CLIENT,
      displayName: "n",
      deviceFamily: "f",
      modelIdentifier: "m",
      instanceId: "i",
    },
    caps: ["tool-events", "made-up"],
    commands: ["system.run"],
    permissions: { camera: true },
    pathEnv: "/bin",
    role: "operator",
    scopes: ["operator.read", "made.up"],
    device: { ...DEVICE, nonce: "n" },
    auth: { token: "", password: "" },
    locale: "",
    userAgent: "",
    resume: { connId: "c", seq: 0 },
  };
  assert.deepEqual(parseConnectParams(full), full);
});

const REFUSED: readonly [string, unknown, string][] = [
  ["nothing", undefined, "must have required property 'minProtocol'"],
  ["a list", [], "must be object"],
  ["an unknown member", { ...PLAIN, extra: 1 }, "at root: unexpected property 'extra'"],
  [
    "a device token beside the token",
    { ...PLAIN, auth: { deviceToken: "x" } },
    "at /auth: unexpected property 'deviceToken'",
  ],
  ["protocol 0", { ...PLAIN, minProtocol: 0 }, "at /minProtocol: must be >= 1"],
  ["a protocol in words", { ...PLAIN, minProtocol: "3" }, "at /minProtocol: must be integer"],
  [
    "an id in capitals",
    { ...PLAIN, client: { ...CLIENT, id: "CLI" } },
    "at /client/id: must be equal to constant; at /client/id: must match a schema in anyOf",
  ],
  [
    "a mode with a line break",
    { ...PLAIN, client: { ...CLIENT, mode: "cli\n" } },
    "at /client/mode: must be equal to constant",
  ],
  [
    "a token that is a list",
    { ...PLAIN, auth: { token: ["x"] } },
    "at /auth/token: must be string",
  ],
  [
    "a token that is an object",
    { ...PLAIN, auth: { token: {} } },
    "at /auth/token: must be string",
  ],
  ["a token that is null", { ...PLAIN, auth: { token: null } }, "at /auth/token: must be string"],
  [
    "an empty nonce",
    { ...PLAIN, device: { ...DEVICE, nonce: "" } },
    "at /device/nonce: must NOT have fewer than 1 characters",
  ],
  [
    "a signature time below zero",
    { ...PLAIN, device: { ...DEVICE, signedAt: -1 } },
    "at /device/signedAt: must be >= 0",
  ],
  [
    "too many scopes",
    { ...PLAIN, scopes: new Array(MAX_SCOPES + 1).fill("s") },
    `at /scopes: must NOT have more than ${MAX_SCOPES} items`,
  ],
  [
    "too many caps",
    { ...PLAIN, caps: new Array(MAX_SCOPES + 1).fill("s") },
    `at /caps: must NOT have more than ${MAX_SCOPES} items`,
  ],
  [
    "too many commands",
    { ...PLAIN, commands: new Array(MAX_COMMANDS + 1).fill("s") },
    `at /commands: must NOT have more than ${MAX_COMMANDS} items`,
  ],
  [
    "a scope that is too long",
    { ...PLAIN, scopes: ["s".repeat(MAX_NAME_CHARS + 1)] },
    `at /scopes/0: must NOT have more than ${MAX_NAME_CHARS} characters`,
  ],
  [
    "a token that is too long",
    { ...PLAIN, auth: { token: "t".repeat(MAX_BLOB_CHARS + 1) } },
    `at /auth/token: must NOT have more than ${MAX_BLOB_CHARS} characters`,
  ],
  [
    "a resume without a sequence number",
    { ...PLAIN, resume: { connId: "c" } },
    "at /resume: must have required property 'seq'",
  ],
];

for (const [name, params, problem] of REFUSED) {
  Deno.test(`refused: ${name}`, () => {
    assert.throws(() => parseConnectParams(params), (error) => {
      assert.ok(error instanceof Error);
      assert.ok(error.message.startsWith("invalid connect params: "), error.message);
      assert.ok(error.message.includes(problem), error.message);
      return true;
    });
  });
}

Deno.test("a refused id or mode comes with the list of what is accepted", () => {
  const client = { ...CLIENT, id: "Not Fine", mode: "?" };
  assert.throws(() => parseConnectParams({ ...PLAIN, client }), {
    extras: {
      details: {
        allowed: {
          "client.id": [...CLIENT_IDS, "any name that matches ^[a-z0-9-]{1,64}$"],
          "client.mode": [...CLIENT_MODES, "any name that matches ^[a-z0-9-]{1,64}$"],
        },
      },
    },
  });
});

Deno.test("a refusal never repeats a secret", () => {
  const secret = "s3cret".repeat(1000);
  assert.throws(
    () => parseConnectParams({ ...PLAIN, auth: { token: secret, password: 5 } }),
    (error) => error instanceof Error && !error.message.includes("s3cret"),
  );
});

Deno.test("a list is no object, wherever one belongs", () => {
  const client = { id: "test", version: "1", platform: "linux", mode: "test" };
  for (const member of ["client", "device", "auth", "resume", "permissions"]) {
    assert.throws(
      () => parseConnectParams({ minProtocol: 3, maxProtocol: 3, client, [member]: [] }),
      { message: `invalid connect params: at /${member}: must be object` },
    );
  }
});
