import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import fc from "fast-check";
import { createMemoryStore } from "../../src/adapters/memory_store.ts";
import { GatewayError } from "../../src/core/error.ts";
import {
  checked,
  isAgentId,
  isConnectionId,
  isDeviceId,
  isSessionKey,
  isTenantId,
  MAX_SESSION_KEY_CHARS,
} from "../../src/core/id.ts";
import { createRoutes } from "../../src/http/routes.ts";
import { METHODS } from "../../src/protocols/openclaw/method_table.ts";
import { agentOf, canonicalKey, mainSessionKey, nameOf } from "../../src/services/session_key.ts";
import { isRecord } from "../support/transcript_pattern.ts";
import { GatewayStage, quiet, STAGE_TOKEN, StageLink } from "../support/gateway_stage.ts";

const RUNS = 1_500;

/** What leaves a folder, ends a name early, or looks like something that it is not. */
const evil = fc.constantFrom(
  "..",
  "../",
  "..\\",
  "/",
  "\\",
  "//",
  "/etc/passwd",
  "C:\\",
  "%2e%2e%2f",
  "%2e%2e/",
  "%252e",
  "%00",
  "\0",
  "\n",
  "\r\n",
  "\u2028",
  "\u202e",
  "\u200b",
  "\ufeff",
  "．．／",
  "‥",
  "․․/",
  "∕",
  "ａgent",
  "аgent",
  "agent:",
  "agent:main:",
  ":",
  "main",
  "MAIN",
  "İ",
  "ſ",
  "K",
  "Σ",
  "\ud800",
  "\udc00",
  "con",
  "nul",
  "~",
  ".",
  " ",
  "\t",
  "-",
  "_",
  "'",
  '"',
  "${HOME}",
  "$(id)",
  "__proto__",
  "constructor",
  "a".repeat(70),
  "e\u0301",
);

const hostile = fc.oneof(
  fc.array(evil, { maxLength: 6 }).map((parts) => parts.join("")),
  fc.array(fc.oneof(evil, fc.string({ unit: "binary", maxLength: 5 })), { maxLength: 6 })
    .map((parts) => parts.join("")),
  fc.string({ unit: "binary", maxLength: 600 }),
);

const RULES = [
  { mainKey: "main", scope: "per-sender" },
  { mainKey: " Home ", scope: "per-sender" },
  { mainKey: "", scope: "global" },
] as const;

Deno.test("a text is a session key in one spelling or refused", () => {
  const agent = checked("work", isAgentId);
  fc.assert(
    fc.property(hostile, fc.constantFrom(...RULES), (text, rules) => {
      let key;
      try {
        key = canonicalKey(text, { agent, rules });
      } catch (error) {
        assert.ok(error instanceof GatewayError, String(error));
        assert.equal(error.code, "INVALID_REQUEST");
        assert.ok(/^[^\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]*$/u.test(error.message), "one visible line");
        return;
      }
      assert.ok(isSessionKey(key));
      assert.ok(key.length <= MAX_SESSION_KEY_CHARS);
      assert.ok(isAgentId(agentOf(key)));
      assert.notEqual(nameOf(key), "");
      assert.ok(key.isWellFormed() && !/\p{Cc}/u.test(key), "no character that ends a name early");
      assert.equal(canonicalKey(key, { agent, rules }), key, "what is canonical stays");
      assert.equal(canonicalKey(` ${key}\n`, { agent, rules }), key, "but for space around it");
      if (!text.trim().toLowerCase().startsWith("agent:")) assert.equal(agentOf(key), agent);
    }),
    { numRuns: RUNS },
  );
});

Deno.test("every name of the main session is the main session", () => {
  const agent = checked("work", isAgentId);
  for (const rules of RULES) {
    const main = mainSessionKey(agent, rules);
    const own = rules.mainKey.trim() === "" ? "main" : rules.mainKey;
    for (const text of ["main", " MAIN ", own, own.toUpperCase(), "agent:work:main", main]) {
      assert.equal(canonicalKey(text, { agent, rules }), main, text);
    }
  }
});

Deno.test("what is accepted as an id is one plain name inside any folder and any URL", () => {
  const guards = [isTenantId, isAgentId, isDeviceId, isConnectionId];
  fc.assert(
    fc.property(
      fc.oneof(
        hostile,
        fc.stringMatching(/^[a-z0-9_-]{1,64}$/),
        fc.stringMatching(/^[\w.:-]{1,70}$/),
      ),
      fc.constantFrom(...guards),
      (text, guard) => {
        if (!guard(text)) return;
        assert.equal(dirname(join("/state/folder", text)), "/state/folder");
        assert.equal(basename(join("/state/folder", text)), text);
        assert.equal(new URL(text, "http://host/folder/").pathname, `/folder/${text}`);
        assert.match(text, /^[\w-]{1,64}$/);
      },
    ),
    { numRuns: RUNS },
  );
});

Deno.test("every canonical key can be stored, and none is stored under another's name", async () => {
  const agent = checked("work", isAgentId);
  const [rules] = RULES;
  await fc.assert(
    fc.asyncProperty(fc.array(hostile, { maxLength: 6 }), async (texts) => {
      const keys = new Set<string>();
      for (const text of texts) {
        try {
          keys.add(canonicalKey(text, { agent, rules }));
        } catch (error) {
          if (!(error instanceof GatewayError)) throw error;
        }
      }
      const store = createMemoryStore();
      for (const key of keys) {
        const record = { tenant: "t", kind: "session", id: key };
        await store.commit([{ op: "put", key: record, order: 0, value: key, expect: 0 }]);
      }
      for (const key of keys) {
        assert.equal((await store.get({ tenant: "t", kind: "session", id: key }))?.value, key);
      }
      assert.equal(await store.count({ tenant: "t", kind: "session" }), keys.size);
    }),
    { numRuns: 200 },
  );
});

Deno.test("no path of a request leads to a file", async () => {
  const serve = createRoutes({
    trustedProxies: () => [],
    allowedOrigins: () => [],
    allowedHosts: () => [],
    ready: () => true,
    authorize: () => Promise.resolve(false),
    metrics: () => "secret 1\n",
    page: "<!doctype html>",
    connect: () => assert.fail("no upgrade was asked for"),
  });
  const known = ["/", "/health", "/healthz", "/ready", "/readyz", "/metrics"];
  await fc.assert(
    fc.asyncProperty(fc.array(hostile, { maxLength: 4 }), fc.boolean(), async (parts, raw) => {
      const path = parts.map((part) => raw ? part : encodeURIComponent(part.toWellFormed())).join(
        "/",
      );
      const url = new URL(`http://gateway.invalid/${path}`.replaceAll(/[?#]/g, ""));
      fc.pre(url.hostname === "gateway.invalid");
      const request = new Request(url, { headers: { host: "127.0.0.1" } });
      const response = await serve(request, { remoteAddress: "127.0.0.1", secure: false });
      const body = await response.text();
      if (known.includes(url.pathname)) return;
      assert.equal(response.status, 404, url.pathname);
      assert.equal(body, '{"error":{"message":"Not found"}}');
    }),
    { numRuns: 300 },
  );
});

/** Members of parameters that name something, for every method that has them. */
const NAMES = [
  "key",
  "keys",
  "sessionKey",
  "sessionId",
  "agentId",
  "requestId",
  "deviceId",
  "role",
  "runId",
  "idempotencyKey",
  "label",
  "spawnedBy",
  "model",
  "execNode",
  "search",
  "message",
  "text",
  "host",
  "instanceId",
];

function entriesOf(schema: unknown): readonly string[] {
  return isRecord(schema) && isRecord(schema.entries) ? Object.keys(schema.entries) : [];
}

Deno.test("no name that a client gives is a defect of the gateway or ends the connection", async () => {
  const stage = await GatewayStage.start();
  const link = await stage.open();
  assert.ok(link instanceof StageLink);
  const send = (id: string, method: string, params: unknown): void =>
    link.receive(JSON.stringify({ type: "req", id, method, params }));
  const answers = async (): Promise<Map<string, string>> => {
    await quiet();
    await stage.clock.advance(60_000);
    await quiet();
    const frames = link.inbox.splice(0).filter((frame) => frame.startsWith('{"type":"res"'));
    return new Map(frames.map((frame) => [JSON.parse(frame).id, frame]));
  };
  send("hello", "connect", {
    minProtocol: 3,
    maxProtocol: 3,
    client: { id: "cli", version: "1", platform: "x", mode: "cli" },
    scopes: ["operator.admin", "operator.pairing"],
    auth: { token: STAGE_TOKEN },
  });
  assert.match((await answers()).get("hello") ?? "", /hello-ok/);
  const methods = [...METHODS.values()]
    .map(({ name, params }) => {
      const own = entriesOf(params);
      // Methods that check nothing by schema have no entries.
      const members = own.length === 0 ? ["text"] : own.filter((one) => NAMES.includes(one));
      return { name, members };
    })
    .filter(({ name, members }) => members.length > 0 && !name.startsWith("config."));
  assert.ok(methods.length >= 15, `${methods.length} methods take names`);
  await fc.assert(
    fc.asyncProperty(fc.array(hostile, { minLength: 31, maxLength: 31 }), async (texts) => {
      let next = 0;
      for (const { name, members } of methods) {
        const params = Object.fromEntries(members.map((member) => {
          const text = (texts[next++ % texts.length] ?? "").toWellFormed();
          return [member, member === "keys" ? [text] : text];
        }));
        send(name, name, params);
      }
      const found = await answers();
      assert.equal(link.over, false, "the connection stays");
      for (const { name } of methods) {
        const answer = found.get(name) ?? "";
        assert.notEqual(answer, "", `${name} was not answered`);
        assert.ok(!answer.includes("internal error"), `${name}: ${answer}`);
      }
      const defects = stage.log.lines.filter(({ level }) => level === "error");
      assert.deepEqual(defects, []);
    }),
    { numRuns: 40 },
  );
  await stage.gateway.stop("test");
});
