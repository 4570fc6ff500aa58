import assert from "node:assert/strict";
import { GatewayError } from "../../../src/core/error.ts";
import { checked, isAgentId, isSessionKey } from "../../../src/core/id.ts";
import {
  agentOf,
  canonicalKey,
  type KeyRules,
  kindOf,
  mainSessionKey,
  nameOf,
} from "../../../src/services/session_key.ts";

const main = checked("main", isAgentId);
const usual: KeyRules = { mainKey: "main", scope: "per-sender" };
const home: KeyRules = { mainKey: " Home ", scope: "per-sender" };
const global: KeyRules = { mainKey: "main", scope: "global" };

const CANONICAL = [
  { given: "main", input: "main", rules: usual, expect: "agent:main:main" },
  {
    given: "upper case and white space",
    input: "  MAIN ",
    rules: usual,
    expect: "agent:main:main",
  },
  { given: "a canonical key", input: "agent:work:main", rules: usual, expect: "agent:work:main" },
  {
    given: "white space before the name",
    input: "agent:work: main",
    rules: usual,
    expect: "agent:work:main",
  },
  {
    given: "white space in the name",
    input: "my talk",
    rules: usual,
    expect: "agent:main:my talk",
  },
  { given: "a raw key", input: "Telegram:42", rules: usual, expect: "agent:main:telegram:42" },
  { given: "another main name", input: "main", rules: home, expect: "agent:main:home" },
  { given: "the other name itself", input: "home", rules: home, expect: "agent:main:home" },
  { given: "main at an agent", input: "agent:x:main", rules: home, expect: "agent:x:home" },
  { given: "global scope", input: "main", rules: global, expect: "agent:main:global" },
  { given: "global scope, a sender", input: "tg:1", rules: global, expect: "agent:main:tg:1" },
  {
    given: "a blank main name",
    input: "main",
    rules: { ...usual, mainKey: " " },
    expect: "agent:main:main",
  },
] as const;

for (const { given, input, rules, expect } of CANONICAL) {
  Deno.test(`a session key is canonical: ${given}`, () => {
    const key = canonicalKey(input, { agent: main, rules });
    assert.equal(key, expect);
    assert.equal(canonicalKey(key, { agent: main, rules }), key);
  });
}

const UNUSABLE = [
  { given: "nothing", input: "" },
  { given: "white space", input: "  " },
  { given: "an agent without a name", input: "agent:main" },
  { given: "an agent with an empty name", input: "agent:main:" },
  { given: "a bad agent id", input: "agent:../x:main" },
  { given: "U+0000", input: "a\0b" },
  { given: "a line break inside", input: "a\nb" },
  { given: "a lone surrogate", input: "a\ud800" },
  { given: "a zero width space", input: "a\u200bb" },
  { given: "a mark that turns the direction of writing", input: "a\u202eb" },
  { given: "a line separator", input: "a\u2028b" },
  { given: "an agent with a blank name", input: "agent:main:  " },
  { given: "a name within much white space", input: `${" ".repeat(600)}a` },
  { given: "513 characters", input: "x".repeat(513) },
];

for (const { given, input } of UNUSABLE) {
  Deno.test(`a session key is refused: ${given}`, () => {
    assert.throws(() => canonicalKey(input, { agent: main, rules: usual }), (error) => {
      assert.ok(error instanceof GatewayError);
      assert.equal(error.code, "INVALID_REQUEST");
      assert.match(error.message, /^invalid session key ".*"; use a name such as "main" or agent:/);
      return true;
    });
  });
}

Deno.test("a refused key is shown escaped and on one line", () => {
  assert.throws(() => canonicalKey("a\nb", { agent: main, rules: usual }), {
    message: /^invalid session key "a\\u\{a\}b"; use/,
  });
});

Deno.test("the main key of an agent follows the rules", () => {
  const work = checked("work", isAgentId);
  assert.equal(mainSessionKey(work, usual), "agent:work:main");
  assert.equal(mainSessionKey(work, home), "agent:work:home");
  assert.equal(mainSessionKey(work, global), "agent:work:global");
});

const PARTS = [
  { input: "agent:main:main", agent: "main", name: "main", kind: "direct" },
  { input: "agent:w:telegram:42", agent: "w", name: "telegram:42", kind: "direct" },
  { input: "agent:w:telegram:group:42", agent: "w", name: "telegram:group:42", kind: "group" },
  { input: "agent:w:slack:channel:c1", agent: "w", name: "slack:channel:c1", kind: "group" },
  { input: "agent:w:group:1", agent: "w", name: "group:1", kind: "group" },
  { input: "agent:w:mygroup:1", agent: "w", name: "mygroup:1", kind: "direct" },
  { input: "agent:w:global", agent: "w", name: "global", kind: "global" },
  { input: "agent:w:unknown", agent: "w", name: "unknown", kind: "unknown" },
] as const;

for (const { input, agent, name, kind } of PARTS) {
  Deno.test(`the parts of ${input}`, () => {
    const key = checked(input, isSessionKey);
    assert.equal(agentOf(key), agent);
    assert.equal(nameOf(key), name);
    assert.equal(kindOf(key), kind);
  });
}
