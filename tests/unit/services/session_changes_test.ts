import assert from "node:assert/strict";
import { invalidRequest } from "../../../src/core/error.ts";
import { checked, isSessionKey } from "../../../src/core/id.ts";
import { type Store, StoreConflict, type StoreWrite } from "../../../src/ports/store.ts";
import { house, main, other, refusal, said, tenant, texts } from "../../support/session_house.ts";
import { alteredStore } from "../../support/altered_store.ts";

const ghost = checked("agent:ghost:main", isSessionKey);

/** A store whose commits wait until the gate is opened, so that two writers can be made to meet. */
function slow(store: Store): { store: Store; waiting: () => number; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let waiting = 0;
  return {
    waiting: () => waiting,
    open: resolve,
    store: alteredStore(store, {
      commit: async (writes) => {
        waiting++;
        await promise;
        return await store.commit(writes);
      },
    }),
  };
}

Deno.test("the first message makes the session, in one commit with what is written alongside", async () => {
  const { sessions, store, clock } = house();
  const own: StoreWrite = {
    op: "put",
    key: { tenant, kind: "run", id: "r" },
    order: 0,
    value: 1,
    expect: 0,
  };
  const { entry, messages } = await sessions.append(tenant, main, {
    messages: [said("hello"), said("hi", "assistant")],
    change: (before) => ({ ...before, model: "m", sessionId: "forged", label: "forged" }),
    alongside: [own],
  });
  assert.equal(entry.model, "m");
  assert.equal(entry.label, undefined);
  assert.notEqual(entry.sessionId, "forged");
  assert.equal(entry.updatedAt, clock.now());
  assert.match(messages[0]?.id ?? "", /^[0-9a-f]{8}$/);
  assert.deepEqual(await texts(sessions, main), ["hello", "hi"]);
  assert.equal((await store.get({ tenant, kind: "run", id: "r" }))?.value, 1);
  assert.deepEqual((await sessions.get(tenant, main))?.derivedTitle, "hello");
});

Deno.test("when the caller's own write conflicts, nothing is added and the caller is told", async () => {
  const { sessions } = house();
  const own: StoreWrite = { op: "remove", key: { tenant, kind: "run", id: "r" }, expect: 7 };
  await assert.rejects(
    sessions.append(tenant, main, { messages: [said("x")], alongside: [own] }),
    StoreConflict,
  );
  assert.equal(await sessions.get(tenant, main), undefined);
});

Deno.test("a session of an agent that does not exist is not made", async () => {
  const { sessions } = house();
  const message = 'unknown agent id "ghost"; agents.list names those that exist';
  await assert.rejects(sessions.append(tenant, ghost, { messages: [] }), refusal(message));
  await assert.rejects(sessions.patch(tenant, ghost, { label: "x" }), refusal(message));
  await assert.rejects(sessions.reset(tenant, ghost), refusal(message));
  assert.equal(await sessions.count(tenant), 0);
});

Deno.test("a hundred concurrent appends all land, each once, in the order of the calls", async () => {
  const { sessions } = house();
  const numbers = Array.from({ length: 100 }, (_, at) => String(at));
  await Promise.all(
    numbers.map((text) => sessions.append(tenant, main, { messages: [said(text)] })),
  );
  assert.deepEqual(await texts(sessions, main), numbers);
});

Deno.test("two processes appending to one session lose nothing", async () => {
  const { sessions, neighbour } = house();
  await Promise.all([
    sessions.append(tenant, main, { messages: [said("a")] }),
    neighbour.append(tenant, main, { messages: [said("b")] }),
  ]);
  assert.deepEqual((await texts(sessions, main)).sort(), ["a", "b"]);
  assert.equal(await sessions.count(tenant), 1);
});

Deno.test("a patch sets, answers the model in use, and clears", async () => {
  const { sessions } = house({
    defaults: () => ({ modelProvider: "local", model: "echo", contextTokens: 8 }),
    resolveModel: (wanted) => {
      if (wanted === "fake/one") return { modelProvider: "fake", model: "one" };
      throw invalidRequest(`unknown model "${wanted}"`);
    },
  });
  const set = await sessions.patch(tenant, other, { model: "fake/one", thinkingLevel: "low" });
  assert.deepEqual(set.resolved, { modelProvider: "fake", model: "one" });
  assert.equal((await sessions.get(tenant, other))?.thinkingLevel, "low");
  const cleared = await sessions.patch(tenant, other, { model: null, thinkingLevel: null });
  assert.deepEqual(cleared.resolved, { modelProvider: "local", model: "echo" });
  assert.equal((await sessions.get(tenant, other))?.modelOverride, undefined);
  await assert.rejects(
    sessions.patch(tenant, other, { model: "nope" }),
    refusal('unknown model "nope"'),
  );
});

Deno.test("a refused patch changes nothing", async () => {
  const { sessions } = house();
  await sessions.append(tenant, main, { messages: [] });
  const before = await sessions.get(tenant, main);
  await assert.rejects(sessions.patch(tenant, main, { label: "new", execAsk: "never" }));
  assert.deepEqual(await sessions.get(tenant, main), before);
  await assert.rejects(
    sessions.patch(tenant, main, { model: "any" }),
    refusal('unknown model "any"; this gateway has no models to choose from'),
  );
});

Deno.test("a label belongs to one session until it is given up", async () => {
  const { sessions } = house();
  await sessions.patch(tenant, main, { label: "home" });
  await sessions.patch(tenant, main, { label: "home" });
  await assert.rejects(
    sessions.patch(tenant, other, { label: "home" }),
    refusal("label already in use: home"),
  );
  assert.equal(await sessions.get(tenant, other), undefined);
  await sessions.patch(tenant, main, { label: "house" });
  await sessions.patch(tenant, other, { label: "home" });
  await sessions.remove(tenant, other);
  await sessions.patch(tenant, main, { label: "home" });
  await sessions.patch(tenant, main, { label: null });
  await sessions.patch(tenant, other, { label: "home" });
  assert.equal((await sessions.resolve(tenant, { label: "home" })).key, other);
});

Deno.test("of two sessions that take one label at the same moment, one is refused", async () => {
  const base = house();
  const gate = slow(base.store);
  const { sessions, neighbour } = house({}, gate.store);
  const both = Promise.allSettled([
    sessions.patch(tenant, main, { label: "home" }),
    neighbour.patch(tenant, other, { label: "home" }),
  ]);
  while (gate.waiting() < 2) await Promise.resolve();
  gate.open();
  const [first, second] = await both;
  assert.equal(first.status, "fulfilled");
  assert.equal(second.status, "rejected");
  if (second.status === "rejected") refusal("label already in use: home")(second.reason);
  const owners = (await sessions.list(tenant)).sessions.filter(({ entry }) =>
    entry.label === "home"
  );
  assert.deepEqual(owners.map(({ key }) => key), [main]);
});

Deno.test("a reset keeps the settings, puts the messages away and ends the runs first", async () => {
  const order: string[] = [];
  const { sessions, store, clock } = house({
    abortRuns: async (_tenant, key) => {
      order.push(`abort ${key}`);
      await sessions.append(tenant, key, { messages: [said("partial", "assistant")] });
    },
  });
  await sessions.append(tenant, main, { messages: [said("hello")] });
  await sessions.patch(tenant, main, { label: "home", thinkingLevel: "high" });
  const before = await sessions.get(tenant, main);
  await clock.advance(1_000);
  const entry = await sessions.reset(tenant, main);
  assert.deepEqual(order, ["abort agent:main:main"]);
  assert.notEqual(entry.sessionId, before?.sessionId);
  assert.deepEqual([entry.label, entry.thinkingLevel], ["home", "high"]);
  assert.equal(entry.derivedTitle, undefined);
  assert.equal(entry.updatedAt, clock.now());
  assert.deepEqual(await texts(sessions, main), []);
  const archives = await store.list({ tenant, kind: "session.archive" });
  assert.deepEqual(archives.map(({ id, tag }) => [id, tag]), [
    [`${before?.sessionId}.reset.2025-06-15T15-06-41.000Z`, main],
  ]);
  const id = archives[0]?.id ?? "";
  assert.equal(await store.length({ tenant, kind: "transcript.archive", id }), 2);
  assert.equal((await sessions.resolve(tenant, { sessionId: entry.sessionId })).key, main);
  await assert.rejects(sessions.resolve(tenant, { sessionId: before?.sessionId ?? "" }));
});

Deno.test("a reset of a session without messages makes no archive", async () => {
  const { sessions, store } = house();
  await sessions.reset(tenant, main);
  await sessions.reset(tenant, main);
  assert.equal(await store.count({ tenant, kind: "session.archive" }), 0);
  assert.equal(await sessions.count(tenant), 1);
});

for (const order of ["append first", "reset first"] as const) {
  Deno.test(`a message added while the session is reset is in one of its transcripts: ${order}`, async () => {
    const base = house();
    await base.sessions.append(tenant, main, { messages: [said("old")] });
    const gate = slow(base.store);
    const { sessions, neighbour } = house({}, gate.store);
    const append = (): Promise<unknown> =>
      sessions.append(tenant, main, { messages: [said("new")] });
    const reset = (): Promise<unknown> => neighbour.reset(tenant, main);
    const [first, second] = order === "append first" ? [append, reset] : [reset, append];
    const both = [first()];
    // One begins while the other's commit is on its way.
    while (gate.waiting() < 1) await Promise.resolve();
    both.push(second());
    while (gate.waiting() < 2) await Promise.resolve();
    gate.open();
    await Promise.all(both);
    const [archive] = await base.store.list({ tenant, kind: "session.archive" });
    const away = { tenant, kind: "transcript.archive", id: archive?.id ?? "" };
    const shown = await texts(sessions, main);
    assert.deepEqual(
      [await base.store.length(away), shown],
      order === "append first" ? [2, []] : [1, ["new"]],
    );
  });
}

const DELETIONS = [
  { given: "with its transcript", keepTranscript: false, suffix: "deleted", named: true },
  { given: "without its transcript", keepTranscript: true, suffix: "kept", named: false },
];

for (const { given, keepTranscript, suffix, named } of DELETIONS) {
  Deno.test(`a session is deleted ${given}`, async () => {
    const aborted: string[] = [];
    const { sessions, store } = house({
      abortRuns: (_tenant, key) => {
        aborted.push(key);
        return Promise.resolve();
      },
    });
    const { entry } = await sessions.append(tenant, other, { messages: [said("x")] });
    const name = `${entry.sessionId}.${suffix}.2025-06-15T15-06-40.000Z`;
    assert.deepEqual(await sessions.remove(tenant, other, { keepTranscript }), {
      deleted: true,
      archived: named ? [name] : [],
    });
    assert.deepEqual(aborted, [other]);
    assert.equal(await sessions.get(tenant, other), undefined);
    assert.equal(await store.length({ tenant, kind: "transcript", id: entry.sessionId }), 0);
    assert.equal(await store.length({ tenant, kind: "transcript.archive", id: name }), 1);
    assert.deepEqual(await sessions.remove(tenant, other), { deleted: false, archived: [] });
  });
}

Deno.test("the main session cannot be deleted, whatever it is called", async () => {
  const usual = house();
  await usual.sessions.append(tenant, main, { messages: [] });
  await assert.rejects(
    usual.sessions.remove(tenant, main),
    refusal("Cannot delete the main session (agent:main:main)."),
  );
  assert.notEqual(await usual.sessions.get(tenant, main), undefined);
  const global = house({ scope: "global" });
  await assert.rejects(
    global.sessions.remove(tenant, global.sessions.canonicalKey("main")),
    refusal("Cannot delete the main session (agent:main:global)."),
  );
});

Deno.test("a compaction keeps the newest messages and archives the rest", async () => {
  const { sessions, store } = house();
  const messages = ["1", "2", "3", "4", "5"].map((text) => said(text));
  const { entry } = await sessions.append(tenant, other, {
    messages,
    change: (before) => ({ ...before, totalTokens: 9 }),
  });
  const archived = `${entry.sessionId}.bak.2025-06-15T15-06-40.000Z`;
  assert.deepEqual(await sessions.compact(tenant, other, { keep: 2 }), {
    compacted: true,
    archived,
    kept: 2,
  });
  assert.deepEqual(await texts(sessions, other), ["4", "5"]);
  assert.equal(await store.length({ tenant, kind: "transcript.archive", id: archived }), 3);
  const after = await sessions.get(tenant, other);
  assert.equal(after?.totalTokens, undefined);
  assert.equal(after?.updatedAt, entry.updatedAt);
  await sessions.append(tenant, other, { messages: [said("6")] });
  assert.deepEqual(await texts(sessions, other), ["4", "5", "6"]);
});

Deno.test("a compaction keeps 400 messages unless told, and says why it does nothing", async () => {
  const { sessions } = house();
  assert.deepEqual(await sessions.compact(tenant, main), {
    compacted: false,
    reason: "no session",
  });
  await sessions.append(tenant, main, { messages: [] });
  assert.deepEqual(await sessions.compact(tenant, main), {
    compacted: false,
    reason: "no transcript",
  });
  const messages = Array.from({ length: 400 }, (_, at) => said(String(at)));
  await sessions.append(tenant, main, { messages });
  assert.deepEqual(await sessions.compact(tenant, main), {
    compacted: false,
    reason: "nothing to compact",
    kept: 400,
  });
  await sessions.append(tenant, main, { messages: [said("400")] });
  assert.equal((await sessions.compact(tenant, main)).kept, 400);
  assert.equal((await texts(sessions, main))[0], "1");
});
