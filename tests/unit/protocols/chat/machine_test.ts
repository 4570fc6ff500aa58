import assert from "node:assert/strict";
import { GatewayError, invalidRequest } from "../../../../src/core/error.ts";
import { checked } from "../../../../src/core/id.ts";
import type { Effect } from "../../../../src/core/machine.ts";
import {
  type ClientFrame,
  decodeFrame,
  MAX_CHAT_MESSAGE_BYTES,
} from "../../../../src/protocols/chat/codec.ts";
import type { Identity } from "../../../../src/protocols/chat/identity.ts";
import {
  chatMachine,
  type ChatManner,
  type ChatState,
  type ChatTypes,
  MAX_ANSWERS_AWAITED,
  MAX_EARLY_MESSAGES,
} from "../../../../src/protocols/chat/machine.ts";
import type { RunStep } from "../../../../src/services/domain_event.ts";
import { isRunId } from "../../../../src/services/run_record.ts";

const RUN = checked("r1", isRunId);
const MANNER: ChatManner = { streamMode: "cumulative", blockChars: 10 };
const IDENTITY: Identity = { userId: "ann", verified: true, guest: false, passing: false };

/** What effects come to, one word or frame each. */
function told(effects: readonly Effect<ChatTypes>[]): unknown[] {
  return effects.map((effect) => {
    switch (effect.type) {
      case "send":
        return effect.frame;
      case "call":
        return effect.call.kind;
      case "close":
        return `close ${effect.code} ${effect.reason}`.trim();
      default:
        return effect.type;
    }
  });
}

function message(content: string): ClientFrame {
  return decodeFrame(JSON.stringify({ type: "chat.send", content, messageId: "m1" }), () => "new");
}

/** A machine whose client is identified, and the state it is in. */
function opened(manner: ChatManner = MANNER) {
  const machine = chatMachine(() => manner);
  const outcome = { ok: true, value: { kind: "identified", identity: IDENTITY } } as const;
  const call = { kind: "identify" } as const;
  const [first] = machine.open();
  const [state] = machine.step(first, { type: "result", call, outcome, last: true });
  const event = (state: ChatState, step: RunStep, own = true) =>
    machine.step(state, {
      type: "event",
      event: { kind: "step", runId: RUN, messageId: "m1", step, own },
    });
  return { machine, state, event };
}

Deno.test("a connection is identified first; so much may wait and no more", () => {
  const machine = chatMachine(() => MANNER);
  let [state, effects] = machine.open();
  assert.deepEqual(told(effects), ["identify"]);
  for (let at = 0; at < MAX_EARLY_MESSAGES; at++) {
    [state, effects] = machine.step(state, { type: "frame", frame: message("early") });
    assert.deepEqual(told(effects), []);
  }
  const [, last] = machine.step(state, { type: "frame", frame: message("one more") });
  assert.deepEqual(told(last), ["close 1008 too many messages before the greeting"]);
});

Deno.test("a message that is too long ends the connection", () => {
  const { machine, state } = opened();
  const frame = { kind: "noise", size: MAX_CHAT_MESSAGE_BYTES + 1 } as const;
  assert.deepEqual(told(machine.step(state, { type: "frame", frame })[1]), ["close 1009"]);
});

Deno.test("so many answers are awaited and no more; each that ends makes room", () => {
  const { machine, state: start, event } = opened();
  let state = start;
  for (let at = 0; at < MAX_ANSWERS_AWAITED; at++) {
    const [next, effects] = machine.step(state, { type: "frame", frame: message("x") });
    assert.deepEqual(told(effects), ["send"]);
    state = next;
  }
  const [same, refused] = machine.step(state, { type: "frame", frame: message("x") });
  assert.equal(same, state);
  assert.match(JSON.stringify(told(refused)), /more than 64 answers are awaited/);
  // Another's answer in a group makes no room; one's own does.
  [state] = event(state, { kind: "end", text: "", stopReason: "stop" }, false);
  assert.match(
    JSON.stringify(told(machine.step(state, { type: "frame", frame: message("x") })[1])),
    /awaited/,
  );
  [state] = event(state, { kind: "end", text: "", stopReason: "stop" });
  assert.deepEqual(told(machine.step(state, { type: "frame", frame: message("x") })[1]), ["send"]);
});

Deno.test("an answer is told in parts and blocks", () => {
  const text = { kind: "text", delta: "b", text: "ab" } as const;
  const part = (content: string, cumulative: boolean) => ({
    kind: "stream",
    runId: RUN,
    messageId: "m1",
    content,
    cumulative,
  });
  const cumulative = opened();
  assert.deepEqual(told(cumulative.event(cumulative.state, { ...text, partial: true })[1]), [
    part("ab", true),
  ]);
  assert.deepEqual(told(cumulative.event(cumulative.state, { ...text, partial: false })[1]), []);
  const delta = opened({ ...MANNER, streamMode: "delta" });
  assert.deepEqual(told(delta.event(delta.state, { ...text, partial: false })[1]), [
    part("b", false),
  ]);
  const end: RunStep = { kind: "end", text: "one two\nthree", stopReason: "stop" };
  assert.deepEqual(told(delta.event(delta.state, end)[1]), [
    { kind: "final", messageId: "m1", content: "one two" },
    { kind: "final", messageId: "m1", content: "three" },
  ]);
});

Deno.test("what went wrong is told without what is the operator's", () => {
  const { machine, state, event } = opened();
  const failed = told(event(state, { kind: "failed", message: "mend /home/x/clawgate.json" })[1]);
  assert.deepEqual(failed, [{
    kind: "error",
    messageId: "m1",
    error: "Failed to process message: the agent could not answer; try again later",
  }]);
  const errors: readonly [GatewayError, RegExp][] = [
    [invalidRequest("no such file"), /: no such file$/],
    [new GatewayError("UNAVAILABLE", "too many", { retryable: true }), /: too many$/],
    [new GatewayError("UNAVAILABLE", "/secret/path"), /: the gateway cannot do it now/],
  ];
  const frame = message("x");
  assert.ok(frame.kind === "send");
  const call = {
    kind: "send",
    messageId: "m1",
    message: frame.message,
    identity: IDENTITY,
  } as const;
  for (const [error, shown] of errors) {
    const outcome = { ok: false, error } as const;
    const [, effects] = machine.step(state, { type: "result", call, outcome, last: true });
    assert.match(JSON.stringify(told(effects)).replaceAll('"}]', ""), shown);
  }
});

Deno.test("an answer that was cut short says so behind what there is", () => {
  const { state, event } = opened();
  const [, effects] = event(state, { kind: "aborted", text: "so far", stopReason: "rpc" });
  assert.deepEqual(told(effects), [
    { kind: "final", messageId: "m1", content: "so far" },
    {
      kind: "error",
      messageId: "m1",
      error: "Failed to process message: the answer was cut short",
    },
  ]);
});

Deno.test("a connection that is told to leave closes well, in every phase", () => {
  const event = { kind: "leave", reason: "Server shutting down" } as const;
  const { machine, state } = opened();
  for (const phase of [machine.open()[0], state]) {
    const [, effects] = machine.step(phase, { type: "event", event });
    assert.deepEqual(told(effects), ["close 1000 Server shutting down"]);
  }
});
