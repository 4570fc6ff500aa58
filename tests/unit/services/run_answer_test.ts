import assert from "node:assert/strict";
import { checked, DEFAULT_TENANT, isSessionKey } from "../../../src/core/id.ts";
import {
  MAX_HEAVY_READS,
  MAX_WAITING_READS_PER_CALLER,
} from "../../../src/services/session_reader.ts";
import { settle } from "../../support/manual_clock.ts";
import { chat, runTest, secondProcess, send, setStage, told } from "../../support/run_stage.ts";

runTest("however many begin at once, each reads what was said before", async () => {
  const earlier = setStage();
  const count = MAX_HEAVY_READS + MAX_WAITING_READS_PER_CALLER + 1;
  const keys = Array.from({ length: count }, (_, at) => checked(`agent:main:s${at}`, isSessionKey));
  const messages = [{ role: "user", text: "before", at: 1 }] as const;
  for (const key of keys) await earlier.sessions.append(DEFAULT_TENANT, key, { messages });
  // It knows none of them, so that each is read.
  const stage = secondProcess(earlier);
  stage.settings.runs = { maxConcurrent: count };
  const { read } = stage.store;
  const gate = Promise.withResolvers<void>();
  stage.store.read = async (stream, range) => {
    await gate.promise;
    return await read(stream, range);
  };
  for (const sessionKey of keys) await send(stage, chat(sessionKey, { sessionKey }));
  gate.resolve();
  for (let turn = 0; turn < count; turn++) await settle();
  assert.deepEqual(told(stage).filter((line) => line.includes("failed")), []);
  assert.equal(stage.model.calls.length, count);
  await stage.runs.stop();
});
