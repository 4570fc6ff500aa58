/** What sessions answer from memory is what is stored, whoever changed it and whatever failed meanwhile. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { createMemoryStore } from "../../src/adapters/memory_store.ts";
import { GatewayError } from "../../src/core/error.ts";
import { checked, isSessionKey } from "../../src/core/id.ts";
import { type Store, StoreConflict, StoreUnavailable } from "../../src/ports/store.ts";
import {
  type ConversationOptions,
  MAX_CONVERSATION_MESSAGES,
  toConversation,
} from "../../src/services/conversation.ts";
import { transcriptStream } from "../../src/services/transcript.ts";
import type { NewMessage } from "../../src/services/session_entry.ts";
import { MAX_TAIL_CHARS } from "../../src/services/session_tail.ts";
import type { Sessions } from "../../src/services/sessions.ts";
import { alteredStore } from "../support/altered_store.ts";
import { house, said, tenant } from "../support/session_house.ts";

const KEYS = ["a", "b", "c"].map((name) => checked(`agent:main:${name}`, isSessionKey));

const change = fc.record({
  /** Whether another process makes it. */
  beside: fc.boolean(),
  key: fc.constantFrom(...KEYS),
  kind: fc.constantFrom(
    ...["turn", "turn", "question", "note", "long", "read", "read 2"] as const,
    ...["label", "reset", "remove", "compact", "failure"] as const,
  ),
  text: fc.constantFrom("", "a", "b"),
  sender: fc.option(fc.constantFrom("ann", "bob"), { nil: undefined }),
});

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** Changes of each group are made at once; some groups are looked at before the next one comes. */
const history = fc.array(
  fc.record({ changes: fc.array(change, { maxLength: 8, size: "max" }), looks: fc.boolean() }),
  { maxLength: 10, size: "max" },
);

/** What a change says, each message under a number of its own. */
function messagesOf({ kind, text, sender }: Change, number: number): readonly NewMessage[] {
  const runId = `run ${number}`;
  const question: NewMessage = {
    ...said(`${text}${number}`),
    runId,
    ...(sender === undefined ? {} : { context: { sender } }),
  };
  const answer: NewMessage = { ...said(text, "assistant"), runId };
  switch (kind) {
    case "turn":
      return [question, answer];
    case "note":
      return [{ ...said(`${number}`, "assistant"), label: "note" }];
    case "long":
      return [said(`${number} ${"x".repeat(MAX_TAIL_CHARS / 2)}`)];
    default:
      return [question];
  }
}

function make(sessions: Sessions, made: Change, number: number): Promise<unknown> {
  const { key, kind, text } = made;
  switch (kind) {
    case "read":
      return sessions.history(tenant, key, { limit: MAX_CONVERSATION_MESSAGES, forModel: true });
    case "read 2":
      return sessions.history(tenant, key, { limit: 2 });
    case "label":
      return sessions.patch(tenant, key, { label: `label ${text}` });
    case "reset":
      return sessions.reset(tenant, key);
    case "remove":
      return sessions.remove(tenant, key);
    case "compact":
      return sessions.compact(tenant, key, { keep: 2 });
    default:
      return sessions.append(tenant, key, { messages: messagesOf(made, number) });
  }
}

/** A store whose commits take a while before and behind, and of which the next ones fail, as many as it is told. */
function failing(store: Store): { readonly store: Store; fail(): void } {
  let failures = 0;
  let commits = 0;
  return {
    fail: () => failures++,
    store: alteredStore(store, {
      commit: async (writes) => {
        await pause(commits++ % 7);
        if (failures > 0) {
          failures--;
          throw new StoreUnavailable("the disk is busy");
        }
        const result = await store.commit(writes);
        await pause(commits % 31);
        return result;
      },
    }),
  };
}

async function pause(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
}

/** All messages there are, those that were put away as well. */
async function stored(store: Store): Promise<readonly string[]> {
  const streams = [
    ...(await store.list({ tenant, kind: "session" }))
      .map(({ tag = "" }) => transcriptStream(tenant, tag)),
    ...(await store.list({ tenant, kind: "session.archive" }))
      .map(({ id }) => ({ tenant, kind: "transcript.archive", id })),
  ];
  const read = await Promise.all(streams.map((stream) => store.read(stream, { limit: 10_000 })));
  return read.flat().map(({ value }) => JSON.parse(JSON.stringify(value)).id);
}

Deno.test("two processes and one that has just begun see the same, and nothing that was taken in is lost or doubled", async () => {
  let fromMemory = 0;
  await fc.assert(
    fc.asyncProperty(history, async (groups) => {
      const memory = createMemoryStore();
      const { store, fail } = failing(memory);
      const { sessions, neighbour } = house({}, store);
      const taken: string[] = [];
      let number = 0;
      for (const { changes, looks } of groups) {
        await Promise.all(changes.map(async (each) => {
          if (each.kind === "failure") return fail();
          try {
            const answer = await make(each.beside ? neighbour : sessions, each, number++);
            const { messages = [] }: { messages?: readonly { id: string }[] } = Object(answer);
            if (!each.kind.startsWith("read")) taken.push(...messages.map(({ id }) => id));
          } catch (error) {
            const refused = error instanceof GatewayError || error instanceof StoreUnavailable ||
              error instanceof StoreConflict;
            if (!refused) throw error;
          }
        }));
        if (!looks) continue;
        const fresh = house({}, memory).sessions;
        for (const key of KEYS) {
          const limit = MAX_CONVERSATION_MESSAGES;
          const wanted = await fresh.history(tenant, key, { limit });
          for (const each of [sessions, neighbour]) {
            const { entry, messages, chars, told } = await each.history(tenant, key, {
              limit,
              forModel: true,
            });
            assert.equal(JSON.stringify(sorted(entry)), JSON.stringify(sorted(wanted.entry)));
            assert.deepEqual(plain(messages), plain(wanted.messages));
            const { runId } = wanted.messages.at(-1) ?? {};
            if (runId === undefined) continue;
            if (told !== undefined) fromMemory++;
            for (const contextWindow of [undefined, 5, 500]) {
              const options: ConversationOptions = { runId, waiting: new Set(), contextWindow };
              assert.deepEqual(
                plain(toConversation(messages, { ...options, chars, told })),
                plain(toConversation(wanted.messages, options)),
              );
            }
          }
        }
      }
      const there = await stored(memory);
      assert.deepEqual([...there].sort(), [...taken].sort());
    }),
    { numRuns: 300 },
  );
  assert.ok(fromMemory > 20, `conversations that were made as they grew: ${fromMemory}`);
});

function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

/** The members in the order of their names. */
function sorted(value: object | undefined): unknown {
  return value && Object.fromEntries(Object.entries(value).sort());
}
