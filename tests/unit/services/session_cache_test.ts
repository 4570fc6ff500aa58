import assert from "node:assert/strict";
import { createMemoryStore } from "../../../src/adapters/memory_store.ts";
import { checked, isSessionKey } from "../../../src/core/id.ts";
import { MAX_CONVERSATION_MESSAGES } from "../../../src/services/conversation.ts";
import { MAX_CACHED_CHARS } from "../../../src/services/session_cache.ts";
import { MAX_TAIL_CHARS } from "../../../src/services/session_tail.ts";
import { MAX_ENTRY_TEXT_CHARS, type SessionEntry } from "../../../src/services/session_entry.ts";
import { alteredStore } from "../../support/altered_store.ts";
import {
  type House,
  house,
  main,
  other,
  said,
  tenant,
  texts,
} from "../../support/session_house.ts";

/** Sessions on a store that counts what is read of transcripts and of whole records. */
function counted(): House & { readonly reads: { pages: number; records: number } } {
  const base = createMemoryStore();
  const reads = { pages: 0, records: 0 };
  const store = alteredStore(base, {
    get: (key) => {
      reads.records++;
      return base.get(key);
    },
    read: (stream, range) => {
      reads.pages++;
      return base.read(stream, range);
    },
  });
  return { ...house({}, store), reads };
}

Deno.test("what was added is known without reading it again, and nothing else is", async () => {
  const { sessions, reads } = counted();
  await sessions.append(tenant, main, { messages: [said("1")] });
  reads.records = 0;
  for (const text of ["2", "3"]) await sessions.append(tenant, main, { messages: [said(text)] });
  assert.deepEqual(await texts(sessions, main), ["1", "2", "3"]);
  const { messages } = await sessions.history(tenant, main, { limit: 2 });
  assert.deepEqual(messages.map(({ text }) => text), ["2", "3"]);
  assert.deepEqual(reads, { pages: 0, records: 0 });
});

Deno.test("what was read once is known from then on", async () => {
  const { sessions, neighbour, reads } = counted();
  const said100 = Array.from({ length: 100 }, (_, at) => said(String(at)));
  await neighbour.append(tenant, main, { messages: said100 });
  reads.pages = 0;
  const wanted = said100.map(({ text }) => text);
  assert.deepEqual(await texts(sessions, main), wanted);
  const first = reads.pages;
  assert.ok(first > 0);
  assert.deepEqual(await texts(sessions, main), wanted);
  assert.equal((await sessions.history(tenant, main, { limit: 400 })).messages.length, 100);
  assert.equal(reads.pages, first);
});

Deno.test("a part that was read does not stand for the whole", async () => {
  const { sessions, neighbour } = counted();
  await neighbour.append(tenant, main, { messages: ["1", "2", "3"].map((text) => said(text)) });
  assert.equal((await sessions.history(tenant, main, { limit: 2 })).messages.length, 2);
  assert.deepEqual(await texts(sessions, main), ["1", "2", "3"]);
});

/** The members in the order of their names. */
function sorted(value: object | undefined): unknown {
  return value && Object.fromEntries(Object.entries(value).sort());
}

const CHANGES: readonly {
  readonly by: string;
  readonly change: (house: House) => Promise<unknown>;
  readonly then: readonly string[];
}[] = [
  {
    by: "an addition",
    change: ({ neighbour }) => neighbour.append(tenant, other, { messages: [said("theirs")] }),
    then: ["1", "2", "theirs"],
  },
  { by: "a reset", change: ({ neighbour }) => neighbour.reset(tenant, other), then: [] },
  { by: "a deletion", change: ({ neighbour }) => neighbour.remove(tenant, other), then: [] },
  {
    by: "a compaction",
    change: ({ neighbour }) => neighbour.compact(tenant, other, { keep: 1 }),
    then: ["2"],
  },
  {
    by: "a deletion and as many additions",
    change: async ({ neighbour }) => {
      await neighbour.remove(tenant, other);
      for (const text of ["a", "b"]) {
        await neighbour.append(tenant, other, { messages: [said(text)] });
      }
    },
    then: ["a", "b"],
  },
];

for (const { by, change, then } of CHANGES) {
  for (const whose of ["this", "another"] as const) {
    Deno.test(`${by} of ${whose} process is seen at once, and what is added comes behind it`, async () => {
      const made = counted();
      for (const text of ["1", "2"]) {
        await made.sessions.append(tenant, other, { messages: [said(text)] });
      }
      assert.deepEqual(await texts(made.sessions, other), ["1", "2"]);
      await change(whose === "this" ? { ...made, neighbour: made.sessions } : made);
      const [here, there] = [made.sessions, made.neighbour].map((sessions) =>
        sessions.get(tenant, other)
      );
      assert.equal(JSON.stringify(sorted(await here)), JSON.stringify(sorted(await there)));
      assert.deepEqual(await texts(made.sessions, other), then);
      await made.sessions.append(tenant, other, { messages: [said("last")] });
      assert.deepEqual(await texts(made.sessions, other), [...then, "last"]);
      assert.deepEqual(await texts(made.neighbour, other), [...then, "last"]);
    });
  }
}

Deno.test("what another process made anew under the name is never taken for what was known", async () => {
  const { sessions, neighbour } = counted();
  for (const text of ["1", "2"]) {
    await sessions.append(tenant, other, { messages: [said(text)] });
  }
  await neighbour.remove(tenant, other);
  for (const text of ["a", "b"]) await neighbour.append(tenant, other, { messages: [said(text)] });
  // Not read in between: the new session has come as far as the old one had.
  await sessions.append(tenant, other, { messages: [said("last")] });
  assert.deepEqual(await texts(sessions, other), ["a", "b", "last"]);
});

Deno.test("a long conversation is known by its newest messages, and older ones are read", async () => {
  const { sessions, reads } = counted();
  const many = Array.from({ length: MAX_CONVERSATION_MESSAGES + 10 }, (_, at) => said(String(at)));
  await sessions.append(tenant, main, { messages: many });
  const newest = await sessions.history(tenant, main, { limit: MAX_CONVERSATION_MESSAGES });
  assert.deepEqual(newest.messages.map(({ text }) => text), many.slice(10).map(({ text }) => text));
  assert.equal(reads.pages, 0);
  assert.equal((await texts(sessions, main)).length, many.length);
  assert.ok(reads.pages > 0);
});

Deno.test("of a session that says too much, and of too many sessions, less is kept", async () => {
  const { sessions, reads } = counted();
  const long = "x".repeat(MAX_TAIL_CHARS / 2);
  await sessions.append(tenant, main, { messages: [said(long)] });
  await texts(sessions, main);
  assert.equal(reads.pages, 0);
  await sessions.append(tenant, main, { messages: [said(long), said("end")] });
  assert.equal((await texts(sessions, main)).at(-1), "end");
  assert.ok(reads.pages > 0);

  const keys = Array.from(
    { length: Math.ceil(MAX_CACHED_CHARS / (long.length - 1)) },
    (_, at) => checked(`agent:main:s${at}`, isSessionKey),
  );
  for (const key of keys) await sessions.append(tenant, key, { messages: [said(long)] });
  reads.pages = 0;
  for (const key of keys) assert.deepEqual(await texts(sessions, key), [long]);
  assert.ok(reads.pages > 0, "some are forgotten");
  assert.ok(
    reads.pages < keys.length / 4,
    `most are known, though all come in turn: ${reads.pages}`,
  );
});

Deno.test("what comes with a message counts for what it takes in memory, not for its letters", async () => {
  const { sessions, reads } = counted();
  const values = Array.from({ length: MAX_TAIL_CHARS / 64 }, () => []);
  await sessions.append(tenant, main, { messages: [{ ...said("1"), context: { values } }] });
  await texts(sessions, main);
  assert.ok(reads.pages > 0);
});

Deno.test("the texts of entries count", async () => {
  const { sessions, reads } = counted();
  const long = "n".repeat(MAX_ENTRY_TEXT_CHARS);
  const change = (entry: SessionEntry) => ({
    ...entry,
    displayName: long,
    subject: long,
    channel: long,
    lastTo: long,
  });
  const keys = Array.from(
    { length: Math.ceil(MAX_CACHED_CHARS / (4 * long.length)) },
    (_, at) => checked(`agent:main:s${at}`, isSessionKey),
  );
  for (const key of keys) await sessions.append(tenant, key, { messages: [], change });
  reads.records = 0;
  for (const key of keys) await sessions.get(tenant, key);
  assert.ok(reads.records > 0, "some are forgotten");
  assert.ok(reads.records < keys.length, `some are known: ${reads.records}`);
});

Deno.test("what the store cuts is known as it was cut", async () => {
  const { sessions, neighbour } = counted();
  await sessions.append(tenant, main, {
    messages: [said("x")],
    change: (entry) => ({ ...entry, displayName: "n".repeat(2_000), inputTokens: NaN }),
  });
  assert.deepEqual(await sessions.get(tenant, main), await neighbour.get(tenant, main));
});

Deno.test("what came with a message is the same from memory and from the store, whatever its members are called", async () => {
  const { sessions, neighbour } = counted();
  const text = '{"constructor":1,"prototype":{"__proto__":2},"__proto__":[3],"plain":null}';
  await sessions.append(tenant, main, { messages: [{ ...said("1"), context: JSON.parse(text) }] });
  for (const each of [sessions, neighbour]) {
    const { messages } = await each.history(tenant, main, { limit: 1 });
    assert.equal(JSON.stringify(messages[0]?.context), text);
  }
});
