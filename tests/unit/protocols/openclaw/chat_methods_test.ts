import assert from "node:assert/strict";
import { DEFAULT_TENANT } from "../../../../src/core/id.ts";
import { ModelError } from "../../../../src/ports/model.ts";
import { chatMethods } from "../../../../src/protocols/openclaw/methods/chat.ts";
import type { Reader } from "../../../../src/services/session_reader.ts";
import { settle } from "../../../support/manual_clock.ts";
import { MAIN, PRINCIPAL, setStage, told } from "../../../support/run_stage.ts";
import { wireCaller } from "../../../support/wire_caller.ts";

const PIXEL = "iVBORw0KGgoAAAAN";

function open() {
  const stage = setStage();
  return { stage, ...wireCaller(stage, chatMethods) };
}

function message(idempotencyKey: string, text = "hello", more: Record<string, unknown> = {}) {
  return { sessionKey: "main", message: text, idempotencyKey, ...more };
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test(`chat: ${name}`, fn);
}

test("chat.send answers before anything of its run is told; history then holds both sides", async () => {
  const { stage, answer, order } = open();
  assert.deepEqual(await answer("chat.send", message("r1")), { runId: "r1", status: "started" });
  stage.model.call().text("Hi", "!").end();
  await settle();
  assert.deepEqual(order, ["chat.send answer", "r1 start", "r1 text", "r1 text", "r1 end"]);
  const history = await answer("chat.history", { sessionKey: "main" });
  const entry = await stage.sessions.get(DEFAULT_TENANT, MAIN);
  const timestamp = stage.clock.now();
  assert.deepEqual(history, {
    sessionKey: "main",
    sessionId: entry?.sessionId,
    messages: [
      { role: "user", content: [{ type: "text", text: "hello" }], timestamp },
      {
        role: "assistant",
        content: [{ type: "text", text: "Hi!" }],
        timestamp,
        provider: "fake",
        model: "one",
        stopReason: "stop",
      },
    ],
  });
});

test("chat.history reads in its connection's name, and no longer than that lasts", async () => {
  const { stage, answer, disconnect } = open();
  const readers: (Reader | undefined)[] = [];
  const history = stage.sessions.history.bind(stage.sessions);
  stage.sessions.history = (tenant, key, query) => {
    readers.push(query.reader);
    return history(tenant, key, query);
  };
  await answer("chat.history", { sessionKey: "main" });
  disconnect();
  assert.deepEqual(readers.map((reader) => [reader?.caller, reader?.signal?.aborted]), [
    [PRINCIPAL.connection, true],
  ]);
});

test("chat.send with the same key says where its run stands", async () => {
  const { stage, answer, refusal } = open();
  await answer("chat.send", message("r1"));
  assert.deepEqual(await answer("chat.send", message("r1")), { runId: "r1", status: "in_flight" });
  const reused = await refusal("chat.send", message("r1", "other"));
  assert.equal(reused.code, "INVALID_REQUEST");
  assert.match(reused.message, /^idempotency key "r1" was used with different parameters/);
  stage.model.call().end();
  await settle();
  assert.deepEqual(await answer("chat.send", message("r1")), { runId: "r1", status: "ok" });
  await answer("chat.send", message("r2"));
  stage.model.call().fail(new ModelError("no credit"));
  await settle();
  const failed = await refusal("chat.send", message("r2"));
  assert.equal(failed.code, "UNAVAILABLE");
  assert.equal(failed.message, "no credit");
  const said = { runId: "r2", status: "error", summary: "no credit" };
  assert.deepEqual(failed.extras, { payload: said, details: said });
  await answer("chat.send", message("r3"));
  await answer("chat.abort", { sessionKey: "main" });
  assert.deepEqual(await answer("chat.send", message("r3")), { runId: "r3", status: "ok" });
  assert.equal(stage.model.calls.length, 3);
});

test("keys and ids are bounded; a session key is taken without the blanks around it", async () => {
  const { stage, answer, refusal } = open();
  const blanks = `main${" ".repeat(500_000)}`;
  const cases: readonly [string, Record<string, unknown>, string][] = [
    ["chat.history", { sessionKey: blanks }, "at /sessionKey: must NOT have more than 512"],
    ["chat.abort", { sessionKey: blanks }, "at /sessionKey: must NOT have more than 512"],
    ["chat.inject", { sessionKey: blanks, message: "x" }, "at /sessionKey: must NOT have more"],
    ["chat.send", { ...message("r1"), sessionKey: blanks }, "at /sessionKey: must NOT have more"],
    ["chat.send", message("k".repeat(257)), "at /idempotencyKey: must NOT have more than 256"],
    ["chat.send", message("r1", "x", { thinking: blanks }), "at /thinking: must NOT have more"],
    ["chat.abort", { sessionKey: "main", runId: "r".repeat(257) }, "at /runId: must NOT have more"],
  ];
  for (const [method, params, text] of cases) {
    const error = await refusal(method, params);
    assert.equal(error.code, "INVALID_REQUEST");
    assert.ok(error.message.startsWith(`invalid ${method} params: ${text}`), error.message);
  }
  assert.deepEqual(stage.store.commits, []);
  await answer("chat.send", { ...message("r1"), sessionKey: " main\n" });
  const event = stage.events.at(-1);
  assert.ok(event?.type === "run");
  assert.equal(event.requestedKey, "main");
  await stage.runs.stop();
});

test("a client that disconnects ends nothing", async () => {
  const { stage, answer, disconnect } = open();
  await answer("chat.send", message("r1"));
  disconnect();
  stage.model.call().text("done").end();
  await settle();
  assert.equal(told(stage).at(-1), 'r1 3 end "done"');
});

test("an abort sent right behind a message ends its run", async () => {
  const { stage, call, order } = open();
  const sending = call("chat.send", message("r1"));
  const aborting = call("chat.abort", { sessionKey: "main", runId: "r1" });
  await Promise.all([sending, aborting]);
  assert.deepEqual((await aborting).answers, [{ ok: true, aborted: true, runIds: ["r1"] }]);
  assert.deepEqual((await sending).answers, [{ runId: "r1", status: "started" }]);
  assert.equal(order.filter((line) => line === "r1 aborted").length, 1);
  assert.equal(stage.runs.counts.running, 0);
});

test("/stop answers as chat.abort does, /status with one note after the answer", async () => {
  const { stage, answer, order } = open();
  await answer("chat.send", message("r1"));
  assert.deepEqual(await answer("chat.send", message("r2", "/stop")), {
    ok: true,
    aborted: true,
    runIds: ["r1"],
  });
  assert.equal(told(stage).at(-1), 'r1 2 aborted stop ""');
  assert.deepEqual(await answer("chat.send", message("r3", "/status")), {
    runId: "r3",
    status: "started",
  });
  assert.deepEqual(order.slice(-2), ["chat.send answer", "r3 note"]);
  assert.equal(stage.model.calls.length, 1);
});

test("chat.abort of another session's run is refused, of an unknown one it does nothing", async () => {
  const { stage, answer, refusal } = open();
  await answer("chat.send", message("r1"));
  const error = await refusal("chat.abort", { sessionKey: "other", runId: "r1" });
  assert.equal(error.message, "runId does not match sessionKey");
  assert.deepEqual(await answer("chat.abort", { sessionKey: "main", runId: "nope" }), {
    ok: true,
    aborted: false,
    runIds: [],
  });
  stage.model.call().end();
  await settle();
});

test("all spellings of a session's key mean one session; events echo the one that was sent", async () => {
  const { stage, answer } = open();
  for (const [at, sessionKey] of ["main", "agent:main:main", "MAIN"].entries()) {
    await answer("chat.send", { ...message(`r${at}`), sessionKey });
    stage.model.call().end();
    await settle();
  }
  assert.deepEqual(
    stage.events.flatMap((event) =>
      event.type === "run" && event.step.kind === "start" ? [event.requestedKey] : []
    ),
    ["main", "agent:main:main", "MAIN"],
  );
  assert.equal(await stage.sessions.count(DEFAULT_TENANT), 1);
});

test("chat.inject puts a labelled note into a session that exists", async () => {
  const { stage, answer, refusal } = open();
  const note = { sessionKey: "main", message: "door open", label: "Sensor" };
  const missing = await refusal("chat.inject", note);
  assert.equal(missing.code, "INVALID_REQUEST");
  assert.equal(missing.message, "session not found");
  assert.equal(await stage.sessions.get(DEFAULT_TENANT, MAIN), undefined);
  await answer("chat.send", message("r1"));
  stage.model.call().end();
  await settle();
  const { messages } = await stage.sessions.history(DEFAULT_TENANT, MAIN, { limit: 10 });
  assert.equal(messages.length, 1);
  const given = await answer("chat.inject", note);
  const [, stored] = (await stage.sessions.history(DEFAULT_TENANT, MAIN, { limit: 10 })).messages;
  assert.deepEqual(given, { ok: true, messageId: stored?.id });
  assert.match(stored?.id ?? "", /^[0-9a-f]{8}$/);
  const event = stage.events.at(-1);
  assert.ok(event?.type === "session.message");
  assert.equal(event.runId, `inject-${stored?.id}`);
  assert.equal(event.sequence, 0);
  assert.equal(event.text, "[Sensor]\n\ndoor open");
});

test("chat.history gives the newest messages, 200 unless told, 1000 at the most", async () => {
  const { stage, answer, refusal } = open();
  const messages = Array.from({ length: 1_100 }, (_, at) => ({
    role: "user" as const,
    text: `${at}`,
    at,
  }));
  await stage.sessions.append(DEFAULT_TENANT, MAIN, { messages });
  for (const [limit, expected] of [[undefined, 200], [1, 1], [1_000, 1_000]] as const) {
    const history = JSON.stringify(await answer("chat.history", { sessionKey: "main", limit }));
    assert.equal(history.split('"role"').length - 1, expected);
    assert.ok(history.includes('"text":"1099"'));
  }
  const error = await refusal("chat.history", { sessionKey: "main", limit: 1_001 });
  assert.equal(error.message, "invalid chat.history params: at /limit: must be <= 1000");
  assert.deepEqual(await answer("chat.history", { sessionKey: "nowhere" }), {
    sessionKey: "nowhere",
    messages: [],
  });
});

test("pictures reach the model and the transcript", async () => {
  const { stage, answer } = open();
  const attachments = [{ type: "image", mimeType: "image/png", fileName: "a.png", content: PIXEL }];
  await answer("chat.send", message("r1", "", { attachments }));
  assert.deepEqual(stage.model.call().request.messages, [
    { role: "user", text: "", images: [{ mimeType: "image/png", base64: PIXEL }] },
  ]);
  stage.model.call().end();
  await settle();
  const { messages } = await stage.sessions.history(DEFAULT_TENANT, MAIN, { limit: 1 });
  assert.equal(messages[0]?.images?.[0]?.base64, PIXEL);
});

const REFUSED: readonly [params: Record<string, unknown>, message: string][] = [
  [{}, "invalid chat.send params: must have required property 'sessionKey'"],
  [message("r", ""), "message or attachment required"],
  [{ ...message("r"), sender: "owner" }, "at root: unexpected property 'sender'"],
  [{ ...message(""), idempotencyKey: "" }, "at /idempotencyKey: must NOT have fewer than 1 char"],
  [message("r", "x", { timeoutMs: -1 }), "at /timeoutMs: must be >= 0"],
  [message("r", "x", { attachments: [7] }), "attachment 1: content must be base64 text"],
];

test("chat.send refuses what does not fit", async () => {
  const { stage, refusal } = open();
  for (const [params, text] of REFUSED) {
    const error = await refusal("chat.send", params);
    assert.equal(error.code, "INVALID_REQUEST");
    assert.ok(error.message.includes(text), error.message);
  }
  assert.deepEqual(stage.store.commits, []);
});

test("each method needs its scope", async () => {
  const { refusal } = open();
  const needs = {
    "chat.history": ["operator.approvals", "operator.read"],
    "chat.send": ["operator.read", "operator.write"],
    "chat.abort": ["operator.read", "operator.write"],
    "chat.inject": ["operator.write", "operator.admin"],
  };
  for (const [method, [held = "", needed]] of Object.entries(needs)) {
    const error = await refusal(method, {}, [held]);
    assert.equal(error.message, `missing scope: ${needed}`);
  }
  assert.deepEqual(
    chatMethods.filter(({ advertised }) => !advertised).map(({ name }) => name),
    ["chat.inject"],
  );
});
