import assert from "node:assert/strict";
import { checked, type ConnectionId, isConnectionId } from "../../../../src/core/id.ts";
import { type ChannelPeer, peerName } from "../../../../src/ports/channel.ts";
import { Audience, MAX_CONVERSATIONS } from "../../../../src/protocols/chat/audience.ts";

const id = (text: string): ConnectionId => checked(text, isConnectionId);
const group = (name: string): ChannelPeer => ({ kind: "group", id: name, guest: false });
const own = (name: string): ChannelPeer => ({ kind: "direct", id: name, guest: false });
const LEAVE = { kind: "leave", reason: "bye" } as const;

/** An audience of connections that keep how often they were told something. */
function audienceOf(...names: readonly string[]) {
  const audience = new Audience();
  const told = new Map<string, number>();
  const leave = new Map<string, () => void>();
  for (const name of names) {
    const listener = () => {
      told.set(name, (told.get(name) ?? 0) + 1);
      // The one named so may not be told any more.
      return name !== "void";
    };
    leave.set(name, audience.enter(id(name), { own: own(name), listener }));
  }
  return { audience, told, leave };
}

Deno.test("a conversation is heard by those who joined it, until they leave", () => {
  const { audience, told, leave } = audienceOf("a", "b", "c");
  const team = peerName(group("team"));
  audience.join(id("a"), group("team"));
  audience.join(id("b"), group("team"));
  audience.join(id("b"), group("team"));
  audience.join(id("nobody"), group("team"));
  assert.deepEqual(audience.of(team), ["a", "b"]);
  for (const one of audience.of(team)) audience.tell(one, LEAVE);
  assert.deepEqual([...told], [["a", 1], ["b", 1]]);
  leave.get("a")?.();
  audience.tell(id("a"), LEAVE);
  assert.deepEqual(audience.of(team), ["b"]);
  assert.equal(audience.size, 2);
  assert.equal(audience.tellAll(LEAVE), 2);
  assert.deepEqual([...told], [["a", 1], ["b", 2], ["c", 1]]);
  leave.get("b")?.();
  assert.deepEqual(audience.of(team), []);
});

Deno.test("who is not there, or may not be told, was not told", () => {
  const { audience } = audienceOf("a", "void");
  const told = ["a", "void", "nobody"].map((name) => audience.tell(id(name), LEAVE));
  assert.deepEqual(told, [true, false, false]);
});

Deno.test("of too many conversations the one written to longest ago gives way", () => {
  const { audience } = audienceOf("a");
  for (let at = 1; at < MAX_CONVERSATIONS; at++) audience.join(id("a"), group(`g${at}`));
  audience.join(id("a"), group("g1"));
  audience.join(id("a"), group("one more"));
  assert.deepEqual(audience.of(peerName(own("a"))), ["a"]);
  assert.deepEqual(audience.of(peerName(group("g1"))), ["a"]);
  assert.deepEqual(audience.of(peerName(group("g2"))), []);
  assert.deepEqual(audience.of(peerName(group("g3"))), ["a"]);
  assert.deepEqual(audience.of(peerName(group("one more"))), ["a"]);
});
