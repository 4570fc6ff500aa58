import assert from "node:assert/strict";
import { LINK_HIGH_WATER_BYTES } from "../../../../src/core/outbox.ts";
import {
  GUESTS_OF_ADDRESS,
  WRONG_TOKENS,
} from "../../../../src/protocols/chat/connection_house.ts";
import { MAX_HELD_OF_SENDER } from "../../../../src/protocols/chat/picture_holds.ts";
import { type ChatStage, setChatStage } from "../../../support/chat_stage.ts";
import { quiet, type StageLink } from "../../../support/gateway_stage.ts";

/** What a client has heard, without the typing. */
function heard(link: StageLink): Readonly<Record<string, unknown>>[] {
  return link.inbox.splice(0).map((text) => JSON.parse(text)).filter(({ type }) =>
    type !== "chat.typing"
  );
}

async function open(stage: ChatStage, shown: Readonly<Record<string, string>>): Promise<StageLink> {
  const link = stage.open(shown);
  await quiet();
  assert.equal(heard(link).length, 1);
  return link;
}

const GROUP = { type: "chat.send", chatType: "group", groupId: "team" };

Deno.test("who came in unasked stays out once the gateway asks, and is told nothing more", async () => {
  const stage = setChatStage();
  const [said, silent] = [
    await open(stage, { senderId: "a" }),
    await open(stage, { senderId: "b" }),
  ];
  stage.chatSettings.auth = { ...stage.chatSettings.auth, enabled: true };
  said.receive(JSON.stringify({ type: "chat.send", content: "hi", senderId: "c" }));
  await quiet();
  const error = "Token required. Connect with ?token=YOUR_TOKEN";
  assert.deepEqual(heard(said), [{ type: "chat.error", error }]);
  assert.deepEqual(said.closedWith, { code: 4401, reason: "Token required" });
  const to = { kind: "direct", id: "b", guest: false } as const;
  assert.equal(stage.chat.channel.deliver({ to, messageId: "m", text: "a secret" }), 0);
  assert.deepEqual(heard(silent), []);
  assert.equal(silent.closedWith?.code, 1000);
});

Deno.test("guests stay out once a token is required, and stay where it is not", async () => {
  const stage = setChatStage({ enabled: true, required: false });
  const link = await open(stage, { senderId: "a" });
  link.receive(JSON.stringify({ ...GROUP, content: "hi" }));
  await quiet();
  assert.deepEqual(heard(link), []);
  stage.chatSettings.auth = { ...stage.chatSettings.auth, required: true };
  link.receive(JSON.stringify({ ...GROUP, content: "hi" }));
  await quiet();
  assert.equal(link.closedWith?.code, 4401);
});

Deno.test("messages with pictures that wait for an answer are bounded; each that is answered makes room", async () => {
  const stage = setChatStage();
  const link = await open(stage, { senderId: "a" });
  const say = async (messageId: string) => {
    link.receive(
      JSON.stringify({ type: "chat.send", content: "see", messageId, mediaPath: "a.png" }),
    );
    await quiet();
    return heard(link).map(({ error }) => error);
  };
  for (let at = 0; at < MAX_HELD_OF_SENDER; at++) assert.deepEqual(await say(`m${at}`), []);
  const [error] = await say("more");
  assert.match(String(error), /too many messages with files wait for an answer/);
  link.receive(JSON.stringify({ type: "chat.send", content: "words alone" }));
  await quiet();
  assert.deepEqual(heard(link), []);
  stage.model.call(0).end();
  await quiet();
  assert.equal(heard(link).filter(({ done }) => done === true).length, 1);
  assert.deepEqual(await say("again"), []);
});

Deno.test("guests of one address share a bound, whatever they call themselves; users do not", async () => {
  for (const guests of [true, false]) {
    const stage = setChatStage(guests ? { enabled: true, required: false } : {});
    stage.chatSettings.messagesPerMinute = 1;
    const errors: unknown[] = [];
    for (let at = 0; at <= GUESTS_OF_ADDRESS; at++) {
      const link = await open(stage, { senderId: `n${at}` });
      link.receive(JSON.stringify({ type: "chat.send", content: "hi" }));
      await quiet();
      errors.push(...heard(link).flatMap(({ error }) => error ?? []));
    }
    assert.equal(errors.length, guests ? 1 : 0);
    if (guests) assert.match(String(errors[0]), /more than 10 messages in a minute/);
  }
});

Deno.test("a clock that is set back keeps nobody from writing", async () => {
  const stage = setChatStage();
  stage.chatSettings.messagesPerMinute = 1;
  const link = await open(stage, { senderId: "ann" });
  const say = async () => {
    link.receive(JSON.stringify({ type: "chat.send", content: "hi" }));
    await quiet();
    return heard(link).flatMap(({ error }) => error ?? []);
  };
  assert.deepEqual(await say(), []);
  stage.clock.set(-3_600_000);
  assert.match(String(await say()), /more than 1 message/);
  await stage.clock.advance(60_000);
  assert.deepEqual(await say(), []);
});

Deno.test("guests leave agents for users who prove who they are", async () => {
  const stage = setChatStage({ enabled: true, required: false });
  stage.chatSettings.ownAgents = {
    workspaceTemplate: "/w/{agentId}",
    agentDirTemplate: "/a/{agentId}",
    maxAgents: 2,
  };
  const made = async (link: StageLink) => {
    link.receive(JSON.stringify({ type: "chat.send", content: "hi" }));
    await quiet();
    heard(link);
    return stage.dynamicAgents.list().length;
  };
  assert.equal(await made(await open(stage, { senderId: "a" })), 1);
  assert.equal(await made(await open(stage, { senderId: "b" })), 1);
  const link = stage.open({ token: "t" });
  await quiet();
  stage.questions.at(-1)?.answer({ ok: true, userId: "ann" });
  await quiet();
  assert.equal(await made(link), 2);
  assert.ok(stage.folders.includes("/w/ws-ann"));
});

Deno.test("in a group, messages of one id do not take each other's parts from a slow reader", async () => {
  const stage = setChatStage();
  const say = async (link: StageLink) => {
    link.receive(JSON.stringify({ ...GROUP, content: "hi", messageId: "m1" }));
    await quiet();
  };
  const [ann, bob] = [
    await open(stage, { senderId: "ann" }),
    await open(stage, { senderId: "bob" }),
  ];
  await say(bob);
  stage.model.call(0).end();
  await quiet();
  heard(bob);
  bob.stall();
  const to = { kind: "group", id: "team", guest: false } as const;
  stage.chat.channel.deliver({ to, messageId: "m", text: "x".repeat(1.2 * LINK_HIGH_WATER_BYTES) });
  for (const [at, link] of [ann, bob].entries()) {
    await say(link);
    const call = stage.model.call(at + 1);
    call.text(`part ${at}`);
    await stage.clock.advance(1_000);
    await quiet();
    call.end();
    await quiet();
  }
  bob.drain();
  const last = heard(bob).slice(-4).map(({ type, content }) => [type, content]);
  assert.deepEqual(last, [
    ["chat.stream", "part 0"],
    ["chat.response", "part 0"],
    ["chat.stream", "part 1"],
    ["chat.response", "part 1"],
  ]);
});

Deno.test("the log says that the identity service is silent, once a minute, without its secrets", async () => {
  const stage = setChatStage({ enabled: true, endpoint: "http://u:p@identity.test/verify?key=k" });
  const come = async (code: string, refused: boolean) => {
    stage.open({ token: "t" });
    await quiet();
    stage.questions.at(-1)?.answer({ ok: false, code, refused });
    await quiet();
    return stage.log.lines.filter(({ message }) => message.includes("identity service"));
  };
  assert.deepEqual(await come("expired", true), []);
  const [line] = await come("timeout", false);
  assert.deepEqual(line?.fields, { service: "http://identity.test", code: "timeout" });
  assert.equal((await come("timeout", false)).length, 1);
  await stage.clock.advance(60_000);
  assert.equal((await come("service_unavailable", false)).length, 2);
});

Deno.test("how answers are told changes for clients that are connected", async () => {
  const stage = setChatStage();
  const link = await open(stage, { senderId: "a" });
  link.receive(JSON.stringify({ type: "chat.send", content: "hi", messageId: "m1" }));
  await quiet();
  stage.chatSettings.manner = { streamMode: "delta", blockChars: 6 };
  stage.model.call(0).text("one ", "two ", "three").end();
  await quiet();
  const said = heard(link).map(({ type, content }) => [type, content]);
  assert.deepEqual(said, [
    ["chat.stream", "one "],
    ["chat.stream", "two "],
    ["chat.stream", "three"],
    ["chat.response", "one tw"],
    ["chat.response", "o thre"],
    ["chat.response", "e"],
  ]);
});

Deno.test("a channel that is off was never started", () => {
  const stage = setChatStage();
  const { channel } = stage.chat;
  assert.equal(channel.state().lastStartAt, stage.clock.now());
  stage.chatSettings.enabled = false;
  const { running, lastStartAt } = channel.state();
  assert.deepEqual([running, lastStartAt], [false, undefined]);
});

Deno.test("the log says once that an address is locked out for wrong tokens, without a token", async () => {
  const stage = setChatStage({ enabled: true });
  for (let at = 0; at < WRONG_TOKENS.failures + 5; at++) {
    stage.open({ token: `guess-${at}` }, "192.0.2.7");
    await quiet();
    stage.questions.at(-1)?.answer({ ok: false, code: "no", refused: true });
    await quiet();
  }
  const lines = stage.log.lines.filter(({ level }) => level === "warn");
  assert.deepEqual(lines.map(({ message, fields }) => [message, fields]), [
    ["locked out after too many wrong tokens", { address: "192.0.2.7", seconds: 300 }],
  ]);
});
