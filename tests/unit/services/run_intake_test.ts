import assert from "node:assert/strict";
import { collectGarbage } from "../../../src/adapters/idle_collector.ts";
import type { ModelImage } from "../../../src/ports/model.ts";
import { MAX_TAIL_CHARS } from "../../../src/services/session_tail.ts";
import { abortMain, chat, PRINCIPAL, runTest, send, setStage } from "../../support/run_stage.ts";

runTest("of a run that waits for its turn, its pictures are in the transcript alone", async () => {
  const stage = setStage();
  await send(stage, chat("r1"));
  // In a function of its own, so that nothing here keeps what was sent.
  const start = async (): Promise<WeakRef<ModelImage>> => {
    const picture = { mimeType: "image/png", base64: "A".repeat(MAX_TAIL_CHARS + 4) };
    const outcome = await stage.runs.start(PRINCIPAL, chat("r2", { images: [picture] }));
    assert.ok(outcome.status === "accepted");
    outcome.begin();
    return new WeakRef(picture);
  };
  const picture = await start();
  // What is looked at through a weak reference is kept until the turn of the event loop is over.
  const turn = Promise.withResolvers<void>();
  setTimeout(turn.resolve, 0);
  await turn.promise;
  await collectGarbage();
  assert.equal(picture.deref(), undefined);
  assert.deepEqual(stage.runs.counts, { running: 1, waiting: 1 });
  await abortMain(stage);
});
