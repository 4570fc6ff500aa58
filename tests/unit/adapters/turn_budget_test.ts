import assert from "node:assert/strict";
import { TurnBudget } from "../../../src/adapters/turn_budget.ts";

function budgetAt(): { readonly budget: TurnBudget; readonly clock: { now: number } } {
  const clock = { now: 0 };
  return { budget: new TurnBudget(() => clock.now), clock };
}

Deno.test("a turn's budget is spent by time, and the next turn begins with a new one", async () => {
  const { budget, clock } = budgetAt();
  assert.equal(budget.spent, false);
  clock.now = 2;
  assert.equal(budget.spent, false);
  clock.now = 3;
  assert.equal(budget.spent, true);
  await budget.turn();
  assert.equal(budget.spent, false);
  await budget.turn();
});

Deno.test("who waits goes on in the order of asking, and not within the turn", async () => {
  const { budget, clock } = budgetAt();
  const order: string[] = [];
  budget.spent;
  clock.now = 3;
  const waiting = ["a", "b", "c"].map((name) => budget.turn().then(() => order.push(name)));
  for (let step = 0; step < 100; step++) await Promise.resolve();
  assert.deepEqual(order, []);
  await Promise.all(waiting);
  assert.deepEqual(order, ["a", "b", "c"]);
});

Deno.test("a turn may be asked for before anything was done, and a stop lets all go on", async () => {
  const { budget } = budgetAt();
  await budget.turn();
  const waiting = budget.turn();
  budget.stop();
  await waiting;
});
