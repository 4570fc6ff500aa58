import assert from "node:assert/strict";
import { createMemoryStore } from "../../../src/adapters/memory_store.ts";
import { GatewayError } from "../../../src/core/error.ts";
import { StoreConflict } from "../../../src/ports/store.ts";
import { MAX_UPDATE_ATTEMPTS } from "../../../src/services/collection.ts";
import { commitUnlessConflict, retryConflict } from "../../../src/services/retry_conflict.ts";

const KEY = { tenant: "default", kind: "thing", id: "one" };

Deno.test("work is done again after a conflict, up to a bound, and after no other failure", async () => {
  const failing = (conflicts: number, failure?: Error) => {
    let calls = 0;
    const work = () => {
      calls++;
      if (calls <= conflicts) return Promise.reject(new StoreConflict(KEY));
      return failure === undefined ? Promise.resolve(calls) : Promise.reject(failure);
    };
    return { work, calls: () => calls };
  };
  assert.equal(await retryConflict(failing(MAX_UPDATE_ATTEMPTS - 1).work), MAX_UPDATE_ATTEMPTS);
  const endless = failing(Infinity);
  await assert.rejects(retryConflict(endless.work), (error: unknown) => {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.code, "UNAVAILABLE");
    assert.equal(error.extras.retryable, true);
    assert.doesNotMatch(error.message, /internal error/);
    return true;
  });
  assert.equal(endless.calls(), MAX_UPDATE_ATTEMPTS);
  const broken = failing(1, new Error("disk full"));
  await assert.rejects(retryConflict(broken.work), /disk full/);
  assert.equal(broken.calls(), 2);
});

Deno.test("a commit that another writer beat is told as such", async () => {
  const store = createMemoryStore();
  const write = { op: "put", key: KEY, order: 0, value: 1, expect: 0 } as const;
  assert.equal(await commitUnlessConflict(store, write), true);
  assert.equal(await commitUnlessConflict(store, write), false);
  await store.close();
  await assert.rejects(commitUnlessConflict(store, write), /clos/);
});
