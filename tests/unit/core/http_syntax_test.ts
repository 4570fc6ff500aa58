import assert from "node:assert/strict";
import { isAuthority, isToken, listHas, listMembers } from "../../../src/core/http_syntax.ts";

Deno.test("a token is of the characters that RFC 9110 lists, and no others", () => {
  const allowed = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (let code = 0; code <= 0x17f; code++) {
    const char = String.fromCharCode(code);
    assert.equal(isToken(char), allowed.includes(char), `U+${code.toString(16)}`);
    assert.equal(isToken(`a${char}b`), allowed.includes(char), `a U+${code.toString(16)} b`);
  }
  assert.equal(isToken(""), false);
});

Deno.test("a list is read without its blanks and empty members, in any case", () => {
  assert.deepEqual(listMembers(" a,\tb ,, C"), ["a", "b", "C"]);
  assert.deepEqual(listMembers(""), []);
  const rows: readonly [list: string, member: string, has: boolean][] = [
    ["Upgrade", "upgrade", true],
    ["keep-alive, UPGRADE", "upgrade", true],
    ["upgrades", "upgrade", false],
    ["up grade", "upgrade", false],
    ["upgrade;q=1", "upgrade", false],
    ["", "upgrade", false],
  ];
  for (const [list, member, has] of rows) assert.equal(listHas(list, member), has, list);
});

Deno.test("an authority is a name or an address with a port that exists", () => {
  const rows: readonly [text: string, valid: boolean][] = [
    ["example.org", true],
    ["example.org:80", true],
    ["EXAMPLE.org:65535", true],
    ["example.org:", true],
    ["a_b-c.d", true],
    ["127.0.0.1:18789", true],
    ["[::1]", true],
    ["[::1]:18789", true],
    ["[::ffff:127.0.0.1]:1", true],
    ["n".repeat(253), true],
    ["n".repeat(254), false],
    ["", false],
    [":80", false],
    ["example.org:65536", false],
    ["example.org:123456", false],
    ["example.org:-1", false],
    ["example.org:8o", false],
    ["example.org:80:80", false],
    ["::1", false],
    ["[::1", false],
    ["[]", false],
    ["[:::1]", false],
    ["[1.2.3.4]", false],
    ["[fe80::1%25eth0]", false],
    ["[::1]x", false],
    ["user@example.org", false],
    ["example.org/", false],
    ["example.org?", false],
    ["example.org#", false],
    ["a b", false],
    ["a,b", false],
    ["a%2eb", false],
    ["a\\b", false],
    ["é.example", false],
    ["example.org\n", false],
  ];
  for (const [text, valid] of rows) assert.equal(isAuthority(text), valid, text);
});
