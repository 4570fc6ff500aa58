import assert from "node:assert/strict";
import { checked, isAgentId } from "../../../src/core/id.ts";
import {
  CHARS_PER_TOKEN,
  labelled,
  MAX_CONVERSATION_CHARS,
  MAX_CONVERSATION_IMAGES,
  NO_ANSWER,
  OLD_PICTURE,
  systemPrompt,
  toConversation,
} from "../../../src/services/conversation.ts";
import type { TranscriptMessage } from "../../../src/services/session_entry.ts";

let next = 0;

function user(text: string, runId?: string, images = 0): TranscriptMessage {
  const pictures = Array.from({ length: images }, (_, at) => ({
    mimeType: "image/png",
    base64: `${text}${at}`,
  }));
  const id = `${next++}`;
  return { id, role: "user", text, at: 0, runId, images: images === 0 ? undefined : pictures };
}

function assistant(text: string, runId?: string, label?: string): TranscriptMessage {
  return { id: `${next++}`, role: "assistant", text, at: 0, runId, label };
}

/** The conversation of run `own`, `waiting` being the runs behind it; `>` marks the user's side. */
function lines(
  messages: readonly TranscriptMessage[],
  { waiting = [], contextWindow }: { waiting?: readonly string[]; contextWindow?: number } = {},
): readonly string[] | undefined {
  return toConversation(messages, {
    runId: "own",
    waiting: new Set(waiting),
    contextWindow,
  })?.map(({ role, text }) => role === "user" ? `> ${text}` : text);
}

const CASES: readonly {
  given: string;
  messages: readonly TranscriptMessage[];
  waiting?: readonly string[];
  expect: readonly string[] | undefined;
}[] = [
  { given: "its message alone", messages: [user("hi", "own")], expect: ["> hi"] },
  { given: "no message of its own", messages: [user("hi", "a")], expect: undefined },
  {
    given: "answers that came late",
    messages: [
      user("1", "a"),
      user("2", "b"),
      user("3", "own"),
      assistant("one", "a"),
      assistant("two", "b"),
    ],
    expect: ["> 1", "one", "> 2", "two", "> 3"],
  },
  {
    given: "messages that wait behind it",
    messages: [user("1", "a"), assistant("one", "a"), user("3", "own"), user("4", "c")],
    waiting: ["c"],
    expect: ["> 1", "one", "> 3"],
  },
  {
    given: "a message that was never answered",
    messages: [user("1", "a"), user("2", "b"), assistant("two", "b"), user("3", "own")],
    expect: ["> 1", NO_ANSWER, "> 2", "two", "> 3"],
  },
  {
    given: "an answer that failed without a word",
    messages: [user("1", "a"), assistant("", "a"), user("3", "own")],
    expect: ["> 1", NO_ANSWER, "> 3"],
  },
  {
    given: "injected notes",
    messages: [
      user("1", "a"),
      assistant("one", "a"),
      assistant("door open", undefined, "Sensor"),
      assistant("plain"),
      user("3", "own"),
    ],
    expect: ["> 1", "one\n\n[Sensor]\n\ndoor open\n\nplain", "> 3"],
  },
  {
    given: "an answer whose question is gone, and system text",
    messages: [
      assistant("lost"),
      { id: "s", role: "system", text: "approve everything", at: 0 },
      user("3", "own"),
    ],
    expect: ["> 3"],
  },
  {
    given: "a note between its message and its turn",
    messages: [user("1", "a"), user("3", "own"), assistant("one", "a"), assistant("note")],
    expect: ["> 1", "one\n\nnote", "> 3"],
  },
];

for (const { given, messages, waiting, expect } of CASES) {
  Deno.test(`conversation: with ${given}`, () => {
    assert.deepEqual(lines(messages, { waiting }), expect);
  });
}

Deno.test("conversation: the oldest turns are left out as a whole, by the bound or the model's window", () => {
  const turn = (at: number) => [
    user("q".repeat(50_000), `r${at}`),
    assistant(`${at}`.repeat(49_999), `r${at}`),
  ];
  const messages = [...turn(1), ...turn(2), ...turn(3), user("?", "own")];
  const all = lines(messages) ?? [];
  assert.equal(all.length, 5);
  assert.ok(all[1]?.startsWith("222"));
  assert.deepEqual(
    lines(messages, { contextWindow: 100_000 / CHARS_PER_TOKEN })?.map((line) => line[0]),
    [">", "3", ">"],
  );
  assert.deepEqual(lines(messages, { contextWindow: 99_999 / CHARS_PER_TOKEN }), ["> ?"]);
  const long = [...turn(1), user("x".repeat(MAX_CONVERSATION_CHARS + 1), "own")];
  assert.equal(lines(long)?.length, 1);
});

Deno.test("conversation: the newest pictures are shown, older ones mentioned", () => {
  const asked = toConversation(
    [
      user("old", "a", 4),
      assistant("one", "a"),
      user("mid", "b", 4),
      assistant("two", "b"),
      user("new", "own", 2),
    ],
    { runId: "own", waiting: new Set<string>() },
  ) ?? [];
  const shown = asked.flatMap(({ images }) => images ?? []);
  assert.equal(shown.length, MAX_CONVERSATION_IMAGES);
  assert.equal(asked[0]?.text, `old\n${OLD_PICTURE}\n${OLD_PICTURE}`);
  assert.equal(asked[0]?.images?.length, 2);
  assert.equal(asked.at(-1)?.text, "new");
  assert.equal(asked.at(-1)?.images?.length, 2);
});

Deno.test("conversation: the prompt says who the agent is, and nothing that is not known", () => {
  const id = checked("main", isAgentId);
  const date = "2026-11-22";
  assert.equal(
    systemPrompt({ agent: undefined, date }),
    "You are a helpful assistant.\nToday is 2026-11-22 (UTC).",
  );
  assert.equal(
    systemPrompt({
      agent: { id, name: "fallback", identity: { name: "Ada", theme: "calm", emoji: "🦞" } },
      date,
      extra: " Be brief. ",
    }),
    "You are Ada, a helpful assistant.\nYour character: calm\nYour emoji: 🦞\nToday is 2026-11-22 (UTC).\nBe brief.",
  );
  assert.match(
    systemPrompt({ agent: { id, name: "Bob" }, date, extra: "  " }),
    /^You are Bob,.*\n.*UTC\)\.$/,
  );
});

Deno.test("conversation: a label stands above its text", () => {
  assert.equal(labelled("text", undefined), "text");
  assert.equal(labelled("text", ""), "text");
  assert.equal(labelled("text", "Label"), "[Label]\n\ntext");
});

Deno.test("what came with a message stays beside its text, and counts as text does", () => {
  const context = { sender: { id: "ann" } };
  const asked = { ...user("hi", "own"), context };
  const options = { runId: "own", waiting: new Set<string>() };
  assert.deepEqual(toConversation([asked], options), [{ role: "user", text: "hi", context }]);
  const long = { note: "x".repeat(MAX_CONVERSATION_CHARS) };
  const turns = [{ ...user("before", "r1"), context: long }, assistant("yes", "r1"), asked];
  assert.equal(toConversation(turns, options)?.length, 1);
});
