import assert from "node:assert/strict";
import type { Principal } from "../../../../src/core/access.ts";
import {
  checked,
  DEFAULT_TENANT,
  isConnectionId,
  isSessionKey,
  isTenantId,
} from "../../../../src/core/id.ts";
import { createRenderer } from "../../../../src/protocols/openclaw/events.ts";
import {
  JOURNAL_EVENTS,
  RESUME_WINDOW_MS,
  ResumeJournal,
} from "../../../../src/protocols/openclaw/resume.ts";
import type { DomainEvent } from "../../../../src/services/domain_event.ts";

const CONNECTION = checked("c1", isConnectionId);

function principal(over: Partial<Principal> = {}): Principal {
  return {
    tenant: DEFAULT_TENANT,
    role: "operator",
    scopes: ["operator.read"],
    connection: CONNECTION,
    credential: "shared",
    subject: "shared",
    local: true,
    ...over,
  };
}

function said(session: string): DomainEvent {
  const sessionKey = checked(`agent:main:${session}`, isSessionKey);
  return {
    type: "session.message",
    runId: "r",
    sessionKey,
    requestedKey: session,
    sequence: 0,
    at: 1,
    text: "x",
  };
}

function journal() {
  let now = 0;
  const render = createRenderer();
  const kept = new ResumeJournal(() => now);
  return {
    kept,
    publish: (...events: DomainEvent[]) =>
      events.forEach((event) => kept.record(DEFAULT_TENANT, event, render(event))),
    pass: (ms: number) => now += ms,
  };
}

Deno.test("a client that comes back learns how much it missed and in which sessions", () => {
  const { kept, publish } = journal();
  publish(said("a"), said("b"), said("c"));
  kept.depart(CONNECTION, principal(), 3);
  publish(said("d"), { type: "tick", at: 1 }, said("d"));
  const rows = [
    { seq: 3, expect: { status: "known", missed: 3, sessions: ["agent:main:d"] } },
    { seq: 2, expect: { status: "known", missed: 4, sessions: ["agent:main:c", "agent:main:d"] } },
    {
      seq: 0,
      expect: {
        status: "known",
        missed: 6,
        sessions: ["agent:main:a", "agent:main:b", "agent:main:c", "agent:main:d"],
      },
    },
  ];
  for (const { seq, expect } of rows) {
    assert.deepEqual(kept.missed(principal(), { connId: "c1", seq }), expect, `seq ${seq}`);
  }
});

Deno.test("nothing missed is said so", () => {
  const { kept, publish } = journal();
  publish(said("a"));
  kept.depart(CONNECTION, principal(), 1);
  assert.deepEqual(kept.missed(principal(), { connId: "c1", seq: 1 }), {
    status: "known",
    missed: 0,
    sessions: [],
  });
});

Deno.test("frames that a slow client may not have been sent never hide a missed one", () => {
  const { kept, publish } = journal();
  publish(said("a"), { type: "tick", at: 1 }, { type: "tick", at: 2 });
  kept.depart(CONNECTION, principal(), 2);
  const answer = kept.missed(principal(), { connId: "c1", seq: 0 });
  assert.ok(answer.status === "known" && answer.sessions.includes("agent:main:a"));
});

Deno.test("another identity, connection, number or time learns nothing", () => {
  const { kept, publish, pass } = journal();
  publish(said("a"));
  kept.depart(CONNECTION, principal(), 1);
  const unknown = { status: "unknown" };
  assert.deepEqual(
    kept.missed(principal({ subject: "device:x" }), { connId: "c1", seq: 0 }),
    unknown,
  );
  assert.deepEqual(
    kept.missed(principal({ tenant: checked("other", isTenantId) }), { connId: "c1", seq: 0 }),
    unknown,
  );
  assert.deepEqual(kept.missed(principal(), { connId: "c2", seq: 0 }), unknown);
  assert.deepEqual(kept.missed(principal(), { connId: "c1", seq: 2 }), unknown);
  pass(RESUME_WINDOW_MS);
  assert.deepEqual(kept.missed(principal(), { connId: "c1", seq: 0 }), unknown);
});

Deno.test("what lies too far back is unknown, and what may not be seen does not count", () => {
  const { kept, publish } = journal();
  publish(said("a"));
  kept.depart(CONNECTION, principal(), 1);
  const blind = principal({ scopes: ["operator.approvals"] });
  const blindId = checked("c2", isConnectionId);
  kept.depart(blindId, blind, 0);
  publish(said("b"));
  assert.deepEqual(kept.missed(blind, { connId: "c2", seq: 0 }), {
    status: "known",
    missed: 0,
    sessions: [],
  });
  for (let at = 0; at < JOURNAL_EVENTS; at++) publish(said("z"));
  assert.deepEqual(kept.missed(principal(), { connId: "c1", seq: 0 }), { status: "unknown" });
  assert.deepEqual(kept.missed(principal(), { connId: "c1", seq: 1 }), { status: "unknown" });
});
