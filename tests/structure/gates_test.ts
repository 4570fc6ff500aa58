/** The gates of `deno task ok` and those of the CI script are the same. */

import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };

Deno.test("CI runs every gate of deno task ok, and the tests", async () => {
  const script = await Deno.readTextFile(new URL("../../.ci/run", import.meta.url));
  const gates = /^gates=\((.*)\)$/m.exec(script)?.[1]?.split(" ") ?? [];
  const { command } = manifest.tasks.ok;
  const tasks = [...command.matchAll(/deno task (\S+)/g)].map(([, name]) => name);
  assert.deepEqual([...gates, "test"].toSorted(), tasks.toSorted());
  assert.match(script, /task test$/m);
});
