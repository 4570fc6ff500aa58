import assert from "node:assert/strict";
import { createMemoryStore } from "../../src/adapters/memory_store.ts";
import type { Store } from "../../src/ports/store.ts";
import { StoreUnavailable } from "../../src/ports/store.ts";
import { alteredStore } from "../support/altered_store.ts";
import { GatewayStage, quiet, StageLink } from "../support/gateway_stage.ts";

/** What a client of the control channel was told of the gateway's state, since it was asked last. */
function states(link: StageLink): readonly unknown[] {
  return link.inbox.splice(0).map((line) => JSON.parse(line))
    .filter(({ event }) => event === "gateway-status").map(({ payload }) => payload);
}

function joined({ gateway }: GatewayStage): StageLink {
  const link = new StageLink();
  gateway.control.accept(link);
  return link;
}

async function readiness({ gateway }: GatewayStage): Promise<unknown> {
  const peer = { remoteAddress: "127.0.0.1", secure: false };
  const headers = new Headers({ host: "127.0.0.1:18789" });
  const request = new Request("http://gateway.invalid/readyz", { headers });
  return (await (await gateway.serve(request, peer)).json()).ready;
}

/** A gateway whose store lists nothing before the test opens it or breaks it. */
async function loading() {
  const opened = Promise.withResolvers<void>();
  const memory = createMemoryStore();
  const store: Store = alteredStore(memory, {
    list: async (query) => {
      await opened.promise;
      return memory.list(query);
    },
  });
  const stage = await GatewayStage.make({ store });
  const started = stage.gateway.start();
  const early = joined(stage);
  await quiet();
  return { stage, started, early, opened };
}

Deno.test("who comes while the gateway loads hears that it starts, then that it runs", async () => {
  const { stage, started, early, opened } = await loading();
  assert.deepEqual(states(early), [{ state: "starting" }]);
  assert.equal(await readiness(stage), false);
  opened.resolve();
  await started;
  assert.deepEqual(states(early), [{ state: "running" }]);
  assert.deepEqual(states(joined(stage)), [{ state: "running" }]);
  assert.equal(await readiness(stage), true);
  await stage.gateway.stop("bye");
});

Deno.test("a gateway that cannot load says so and why, to who is there and who comes, until it is stopped", async () => {
  const { stage, started, early, opened } = await loading();
  states(early);
  const failure = new StoreUnavailable("/state/secret.db cannot be read");
  opened.reject(failure);
  await assert.rejects(started, failure);
  const [told] = states(early);
  assert.deepEqual(told, { state: "failed", reason: failure.told.message });
  assert.equal(failure.told.message.includes("secret.db"), false);
  assert.deepEqual(states(joined(stage)), [told]);
  assert.equal(await readiness(stage), false);
  const { fields } = stage.log.lines.find(({ level }) => level === "error") ?? {};
  assert.match(String(fields?.error), /secret\.db cannot be read/);
  await stage.gateway.stop("gateway failed");
  assert.deepEqual(states(early), [{ state: "stopped", reason: "gateway failed" }]);
  assert.equal(early.closedWith?.code, 1012);
});

Deno.test("who comes when the end was told already hears of it", async () => {
  const stage = await GatewayStage.start();
  await stage.gateway.stop("bye", { restartExpectedMs: 5 });
  const late = joined(stage);
  assert.deepEqual(states(late), [{ state: "restarting", reason: "bye" }]);
  assert.equal(late.closedWith?.code, 1012);
});
