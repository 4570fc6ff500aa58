import assert from "node:assert/strict";
import { checked, isAgentId, isSessionKey } from "../../../src/core/id.ts";
import { type AgentOptions, Agents } from "../../../src/services/agents.ts";

const id = (text: string) => checked(text, isAgentId);

const CASES: readonly {
  given: string;
  options: AgentOptions;
  defaultId: string;
  ids: readonly string[];
}[] = [
  {
    given: "no agents",
    options: { defaults: {}, list: [] },
    defaultId: "main",
    ids: ["main"],
  },
  {
    given: "agents without a default",
    options: { defaults: {}, list: [{ id: "ada" }, { id: "bob" }] },
    defaultId: "ada",
    ids: ["ada", "bob"],
  },
  {
    given: "a default that is not the first",
    options: { defaults: {}, list: [{ id: "ada" }, { id: "bob", default: true }] },
    defaultId: "bob",
    ids: ["ada", "bob"],
  },
  {
    given: "ids in capitals, invalid ones and one twice",
    options: {
      defaults: {},
      list: [{ id: " Ada " }, { id: "../etc" }, { id: "" }, { id: "ada", name: "second" }],
    },
    defaultId: "ada",
    ids: ["ada"],
  },
  {
    given: "only invalid agents",
    options: { defaults: {}, list: [{ id: "a:b" }] },
    defaultId: "main",
    ids: ["main"],
  },
];

for (const { given, options, defaultId, ids } of CASES) {
  Deno.test(`agents: with ${given} the default is ${defaultId}`, () => {
    const agents = new Agents({ options: () => options });
    assert.equal(agents.defaultId, defaultId);
    assert.deepEqual(agents.list().map((agent) => agent.id), ids);
    for (const one of ids) assert.ok(agents.has(id(one)));
    assert.ok(!agents.has(id("nobody")));
    assert.equal(agents.get(id("nobody")), undefined);
  });
}

Deno.test("agents: what an agent does not say comes from the defaults, read live", () => {
  let options: AgentOptions = {
    defaults: {
      model: "p/default",
      heartbeatEvery: "30m",
      heartbeatPrompt: "All well?",
    },
    list: [{ id: "ada", model: "p/own", identity: { name: "Ada" } }, { id: "bob" }],
  };
  const agents = new Agents({ options: () => options });
  assert.deepEqual(agents.get(id("ada")), {
    id: "ada",
    name: undefined,
    model: "p/own",
    identity: { name: "Ada" },
    heartbeatEvery: "30m",
    heartbeatPrompt: "All well?",
  });
  assert.equal(agents.modelFor(id("bob")), "p/default");
  assert.equal(agents.modelFor(id("nobody")), "p/default");
  options = { ...options, list: [{ id: "ada", model: "p/new" }] };
  assert.equal(agents.modelFor(id("ada")), "p/new");
  assert.ok(!agents.has(id("bob")));
});

Deno.test("agents: a session belongs to the agent of its key, configured or not", () => {
  const agents = new Agents({ options: () => ({ defaults: {}, list: [{ id: "ada" }] }) });
  assert.equal(agents.ofSession(checked("agent:ada:main", isSessionKey)), "ada");
  assert.equal(agents.ofSession(checked("agent:gone:a:b:c", isSessionKey)), "gone");
});
