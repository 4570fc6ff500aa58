import assert from "node:assert/strict";
import * as v from "valibot";
import { toWireMessage, WireMessage } from "../../../../src/protocols/openclaw/transcript.ts";
import type { TranscriptMessage } from "../../../../src/services/session_entry.ts";

const bare = { id: "00000001", role: "user", text: "hello", at: 5 } as const;
const shown = { role: "user", content: [{ type: "text", text: "hello" }], timestamp: 5 };

const MESSAGES: readonly { given: string; input: TranscriptMessage; expect: unknown }[] = [
  { given: "a question", input: { ...bare, runId: "r" }, expect: shown },
  {
    given: "a picture, which stays behind",
    input: { ...bare, images: [{ mimeType: "image/png", base64: "AA==" }] },
    expect: shown,
  },
  {
    given: "an answer",
    input: {
      ...bare,
      role: "assistant",
      provider: "local",
      model: "echo",
      stopReason: "stop",
      usage: { input: 1, output: 2, cacheRead: 3, cacheWrite: 4, total: 10 },
    },
    expect: {
      ...shown,
      role: "assistant",
      provider: "local",
      model: "echo",
      stopReason: "stop",
      usage: { input: 1, output: 2, cacheRead: 3, cacheWrite: 4, totalTokens: 10 },
    },
  },
  {
    given: "a note with a label",
    input: { ...bare, role: "assistant", label: "Cron", stopReason: "injected" },
    expect: {
      ...shown,
      role: "assistant",
      content: [{ type: "text", text: "[Cron]\n\nhello" }],
      stopReason: "injected",
    },
  },
  {
    given: "an answer cut short",
    input: { ...bare, role: "assistant", aborted: true },
    expect: { ...shown, role: "assistant", stopReason: "aborted" },
  },
  {
    given: "an answer that failed",
    input: { ...bare, role: "assistant", stopReason: "error", error: "no route" },
    expect: { ...shown, role: "assistant", stopReason: "error", errorMessage: "no route" },
  },
];

for (const { given, input, expect } of MESSAGES) {
  Deno.test(`the wire shows ${given}`, () => {
    const wire: unknown = JSON.parse(JSON.stringify(toWireMessage(input)));
    assert.deepEqual(wire, expect);
    assert.deepEqual(v.parse(WireMessage, wire), expect);
  });
}
