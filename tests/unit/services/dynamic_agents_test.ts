import assert from "node:assert/strict";
import { createMemoryStore } from "../../../src/adapters/memory_store.ts";
import { DEFAULT_TENANT } from "../../../src/core/id.ts";
import { GatewayError } from "../../../src/core/error.ts";
import { WorkspaceError } from "../../../src/ports/workspace.ts";
import { Agents } from "../../../src/services/agents.ts";
import { type DynamicAgentOptions, DynamicAgents } from "../../../src/services/dynamic_agents.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MemoryLog } from "../../support/memory_log.ts";

const options = { workspaceTemplate: "/w/{agentId}", agentDirTemplate: "/a/{userId}" };

function stage(store = createMemoryStore()) {
  const folders: string[] = [];
  const trouble = { fails: false };
  const configured = new Set<string>();
  const clock = new ManualClock();
  const log = new MemoryLog();
  const dynamic = new DynamicAgents({
    store,
    clock,
    log,
    tenant: DEFAULT_TENANT,
    configured: (id) => configured.has(id),
    workspaces: {
      ensure: (path) => {
        if (trouble.fails) return Promise.reject(new WorkspaceError("full"));
        folders.push(path);
        return Promise.resolve();
      },
    },
  });
  const want = (
    userId: string,
    { namespace = "", proven = false, ...more }:
      & { namespace?: string; proven?: boolean }
      & Partial<DynamicAgentOptions> = {},
  ) => dynamic.ensure({ userId, namespace, proven, options: { ...options, ...more } });
  return { store, folders, dynamic, want, trouble, configured, clock, log };
}

Deno.test("an agent is made once, with folders of its own, however many ask", async () => {
  const { folders, want } = stage();
  assert.deepEqual(await Promise.all([want("ann"), want("ann"), want("ann")]), [
    "ws-ann",
    "ws-ann",
    "ws-ann",
  ]);
  assert.deepEqual(folders, ["/w/ws-ann", "/a/ann"]);
});

Deno.test("users of one id in two namespaces, and of ids alike, share none", async () => {
  const { want } = stage();
  const ids = await Promise.all([
    want("ann"),
    want("Ann"),
    want("ann", { namespace: "guest" }),
    want("guest:ann"),
    want("guest-ann"),
  ]);
  assert.equal(new Set(ids).size, 5);
});

Deno.test("there are as many as may be and no more; those that are there stay", async () => {
  const { want } = stage();
  await want("ann", { maxAgents: 1 });
  await assert.rejects(want("bob", { maxAgents: 1 }), GatewayError);
  assert.equal(await want("ann", { maxAgents: 1 }), "ws-ann");
});

Deno.test("that there is no room is said in the log, once in a while", async () => {
  const { want, clock, log } = stage();
  await want("ann", { maxAgents: 1 });
  const told = () => log.lines.filter(({ level }) => level === "warn");
  await assert.rejects(want("bob", { maxAgents: 1 }), GatewayError);
  await assert.rejects(want("cid", { maxAgents: 1 }), GatewayError);
  assert.deepEqual(told().map(({ fields }) => fields), [{ agent: "ws-bob", agents: 1 }]);
  assert.match(told()[0]?.message ?? "", /see dynamicAgentCreation\.maxAgents$/);
  await clock.advance(60_000);
  await assert.rejects(want("cid", { maxAgents: 1 }), GatewayError);
  assert.equal(told().length, 2);
});

Deno.test("guests take half at most, whoever proves who they are the rest; also after a restart", async () => {
  const first = stage();
  const guest = { namespace: "guest", maxAgents: 5 };
  const user = { proven: true, maxAgents: 5 };
  for (const name of ["a", "b", "c"]) await first.want(name, guest);
  await assert.rejects(first.want("d", guest), GatewayError);
  assert.match(await first.want("a", guest), /^ws--/);
  const { want, dynamic } = stage(first.store);
  await assert.rejects(want("d", guest), GatewayError);
  for (const name of ["ann", "bob"]) await want(name, user);
  await assert.rejects(want("cid", user), GatewayError);
  assert.equal(dynamic.list().length, 5);
});

Deno.test("where nobody is asked all are alike; who took more then costs nobody who is proved a place", async () => {
  const { want } = stage();
  for (const name of ["a", "b", "c", "d"]) await want(name, { maxAgents: 4 });
  await assert.rejects(want("e", { maxAgents: 4 }), GatewayError);
  await assert.rejects(want("e", { namespace: "guest", maxAgents: 4 }), GatewayError);
  for (const name of ["ann", "bob"]) await want(name, { proven: true, maxAgents: 4 });
  await assert.rejects(want("cid", { proven: true, maxAgents: 4 }), GatewayError);
});

Deno.test("an agent of the settings is nobody's own, unless they say so; no two users share one", async () => {
  const { want, configured, folders } = stage();
  configured.add("ws-bob");
  const id = await want("bob");
  assert.match(id, /^ws--[0-9a-f]{48}$/);
  assert.deepEqual(folders, [`/w/${id}`, `/a/${id.slice("ws-".length)}`]);
  assert.equal(await want("bob"), id);
  const others = await Promise.all([
    want("Bob"),
    want("bob", { namespace: "guest" }),
    want(id.slice("ws-".length)),
  ]);
  assert.equal(new Set([id, "ws-bob", ...others]).size, 5);
  assert.equal(await want("bob", { useConfigured: true }), "ws-bob");
  configured.add(id);
  await assert.rejects(want("bob"), GatewayError);
});

Deno.test("agents are remembered; an agent without folders is none", async () => {
  const first = stage();
  await first.want("ann");
  const { dynamic, trouble, want } = stage(first.store);
  await dynamic.load();
  assert.deepEqual(dynamic.list(), [{ id: "ws-ann" }]);
  trouble.fails = true;
  await assert.rejects(want("bob"), /folders could not be made/);
  assert.equal(dynamic.list().length, 1);
});

Deno.test("they are agents as others are, never the default, and have no heartbeat", async () => {
  const { dynamic, want } = stage();
  const id = await want("ann");
  const defaults = { model: "local/assistant", heartbeatEvery: "30m" };
  const agents = new Agents({ options: () => ({ defaults, list: [] }), added: dynamic });
  assert.equal(agents.defaultId, "main");
  assert.deepEqual(agents.list().map((agent) => agent.id), ["main"]);
  assert.deepEqual(agents.all().map((agent) => agent.id), ["main", "ws-ann"]);
  assert.equal(agents.get(id)?.model, "local/assistant");
  assert.equal(agents.get(id)?.heartbeatEvery, undefined);
});
