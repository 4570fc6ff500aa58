import assert from "node:assert/strict";
import { createMemoryStore } from "../../../src/adapters/memory_store.ts";
import { DEFAULT_TENANT } from "../../../src/core/id.ts";
import {
  MAX_MESSAGE_TEXT_CHARS,
  type SessionEntry,
  type TranscriptMessage,
} from "../../../src/services/session_entry.ts";
import {
  appendWrites,
  bounded,
  cutPoint,
  MAX_HISTORY_IMAGE_CHARS,
  MAX_HISTORY_MESSAGES,
  readNewest,
  summaryOf,
  transcriptStream,
} from "../../../src/services/transcript.ts";

const stream = transcriptStream(DEFAULT_TENANT, "s");

function message(text: string, rest: Partial<TranscriptMessage> = {}): TranscriptMessage {
  return { id: "00000001", role: "user", text, at: 1, ...rest };
}

function numbered(count: number): TranscriptMessage[] {
  return Array.from({ length: count }, (_, at) => message(String(at + 1)));
}

const READINGS = [
  { given: "nothing stored", stored: 0, limit: 10, expect: [undefined, undefined, 0] },
  { given: "fewer than asked for", stored: 5, limit: 10, expect: ["1", "5", 5] },
  { given: "more than a page", stored: 100, limit: 70, expect: ["31", "100", 70] },
  { given: "exactly a page", stored: 32, limit: 32, expect: ["1", "32", 32] },
  {
    given: "more than the bound",
    stored: 1_010,
    limit: 5_000,
    expect: ["11", "1010", MAX_HISTORY_MESSAGES],
  },
] as const;

for (const { given, stored, limit, expect } of READINGS) {
  Deno.test(`the newest messages are read in order: ${given}`, async () => {
    const store = createMemoryStore();
    await store.commit([...appendWrites(stream, numbered(stored))]);
    const read = await readNewest(store, { stream, limit });
    assert.deepEqual([read.at(0)?.text, read.at(-1)?.text, read.length], expect);
  });
}

Deno.test("older messages are left out where the text would exceed its bound", async () => {
  const store = createMemoryStore();
  const mebibyte = "ä".repeat(512 * 1024);
  const texts = Array.from({ length: 8 }, (_, at) => message(mebibyte, { at }));
  await store.commit([...appendWrites(stream, texts)]);
  const read = await readNewest(store, { stream, limit: 100 });
  assert.deepEqual(read.map(({ at }) => at), [2, 3, 4, 5, 6, 7]);
});

Deno.test("the newest message is read whatever its length", async () => {
  const store = createMemoryStore();
  const text = "x".repeat(7 * 1024 * 1024);
  await store.commit([...appendWrites(stream, [message("old"), message(text)])]);
  const read = await readNewest(store, { stream, limit: 100 });
  assert.deepEqual(read.map(({ text }) => text.length), [text.length]);
});

Deno.test("older messages lose their pictures before the messages are left out", async () => {
  const store = createMemoryStore();
  const images = [{ mimeType: "image/png", base64: "A".repeat(MAX_HISTORY_IMAGE_CHARS / 2) }];
  const shown = ["1", "2", "3"].map((text) => message(text, { images }));
  await store.commit([...appendWrites(stream, shown)]);
  const read = await readNewest(store, { stream, limit: 100 });
  assert.deepEqual(read.map(({ text, images }) => [text, images?.length]), [
    ["1", undefined],
    ["2", 1],
    ["3", 1],
  ]);
});

Deno.test("an entry of the stream that is no message is left out", async () => {
  const store = createMemoryStore();
  await store.commit([
    ...appendWrites(stream, [message("1")]),
    { op: "append", stream, value: { role: "ghost" } },
    ...appendWrites(stream, [message("2")]),
  ]);
  assert.deepEqual((await readNewest(store, { stream, limit: 10 })).map(({ text }) => text), [
    "1",
    "2",
  ]);
});

const CUT_POINTS = [
  { given: "no messages", stored: 0, trimmed: 0, keep: 1, expect: undefined },
  { given: "as many as stay", stored: 3, trimmed: 0, keep: 3, expect: undefined },
  { given: "more than stay", stored: 5, trimmed: 0, keep: 3, expect: 2 },
  { given: "some gone already", stored: 5, trimmed: 2, keep: 1, expect: 4 },
];

for (const { given, stored, trimmed, keep, expect } of CUT_POINTS) {
  Deno.test(`where a transcript is cut: ${given}`, async () => {
    const store = createMemoryStore();
    await store.commit([...appendWrites(stream, numbered(stored))]);
    if (trimmed > 0) await store.commit([{ op: "trim", stream, through: trimmed }]);
    assert.equal(await cutPoint(store, { stream, keep }), expect);
  });
}

Deno.test("a text beyond the bound is cut and says so", () => {
  const { text } = bounded(message("x".repeat(MAX_MESSAGE_TEXT_CHARS + 1)));
  assert.equal(text.length, MAX_MESSAGE_TEXT_CHARS);
  assert.match(text, /x…\n\[cut at 524288 characters\]$/);
  assert.equal(bounded(message("x".repeat(MAX_MESSAGE_TEXT_CHARS))).text.at(-1), "x");
  assert.equal(bounded(message("", { error: "e".repeat(1_000) })).error?.length, 512);
});

const bare: SessionEntry = { sessionId: "s", createdAt: 1, updatedAt: 1 };
const SUMMARIES = [
  {
    given: "a question and its answer",
    before: bare,
    messages: [message("What is\nthis?"), message("It is that.", { role: "assistant" })],
    expect: ["What is this?", "It is that."],
  },
  {
    given: "a title that is there already",
    before: { ...bare, derivedTitle: "old" },
    messages: [message("new")],
    expect: ["old", "new"],
  },
  {
    given: "an empty answer",
    before: { ...bare, lastMessagePreview: "before" },
    messages: [message(" ", { role: "assistant" })],
    expect: [undefined, "before"],
  },
  {
    given: "a note of the system",
    before: { ...bare, lastMessagePreview: "before" },
    messages: [message("note", { role: "system" })],
    expect: [undefined, "before"],
  },
  {
    given: "long texts",
    before: bare,
    messages: [message("x".repeat(300))],
    expect: [`${"x".repeat(59)}…`, `${"x".repeat(159)}…`],
  },
] as const;

for (const { given, before, messages, expect } of SUMMARIES) {
  Deno.test(`what a list shows of messages: ${given}`, () => {
    const { derivedTitle, lastMessagePreview } = summaryOf(before, messages);
    assert.deepEqual([derivedTitle, lastMessagePreview], expect);
  });
}
