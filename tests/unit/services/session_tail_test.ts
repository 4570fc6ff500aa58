import assert from "node:assert/strict";
import fc from "fast-check";
import type { Json } from "../../../src/ports/store.ts";
import { MAX_CONVERSATION_MESSAGES, toConversation } from "../../../src/services/conversation.ts";
import type { TranscriptMessage } from "../../../src/services/session_entry.ts";
import { SessionTail } from "../../../src/services/session_tail.ts";

/** A message that came with this. */
function message(text: string, context?: Record<string, Json>): TranscriptMessage {
  const role = context === undefined ? "assistant" : "user";
  return { id: "00000000", role, text, at: 1, ...(context === undefined ? {} : { context }) };
}

function tailOf(messages: readonly TranscriptMessage[]): SessionTail {
  const tail = new SessionTail();
  for (const each of messages) assert.ok(tail.add([each]));
  return tail;
}

function messagesOf(tail: SessionTail): readonly TranscriptMessage[] {
  return tail.newest(MAX_CONVERSATION_MESSAGES) ?? [];
}

const FROM_ANN = { sender: { id: "ann" } };
const FROM_BOB = { sender: { id: "bob" }, values: Array.from({ length: 100 }, () => ({})) };

Deno.test("a context that comes again is kept once, and messages stay what they were", () => {
  const said = [
    message("1", { ...FROM_ANN }),
    message("2"),
    message("3", { ...FROM_ANN }),
    message("4", { ...FROM_BOB }),
    message("5", { ...FROM_ANN }),
  ];
  const messages = messagesOf(tailOf(said));
  assert.deepEqual(messages, said);
  assert.equal(messages[0]?.context, messages[2]?.context);
  assert.notEqual(messages[2]?.context, messages[3]?.context);
});

Deno.test("a context counts once for those that share it, and all of them for what is said", () => {
  const [one, two, other] = [[FROM_BOB], [FROM_BOB, FROM_BOB], [FROM_BOB, FROM_ANN]].map((
    contexts,
  ) => tailOf(contexts.map((context) => message("", { ...context }))));
  assert.ok(one && two && other);
  const alone = tailOf([message("")]).weight;
  assert.equal(two.weight, one.weight + alone);
  assert.ok(other.weight > two.weight);
  assert.equal(two.chars, 2 * one.chars);
});

Deno.test("what is dropped counts no more, a context not before the last that has it", () => {
  const filler = Array.from({ length: MAX_CONVERSATION_MESSAGES - 1 }, () => message("x"));
  const shared = tailOf([message("", FROM_BOB), message("", { ...FROM_BOB }), ...filler]);
  const once = tailOf([message("", FROM_BOB), ...filler]);
  assert.equal(messagesOf(shared).length, MAX_CONVERSATION_MESSAGES);
  assert.deepEqual([shared.weight, shared.chars], [once.weight, once.chars]);
  const [partOf, allOf] = [shared, once].map((tail) => tail.newest(MAX_CONVERSATION_MESSAGES + 1));
  assert.equal(partOf, undefined);
  assert.equal(allOf?.length, MAX_CONVERSATION_MESSAGES);
  const none = tailOf([message("", FROM_BOB), ...filler, message("x")]);
  const plain = tailOf([...filler, message("x")]);
  assert.deepEqual([none.weight, none.chars], [plain.weight, plain.chars]);
});

Deno.test("of a part no more is known than its messages", () => {
  const part = new SessionTail({ whole: false });
  assert.ok(part.add([message("1"), message("2")]));
  assert.deepEqual(part.newest(2)?.map(({ text }) => text), ["1", "2"]);
  assert.deepEqual(part.newest(1)?.map(({ text }) => text), ["2"]);
  assert.equal(part.newest(3), undefined);
});

Deno.test("what was read stays as it was while more is added", () => {
  const tail = tailOf([message("1")]);
  const read = tail.newest(9);
  assert.ok(tail.add([message("2")]));
  assert.deepEqual(read?.map(({ text }) => text), ["1"]);
});

Deno.test("a conversation made as it grows is the one that is made anew, whatever was said", () => {
  const said = fc.array(
    fc.record({
      role: fc.constantFrom<TranscriptMessage["role"][]>("user", "assistant", "system"),
      text: fc.constantFrom("", "a", "b"),
      runId: fc.constantFrom(undefined, "1", "2", "3", "own"),
      label: fc.constantFrom(undefined, undefined, undefined, "note"),
      images: fc.constantFrom(undefined, undefined, undefined, [{
        mimeType: "image/png",
        base64: "AA==",
      }]),
    }),
    { maxLength: 12 },
  );
  const turns = fc.array(
    fc.record({ text: fc.constantFrom("", "a"), runId: fc.constantFrom("1", "2", "own") }),
    { maxLength: 6 },
  ).map((each) =>
    each.flatMap(({ text, runId }) => [
      { role: "user" as const, text, runId },
      { role: "assistant" as const, text, runId },
    ])
  );
  let made = 0;
  fc.assert(
    fc.property(turns, said, fc.nat({ max: 3 }), (orderly, others, most) => {
      const tail = new SessionTail();
      const rest = others.slice(0, most);
      for (const [at, each] of [...orderly, ...rest].entries()) {
        tail.add([{ id: String(at), at, ...each }]);
        // As every run of a session does.
        tail.told();
      }
      tail.add([{ id: "own", at: 99, role: "user", text: "own", runId: "own" }]);
      const messages = messagesOf(tail);
      const told = tail.told();
      if (told !== undefined) made++;
      const options = { runId: "own", waiting: new Set<string>(), chars: 0 };
      assert.deepEqual(
        toConversation(messages, { ...options, told }),
        toConversation(messages, options),
      );
    }),
    { numRuns: 500 },
  );
  assert.ok(made > 100, `made as it grew: ${made}`);
});

Deno.test("what is dropped is told no more", () => {
  const tail = new SessionTail();
  const turns = MAX_CONVERSATION_MESSAGES / 2;
  for (let turn = 0; turn < turns + 5; turn++) {
    const runId = String(turn);
    tail.add([{ id: "q", at: 1, role: "user", text: `q${turn}`, runId }]);
    tail.told();
    tail.add([{ id: "a", at: 1, role: "assistant", text: `a${turn}`, runId }]);
    tail.told();
  }
  tail.add([
    { id: "x", at: 1, role: "user", text: "x", runId: "x" },
    { id: "y", at: 1, role: "assistant", text: "y", runId: "x" },
    { id: "q", at: 1, role: "user", text: "last", runId: "last" },
  ]);
  const messages = messagesOf(tail);
  const options = { runId: "last", waiting: new Set<string>(), chars: 0 };
  const anew = toConversation(messages, options);
  assert.deepEqual(toConversation(messages, { ...options, told: tail.told() }), anew);
});
