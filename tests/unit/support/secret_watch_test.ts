import assert from "node:assert/strict";
import { SecretWatch, TELLING_CHARS, withoutMadeToken } from "../../support/secret_watch.ts";

const TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const PASSWORD = 'pass "word"/with\nmarks';

function watch(): SecretWatch {
  const secrets = new SecretWatch();
  secrets.add("the token", TOKEN);
  secrets.add("the password", PASSWORD);
  return secrets;
}

const LEAKS: readonly (readonly [what: string, text: string, leak: string])[] = [
  ["alone", TOKEN, "the token"],
  ["in a line", `info: came with ${TOKEN}.`, "the token"],
  ["in the last of many lines", `${"a line\n".repeat(1_000)}${TOKEN}`, "the token"],
  ["in JSON", JSON.stringify({ auth: { password: PASSWORD } }), "the password"],
  ["in a URL", `GET /?password=${encodeURIComponent(PASSWORD)}`, "the password"],
  ["in base64", `Basic ${btoa(TOKEN)}`, "the token"],
  ["cut", `token ${TOKEN.slice(0, TELLING_CHARS)}…`, "the token"],
];

for (const [what, text, leak] of LEAKS) {
  Deno.test(`secret watch: a secret is found ${what}, and the failure does not repeat it`, () => {
    const shown = [{ place: "stdout", text: "nothing" }, { place: "the log", text }];
    assert.deepEqual(watch().leaks(shown), [`the log holds ${leak}`]);
    assert.throws(() => watch().assertHidden(shown), {
      message: `a secret is shown: the log holds ${leak}`,
    });
  });
}

Deno.test("secret watch: what holds no secret passes, and so does what is shorter than one", () => {
  const secrets = watch();
  secrets.add("a word", "undefined");
  secrets.add("no text", 17);
  const text = `undefined 17 ${TOKEN.slice(0, TELLING_CHARS - 1)} ${TOKEN.slice(1)}`;
  secrets.assertHidden([{ place: "stdout", text }]);
});

Deno.test("secret watch: members with the names of secrets are remembered wherever they stand", () => {
  const secrets = new SecretWatch();
  const device = { id: "an-identity-not-secret", nonce: "nonce-0123456789" };
  secrets.addMembers("connect", {
    auth: { token: "token-0123456789", password: "password-0123456789" },
    device: { ...device, signature: "signature-0123456789" },
    list: [{ apiKey: "key-0123456789" }, { deviceToken: "issued-0123456789" }],
    none: null,
  });
  const held = ["token", "password", "nonce", "signature", "key", "issued"];
  for (const word of held) {
    assert.equal(secrets.leaks([{ place: "x", text: `${word}-0123456789` }]).length, 1, word);
  }
  secrets.assertHidden([{ place: "x", text: device.id }]);
});

Deno.test("secret watch: an error that a client was answered with is searched, once", () => {
  const secrets = watch();
  secrets.refused(JSON.stringify({ error: { message: `unknown token ${TOKEN}` } }));
  assert.throws(() => secrets.assertHidden([]), /an error answer holds the token/);
  secrets.assertHidden([]);
});

Deno.test("secret watch: one line of a first start may name the token it has made, and nothing else may", () => {
  const line = `token            ${TOKEN}  (made at this first start; keep it)`;
  const leaks = (out: string) =>
    watch().leaks([{ place: "stdout", text: withoutMadeToken(out, TOKEN) }]).length;
  assert.equal(leaks(`listening on ws://x\n${line}\ntry next\n`), 0);
  assert.equal(leaks(`${line}\n${line}\n`), 1, "twice");
  assert.equal(leaks(`${line}\n${TOKEN}\n`), 1, "again elsewhere");
  assert.equal(leaks(`token            ${TOKEN}\n`), 1, "another line");
  assert.equal(withoutMadeToken(line, "another-token"), line, "another token");
});
