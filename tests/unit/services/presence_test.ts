import assert from "node:assert/strict";
import { checked, DEFAULT_TENANT, isConnectionId, isDeviceId } from "../../../src/core/id.ts";
import type { DomainEvent } from "../../../src/services/domain_event.ts";
import { Hub } from "../../../src/services/hub.ts";
import {
  MAX_CONNECTIONS_PER_ENTRY,
  MAX_PRESENCE_ENTRIES,
  Presence,
  PRESENCE_BROADCAST_INTERVAL_MS,
  PRESENCE_TTL_MS,
} from "../../../src/services/presence.ts";
import type { PresentClient } from "../../../src/services/presence_entry.ts";
import { VersionCounters } from "../../../src/services/state_versions.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const TENANT = DEFAULT_TENANT;
const DEVICE = checked("a".repeat(64), isDeviceId);
const OTHER_DEVICE = checked("b".repeat(64), isDeviceId);

type PresenceEvent = Extract<DomainEvent, { type: "presence" }>;

function setUp() {
  const clock = new ManualClock();
  const hub = new Hub();
  const versions = new VersionCounters();
  const self = { host: "box", ip: "127.0.0.1", version: "2026.2.9", platform: "linux" };
  const presence = new Presence({ clock, hub, self, versions });
  const events: PresenceEvent[] = [];
  hub.observe((_tenant, event) => {
    if (event.type === "presence") events.push(event);
  });
  return { clock, presence, versions, events };
}

function client(connection: string, changes: Partial<PresentClient> = {}): PresentClient {
  return {
    connection: checked(connection, isConnectionId),
    host: `host of ${connection}`,
    version: "1",
    platform: "web",
    mode: "ui",
    role: "operator",
    scopes: ["operator.read"],
    ...changes,
  };
}

const id = (text: string) => checked(text, isConnectionId);

Deno.test("the gateway itself is always in the list, first", () => {
  const { presence, clock } = setUp();
  const self = {
    host: "box",
    ip: "127.0.0.1",
    version: "2026.2.9",
    platform: "linux",
    mode: "gateway",
    reason: "self",
    ts: clock.now(),
  };
  assert.deepEqual(presence.list(TENANT), [self]);
  presence.connected(TENANT, client("c1"));
  assert.deepEqual(presence.list(TENANT)[0], self);
  presence.stop();
});

Deno.test("connect and disconnect each change the list and the version", async () => {
  const { presence, clock } = setUp();
  presence.connected(TENANT, client("c1", { deviceId: DEVICE, ip: "10.0.0.7" }));
  assert.equal(presence.version(TENANT), 1);
  assert.deepEqual(presence.list(TENANT)[1], {
    host: "host of c1",
    ip: "10.0.0.7",
    version: "1",
    platform: "web",
    mode: "ui",
    reason: "connect",
    deviceId: DEVICE,
    roles: ["operator"],
    scopes: ["operator.read"],
    ts: clock.now(),
  });
  await clock.advance(5_000);
  presence.disconnected(TENANT, id("c1"));
  assert.equal(presence.version(TENANT), 2);
  assert.equal(presence.list(TENANT)[1]?.reason, "disconnect");
  assert.equal(presence.list(TENANT)[1]?.ts, clock.now());
  presence.stop();
});

Deno.test("the list is one frozen array until it changes", () => {
  const { presence } = setUp();
  const first = presence.list(TENANT);
  assert.equal(presence.list(TENANT), first);
  assert.ok(Object.isFrozen(first));
  presence.connected(TENANT, client("c1"));
  assert.notEqual(presence.list(TENANT), first);
  presence.stop();
});

Deno.test("an entry without a connection goes after its time, one with a connection stays", async () => {
  const { presence, clock, events } = setUp();
  presence.connected(TENANT, client("stays"));
  presence.connected(TENANT, client("goes"));
  presence.disconnected(TENANT, id("goes"));
  await clock.advance(PRESENCE_TTL_MS - 1);
  assert.equal(presence.list(TENANT).length, 3);
  await clock.advance(1);
  assert.deepEqual(presence.list(TENANT).map((entry) => entry.host), ["box", "host of stays"]);
  assert.equal(events.at(-1)?.presence.length, 2);
  await clock.advance(10 * PRESENCE_TTL_MS);
  assert.equal(presence.list(TENANT).length, 2);
  assert.equal(clock.waiting, 0);
});

Deno.test("one identity has one entry: device before instance before connection", () => {
  const cases:
    readonly (readonly [string, Partial<PresentClient>, Partial<PresentClient>, number])[] = [
      ["same device", { deviceId: DEVICE }, { deviceId: DEVICE }, 1],
      ["other device", { deviceId: DEVICE }, { deviceId: OTHER_DEVICE }, 2],
      ["same instance", { instanceId: "i" }, { instanceId: "i" }, 1],
      [
        "same instance, other devices",
        { instanceId: "i", deviceId: DEVICE },
        { instanceId: "i" },
        2,
      ],
      ["an instance named like a device", { deviceId: DEVICE }, { instanceId: DEVICE }, 2],
      ["neither", {}, {}, 2],
    ];
  for (const [name, one, two, expected] of cases) {
    const { presence } = setUp();
    presence.connected(TENANT, client("c1", one));
    presence.connected(TENANT, client("c2", two));
    assert.equal(presence.list(TENANT).length - 1, expected, name);
    presence.stop();
  }
});

Deno.test("closing the older of two connections of one identity changes nothing", () => {
  const { presence } = setUp();
  presence.connected(TENANT, client("old", { deviceId: DEVICE }));
  presence.connected(TENANT, client("new", { deviceId: DEVICE }));
  const before = presence.list(TENANT);
  const version = presence.version(TENANT);
  presence.disconnected(TENANT, id("old"));
  assert.equal(presence.list(TENANT), before);
  assert.equal(presence.version(TENANT), version);
  presence.disconnected(TENANT, id("new"));
  assert.equal(presence.list(TENANT)[1]?.reason, "disconnect");
  presence.stop();
});

Deno.test("closing the newer of two connections leaves the older one in the list", () => {
  const { presence } = setUp();
  presence.connected(TENANT, client("old", { deviceId: DEVICE, host: "old one" }));
  presence.connected(TENANT, client("new", { deviceId: DEVICE, role: "node", scopes: [] }));
  assert.deepEqual(presence.list(TENANT)[1]?.roles, ["operator", "node"]);
  presence.disconnected(TENANT, id("new"));
  const [, entry] = presence.list(TENANT);
  assert.deepEqual([entry?.host, entry?.reason, entry?.roles], ["old one", "connect", [
    "operator",
  ]]);
  presence.stop();
});

Deno.test("command line clients and unknown connections are not tracked", () => {
  const { presence, events } = setUp();
  presence.connected(TENANT, client("c1", { mode: "cli" }));
  presence.connected(TENANT, client("c2", { mode: "CLI" }));
  presence.disconnected(TENANT, id("c1"));
  presence.disconnected(TENANT, id("never-seen"));
  assert.equal(presence.list(TENANT).length, 1);
  assert.equal(presence.version(TENANT), 0);
  assert.equal(events.length, 0);
});

Deno.test("when the list is full the oldest entry without a connection gives way, then the oldest", () => {
  const { presence } = setUp();
  for (let at = 0; at < MAX_PRESENCE_ENTRIES; at++) presence.connected(TENANT, client(`c${at}`));
  presence.disconnected(TENANT, id("c5"));
  presence.connected(TENANT, client("x1"));
  const hosts = () => new Set(presence.list(TENANT).map((entry) => entry.host));
  assert.equal(presence.list(TENANT).length, MAX_PRESENCE_ENTRIES + 1);
  assert.ok(!hosts().has("host of c5"));
  assert.ok(hosts().has("host of c0"));
  presence.connected(TENANT, client("x2"));
  assert.equal(presence.list(TENANT).length, MAX_PRESENCE_ENTRIES + 1);
  assert.ok(!hosts().has("host of c0"));
  const version = presence.version(TENANT);
  presence.disconnected(TENANT, id("c0"));
  assert.equal(presence.version(TENANT), version, "a connection that gave way changes nothing");
  presence.stop();
});

Deno.test("connections of one identity beyond the bound are forgotten, oldest first", () => {
  const { presence } = setUp();
  const count = MAX_CONNECTIONS_PER_ENTRY + 1;
  for (let at = 0; at < count; at++) {
    presence.connected(TENANT, client(`c${at}`, { deviceId: DEVICE }));
  }
  for (let at = count - 1; at > 0; at--) presence.disconnected(TENANT, id(`c${at}`));
  assert.equal(presence.list(TENANT)[1]?.reason, "disconnect");
  presence.stop();
});

Deno.test("a storm of connections costs one broadcast a second, with the newest list and version", async () => {
  const { presence, clock, events } = setUp();
  for (let at = 0; at < 100; at++) presence.connected(TENANT, client(`c${at}`));
  assert.equal(events.length, 1);
  await clock.advance(PRESENCE_BROADCAST_INTERVAL_MS);
  assert.equal(events.length, 2);
  assert.equal(events[1]?.presence.length, 101);
  assert.deepEqual(events[1]?.versions, { presence: 100, health: 0 });
  await clock.advance(10 * PRESENCE_BROADCAST_INTERVAL_MS);
  assert.equal(events.length, 2, "nothing changed, nothing is sent");
  assert.equal(clock.waiting, 0);
});

Deno.test("a note makes an entry that lasts for its time from the last note on", async () => {
  const { presence, clock } = setUp();
  presence.note(TENANT, { text: "Node: lamp", host: "lamp", mode: "node", lastInputSeconds: 4 });
  await clock.advance(PRESENCE_TTL_MS - 1);
  presence.note(TENANT, { text: "Node: lamp again", host: "lamp" });
  await clock.advance(PRESENCE_TTL_MS - 1);
  const [, entry] = presence.list(TENANT);
  assert.deepEqual([entry?.text, entry?.mode, entry?.lastInputSeconds], [
    "Node: lamp again",
    "node",
    4,
  ]);
  await clock.advance(1);
  assert.equal(presence.list(TENANT).length, 1);
});

Deno.test("a note about a connected client changes what it says, never who it is", () => {
  const { presence } = setUp();
  presence.connected(TENANT, client("c1", { deviceId: DEVICE, ip: "10.0.0.7" }));
  presence.note(TENANT, {
    text: "hello",
    deviceId: DEVICE,
    ip: "6.6.6.6",
    roles: ["node"],
    scopes: ["operator.admin"],
    tags: ["desk"],
  });
  const [, entry] = presence.list(TENANT);
  assert.deepEqual(
    [entry?.text, entry?.tags, entry?.ip, entry?.roles, entry?.scopes],
    ["hello", ["desk"], "10.0.0.7", ["operator"], ["operator.read"]],
  );
  presence.disconnected(TENANT, id("c1"));
  assert.equal(presence.list(TENANT)[1]?.reason, "disconnect");
  presence.stop();
});

Deno.test("hostile text is one escaped line of bounded length", () => {
  const { presence } = setUp();
  const hostile = `\x1b[31m\r\nfake\u202e${"A".repeat(15_000)}`;
  presence.connected(
    TENANT,
    client("c1", {
      host: hostile,
      version: hostile,
      platform: hostile,
      mode: hostile,
      instanceId: hostile,
      deviceFamily: hostile,
      modelIdentifier: hostile,
      scopes: Array.from({ length: 1_000 }, () => hostile),
    }),
  );
  presence.note(TENANT, { text: hostile, tags: [hostile], reason: hostile });
  const text = JSON.stringify(presence.list(TENANT));
  assert.ok(text.length < 4_000, String(text.length));
  for (const entry of presence.list(TENANT)) {
    for (const value of Object.values(entry).flat()) {
      if (typeof value !== "string") continue;
      assert.ok(value.length <= 257, value);
      assert.doesNotMatch(value, /[\p{Cc}\p{Cf}\u2028\u2029]/u);
    }
  }
  presence.stop();
});

Deno.test("tenants do not see each other", () => {
  const { presence } = setUp();
  const other = checked("other", (text): text is typeof TENANT => text === "other");
  presence.connected(TENANT, client("c1"));
  assert.equal(presence.list(other).length, 1);
  assert.equal(presence.version(other), 0);
  presence.stop();
});
