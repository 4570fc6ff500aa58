import assert from "node:assert/strict";
import { join } from "node:path";
import { statePaths } from "../../../src/config/state_files.ts";

Deno.test("the files of a state folder keep their names, as folders of earlier releases have them", () => {
  assert.deepEqual(statePaths("state"), {
    token: join("state", "token"),
    deviceKey: join("state", "device-key"),
    database: join("state", "clawgate.db"),
    log: join("state", "logs", "clawgate.log"),
    lock: join("state", "gateway.lock"),
  });
});
