import assert from "node:assert/strict";
import fc from "fast-check";
import { checked, isAgentId, isSessionKey } from "../../../src/core/id.ts";
import { agentPart, isPeerId, keyPart } from "../../../src/services/channel_name.ts";

Deno.test("ids are readable text without characters that are lost or not seen", () => {
  for (const id of ["a", "User_1", "a b", "mail+x@example.org", "日本", "x".repeat(256)]) {
    assert.ok(isPeerId(id), id);
  }
  const bad = ["", " a", "a ", "a\nb", "\u0000", "\ud800", "\ufffd", "a\u2028", "x".repeat(257)];
  for (const id of bad) assert.ok(!isPeerId(id), JSON.stringify(id));
});

Deno.test("plain ids stand as they are, others are written out", async () => {
  const keys: readonly [string, string][] = [
    ["user_123", "user_123"],
    ["a.b@c+d-e", "a.b@c+d-e"],
    ["User", "~55ser"],
    ["a:b", "a~3ab"],
    ["é", "~c3~a9"],
    ["~c3~a9", "~7ec3~7ea9"],
  ];
  for (const [id, name] of keys) assert.equal(await keyPart(id), name);
  assert.match(await keyPart("A".repeat(200)), /^~~[0-9a-f]{64}$/);
  assert.equal(await agentPart("user-1"), "user-1");
  for (const id of ["User-1", "../x", "-x", "a/b", "", "x".repeat(61)]) {
    assert.match(await agentPart(id), /^-[0-9a-f]{48}$/, id);
  }
});

Deno.test("two ids never share a name, and every name is safe", async () => {
  const id = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.string({ unit: fc.constantFrom("a", "A", "~", "-", "_", ".", "/", "5", ":"), maxLength: 6 }),
  );
  await fc.assert(fc.asyncProperty(id, id, async (one, other) => {
    const [key, agent] = [await keyPart(one), await agentPart(one)];
    assert.ok(isAgentId(checked(`ws-${agent}`, isAgentId)));
    if (isPeerId(one)) assert.ok(isSessionKey(`agent:main:websocket:direct:${key}`), key);
    if (one === other || !one.isWellFormed() || !other.isWellFormed()) return;
    assert.notEqual(key, await keyPart(other));
    assert.notEqual(agent, await agentPart(other));
  }));
});
