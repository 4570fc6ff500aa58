import assert from "node:assert/strict";
import { createMemoryStore } from "../../../src/adapters/memory_store.ts";
import { GatewayError } from "../../../src/core/error.ts";
import { checked, DEFAULT_TENANT, isSessionKey } from "../../../src/core/id.ts";
import {
  type Channel,
  type OutboundMessage,
  peerName,
  peerOf,
} from "../../../src/ports/channel.ts";
import { ChannelPolls, MAX_POLL_HOURS, MAX_VOTERS } from "../../../src/services/channel_polls.ts";
import { Channels, MAX_OUTBOUND_CHARS } from "../../../src/services/channels.ts";
import { alteredStore } from "../../support/altered_store.ts";
import { CountingRandom } from "../../support/counting_random.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MemoryLog } from "../../support/memory_log.ts";

const HOUR_MS = 3_600_000;

/** A channel on which `ann` and the group `team` are there. */
function stage(store = createMemoryStore()) {
  const sent: OutboundMessage[] = [];
  const there = new Set(["direct:ann", "group:team"]);
  const mode = { enabled: true };
  const channel: Channel = {
    id: "websocket",
    label: "WebSocket",
    state: () => ({
      ...mode,
      configured: true,
      running: true,
      connected: true,
      connections: 1,
    }),
    reach: (to) => there.has(peerName(to)) ? 1 : 0,
    deliver: (message) => {
      if (!there.has(peerName(message.to))) return 0;
      sent.push(message);
      return 1;
    },
    disconnectAll: () => 3,
  };
  const clock = new ManualClock();
  const log = new MemoryLog();
  const polls = new ChannelPolls({ store, clock, log, tenant: DEFAULT_TENANT });
  const injected: string[] = [];
  const channels = new Channels({
    channels: () => [channel],
    polls,
    runs: {
      inject: (_tenant, { message }) => {
        injected.push(message);
        return Promise.resolve({ messageId: "x" });
      },
    },
    store,
    clock,
    random: new CountingRandom(),
    log,
  });
  return { store, sent, there, clock, polls, channels, injected, mode };
}

const SEND = { to: "ann", message: "hi", mediaUrls: [], idempotencyKey: "k1" };
const POLL = { to: "ann", question: "Tea?", options: ["yes", "no"], idempotencyKey: "p1" };

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(error instanceof GatewayError, String(error));
  return `${error.code} ${error.message}`;
}

Deno.test("peers have one name, however they are written", () => {
  const table: readonly [string, string][] = [
    ["ann", "direct:ann"],
    ["user:ann", "direct:ann"],
    ["direct:ann", "direct:ann"],
    ["group:team", "group:team"],
    ["guest:ann", "guest:direct:ann"],
    ["guest:group:team", "guest:group:team"],
    ["user:group:x", "direct:group:x"],
    ["a:b", "direct:a:b"],
  ];
  for (const [to, name] of table) assert.equal(peerName(peerOf(to)), name);
});

Deno.test("a key sends once, also after a restart, and not with another message", async () => {
  const first = stage();
  const receipt = await first.channels.send(DEFAULT_TENANT, SEND);
  const again = stage(first.store);
  assert.deepEqual(await again.channels.send(DEFAULT_TENANT, SEND), receipt);
  assert.deepEqual([first.sent.length, again.sent.length], [1, 0]);
  const other = again.channels.send(DEFAULT_TENANT, { ...SEND, message: "ho" });
  assert.match(await refusal(other), /^INVALID_REQUEST .*different parameters/);
});

Deno.test("nobody there: it is said, and the key is not used up", async () => {
  const { channels, there, sent } = stage();
  const request = { ...SEND, to: "bob" };
  assert.match(
    await refusal(channels.send(DEFAULT_TENANT, request)),
    /^UNAVAILABLE "bob" is not connected/,
  );
  there.add("direct:bob");
  await channels.send(DEFAULT_TENANT, request);
  assert.deepEqual(sent.map(({ to }) => to.id), ["bob"]);
});

Deno.test("a channel that is off is told as that, not as people who are away", async () => {
  const { channels, mode, sent } = stage();
  mode.enabled = false;
  for (
    const ask of [
      () => channels.send(DEFAULT_TENANT, SEND),
      () => channels.poll(DEFAULT_TENANT, POLL),
    ]
  ) assert.match(await refusal(ask()), /^UNAVAILABLE channel websocket is off; switch it on/);
  mode.enabled = true;
  await channels.send(DEFAULT_TENANT, SEND);
  assert.equal(sent.length, 1);
});

Deno.test("the last of them leaves meanwhile: it is said, nothing is kept, and the key sends later", async () => {
  const store = createMemoryStore();
  const leaving = alteredStore(store, {
    commit: async (writes) => {
      const result = await store.commit(writes);
      there.delete("direct:ann");
      return result;
    },
  });
  const { channels, polls, there, sent, injected } = stage(leaving);
  const mirror = { sessionKey: checked("agent:main:main", isSessionKey), requestedKey: "main" };
  const works = [
    () => channels.send(DEFAULT_TENANT, { ...SEND, mirror }),
    () => channels.poll(DEFAULT_TENANT, POLL),
  ];
  for (const work of works) {
    assert.match(await refusal(work()), /^UNAVAILABLE "ann" is not connected/);
    assert.match(await refusal(work()), /^UNAVAILABLE "ann" is not connected/);
    there.add("direct:ann");
  }
  const peer = { kind: "direct", id: "ann", guest: false } as const;
  const vote = { channel: "websocket", peer, sender: "ann", text: "1" };
  assert.equal(await polls.answer(vote), undefined);
  for (const kind of ["sent", "poll"]) {
    assert.equal(await store.count({ tenant: DEFAULT_TENANT, kind }), 0);
  }
  assert.deepEqual([sent, injected], [[], []]);
  // Nobody leaves any more.
  const { channels: later, sent: said } = stage(store);
  await later.send(DEFAULT_TENANT, { ...SEND, mirror });
  await later.send(DEFAULT_TENANT, { ...SEND, mirror });
  assert.equal(said.length, 1);
});

Deno.test("links stand below the message; a named session holds it as well", async () => {
  const { channels, sent, injected } = stage();
  const mirror = { sessionKey: checked("agent:main:main", isSessionKey), requestedKey: "main" };
  await channels.send(DEFAULT_TENANT, { ...SEND, mediaUrls: ["http://x/a.png"], mirror });
  assert.equal(sent[0]?.text, "hi\nhttp://x/a.png");
  assert.deepEqual(injected, ["hi\nhttp://x/a.png"]);
});

Deno.test("what cannot be sent is refused with what helps", async () => {
  const { channels } = stage();
  const table: readonly [
    Partial<typeof SEND> & { channel?: string; accountId?: string },
    RegExp,
  ][] = [
    [{ message: "  " }, /message or mediaUrl required/],
    [{ message: "x".repeat(MAX_OUTBOUND_CHARS + 1) }, /at most 65536 are accepted/],
    [{ to: " " }, /names nobody/],
    [{ channel: "telegram" }, /unknown channel "telegram"; use websocket/],
    [{ accountId: "two" }, /unknown account "two" of channel websocket; use default/],
  ];
  for (const [change, message] of table) {
    const request = channels.send(DEFAULT_TENANT, { ...SEND, ...change });
    assert.match(await refusal(request), message);
  }
  assert.throws(() => channels.logout({ channel: "telegram" }), GatewayError);
  assert.deepEqual(channels.logout({ channel: "WebSocket" }), {
    channel: "websocket",
    accountId: "default",
    closed: 3,
  });
});

Deno.test("a poll counts the last choice of each person, across a restart, until it closes", async () => {
  const first = stage();
  await first.channels.poll(DEFAULT_TENANT, { ...POLL, to: "group:team", durationHours: 1 });
  assert.match(first.sent[0]?.text ?? "", /^Tea\?\n1\. yes\n2\. no\nAnswer with a number\.$/);
  const peer = { kind: "group", id: "team", guest: false } as const;
  const { channels, polls, clock } = stage(first.store);
  await polls.load();
  const say = (sender: string, text: string) =>
    polls.answer({ channel: "websocket", peer, sender, text });
  assert.equal(await say("ann", "1"), "Noted: yes");
  assert.equal(await say("ann", " NO "), "Noted: no");
  assert.equal(await say("__proto__", "1"), "Noted: yes");
  for (const text of ["3", "0", "1 2", "yes please", ""]) {
    assert.equal(await say("bob", text), undefined);
  }
  const request = { ...POLL, to: "group:team", durationHours: 1 };
  const { answers, voters } = await channels.poll(DEFAULT_TENANT, request);
  assert.deepEqual([answers.map(({ count }) => count), voters], [[1, 1], 2]);
  await clock.advance(HOUR_MS);
  assert.equal(await say("bob", "1"), undefined);
});

Deno.test("the key of a poll tells its counts until it closes, and asks anew afterwards", async () => {
  const { channels, polls, clock, sent } = stage();
  const request = { ...POLL, durationHours: 72 };
  await channels.poll(DEFAULT_TENANT, request);
  await clock.advance(48 * HOUR_MS);
  const peer = { kind: "direct", id: "ann", guest: false } as const;
  await polls.answer({ channel: "websocket", peer, sender: "ann", text: "1" });
  assert.equal((await channels.poll(DEFAULT_TENANT, request)).voters, 1);
  assert.equal(sent.length, 1);
  await clock.advance(25 * HOUR_MS);
  assert.equal((await channels.poll(DEFAULT_TENANT, request)).voters, 0);
  assert.equal(sent.length, 2);
});

const ANN = {
  channel: "websocket",
  sender: "ann",
  peer: { kind: "direct", id: "ann", guest: false },
} as const;

for (
  const [when, seen] of [["before anybody got it", 0], ["when somebody just got it", 1]] as const
) {
  Deno.test(`a poll that a kill cuts short ${when} takes no answers; its key asks it again`, async () => {
    const left = createMemoryStore();
    let commits = 0;
    // An older poll takes two commits; the kill comes behind the first of the poll in question.
    const store = alteredStore(left, {
      commit: async (writes) => {
        if (++commits > 3) throw new Error("killed");
        const result = await left.commit(writes);
        if (commits === 3 && seen === 0) killed.there.clear();
        return result;
      },
    });
    const killed = stage(store);
    await killed.channels.poll(DEFAULT_TENANT, { ...POLL, idempotencyKey: "older" });
    const request = { ...POLL, options: ["red", "blue"] };
    await assert.rejects(killed.channels.poll(DEFAULT_TENANT, request), /killed/);
    assert.equal(killed.sent.length, 1 + seen);
    const { channels, polls, sent } = stage(left);
    await polls.load();
    assert.equal(await polls.answer({ ...ANN, text: "red" }), undefined);
    assert.equal(await polls.answer({ ...ANN, text: "1" }), "Noted: yes", "the older one is open");
    await channels.poll(DEFAULT_TENANT, request);
    assert.equal(await polls.answer({ ...ANN, text: "red" }), "Noted: red");
    assert.equal((await channels.poll(DEFAULT_TENANT, request)).voters, 1);
    assert.equal(sent.length, 1);
  });
}

Deno.test("who answers at once counts, also where the store did not take that the poll was asked", async () => {
  const left = createMemoryStore();
  let broken = false;
  const store = alteredStore(left, {
    commit: async (writes) => {
      if (broken) throw new Error("no store");
      const result = await left.commit(writes);
      broken = true;
      return result;
    },
  });
  const { channels, polls, sent } = stage(store);
  await assert.rejects(channels.poll(DEFAULT_TENANT, POLL), /no store/);
  broken = false;
  assert.equal(await polls.answer({ ...ANN, text: "1" }), "Noted: yes");
  broken = false;
  assert.equal((await channels.poll(DEFAULT_TENANT, POLL)).voters, 1);
  assert.equal(sent.length, 1);
  const { polls: later } = stage(left);
  await later.load();
  assert.equal(await later.answer({ ...ANN, text: "2" }), "Noted: no");
});

Deno.test("an answer costs the same however many there are; so many count and no more", async () => {
  const store = createMemoryStore();
  const { channels, polls, clock } = stage(store);
  await channels.poll(DEFAULT_TENANT, { ...POLL, to: "group:team" });
  const peer = { kind: "group", id: "team", guest: false } as const;
  const say = (sender: string, text: string) =>
    polls.answer({ channel: "websocket", peer, sender, text });
  const votes = () => store.list({ tenant: DEFAULT_TENANT, kind: "poll-vote" });
  const stored = async () => {
    const records = [
      ...await votes(),
      ...await store.list({ tenant: DEFAULT_TENANT, kind: "poll" }),
    ];
    return Math.max(...records.map(({ value }) => JSON.stringify(value).length));
  };
  await say("p0", "1");
  const small = await stored();
  // Who answers twice at once is one person.
  await Promise.all([say("p1", "1"), say("p1", "2")]);
  const more = Array.from({ length: MAX_VOTERS - 1 }, (_, at) => `p${at + 1}`);
  await Promise.all(["p0", ...more].map((sender) => say(sender, "2")));
  assert.equal(await stored(), small);
  assert.equal(await say("late", "1"), undefined);
  assert.equal(await say("p0", "1"), "Noted: yes");
  const { answers, voters } = await channels.poll(DEFAULT_TENANT, { ...POLL, to: "group:team" });
  assert.deepEqual([answers.map(({ count }) => count), voters], [[1, MAX_VOTERS - 1], MAX_VOTERS]);
  // Asked anew, the question begins without answers, and those from before are gone.
  await clock.advance(30 * HOUR_MS);
  assert.equal(
    (await channels.poll(DEFAULT_TENANT, { ...POLL, to: "group:team" })).voters,
    0,
  );
  assert.deepEqual(await votes(), []);
});

Deno.test("a poll may allow several choices", async () => {
  const { channels, polls } = stage();
  await channels.poll(DEFAULT_TENANT, { ...POLL, maxSelections: 2 });
  const peer = { kind: "direct", id: "ann", guest: false } as const;
  const say = (text: string) => polls.answer({ channel: "websocket", peer, sender: "ann", text });
  assert.equal(await say("1, 2"), "Noted: yes, no");
});

Deno.test("a poll that cannot be asked is refused", async () => {
  const { channels } = stage();
  const table: readonly [Readonly<Record<string, unknown>>, RegExp][] = [
    [{ options: ["one"] }, /a poll has 2 to 12 options; got 1/],
    [{ options: ["one", " "] }, /must be texts of 1 to 512 characters/],
    [{ maxSelections: 3 }, /maxSelections must be from 1 to the number of options; got 3/],
    [{ durationHours: MAX_POLL_HOURS + 1 }, /durationHours must be from 1 to 720/],
    [{ to: "bob" }, /UNAVAILABLE "bob" is not connected/],
  ];
  for (const [change, message] of table) {
    assert.match(await refusal(channels.poll(DEFAULT_TENANT, { ...POLL, ...change })), message);
  }
});
