import assert from "node:assert/strict";
import { checked, isAgentId } from "../../../src/core/id.ts";
import type { Sessions, SessionWanted } from "../../../src/services/sessions.ts";
import { house, main, other, refusal, said, tenant } from "../../support/session_house.ts";
import { alteredStore } from "../../support/altered_store.ts";

Deno.test("a read writes nothing, not even for a session that does not exist", async () => {
  const base = house();
  await base.sessions.append(tenant, main, { messages: [said("x")] });
  const { sessions } = house(
    {},
    alteredStore(base.store, { commit: () => Promise.reject(new Error("a read wrote")) }),
  );
  await sessions.list(tenant);
  await sessions.preview(tenant, ["main", "other"]);
  await sessions.resolve(tenant, { key: "main" });
  assert.deepEqual(await sessions.history(tenant, other, { limit: 5 }), {
    entry: undefined,
    messages: [],
  });
  assert.equal((await sessions.recent(tenant, { limit: 5 })).length, 1);
  assert.equal(await sessions.count(tenant), 1);
  assert.deepEqual(await sessions.remove(tenant, other), { deleted: false, archived: [] });
  assert.equal((await sessions.compact(tenant, main)).compacted, false);
});

Deno.test("a history read while the session is reset is that of one session", async () => {
  const base = house();
  const before = await base.sessions.append(tenant, main, { messages: [said("old")] });
  let resets = 1;
  const { sessions } = house(
    {},
    alteredStore(base.store, {
      read: async (stream, range) => {
        if (resets-- > 0) {
          await base.sessions.reset(tenant, main);
          await base.sessions.append(tenant, main, { messages: [said("new")] });
        }
        return await base.store.read(stream, range);
      },
    }),
  );
  const { entry, messages } = await sessions.history(tenant, main, { limit: 5 });
  assert.deepEqual(messages.map(({ text }) => text), ["new"]);
  assert.notEqual(entry?.sessionId, before.entry.sessionId);
});

Deno.test("sessions are counted and found by their agent", async () => {
  const { sessions, clock } = house();
  for (const key of ["main", "agent:work:main", "agent:work:x"]) {
    await clock.advance(1);
    await sessions.append(tenant, sessions.canonicalKey(key), { messages: [] });
  }
  const agentId = checked("work", isAgentId);
  assert.equal(await sessions.count(tenant), 3);
  assert.equal(await sessions.count(tenant, { agentId }), 2);
  const recent = await sessions.recent(tenant, { limit: 1, agentId });
  assert.deepEqual(recent.map(({ key }) => key), ["agent:work:x"]);
});

Deno.test("a parent is kept and found in its canonical form", async () => {
  const { sessions } = house();
  await sessions.patch(tenant, other, { spawnedBy: "MAIN" });
  assert.equal((await sessions.get(tenant, other))?.spawnedBy, main);
  const { sessions: found } = await sessions.list(tenant, { spawnedBy: "main" });
  assert.deepEqual(found.map(({ key }) => key), [other]);
  await sessions.patch(tenant, other, { spawnedBy: null });
  assert.equal((await sessions.get(tenant, other))?.spawnedBy, undefined);
});

const RESOLVED: readonly { given: string; input: SessionWanted; expect: string }[] = [
  { given: "a key in any spelling", input: { key: " Other" }, expect: other },
  { given: "a label", input: { label: "home" }, expect: other },
  { given: "a label and its agent", input: { label: "home", agentId: "main" }, expect: other },
  { given: "a session id", input: { sessionId: "ID" }, expect: other },
];

const UNRESOLVED: readonly { given: string; input: SessionWanted; expect: string }[] = [
  { given: "nothing", input: {}, expect: "Either key, sessionId, or label is required" },
  {
    given: "two names",
    input: { key: "other", label: "home" },
    expect: "Provide either key, sessionId, or label (not multiple)",
  },
  {
    given: "a missing key",
    input: { key: "Nobody" },
    expect: "No session found: Nobody",
  },
  {
    given: "a broken key",
    input: { key: "No\nne" },
    expect:
      'invalid session key "No\\u{a}ne"; use a name such as "main" or agent:<agent id>:<name>',
  },
  { given: "a missing id", input: { sessionId: "x" }, expect: "No session found: x" },
  { given: "a broken id", input: { sessionId: "\0" }, expect: "No session found: \\u{0}" },
  { given: "a missing label", input: { label: "x" }, expect: "No session found with label: x" },
  {
    given: "a label at another agent",
    input: { label: "home", agentId: "work" },
    expect: "No session found with label: home",
  },
  {
    given: "a global session unasked",
    input: { label: "all" },
    expect: "No session found with label: all",
  },
];

async function furnished(): Promise<{ sessions: Sessions; sessionId: string }> {
  const { sessions } = house();
  await sessions.patch(tenant, sessions.canonicalKey("global"), { label: "all" });
  const { entry } = await sessions.patch(tenant, other, { label: "home" });
  return { sessions, sessionId: entry.sessionId };
}

for (const { given, input, expect } of RESOLVED) {
  Deno.test(`a session is found by ${given}`, async () => {
    const { sessions, sessionId } = await furnished();
    const wanted = input.sessionId === undefined ? input : { sessionId };
    assert.equal((await sessions.resolve(tenant, wanted)).key, expect);
  });
}

for (const { given, input, expect } of UNRESOLVED) {
  Deno.test(`a session is not found by ${given}`, async () => {
    const { sessions } = await furnished();
    await assert.rejects(sessions.resolve(tenant, input), refusal(expect));
  });
}

Deno.test("previews show the end of each session, under the keys as they were asked for", async () => {
  const { sessions } = house();
  await sessions.append(tenant, main, {
    messages: [said("one"), said(" ", "assistant"), said(`  ${"x".repeat(30)}`, "assistant")],
  });
  await sessions.append(tenant, other, { messages: [] });
  const keys = ["MAIN", "other", "nobody", "agent:x"];
  const { previews } = await sessions.preview(tenant, keys, { limit: 2, maxChars: 20 });
  assert.deepEqual(previews, [
    { key: "MAIN", status: "ok", items: [{ role: "assistant", text: `${"x".repeat(19)}…` }] },
    { key: "other", status: "empty", items: [] },
    { key: "nobody", status: "missing", items: [] },
    { key: "agent:x", status: "error", items: [] },
  ]);
});

Deno.test("a preview has bounds that a caller cannot pass", async () => {
  const { sessions } = house();
  const messages = Array.from({ length: 60 }, () => said("x".repeat(3_000)));
  await sessions.append(tenant, main, { messages });
  const keys = ["main", ...Array.from({ length: 70 }, (_, at) => `s${at}`)];
  const { previews } = await sessions.preview(tenant, keys, { limit: 1e9, maxChars: 1e9 });
  assert.equal(previews.length, 64);
  const one = await sessions.preview(tenant, ["main"], { limit: 1e9, maxChars: 1e9 });
  assert.equal(one.previews[0]?.items.length, 50);
  assert.equal(one.previews[0]?.items[0]?.text.length, 2_000);
  const usual = await sessions.preview(tenant, ["main"]);
  assert.equal(usual.previews[0]?.items.length, 12);
  assert.equal(usual.previews[0]?.items[0]?.text.length, 240);
});
