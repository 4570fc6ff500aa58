import assert from "node:assert/strict";
import { checked, DEFAULT_TENANT, isConnectionId } from "../../../src/core/id.ts";
import { ChannelInbox, type ChannelMessage } from "../../../src/services/channel_inbox.ts";
import { DynamicAgents } from "../../../src/services/dynamic_agents.ts";
import { settle } from "../../support/manual_clock.ts";
import { setStage } from "../../support/run_stage.ts";

const CONNECTION = checked("c1", isConnectionId);

const HI: ChannelMessage = {
  channel: "websocket",
  connection: CONNECTION,
  sender: { id: "Ann", name: "Ann\u001b[31m", verified: true },
  peer: { kind: "direct", id: "Ann", guest: false },
  text: "status",
  context: { customData: { sender: "admin" } },
};

function stage() {
  const base = setStage();
  const { store, clock, log, agents, runs } = base;
  const dynamicAgents = new DynamicAgents({
    store,
    clock,
    log,
    tenant: DEFAULT_TENANT,
    configured: () => false,
    workspaces: { ensure: () => Promise.resolve() },
  });
  let runId = 0;
  const inbox = new ChannelInbox({
    tenant: DEFAULT_TENANT,
    agents,
    dynamicAgents,
    polls: {
      asks: () => true,
      answer: ({ text }) => Promise.resolve(text === "1" ? "Noted: yes" : undefined),
    },
    runs,
    newRunId: () => `run-${++runId}`,
  });
  return { ...base, inbox };
}

const KEYS: readonly [change: Partial<ChannelMessage>, key: string][] = [
  [{}, "agent:main:websocket:direct:~41nn"],
  [{ peer: { kind: "direct", id: "ann", guest: true } }, "agent:main:websocket:guest:direct:ann"],
  [{ peer: { kind: "group", id: "a:b", guest: false } }, "agent:main:websocket:group:a~3ab"],
  [{ peer: { kind: "group", id: "t", guest: true } }, "agent:main:websocket:guest:group:t"],
];

for (const [change, key] of KEYS) {
  Deno.test(`a message goes into the session ${key}`, async () => {
    const { inbox } = stage();
    const receipt = await inbox.receive({ ...HI, ...change });
    assert.ok(receipt.kind === "run");
    assert.equal(receipt.sessionKey, key);
  });
}

Deno.test("a user's own agent answers in direct chats, the default agent in groups", async () => {
  const { inbox, settings } = stage();
  settings.agents = { defaults: {}, list: [{ id: "main" }, { id: "ws-ann" }] };
  const ownAgent = { workspaceTemplate: "/w/{agentId}", agentDirTemplate: "/a/{agentId}" };
  const peer = { kind: "direct", id: "ann", guest: false } as const;
  const direct = await inbox.receive({ ...HI, peer, ownAgent });
  const group = await inbox.receive({ ...HI, peer: { ...peer, kind: "group" }, ownAgent });
  assert.ok(direct.kind === "run" && group.kind === "run");
  assert.equal(direct.sessionKey, "agent:ws-ann:websocket:direct:ann");
  assert.equal(group.sessionKey, "agent:main:websocket:group:ann");
});

Deno.test("the model is given the text alone as text, all else as data, and no fact but the time", async () => {
  const { inbox, model, sessions } = stage();
  const receipt = await inbox.receive({ ...HI, text: "/stop" });
  assert.ok(receipt.kind === "run");
  receipt.begin();
  await settle();
  const { messages, facts } = model.call().request;
  assert.deepEqual(messages, [{
    role: "user",
    text: "/stop",
    context: {
      channel: "websocket",
      chatType: "direct",
      sender: { id: "Ann", name: "Ann\u001b[31m", verified: true },
      customData: { sender: "admin" },
    },
  }]);
  assert.deepEqual(Object.keys(facts ?? {}), ["time"]);
  const entry = await sessions.get(DEFAULT_TENANT, receipt.sessionKey);
  assert.deepEqual(
    [entry?.channel, entry?.chatType, entry?.displayName, entry?.lastTo],
    ["websocket", "direct", "Ann\\u{1b}[31m", "direct:Ann"],
  );
});

Deno.test("an answer to a poll starts no run", async () => {
  const { inbox, model } = stage();
  assert.deepEqual(await inbox.receive({ ...HI, text: "1" }), {
    kind: "answered",
    text: "Noted: yes",
  });
  assert.equal(model.calls.length, 0);
});
