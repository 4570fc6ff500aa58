/** The chat channel's codec on anything: it never throws, and what it takes has the bounds that it promises. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { blocksOf } from "../../src/protocols/chat/blocks.ts";
import {
  ChatSend,
  decodeFrame,
  MAX_FIELD_CHARS,
  MAX_MEDIA,
} from "../../src/protocols/chat/codec.ts";

const member = fc.constantFrom(...Object.keys(ChatSend.entries), "__proto__", "extra");
const value = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("chat.send", "direct", "group", "", null, true, 5),
  fc.array(fc.string(), { maxLength: 12 }),
  fc.dictionary(fc.string(), fc.jsonValue()),
  fc.string({ minLength: MAX_FIELD_CHARS, maxLength: MAX_FIELD_CHARS + 2 }),
);

Deno.test("no text and no bytes make the codec throw", () => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.uint8Array()), (data) => {
    decodeFrame(data, () => "new");
  }));
});

Deno.test("every message that is taken is within its bounds", () => {
  const frame = fc.dictionary(member, value).map((members) => ({
    type: "chat.send",
    content: "hi",
    ...members,
  }));
  fc.assert(
    fc.property(frame, (members) => {
      const decoded = decodeFrame(JSON.stringify(members), () => "new");
      if (decoded.kind !== "send") return;
      const { message } = decoded;
      assert.match(message.content, /\S/);
      for (const text of [message.messageId, message.senderId, message.groupId]) {
        assert.ok(text === undefined || text.length > 0 && text.length <= MAX_FIELD_CHARS);
      }
      assert.ok(message.media.length <= MAX_MEDIA + 1);
    }),
    { numRuns: 500 },
  );
});

Deno.test("blocks hold the whole text, in order, each within its bound", () => {
  const text = fc.array(fc.constantFrom("a", "b c", "\n", "😀")).map((parts) => parts.join(""));
  fc.assert(fc.property(text, fc.integer({ min: 2, max: 9 }), (whole, limit) => {
    const blocks = blocksOf(whole, limit);
    assert.ok(blocks.every((block) => block.length <= limit && block.isWellFormed()));
    assert.equal(blocks.join("").replaceAll("\n", ""), whole.replaceAll("\n", ""));
  }));
});
