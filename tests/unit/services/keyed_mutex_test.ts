import assert from "node:assert/strict";
import { GatewayError } from "../../../src/core/error.ts";
import { KeyedMutex, MAX_WAITING_PER_KEY } from "../../../src/services/keyed_mutex.ts";

function gate(): { promise: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, open: resolve };
}

Deno.test("work under one key takes turns in the order of the calls", async () => {
  const mutex = new KeyedMutex();
  const told: string[] = [];
  const first = gate();
  const works = ["a", "b", "c"].map((name) =>
    mutex.run("k", {
      name,
      work: async () => {
        told.push(`${name} starts`);
        if (name === "a") await first.promise;
        told.push(`${name} ends`);
        return name;
      },
    })
  );
  const other = await mutex.run("other", { name: "other", work: () => Promise.resolve("beside") });
  assert.equal(other, "beside");
  assert.deepEqual(told, ["a starts"]);
  first.open();
  assert.deepEqual(await Promise.all(works), ["a", "b", "c"]);
  assert.deepEqual(told, ["a starts", "a ends", "b starts", "b ends", "c starts", "c ends"]);
});

Deno.test("failed work lets the next one in, and nothing is held afterwards", async () => {
  const mutex = new KeyedMutex();
  const failed = mutex.run("k", { name: "k", work: () => Promise.reject(new Error("no")) });
  const next = mutex.run("k", { name: "k", work: () => Promise.resolve(1) });
  await assert.rejects(failed, { message: "no" });
  assert.equal(await next, 1);
  assert.equal(mutex.size, 0);
});

Deno.test("one more than may wait is refused and may try again; what is owed waits all the same", async () => {
  const mutex = new KeyedMutex();
  const first = gate();
  const held = Array.from(
    { length: MAX_WAITING_PER_KEY },
    () => mutex.run("k", { name: "k", work: () => first.promise }),
  );
  await assert.rejects(
    mutex.run("k", { name: "a\nb", work: () => Promise.resolve() }),
    (error) => {
      assert.ok(error instanceof GatewayError);
      assert.equal(error.code, "UNAVAILABLE");
      assert.equal(error.extras.retryable, true);
      assert.match(error.message, /^too many changes of "a\\u\{a\}b" are waiting; try again/);
      return true;
    },
  );
  const owed = mutex.run("k", { name: "k", work: () => Promise.resolve("done"), owed: true });
  first.open();
  await Promise.all(held);
  assert.equal(await owed, "done");
  assert.equal(mutex.size, 0);
});
