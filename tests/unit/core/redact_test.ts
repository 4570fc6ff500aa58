import assert from "node:assert/strict";
import { isSecretName, MASK, maskSecrets, MAX_SEARCHED_CHARS } from "../../../src/core/redact.ts";

Deno.test("a name says whether it is a secret's", () => {
  const secret = [
    "token",
    "authToken",
    "device_token",
    "password",
    "passwd",
    "passphrase",
    "Authorization",
    "apiKey",
    "api-key",
    "OPENAI_API_KEY",
    "signature",
    "nonce",
    "clientSecret",
    "Set-Cookie",
    "privateKey",
    "credential",
    "auth",
  ];
  const plain = ["method", "path", "sessionKey", "author", "passed", "keys", "connection"];
  for (const name of secret) assert.equal(isSecretName(name), true, name);
  for (const name of plain) assert.equal(isSecretName(name), false, name);
});

Deno.test("known secrets go wherever they stand and however they are written", () => {
  const secrets = ['p"ss/w0rd ä', "abcdef0123456789"];
  const cases: readonly (readonly [string, string])[] = [
    ["x abcdef0123456789 y", `x ${MASK} y`],
    ["xabcdef0123456789abcdef0123456789y", `x${MASK}${MASK}y`],
    [`said ${JSON.stringify('p"ss/w0rd ä')}`, `said "${MASK}"`],
    [`GET /?q=${encodeURIComponent('p"ss/w0rd ä')}`, `GET /?q=${MASK}`],
    ["nothing here", "nothing here"],
  ];
  for (const [text, expected] of cases) assert.equal(maskSecrets(text, secrets), expected, text);
});

Deno.test("words too short to be a secret do not blank the log", () => {
  assert.equal(maskSecrets("a gateway is ready", ["a", "is", ""]), "a gateway is ready");
});

Deno.test("what is shaped like a secret goes even when it is not known", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["Authorization: Bearer abcDEF123456", `Authorization: Bearer ${MASK}`],
    ["sent bearer abcDEF123456 off", `sent bearer ${MASK} off`],
    ["GET /?token=abc&x=1", `GET /?token=${MASK}&x=1`],
    ["apiKey=abc", `apiKey=${MASK}`],
    ['{"password":"hunter2hunter2"}', `{"password":"${MASK}"}`],
    ["nonce: 1b9d6bcd-bbfd-4b2d", `nonce: ${MASK}`],
    ["https://me:word@host/x", `https://${MASK}@host/x`],
    ["key sk-proj-abcdefghijklmnop", `key ${MASK}`],
    ["gateway.auth.token: must be string", "gateway.auth.token: must be string"],
    ["unauthorized: gateway token mismatch", "unauthorized: gateway token mismatch"],
  ];
  for (const [text, expected] of cases) {
    const once = maskSecrets(text, []);
    assert.equal(once, expected, text);
    assert.equal(maskSecrets(once, []), expected, "masking twice changes nothing more");
  }
});

Deno.test("a cut through a secret leaves no part of it", () => {
  const secret = "s3cr3t-".repeat(5);
  for (let inside = 1; inside < secret.length; inside++) {
    const text = "x".repeat(MAX_SEARCHED_CHARS - inside) + secret;
    const masked = maskSecrets(text, [secret]);
    assert.ok(!masked.includes("s3cr"), String(inside));
    assert.ok(masked.length <= MAX_SEARCHED_CHARS + MASK.length);
  }
});
