import assert from "node:assert/strict";
import { DEFAULT_TENANT } from "../../../src/core/id.ts";
import { Hub } from "../../../src/services/hub.ts";
import { HEALTH_BEAT_INTERVAL_MS, TICK_INTERVAL_MS, Ticker } from "../../../src/services/ticker.ts";
import { ManualClock } from "../../support/manual_clock.ts";

function setUp() {
  const clock = new ManualClock();
  const hub = new Hub();
  const ticks: number[] = [];
  const refreshed: number[] = [];
  hub.observe((_tenant, event) => {
    if (event.type === "tick") ticks.push(event.at);
  });
  const ticker = new Ticker({
    clock,
    hub,
    health: { refresh: () => void refreshed.push(clock.now()) },
    tenants: () => [DEFAULT_TENANT],
  });
  return { clock, ticker, ticks, refreshed, start: clock.now() };
}

Deno.test("tick comes at its interval and says when", async () => {
  const { clock, ticker, ticks, start } = setUp();
  ticker.start();
  await clock.advance(TICK_INTERVAL_MS - 1);
  assert.deepEqual(ticks, []);
  await clock.advance(1 + 2 * TICK_INTERVAL_MS);
  assert.deepEqual(ticks, [1, 2, 3].map((count) => start + count * TICK_INTERVAL_MS));
  ticker.stop();
});

Deno.test("health is renewed at the start and then at its interval", async () => {
  const { clock, ticker, refreshed, start } = setUp();
  ticker.start();
  await clock.advance(2 * HEALTH_BEAT_INTERVAL_MS);
  assert.deepEqual(
    refreshed,
    [0, 1, 2].map((count) => start + count * HEALTH_BEAT_INTERVAL_MS),
  );
  ticker.stop();
});

Deno.test("after stop nothing comes and nothing waits; start begins anew without doubling", async () => {
  const { clock, ticker, ticks } = setUp();
  ticker.start();
  ticker.start();
  await clock.advance(TICK_INTERVAL_MS);
  assert.equal(ticks.length, 1);
  ticker.stop();
  assert.equal(clock.waiting, 0);
  await clock.advance(5 * TICK_INTERVAL_MS);
  assert.equal(ticks.length, 1);
});
