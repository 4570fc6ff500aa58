/** The events, codes, numbers and shapes of the OpenClaw wire, written out by hand. */

import assert from "node:assert/strict";
import { join } from "node:path/posix";
import { ROLES, SCOPES } from "../../src/core/access.ts";
import { ERROR_CODES } from "../../src/core/error.ts";
import { checked, DEFAULT_TENANT, isConnectionId } from "../../src/core/id.ts";
import type { EventDefinition } from "../../src/protocols/openclaw/events.ts";
import { EVENTS } from "../../src/protocols/openclaw/events.ts";
import { type HelloFacts, helloOk } from "../../src/protocols/openclaw/hello.ts";
import {
  HANDSHAKE_TIMEOUT_MS,
  MAX_CALLS_IN_FLIGHT,
  MAX_EARLY_REQUESTS,
  MAX_HANDSHAKE_MESSAGE,
  PROTOCOL_VERSION,
} from "../../src/protocols/openclaw/machine.ts";
import { TICK_INTERVAL_MS } from "../../src/services/ticker.ts";
import { listFiles, loadModules, ROOT } from "../structure/source_tree.ts";

/** Name, audience, whether it is numbered, and what becomes of it for a slow client. */
const PINNED_EVENTS = [
  ["agent", "operator.read", "numbered", "disconnect"],
  ["chat", "operator.read", "numbered", "disconnect"],
  ["connect.challenge", "everyone", "apart", "disconnect"],
  ["device.pair.requested", "operator.pairing", "numbered", "disconnect"],
  ["device.pair.resolved", "operator.pairing", "numbered", "disconnect"],
  ["health", "operator.read", "numbered", "coalesce"],
  ["heartbeat", "operator.read", "numbered", "coalesce"],
  ["presence", "operator.read", "numbered", "coalesce"],
  ["shutdown", "everyone", "numbered", "disconnect"],
  ["tick", "everyone", "numbered", "drop"],
];

Deno.test("events have the names, audiences and verdicts that clients know", () => {
  const events: Readonly<Record<string, EventDefinition>> = EVENTS;
  const built = Object.entries(events).map(([name, { audience, sequenced, overflow }]) => [
    name,
    audience === undefined ? "everyone" : audience.scope ?? audience.role,
    sequenced ? "numbered" : "apart",
    overflow,
  ]).sort();
  assert.deepEqual(built, PINNED_EVENTS);
});

Deno.test("error codes, roles and scopes are those of the document", () => {
  assert.deepEqual([...ERROR_CODES].sort(), [
    "AGENT_TIMEOUT",
    "INVALID_REQUEST",
    "NOT_LINKED",
    "NOT_PAIRED",
    "UNAVAILABLE",
  ]);
  assert.deepEqual([...ROLES].sort(), ["node", "operator"]);
  assert.deepEqual([...SCOPES].sort(), [
    "operator.admin",
    "operator.approvals",
    "operator.pairing",
    "operator.read",
    "operator.write",
  ]);
});

Deno.test("connections are closed with these codes and no others", () => {
  const closes =
    /\b(?:close|closing|end|ended|refuse|Disconnect)\s*\((?:[^;]*?[(,\s])?([14]\d{3})\b/g;
  const folders = /^src\/(?:core|protocols\/openclaw|services|http)\//;
  // What a link says by itself of framing that is wrong is not the wire's.
  const links = /^src\/core\/web_?socket/;
  const paths = listFiles(ROOT).filter((path) => folders.test(path) && !links.test(path));
  const found = new Set<string>();
  for (const { source } of loadModules(ROOT, paths)) {
    for (const [, code] of source.code.matchAll(closes)) found.add(code ?? "");
  }
  assert.deepEqual([...found].sort(), ["1000", "1002", "1008", "1009", "1011", "1012", "1013"]);
});

Deno.test("the numbers that clients rely on hold", () => {
  assert.equal(PROTOCOL_VERSION, 3);
  assert.equal(HANDSHAKE_TIMEOUT_MS, 10_000);
  assert.equal(MAX_HANDSHAKE_MESSAGE, 65_536);
  assert.equal(MAX_EARLY_REQUESTS, 32);
  assert.equal(MAX_CALLS_IN_FLIGHT, 256);
  assert.equal(TICK_INTERVAL_MS, 30_000);
});

const FACTS: HelloFacts = {
  admission: {
    principal: {
      tenant: DEFAULT_TENANT,
      role: "operator",
      scopes: ["operator.admin"],
      connection: checked("00000000-0000-4000-8000-000000000001", isConnectionId),
      credential: "shared",
      subject: "shared",
      local: true,
    },
    auth: { deviceToken: "t", role: "operator", scopes: ["operator.admin"], issuedAtMs: 1 },
    client: { id: "cli", mode: "cli", version: "1", platform: "linux", caps: [], commands: [] },
  },
  server: { version: "2026.11.22", host: "host", configPath: "config", stateDir: "state" },
  methods: ["health"],
  presence: [],
  health: undefined,
  versions: { presence: 1, health: 2 },
  uptimeMs: 3,
  tickIntervalMs: TICK_INTERVAL_MS,
  sessionDefaults: {
    defaultAgentId: "main",
    mainKey: "main",
    mainSessionKey: "agent:main:main",
    scope: "per-sender",
  },
  resume: undefined,
};

Deno.test("hello-ok has the members and the policy of the document, and nothing else", () => {
  assert.deepEqual(JSON.parse(JSON.stringify(helloOk(FACTS))), {
    type: "hello-ok",
    protocol: 3,
    server: {
      version: "2026.11.22",
      host: "host",
      connId: "00000000-0000-4000-8000-000000000001",
    },
    features: {
      methods: ["health"],
      events: [
        "connect.challenge",
        "agent",
        "chat",
        "presence",
        "tick",
        "shutdown",
        "health",
        "heartbeat",
        "device.pair.requested",
        "device.pair.resolved",
      ],
    },
    snapshot: {
      presence: [],
      health: {},
      stateVersion: { presence: 1, health: 2 },
      uptimeMs: 3,
      configPath: "config",
      stateDir: "state",
      sessionDefaults: {
        defaultAgentId: "main",
        mainKey: "main",
        mainSessionKey: "agent:main:main",
        scope: "per-sender",
      },
    },
    auth: { deviceToken: "t", role: "operator", scopes: ["operator.admin"], issuedAtMs: 1 },
    policy: { maxPayload: 524_288, maxBufferedBytes: 1_572_864, tickIntervalMs: 30_000 },
  });
});

Deno.test("the one member of hello-ok beyond the document is the answer to resume", () => {
  const plain = Object.keys(JSON.parse(JSON.stringify(helloOk(FACTS))));
  const resumed = Object.keys(
    JSON.parse(JSON.stringify(helloOk({ ...FACTS, resume: { status: "unknown" } }))),
  );
  assert.deepEqual(resumed.filter((name) => !plain.includes(name)), ["resume"]);
});

Deno.test("the wire page holds every generated section", () => {
  const page = Deno.readTextFileSync(join(ROOT, "src/protocols/openclaw/README.md"));
  for (const name of ["methods", "events", "errors", "limits"]) {
    assert.equal(page.split(`<!-- generated:${name} -->`).length, 2, name);
  }
});
