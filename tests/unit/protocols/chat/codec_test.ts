import assert from "node:assert/strict";
import { checked } from "../../../../src/core/id.ts";
import {
  decodeFrame,
  deliveryOf,
  encodeFrame,
  MAX_CUSTOM_CHARS,
  MAX_FIELD_CHARS,
  MAX_MEDIA,
  MAX_QUOTE_CHARS,
  type ServerFrame,
} from "../../../../src/protocols/chat/codec.ts";
import { isRunId } from "../../../../src/services/run_record.ts";

const RUN = checked("r1", isRunId);

const send = (more: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ type: "chat.send", content: "hi", ...more });

function read(data: string | Uint8Array) {
  return decodeFrame(data, () => "made up");
}

Deno.test("a message has the members of the document; null and empty count as absent", () => {
  const text = send({
    messageId: "m1",
    senderId: "u1",
    senderName: null,
    chatType: "group",
    groupId: "g1",
    groupSubject: "",
    replyToMessageId: "m0",
    replyToBody: "before",
    mediaPath: "a.png",
    mediaType: "image/png",
    mediaPaths: ["b.png", "c"],
    mediaTypes: ["image/png"],
    customData: { key: [1] },
    token: "not looked at",
  });
  assert.deepEqual(read(text), {
    kind: "send",
    size: text.length,
    messageId: "m1",
    message: {
      content: "hi",
      messageId: "m1",
      senderId: "u1",
      senderName: undefined,
      chatType: "group",
      groupId: "g1",
      groupSubject: undefined,
      replyToMessageId: "m0",
      replyToBody: "before",
      media: [
        { path: "a.png", type: "image/png" },
        { path: "b.png", type: "image/png" },
        { path: "c", type: undefined },
      ],
      customData: { key: [1] },
    },
  });
  const bytes = new TextEncoder().encode(text);
  assert.deepEqual(read(bytes), read(text));
});

Deno.test("a message without an id is answered under one made up", () => {
  for (const messageId of [undefined, null, ""]) {
    const decoded = read(JSON.stringify({ type: "chat.send", content: "hi", messageId }));
    assert.ok(decoded.kind === "send");
    assert.deepEqual([decoded.messageId, decoded.message.messageId], ["made up", undefined]);
  }
});

const MALFORMED: readonly unknown[] = [
  null,
  [],
  "chat.send",
  { type: "chat.send" },
  { type: "chat.send", content: 5 },
  { type: "chat.send", content: " \n" },
  { type: "chat.sent", content: "hi" },
  ...[
    { senderId: 5 },
    { senderId: "x".repeat(MAX_FIELD_CHARS + 1) },
    { chatType: "channel" },
    { replyToBody: "x".repeat(MAX_QUOTE_CHARS + 1) },
    { mediaPath: "" },
    { mediaPaths: "a.png" },
    { mediaPaths: new Array(MAX_MEDIA + 1).fill("a") },
    { customData: "x" },
    { customData: [] },
    { customData: { x: "x".repeat(MAX_CUSTOM_CHARS) } },
  ].map((more) => ({ type: "chat.send", content: "hi", ...more })),
];

Deno.test("JSON of another shape is malformed; its id is read where it can be", () => {
  for (const value of MALFORMED) {
    const text = JSON.stringify(value);
    assert.deepEqual(read(text), { kind: "malformed", size: text.length });
  }
  const named = JSON.stringify({ type: "chat.send", messageId: "m1" });
  assert.deepEqual(read(named), { kind: "malformed", messageId: "m1", size: named.length });
});

Deno.test("what is no JSON, or hostile JSON, is noise", () => {
  const texts = [
    "",
    "{",
    "\u0000",
    '{"__proto__":1}',
    '"\\ud800"',
    `${"[".repeat(100)}${"]".repeat(100)}`,
  ];
  for (const text of texts) assert.equal(read(text).kind, "noise", text);
  assert.equal(read(Uint8Array.of(0xff, 0xfe)).kind, "noise");
});

Deno.test("frames are written as the document has them", () => {
  const table: readonly [ServerFrame, string][] = [
    [
      { kind: "greeting" },
      '{"type":"chat.response","content":"Connected to WebSocket chat server"}',
    ],
    [{ kind: "typing", messageId: "m" }, '{"type":"chat.typing","messageId":"m"}'],
    [
      { kind: "stream", runId: RUN, messageId: "m", content: "a", cumulative: true },
      '{"type":"chat.stream","messageId":"m","content":"a","done":false}',
    ],
    [
      { kind: "final", messageId: "m", content: "a" },
      '{"type":"chat.response","messageId":"m","content":"a","done":true}',
    ],
    [{ kind: "error", error: "e" }, '{"type":"chat.error","error":"e"}'],
    [
      { kind: "error", messageId: "m", error: "e" },
      '{"type":"chat.error","messageId":"m","error":"e"}',
    ],
  ];
  for (const [frame, text] of table) assert.equal(encodeFrame(frame), text);
});

Deno.test("a slow client loses typing, gets the newest text, and keeps the order of the rest", () => {
  const verdicts = (frame: ServerFrame) => {
    const { sequenced, overflow } = deliveryOf(frame);
    return [sequenced, overflow];
  };
  const stream = { kind: "stream", runId: RUN, messageId: "m", content: "a" } as const;
  assert.deepEqual(verdicts({ kind: "typing", messageId: "m" }), [true, "drop"]);
  assert.deepEqual(verdicts({ ...stream, cumulative: true }), [true, "coalesce"]);
  assert.equal(deliveryOf({ ...stream, cumulative: true }).key, RUN);
  assert.deepEqual(verdicts({ ...stream, cumulative: false }), [true, "disconnect"]);
  assert.deepEqual(verdicts({ kind: "final", messageId: "m", content: "" }), [true, "disconnect"]);
});
