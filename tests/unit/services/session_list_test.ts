import assert from "node:assert/strict";
import { createMemoryStore } from "../../../src/adapters/memory_store.ts";
import { checked, DEFAULT_TENANT, isSessionKey, isTenantId } from "../../../src/core/id.ts";
import type { Store } from "../../../src/ports/store.ts";
import type { SessionEntry } from "../../../src/services/session_entry.ts";
import {
  LIST_PAGE_RECORDS,
  listSessions,
  MAX_LISTED_SESSIONS,
  type SessionQuery,
} from "../../../src/services/session_list.ts";
import { sessionRecords } from "../../../src/services/session_records.ts";
import { alteredStore } from "../../support/altered_store.ts";

const NOW = 1_000 * 60_000;

/** A store that counts what is read through it. */
function counted(store: Store): { store: Store; reads: { calls: number; records: number } } {
  const reads = { calls: 0, records: 0 };
  return {
    reads,
    store: alteredStore(store, {
      get: (key) => {
        reads.calls++;
        reads.records++;
        return store.get(key);
      },
      list: async (query) => {
        const records = await store.list(query);
        reads.calls++;
        reads.records += records.length;
        return records;
      },
      read: () => Promise.reject(new Error("a list must not read a transcript")),
      length: () => Promise.reject(new Error("a list must not read a transcript")),
      commit: () => Promise.reject(new Error("a read must not write")),
    }),
  };
}

async function filled(
  entries: readonly (Partial<SessionEntry> & { readonly key: string })[],
): Promise<Store> {
  const store = createMemoryStore();
  const records = sessionRecords(store, { life: "1" });
  await store.commit(entries.flatMap(({ key, ...rest }, at) => {
    const entry = { sessionId: `id-${at}`, createdAt: 0, updatedAt: at, ...rest };
    const { label } = entry;
    return [
      records.entries.put(DEFAULT_TENANT, checked(key, isSessionKey), entry),
      ...(label === undefined ? [] : [records.labels.put(DEFAULT_TENANT, label, { key })]),
    ];
  }));
  return store;
}

const SOME = [
  { key: "agent:main:main", updatedAt: NOW - 1, label: "Home", subject: "Garden" },
  { key: "agent:main:tg:group:1", updatedAt: NOW - 61_000, displayName: "Friends" },
  { key: "agent:main:global", updatedAt: NOW - 2 },
  { key: "agent:main:unknown", updatedAt: NOW - 3 },
  { key: "agent:work:main", updatedAt: NOW - 4, derivedTitle: "Tax return" },
  { key: "agent:main:sub", updatedAt: NOW - 5, spawnedBy: "agent:main:main", label: "sub" },
];

const QUERIES: readonly { given: string; input: SessionQuery; expect: readonly string[] }[] = [
  {
    given: "nothing asked",
    input: {},
    expect: ["agent:main:main", "agent:work:main", "agent:main:sub", "agent:main:tg:group:1"],
  },
  {
    given: "global and unknown too",
    input: { includeGlobal: true, includeUnknown: true, limit: 4 },
    expect: ["agent:main:main", "agent:main:global", "agent:main:unknown", "agent:work:main"],
  },
  {
    given: "a limit that passes over hidden ones",
    input: { limit: 3 },
    expect: ["agent:main:main", "agent:work:main", "agent:main:sub"],
  },
  {
    given: "the last minute",
    input: { activeMinutes: 1 },
    expect: ["agent:main:main", "agent:work:main", "agent:main:sub"],
  },
  { given: "an agent", input: { agentId: " Work " }, expect: ["agent:work:main"] },
  { given: "an agent that is none", input: { agentId: "a b" }, expect: [] },
  { given: "an agent without sessions", input: { agentId: "wor" }, expect: [] },
  { given: "a label", input: { label: " Home " }, expect: ["agent:main:main"] },
  { given: "a label nobody has", input: { label: "home" }, expect: [] },
  { given: "a label that cannot be", input: { label: "a\0" }, expect: [] },
  { given: "a label at another agent", input: { label: "Home", agentId: "work" }, expect: [] },
  { given: "a label and a search", input: { label: "Home", search: "tax" }, expect: [] },
  { given: "a parent", input: { spawnedBy: "agent:main:main" }, expect: ["agent:main:sub"] },
  { given: "a search in keys", input: { search: " GROUP:1 " }, expect: ["agent:main:tg:group:1"] },
  { given: "a search in labels", input: { search: "hom" }, expect: ["agent:main:main"] },
  { given: "a search in names", input: { search: "friend" }, expect: ["agent:main:tg:group:1"] },
  { given: "a search in subjects", input: { search: "garden" }, expect: ["agent:main:main"] },
  { given: "a search in titles", input: { search: "tax" }, expect: ["agent:work:main"] },
  { given: "a search in session ids", input: { search: "ID-4" }, expect: ["agent:work:main"] },
  { given: "a search for what is nowhere", input: { search: "zzz" }, expect: [] },
];

for (const { given, input, expect } of QUERIES) {
  Deno.test(`sessions are listed: ${given}`, async () => {
    const { store } = counted(await filled(SOME));
    const found = await listSessions(sessionRecords(store, { life: "1" }), {
      tenant: DEFAULT_TENANT,
      query: input,
      now: NOW,
    });
    assert.deepEqual(found.map(({ key }) => key), expect);
  });
}

Deno.test("a list says of what kind each session is", async () => {
  const found = await listSessions(sessionRecords(await filled(SOME), { life: "1" }), {
    tenant: DEFAULT_TENANT,
    query: { includeGlobal: true, includeUnknown: true },
    now: NOW,
  });
  assert.deepEqual(found.map(({ kind }) => kind), [
    "direct",
    "global",
    "unknown",
    "direct",
    "direct",
    "group",
  ]);
});

Deno.test("a tenant sees no session of another", async () => {
  const found = await listSessions(sessionRecords(await filled(SOME), { life: "1" }), {
    tenant: checked("other", isTenantId),
    query: { includeGlobal: true, includeUnknown: true },
    now: NOW,
  });
  assert.deepEqual(found, []);
});

const MANY = Array.from({ length: 10_000 }, (_, at) => ({ key: `agent:main:s${at}` }));

const COSTS: readonly { given: string; input: SessionQuery; found: number; calls: number }[] = [
  { given: "a limit", input: { limit: 50 }, found: 50, calls: 1 },
  { given: "a limit of one", input: { limit: 1 }, found: 1, calls: 1 },
  { given: "a limit and an agent", input: { limit: 50, agentId: "main" }, found: 50, calls: 1 },
  {
    given: "no limit",
    input: {},
    found: MAX_LISTED_SESSIONS,
    calls: MAX_LISTED_SESSIONS / LIST_PAGE_RECORDS,
  },
  {
    given: "a limit beyond the bound",
    input: { limit: 1e15 },
    found: MAX_LISTED_SESSIONS,
    calls: MAX_LISTED_SESSIONS / LIST_PAGE_RECORDS,
  },
];

for (const { given, input, found, calls } of COSTS) {
  Deno.test(`of 10,000 sessions a list reads no more than it shows: ${given}`, async () => {
    const { store, reads } = counted(await filled(MANY));
    const listed = await listSessions(sessionRecords(store, { life: "1" }), {
      tenant: DEFAULT_TENANT,
      query: input,
      now: NOW,
    });
    assert.equal(listed.length, found);
    assert.deepEqual(reads, { calls, records: found });
    assert.equal(listed[0]?.key, "agent:main:s9999");
    assert.equal(new Set(listed.map(({ key }) => key)).size, found);
  });
}

Deno.test("of 10,000 sessions a search reads one page at a time and stops when it is filled", async () => {
  const { store, reads } = counted(await filled(MANY));
  const listed = await listSessions(sessionRecords(store, { life: "1" }), {
    tenant: DEFAULT_TENANT,
    query: { search: "s97", limit: 3 },
    now: NOW,
  });
  assert.deepEqual(listed.map(({ key }) => key), [
    "agent:main:s9799",
    "agent:main:s9798",
    "agent:main:s9797",
  ]);
  assert.deepEqual(reads, { calls: 1, records: LIST_PAGE_RECORDS });
});
