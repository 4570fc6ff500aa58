import assert from "node:assert/strict";
import { MediaRefused } from "../../../../src/ports/media.ts";
import type { ChatMessage } from "../../../../src/protocols/chat/codec.ts";
import type { Identity } from "../../../../src/protocols/chat/identity.ts";
import {
  enclose,
  MAX_MESSAGE_PICTURE_BYTES,
  placeMessage,
} from "../../../../src/protocols/chat/message.ts";
import { isPeerId as isId } from "../../../../src/services/channel_name.ts";

const HI: ChatMessage = { content: "hi", chatType: "direct", media: [] };
const ANN: Identity = {
  userId: "ann",
  username: "Ann",
  verified: true,
  guest: false,
  passing: false,
};
const URL_ANN: Identity = { ...ANN, verified: false };

Deno.test("an identity that was proved counts, whatever a message says", () => {
  const message = { ...HI, senderId: "eve", senderName: "Eve" };
  assert.deepEqual(placeMessage(message, { identity: ANN, isId }), {
    sender: { id: "ann", name: "Ann", verified: true },
    peer: { kind: "direct", id: "ann", guest: false },
    lasting: true,
  });
});

Deno.test("without a proof the message counts before the URL", () => {
  const message = { ...HI, senderId: "eve" };
  assert.deepEqual(placeMessage(message, { identity: URL_ANN, isId }), {
    sender: { id: "eve", verified: false },
    peer: { kind: "direct", id: "eve", guest: false },
    lasting: true,
  });
  const { sender } = placeMessage(HI, { identity: URL_ANN, isId });
  assert.deepEqual(sender, { id: "ann", name: "Ann", verified: false });
});

Deno.test("an id that was made up does not last; a guest's conversations are guests'", () => {
  const guest = { ...URL_ANN, guest: true, passing: true };
  const { peer, lasting } = placeMessage(HI, { identity: guest, isId });
  assert.deepEqual([peer, lasting], [{ kind: "direct", id: "ann", guest: true }, false]);
  assert.equal(placeMessage({ ...HI, senderId: "x" }, { identity: guest, isId }).lasting, true);
});

Deno.test("a group has an id that can be read", () => {
  const group = { ...HI, chatType: "group" } as const;
  const place = (message: ChatMessage) => () => placeMessage(message, { identity: ANN, isId });
  assert.throws(place(group), /groupId is required/);
  assert.throws(place({ ...group, groupId: "a\ufffd" }), /groupId is too long or cannot be read/);
  assert.throws(
    () => placeMessage({ ...HI, senderId: " x" }, { identity: URL_ANN, isId }),
    /senderId is too long or cannot be read/,
  );
});

Deno.test("what came along stands under keys of its own; custom data overrides none of them", async () => {
  const rules = { folder: "/u", maxBytes: 9, types: ["image/png"] };
  const media = {
    save: () => Promise.reject(new Error("not asked")),
    open: ({ path }: { path: string }) =>
      path === "a.png"
        ? Promise.resolve({ path, type: "image/png", size: 3, bytes: Uint8Array.of(1, 2, 3) })
        : Promise.reject(new MediaRefused("path", "not there")),
  };
  const message: ChatMessage = {
    ...HI,
    messageId: "m1",
    senderId: "eve",
    replyToBody: "before",
    customData: { sender: { id: "admin" }, channel: "x" },
    media: [{ path: "a.png" }],
  };
  const identity = { ...ANN, profile: { avatar: "http://x/a.png" } };
  assert.deepEqual(await enclose(message, { identity, media, rules }), {
    context: {
      messageId: "m1",
      replyTo: { body: "before" },
      profile: { avatar: "http://x/a.png" },
      claimedSender: { id: "eve" },
      customData: { sender: { id: "admin" }, channel: "x" },
      media: [{ path: "a.png", type: "image/png", size: 3 }],
    },
    images: [{ mimeType: "image/png", base64: "AQID" }],
  });
  const rooms: (number | undefined)[] = [];
  const counting = {
    ...media,
    open: (wanted: { path: string; mostShown?: number }) => {
      rooms.push(wanted.mostShown);
      return media.open(wanted);
    },
  };
  const twice = { ...message, media: [{ path: "a.png" }, { path: "a.png" }] };
  await enclose(twice, { identity, media: counting, rules });
  assert.deepEqual(rooms, [MAX_MESSAGE_PICTURE_BYTES, MAX_MESSAGE_PICTURE_BYTES - 3]);
  const missing = { ...message, media: [{ path: "b" }] };
  await assert.rejects(enclose(missing, { identity, media, rules }), /not there/);
});
