import assert from "node:assert/strict";
import * as v from "valibot";
import {
  cutText,
  entryToJson,
  firstWords,
  MAX_ENTRY_TEXT_CHARS,
  messageToJson,
  type SessionEntry,
  SessionEntrySchema,
  type TranscriptMessage,
  TranscriptMessageSchema,
} from "../../../src/services/session_entry.ts";

const CUTS = [
  { given: "a short text", input: "abc", limit: 3, expect: "abc" },
  { given: "a long text", input: "abcd", limit: 3, expect: "ab…" },
  { given: "a pair at the cut", input: "a😀bc", limit: 3, expect: "a…" },
  { given: "a pair before the cut", input: "😀bcd", limit: 4, expect: "😀b…" },
];

for (const { given, input, limit, expect } of CUTS) {
  Deno.test(`a text is cut: ${given}`, () => assert.equal(cutText(input, limit), expect));
}

const BEGINNINGS = [
  { given: "several lines", input: "  a\n\n b\tc ", expect: "a b c" },
  { given: "a long text", input: "word ".repeat(1_000), expect: "word word…" },
  { given: "pictures", input: "😀".repeat(1_000), expect: "😀😀😀😀…" },
];

for (const { given, input, expect } of BEGINNINGS) {
  Deno.test(`the first words of ${given}`, () => assert.equal(firstWords(input, 10), expect));
}

Deno.test("an entry survives the store, absent members stay absent", () => {
  const entry: SessionEntry = {
    sessionId: "s",
    createdAt: 1,
    updatedAt: 2,
    label: "l",
    model: undefined,
    sendPolicy: "deny",
    systemSent: false,
    inputTokens: 0,
  };
  const json = JSON.parse(JSON.stringify(entryToJson(entry)));
  assert.deepEqual(json, {
    sessionId: "s",
    createdAt: 1,
    updatedAt: 2,
    label: "l",
    sendPolicy: "deny",
    systemSent: false,
    inputTokens: 0,
  });
  assert.equal(v.parse(SessionEntrySchema, json).label, "l");
});

Deno.test("an entry's texts are bounded when stored", () => {
  const json = entryToJson({
    sessionId: "s",
    createdAt: 1,
    updatedAt: 2,
    displayName: "x".repeat(MAX_ENTRY_TEXT_CHARS + 1),
  });
  assert.equal(v.parse(SessionEntrySchema, json).displayName?.length, MAX_ENTRY_TEXT_CHARS);
});

Deno.test("a message survives the store", () => {
  const message: TranscriptMessage = {
    id: "0000002a",
    role: "assistant",
    text: "hi",
    at: 3,
    runId: "r",
    images: [{ mimeType: "image/png", base64: "AA==" }],
    model: "m",
    provider: "p",
    usage: { input: 1, output: 2, cacheRead: 3, cacheWrite: 4, total: 10 },
    stopReason: "stop",
    label: "l",
    aborted: true,
    error: "e",
  };
  assert.deepEqual(v.parse(TranscriptMessageSchema, messageToJson(message)), message);
  const plain: TranscriptMessage = { id: "i", role: "user", text: "", at: 1, label: undefined };
  assert.deepEqual(JSON.parse(JSON.stringify(messageToJson(plain))), {
    id: "i",
    role: "user",
    text: "",
    at: 1,
  });
});
