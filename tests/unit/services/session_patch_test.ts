import assert from "node:assert/strict";
import { GatewayError, invalidRequest } from "../../../src/core/error.ts";
import type { SessionEntry } from "../../../src/services/session_entry.ts";
import {
  applyPatch,
  type ModelChoice,
  type SessionPatch,
  settingsOf,
} from "../../../src/services/session_patch.ts";

const bare: SessionEntry = { sessionId: "s", createdAt: 1, updatedAt: 2 };

function chooseModel(wanted: string): ModelChoice {
  if (wanted === "fake/one") return { modelProvider: "fake", model: "one" };
  throw invalidRequest(`unknown model "${wanted}"`);
}

const SET: readonly { given: string; input: SessionPatch; expect: Partial<SessionEntry> }[] = [
  { given: "nothing", input: {}, expect: {} },
  { given: "a label", input: { label: " Home " }, expect: { label: "Home" } },
  {
    given: "levels in any case",
    input: {
      thinkingLevel: " HIGH ",
      verboseLevel: "full",
      reasoningLevel: "stream",
      elevatedLevel: "ask",
    },
    expect: {
      thinkingLevel: "high",
      verboseLevel: "full",
      reasoningLevel: "stream",
      elevatedLevel: "ask",
    },
  },
  {
    given: "where and how commands run",
    input: { execHost: "node", execSecurity: "allowlist", execAsk: "on-miss", execNode: " n1 " },
    expect: { execHost: "node", execSecurity: "allowlist", execAsk: "on-miss", execNode: "n1" },
  },
  {
    given: "policies",
    input: { responseUsage: "tokens", sendPolicy: "deny", groupActivation: "always" },
    expect: { responseUsage: "tokens", sendPolicy: "deny", groupActivation: "always" },
  },
  {
    given: "a model",
    input: { model: " fake/one " },
    expect: { providerOverride: "fake", modelOverride: "one" },
  },
  {
    given: "a parent",
    input: { spawnedBy: "agent:main:main" },
    expect: { spawnedBy: "agent:main:main" },
  },
];

for (const { given, input, expect } of SET) {
  Deno.test(`a patch sets ${given}, and null clears it again`, () => {
    const patched = applyPatch(bare, { patch: input, chooseModel });
    assert.deepEqual(patched, { ...bare, ...expect });
    const nulls = Object.fromEntries(Object.keys(input).map((name) => [name, null]));
    const cleared = applyPatch(patched, { patch: nulls, chooseModel });
    assert.deepEqual(JSON.parse(JSON.stringify(cleared)), bare);
  });
}

const REFUSED: readonly { input: SessionPatch; expect: string }[] = [
  {
    input: { thinkingLevel: "x" },
    expect: "invalid thinkingLevel (use off|minimal|low|medium|high)",
  },
  { input: { verboseLevel: "x" }, expect: "invalid verboseLevel (use off|on|full)" },
  { input: { reasoningLevel: "x" }, expect: "invalid reasoningLevel (use off|on|stream)" },
  { input: { elevatedLevel: "x" }, expect: "invalid elevatedLevel (use off|on|ask|full)" },
  { input: { execHost: "x" }, expect: "invalid execHost (use sandbox|gateway|node)" },
  { input: { execSecurity: "x" }, expect: "invalid execSecurity (use deny|allowlist|full)" },
  { input: { execAsk: "x" }, expect: "invalid execAsk (use off|on-miss|always)" },
  { input: { execNode: " " }, expect: "invalid execNode: empty" },
  { input: { execNode: "x".repeat(129) }, expect: "invalid execNode: too long (max 128)" },
  { input: { label: " " }, expect: "invalid label: empty" },
  { input: { label: "x".repeat(65) }, expect: "invalid label: too long (max 64)" },
  {
    input: { label: "a\0b" },
    expect: 'invalid label: "a\\u{0}b" has control characters; leave them out',
  },
  { input: { model: " " }, expect: "invalid model: empty" },
  { input: { model: "nope" }, expect: 'unknown model "nope"' },
];

for (const { input, expect } of REFUSED) {
  Deno.test(`a patch is refused: ${expect}`, () => {
    assert.throws(() => applyPatch(bare, { patch: input, chooseModel }), (error) => {
      assert.ok(error instanceof GatewayError);
      assert.equal(error.code, "INVALID_REQUEST");
      assert.equal(error.message, expect);
      return true;
    });
  });
}

Deno.test("a new conversation keeps what a person set and nothing of the old one", () => {
  const settings = {
    label: "l",
    displayName: "d",
    thinkingLevel: "low",
    sendPolicy: "allow",
    providerOverride: "p",
    modelOverride: "m",
    lastChannel: "c",
  } as const;
  const conversation = {
    derivedTitle: "t",
    lastMessagePreview: "p",
    systemSent: true,
    abortedLastRun: true,
    inputTokens: 1,
    outputTokens: 2,
    totalTokens: 3,
  };
  assert.deepEqual(settingsOf({ ...bare, ...settings, ...conversation }), settings);
});
