import assert from "node:assert/strict";
import { GatewayError } from "../../../src/core/error.ts";
import { DEFAULT_TENANT as tenant } from "../../../src/core/id.ts";
import { MAX_SESSIONS, SessionCount } from "../../../src/services/session_count.ts";

function counting(stored: number): { count: SessionCount; asked: () => number } {
  let asked = 0;
  const count = new SessionCount(() => {
    asked++;
    return Promise.resolve(stored);
  });
  return { count, asked: () => asked };
}

function full(error: unknown): boolean {
  assert.ok(error instanceof GatewayError, String(error));
  assert.equal(error.code, "UNAVAILABLE");
  assert.match(error.message, /there are 100000 sessions.*sessions\.delete/);
  return true;
}

Deno.test("the store is asked once, not at every session", async () => {
  const { count, asked } = counting(0);
  for (let at = 0; at < 100; at++) {
    await count.reserve(tenant);
    count.settle(tenant, { made: true });
  }
  assert.equal(asked(), 1);
});

Deno.test("at the bound no session is made until one is gone; those being made count", async () => {
  const { count, asked } = counting(MAX_SESSIONS - 1);
  await count.reserve(tenant);
  await assert.rejects(count.reserve(tenant), full);
  count.settle(tenant, { made: false });
  await count.reserve(tenant);
  count.settle(tenant, { made: true });
  const before = asked();
  count.removed(tenant);
  await count.reserve(tenant);
  assert.equal(asked(), before, "a place in memory needs no question");
});

Deno.test("sessions that another process removed are noticed at the bound", async () => {
  let stored = MAX_SESSIONS;
  const count = new SessionCount(() => Promise.resolve(stored));
  await assert.rejects(count.reserve(tenant), full);
  stored = 5;
  await count.reserve(tenant);
});
