import assert from "node:assert/strict";
import * as v from "valibot";
import { createMemoryStore } from "../../../../src/adapters/memory_store.ts";
import type { Principal } from "../../../../src/core/access.ts";
import { createDispatch } from "../../../../src/core/dispatch.ts";
import { GatewayError, invalidRequest } from "../../../../src/core/error.ts";
import {
  checked,
  DEFAULT_TENANT,
  isAgentId,
  isConnectionId,
  isSessionKey,
} from "../../../../src/core/id.ts";
import { methodTable } from "../../../../src/core/method.ts";
import type { OpenClawContext } from "../../../../src/protocols/openclaw/context.ts";
import { sessionMethods } from "../../../../src/protocols/openclaw/methods/sessions.ts";
import { Sessions } from "../../../../src/services/sessions.ts";
import { CountingRandom } from "../../../support/counting_random.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

const main = checked("agent:main:main", isSessionKey);
const now = 1_750_000_000_000;
const table = methodTable([sessionMethods]);
const dispatch = createDispatch(table);

function principal(scopes: readonly string[]): Principal {
  return {
    tenant: DEFAULT_TENANT,
    role: "operator",
    scopes,
    connection: checked("c", isConnectionId),
    subject: "tester",
    credential: "shared",
    local: true,
  };
}

/** A context that has what these methods use and nothing else. */
function contextOf(
  sessions: Sessions,
  scopes: readonly string[],
  signal: AbortSignal = new AbortController().signal,
): OpenClawContext {
  const call = { signal };
  return Object.assign(Object.create(null), { sessions, principal: principal(scopes), call });
}

interface Client {
  readonly sessions: Sessions;
  /** Calls a method and checks that the answer, as JSON, has the promised shape. */
  call(method: string, params?: unknown, scopes?: readonly string[]): Promise<unknown>;
}

function client(): Client {
  const sessions = new Sessions({
    store: createMemoryStore(),
    clock: new ManualClock(now),
    random: new CountingRandom(),
    agents: { defaultId: checked("main", isAgentId), has: (id) => id === "main" },
    options: () => ({
      mainKey: "main",
      scope: "per-sender",
      defaults: () => ({ modelProvider: "local", model: "echo", contextTokens: 4_096 }),
      resolveModel: (wanted) => {
        if (wanted === "fake/one") return { modelProvider: "fake", model: "one" };
        throw invalidRequest(`unknown model: ${wanted}`);
      },
    }),
  });
  return {
    sessions,
    call: async (method, params, scopes = ["operator.admin"]) => {
      const context = contextOf(sessions, scopes);
      const call = { method, params, principal: context.principal };
      const answer: unknown = JSON.parse(JSON.stringify(await dispatch(call, context)));
      const entry = table.get(method);
      assert.ok(entry !== undefined);
      assert.deepEqual(v.parse(entry.result, answer), answer);
      return answer;
    },
  };
}

async function talked(): Promise<Client> {
  const made = client();
  await made.sessions.append(DEFAULT_TENANT, main, {
    messages: [
      { role: "user", text: "Hello there", at: 1 },
      { role: "assistant", text: "Hi", at: 2 },
    ],
    change: (entry) => ({ ...entry, modelProvider: "local", model: "echo", totalTokens: 3 }),
  });
  return made;
}

const SESSION_ID = "00000000-0000-4000-8000-000000000003";

Deno.test("sessions.list answers the document's shape, texts of messages only when asked for", async () => {
  const { call } = await talked();
  const row = {
    key: "agent:main:main",
    kind: "direct",
    updatedAt: now,
    sessionId: SESSION_ID,
    totalTokens: 3,
    modelProvider: "local",
    model: "echo",
  };
  const list = {
    ts: now,
    path: "(multiple)",
    count: 1,
    defaults: { modelProvider: "local", model: "echo", contextTokens: 4_096 },
    sessions: [row],
  };
  assert.deepEqual(await call("sessions.list", undefined, ["operator.read"]), list);
  const asked = { includeDerivedTitles: true, includeLastMessage: true };
  assert.deepEqual(await call("sessions.list", asked), {
    ...list,
    sessions: [{ ...row, derivedTitle: "Hello there", lastMessagePreview: "Hi" }],
  });
});

Deno.test("sessions.list shows the chosen model before the one that answered last", async () => {
  const { call } = await talked();
  await call("sessions.patch", { key: "main", model: "fake/one" });
  const answer = await call("sessions.list", { limit: 1 });
  const Chosen = v.object({
    sessions: v.tuple([v.object({ modelProvider: v.string(), model: v.string() })]),
  });
  assert.deepEqual(v.parse(Chosen, answer).sessions, [{ modelProvider: "fake", model: "one" }]);
});

const ENTRY = {
  sessionId: SESSION_ID,
  createdAt: now,
  updatedAt: now,
  derivedTitle: "Hello there",
  lastMessagePreview: "Hi",
  modelProvider: "local",
  model: "echo",
  totalTokens: 3,
};

const ANSWERS = [
  {
    given: "sessions.preview",
    input: { keys: ["main", "x"], limit: 1, maxChars: 20 },
    expect: {
      ts: now,
      previews: [
        { key: "main", status: "ok", items: [{ role: "assistant", text: "Hi" }] },
        { key: "x", status: "missing", items: [] },
      ],
    },
  },
  { given: "sessions.resolve", input: { key: "MAIN" }, expect: { ok: true, key: main } },
  {
    given: "sessions.patch",
    input: { key: "main", label: "Home", sendPolicy: "deny", verboseLevel: null },
    expect: {
      ok: true,
      path: "(multiple)",
      key: main,
      entry: { ...ENTRY, label: "Home", sendPolicy: "deny" },
      resolved: { modelProvider: "local", model: "echo" },
    },
  },
  {
    given: "sessions.reset",
    input: { key: "main" },
    expect: {
      ok: true,
      key: main,
      entry: {
        sessionId: "00000000-0000-4000-8000-000000000004",
        createdAt: now,
        updatedAt: now,
        modelProvider: "local",
        model: "echo",
      },
    },
  },
  {
    given: "sessions.delete",
    input: { key: "nobody" },
    expect: { ok: true, key: "agent:main:nobody", deleted: false, archived: [] },
  },
  {
    given: "sessions.compact",
    input: { key: "main", maxLines: 1 },
    expect: {
      ok: true,
      key: main,
      compacted: true,
      archived: `${SESSION_ID}.bak.2025-06-15T15-06-40.000Z`,
      kept: 1,
    },
  },
  {
    given: "sessions.compact",
    input: { key: "main" },
    expect: { ok: true, key: main, compacted: false, reason: "nothing to compact", kept: 2 },
  },
] as const;

for (const { given, input, expect } of ANSWERS) {
  Deno.test(`${given} answers ${JSON.stringify(input)}`, async () => {
    const { call } = await talked();
    assert.deepEqual(await call(given, input), expect);
  });
}

for (const [method, params] of [["sessions.list", {}], ["sessions.preview", { keys: ["x"] }]]) {
  Deno.test(`${method} reads nothing for a connection that is gone`, async () => {
    const { sessions } = client();
    const context = contextOf(sessions, ["operator.read"], AbortSignal.abort());
    const call = { method: String(method), params, principal: context.principal };
    await assert.rejects(async () => await dispatch(call, context), { code: "UNAVAILABLE" });
  });
}

Deno.test("sessions.delete names the archive unless the transcript is to stay", async () => {
  const { sessions, call } = client();
  for (const [deleteTranscript, named] of [[undefined, 1], [true, 1], [false, 0]] as const) {
    const key = sessions.canonicalKey("x");
    const messages = [{ role: "user", text: "x", at: 1 }] as const;
    const { entry } = await sessions.append(DEFAULT_TENANT, key, { messages });
    assert.deepEqual(await call("sessions.delete", { key: "x", deleteTranscript }), {
      ok: true,
      key,
      deleted: true,
      archived: [`${entry.sessionId}.deleted.2025-06-15T15-06-40.000Z`].slice(0, named),
    });
  }
});

const REFUSALS = [
  {
    given: "sessions.list",
    input: { limit: 0, label: "", foo: 1 },
    expect: "invalid sessions.list params: at root: unexpected property 'foo'; " +
      "at /limit: must be >= 1; at /label: must NOT have fewer than 1 characters",
  },
  {
    given: "sessions.list",
    input: { spawnedBy: "agent:" },
    expect: 'invalid session key "agent:"; use a name such as "main" or agent:<agent id>:<name>',
  },
  {
    given: "sessions.preview",
    input: { keys: [], maxChars: 19 },
    expect: "invalid sessions.preview params: at /keys: must NOT have fewer than 1 items; " +
      "at /maxChars: must be >= 20",
  },
  { given: "sessions.resolve", input: {}, expect: "Either key, sessionId, or label is required" },
  {
    given: "sessions.resolve",
    input: { sessionId: "x", label: "y" },
    expect: "Provide either key, sessionId, or label (not multiple)",
  },
  { given: "sessions.resolve", input: { key: "x" }, expect: "No session found: x" },
  { given: "sessions.resolve", input: { sessionId: "x" }, expect: "No session found: x" },
  { given: "sessions.resolve", input: { label: "x" }, expect: "No session found with label: x" },
  {
    given: "sessions.patch",
    input: {},
    expect: "invalid sessions.patch params: must have required property 'key'",
  },
  {
    given: "sessions.patch",
    input: { key: "main", sendPolicy: "maybe" },
    expect: "invalid sessions.patch params: at /sendPolicy: must be equal to constant; " +
      "at /sendPolicy: must be null; at /sendPolicy: must match a schema in anyOf",
  },
  {
    given: "sessions.patch",
    input: { key: "main", label: "x".repeat(65) },
    expect: "invalid sessions.patch params: at /label: must NOT have more than 64 characters; " +
      "at /label: must be null; at /label: must match a schema in anyOf",
  },
  {
    given: "sessions.patch",
    input: { key: "main", thinkingLevel: "huge" },
    expect: "invalid thinkingLevel (use off|minimal|low|medium|high)",
  },
  {
    given: "sessions.patch",
    input: { key: "x", label: "taken" },
    expect: "label already in use: taken",
  },
  { given: "sessions.patch", input: { key: "x", model: "no" }, expect: "unknown model: no" },
  {
    given: "sessions.patch",
    input: { key: "agent:ghost:x" },
    expect: 'unknown agent id "ghost"; agents.list names those that exist',
  },
  {
    given: "sessions.reset",
    input: { key: "" },
    expect: "invalid sessions.reset params: at /key: must NOT have fewer than 1 characters",
  },
  {
    given: "sessions.delete",
    input: { key: "agent:main:MAIN" },
    expect: "Cannot delete the main session (agent:main:main).",
  },
  {
    given: "sessions.compact",
    input: { key: "main", maxLines: 0.5 },
    expect: "invalid sessions.compact params: at /maxLines: must be integer; " +
      "at /maxLines: must be >= 1",
  },
] as const;

for (const { given, input, expect } of REFUSALS) {
  Deno.test(`${given} refuses ${JSON.stringify(input).slice(0, 60)}`, async () => {
    const { call } = await talked();
    await call("sessions.patch", { key: "main", label: "taken" });
    await assert.rejects(call(given, input), (error) => {
      assert.ok(error instanceof GatewayError, String(error));
      assert.equal(error.code, "INVALID_REQUEST");
      assert.equal(error.message, expect);
      return true;
    });
  });
}

const SCOPES = [
  ["sessions.list", "operator.read"],
  ["sessions.preview", "operator.read"],
  ["sessions.resolve", "operator.admin"],
  ["sessions.patch", "operator.admin"],
  ["sessions.reset", "operator.admin"],
  ["sessions.delete", "operator.admin"],
  ["sessions.compact", "operator.admin"],
] as const;

Deno.test("the methods of this group, their scopes, and that all are advertised", () => {
  assert.deepEqual(
    sessionMethods.map(({ name, access }) => [name, access.scope]),
    SCOPES.map(([name, scope]) => [name, scope]),
  );
  assert.ok(
    sessionMethods.every(({ advertised, access }) => advertised && access.role === "operator"),
  );
});

for (const [method, scope] of SCOPES) {
  Deno.test(`${method} needs ${scope}`, async () => {
    const { call } = client();
    const held = scope === "operator.read" ? "operator.approvals" : "operator.write";
    await assert.rejects(call(method, {}, [held]), { message: `missing scope: ${scope}` });
  });
}
