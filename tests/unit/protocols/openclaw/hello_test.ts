import assert from "node:assert/strict";
import { type Role, type Scope, SCOPES } from "../../../../src/core/access.ts";
import { checked, DEFAULT_TENANT, isConnectionId } from "../../../../src/core/id.ts";
import { EVENTS } from "../../../../src/protocols/openclaw/events.ts";
import { type HelloFacts, helloOk } from "../../../../src/protocols/openclaw/hello.ts";
import type { HealthSummary } from "../../../../src/services/health.ts";

const SESSIONS = { path: "store", count: 0, recent: [] };

const HEALTH: HealthSummary = {
  ok: true,
  ts: 5,
  durationMs: 1,
  channels: {},
  channelOrder: [],
  channelLabels: {},
  heartbeatSeconds: 1_800,
  defaultAgentId: "main",
  agents: [],
  sessions: SESSIONS,
};

const ADMISSION: HelloFacts["admission"] = {
  principal: {
    tenant: DEFAULT_TENANT,
    role: "operator",
    scopes: ["operator.read"],
    connection: checked("c-1", isConnectionId),
    credential: "shared",
    subject: "shared",
    local: true,
  },
  client: { id: "cli", mode: "cli", version: "1", platform: "linux", caps: [], commands: [] },
};

const PRESENCE = [{ host: "desk", mode: "ui", ts: 4 }];

/** The hello of a client, as it goes over the wire. */
function greeting(
  party: { readonly role?: Role; readonly scopes?: readonly Scope[] } = {},
  change: Partial<HelloFacts> = {},
) {
  const facts: HelloFacts = {
    admission: { ...ADMISSION, principal: { ...ADMISSION.principal, ...party } },
    server: { version: "2026.11.22", host: "h", configPath: "/c", stateDir: "/s" },
    methods: ["health", "chat.send"],
    presence: PRESENCE,
    health: HEALTH,
    versions: { presence: 7, health: 8 },
    uptimeMs: 9,
    tickIntervalMs: 30_000,
    sessionDefaults: {
      defaultAgentId: "main",
      mainKey: "main",
      mainSessionKey: "agent:main:main",
      scope: "per-sender",
    },
    resume: undefined,
    ...change,
  };
  return JSON.parse(JSON.stringify(helloOk(facts)));
}

interface PartyRow {
  readonly role: Role;
  readonly scopes: readonly Scope[];
  /** Whether it is shown who is connected and how the gateway is. */
  readonly state: boolean;
  /** Whether it is shown where the gateway's files lie. */
  readonly places: boolean;
}

const PARTIES: readonly PartyRow[] = [
  { role: "operator", scopes: ["operator.read"], state: true, places: false },
  { role: "operator", scopes: ["operator.write"], state: true, places: false },
  { role: "operator", scopes: ["operator.admin"], state: true, places: true },
  { role: "operator", scopes: SCOPES, state: true, places: true },
  { role: "operator", scopes: ["operator.approvals"], state: false, places: false },
  { role: "operator", scopes: ["operator.pairing"], state: false, places: false },
  { role: "operator", scopes: [], state: false, places: false },
  { role: "node", scopes: [], state: false, places: false },
  // A node is granted no scope; should it ever hold one, it is still no operator.
  { role: "node", scopes: ["operator.admin"], state: false, places: false },
];

for (const { role, scopes, state, places } of PARTIES) {
  const name = `${role} with ${scopes.length === 0 ? "no scope" : scopes.join(", ")}`;
  Deno.test(`the snapshot shows a ${name} what its events and methods may show`, () => {
    const { snapshot } = greeting({ role, scopes });
    assert.deepEqual(snapshot, {
      presence: state ? PRESENCE : [],
      health: state ? HEALTH : {},
      stateVersion: { presence: 7, health: 8 },
      uptimeMs: 9,
      ...(places ? { configPath: "/c", stateDir: "/s" } : {}),
      sessionDefaults: {
        defaultAgentId: "main",
        mainKey: "main",
        mainSessionKey: "agent:main:main",
        scope: "per-sender",
      },
    });
  });
}

Deno.test("before the first summary health is an empty object", () => {
  assert.deepEqual(greeting({}, { health: undefined }).snapshot.health, {});
});

Deno.test("a client without a device gets no auth, one with a device its token", () => {
  const auth = { deviceToken: "t", role: "operator", scopes: ["operator.read"], issuedAtMs: 3 };
  assert.equal("auth" in greeting(), false);
  assert.deepEqual(greeting({}, { admission: { ...ADMISSION, auth } }).auth, auth);
});

Deno.test("methods and events are advertised, and the tick's interval is the one that holds", () => {
  const hello = greeting({}, { tickIntervalMs: 250 });
  assert.deepEqual(hello.features, {
    methods: ["health", "chat.send"],
    events: Object.keys(EVENTS),
  });
  assert.equal(hello.policy.tickIntervalMs, 250);
  assert.equal(hello.server.connId, "c-1");
});

Deno.test("the answer to resume is there for who asked, as it is", () => {
  assert.equal("resume" in greeting(), false);
  assert.deepEqual(greeting({}, { resume: { status: "unknown" } }).resume, { status: "unknown" });
});
