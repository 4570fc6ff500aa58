import assert from "node:assert/strict";
import { ModelError } from "../../../src/ports/model.ts";
import {
  followAnswer,
  GENERIC_FAILURE,
  MAX_RUN_TEXT_CHARS,
  type Outcome,
  settledOutcome,
  unsavedOutcome,
} from "../../../src/services/run_execution.ts";
import type { TextStep } from "../../../src/services/run_text.ts";
import { ManualClock, settle } from "../../support/manual_clock.ts";
import { ScriptedModel } from "../../support/scripted_model.ts";

function follow(model = new ScriptedModel()) {
  const clock = new ManualClock();
  const control = new AbortController();
  const steps: TextStep[] = [];
  const outcome = followAnswer({ model: "fake/one", messages: [] }, {
    stream: (request, signal) => model.stream(request, signal),
    clock,
    signal: control.signal,
    onText: (step) => steps.push(step),
  });
  return { model, clock, control, steps, outcome };
}

Deno.test("answers: every part is told with all text so far; thinking and empty parts are not", async () => {
  const { model, steps, outcome } = follow();
  model.call().reasoning("hm").text("", "a", "b").end();
  assert.deepEqual(await outcome, { kind: "ok", text: "ab", stopReason: "stop", usage: undefined });
  assert.deepEqual(steps.map(({ delta, text }) => [delta, text]), [["a", "a"], ["b", "ab"]]);
});

Deno.test("answers: a slow display is shown the first part at once, then one per 150 ms at the most", async () => {
  const { model, clock, steps, outcome } = follow();
  const shown: [number, boolean][] = [];
  for (const at of [0, 1, 149, 150, 151, 299, 300, 1_000, 1_001]) {
    await clock.advance(at - (shown.at(-1)?.[0] ?? 0));
    model.call().text("x");
    await settle();
    shown.push([at, steps.at(-1)?.partial ?? false]);
  }
  assert.deepEqual(shown.filter(([, partial]) => partial).map(([at]) => at), [0, 150, 300, 1_000]);
  model.call().end();
  await outcome;
});

for (const ending of ["end", "break off", "fail"] as const) {
  Deno.test(`answers: what was held back is told before the answer is over: ${ending}`, async () => {
    const { model, steps, outcome } = follow();
    const long = "x".repeat(100_000);
    model.call().text(long, "y");
    await settle();
    assert.equal(steps.length, 1);
    if (ending === "end") model.call().end();
    else if (ending === "break off") model.call().breakOff();
    else model.call().fail(new ModelError("no credit"));
    assert.equal((await outcome).text, `${long}y`);
    assert.deepEqual(steps.map(({ delta }) => delta), [long, "y"]);
    assert.equal(steps.at(-1)?.text, `${long}y`);
  });
}

const ENDINGS: readonly { given: string; end: (model: ScriptedModel) => void; message: string }[] =
  [
    {
      given: "the model's own error",
      end: (model) => model.call().fail(new ModelError("no credit")),
      message: "no credit",
    },
    {
      given: "a defect",
      end: (model) => model.call().fail(new TypeError("inside")),
      message: GENERIC_FAILURE,
    },
    {
      given: "a stream without an end",
      end: (model) => model.call().breakOff(),
      message: "the model's answer broke off; send it again",
    },
    {
      given: "too much text",
      end: (model) => model.call().text("y".repeat(MAX_RUN_TEXT_CHARS)),
      message:
        `the answer is longer than ${MAX_RUN_TEXT_CHARS} characters and was cut off; ask for less`,
    },
  ];

for (const { given, end, message } of ENDINGS) {
  Deno.test(`answers: ${given} fails the answer, keeps its text and ends the stream`, async () => {
    const { model, outcome } = follow();
    model.call().text("so far");
    await settle();
    end(model);
    const reached = await outcome;
    assert.ok(reached.kind === "failed");
    assert.equal(reached.message, message);
    assert.ok(reached.text.startsWith("so far"));
    assert.ok(reached.text.length <= MAX_RUN_TEXT_CHARS);
    await settle();
    assert.ok(model.call().returned);
  });
}

Deno.test("answers: an abort ends the answer at once, whatever the model does", async () => {
  for (const deaf of [false, true]) {
    const model = new ScriptedModel();
    model.deaf = deaf;
    const { control, steps, outcome } = follow(model);
    model.call().text("so far");
    await settle();
    control.abort();
    model.call().text("never");
    assert.deepEqual(await outcome, { kind: "aborted", text: "so far" });
    await settle();
    assert.equal(steps.length, 1);
  }
});

Deno.test("answers: an abort before the beginning does not ask the model", async () => {
  const model = new ScriptedModel();
  const outcome = await followAnswer({ model: "fake/one", messages: [] }, {
    stream: (request, signal) => model.stream(request, signal),
    clock: new ManualClock(),
    signal: AbortSignal.abort(),
    onText: () => {},
  });
  assert.deepEqual(outcome, { kind: "aborted", text: "" });
  assert.equal(model.calls.length, 0);
});

Deno.test("answers: a model that throws at once fails the answer", async () => {
  const { outcome } = follow(
    new class extends ScriptedModel {
      override stream(): never {
        throw new ModelError("no such model");
      }
    }(),
  );
  assert.deepEqual(await outcome, { kind: "failed", text: "", message: "no such model" });
});

Deno.test("answers: an outcome is trimmed; an abort outweighs it; only an answer is lost with the store", () => {
  const ok: Outcome = { kind: "ok", text: " hi\n", stopReason: "stop" };
  assert.deepEqual(settledOutcome(ok, { aborted: false }), { ...ok, text: "hi" });
  const aborted = settledOutcome(ok, { aborted: true });
  assert.deepEqual(aborted, { kind: "aborted", text: "hi" });
  assert.equal(unsavedOutcome(ok).kind, "failed");
  assert.equal(unsavedOutcome(aborted), aborted);
});
