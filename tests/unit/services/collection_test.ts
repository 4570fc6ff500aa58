import assert from "node:assert/strict";
import * as v from "valibot";
import { createMemoryStore } from "../../../src/adapters/memory_store.ts";
import { DEFAULT_TENANT as tenant } from "../../../src/core/id.ts";
import type { Json, Store } from "../../../src/ports/store.ts";
import { Collection } from "../../../src/services/collection.ts";
import { MemoryLog } from "../../support/memory_log.ts";

interface Thing {
  readonly size: number;
}

function things(): { store: Store; log: MemoryLog; collection: Collection<Thing> } {
  const store = createMemoryStore();
  const log = new MemoryLog();
  const collection = new Collection<Thing>(store, {
    kind: "thing",
    schema: v.object({ size: v.number() }),
    toJson: ({ size }) => ({ size }),
    order: ({ size }) => size,
    log,
  });
  return { store, log, collection };
}

async function store(into: Store, id: string, value: Json): Promise<void> {
  await into.commit([
    { op: "put", key: { tenant, kind: "thing", id }, order: 0, tag: `tag-${id}`, value },
  ]);
}

Deno.test("a writer tells a record that cannot be read from one that is not there", async () => {
  const { store: stored, collection } = things();
  await store(stored, "good", { size: 1 });
  await store(stored, "bad", { size: null });
  assert.deepEqual(await collection.current(tenant, "none"), { revision: 0 });
  assert.deepEqual(await collection.current(tenant, "good"), {
    revision: 1,
    value: { size: 1 },
    tag: "tag-good",
  });
  assert.deepEqual(await collection.current(tenant, "bad"), {
    revision: 1,
    value: undefined,
    tag: "tag-bad",
  });
  assert.equal(await collection.get(tenant, "bad"), undefined);
});

Deno.test("an update replaces a record that cannot be read", async () => {
  const { store: stored, collection } = things();
  await store(stored, "bad", { size: null });
  const given: (Thing | undefined)[] = [];
  const value = await collection.update(tenant, "bad", (current) => {
    given.push(current);
    return { value: { size: 2 } };
  });
  assert.deepEqual(given, [undefined]);
  assert.deepEqual(value, { size: 2 });
  assert.deepEqual(await collection.get(tenant, "bad"), {
    id: "bad",
    revision: 2,
    value: { size: 2 },
  });
});

Deno.test("a list leaves out what cannot be read, and a page says where to go on after it", async () => {
  const { store: stored, collection } = things();
  await store(stored, "a", { size: 0 });
  await store(stored, "b", { size: null });
  await store(stored, "c", { size: 0 });
  assert.deepEqual((await collection.list(tenant)).map(({ id }) => id), ["a", "c"]);
  const { items, last } = await collection.page(tenant, { limit: 2 });
  assert.deepEqual(items.map(({ id }) => id), ["a"]);
  assert.deepEqual(last, { order: 0, id: "b" });
});

Deno.test("the log is told once of a record that cannot be read, without its value", async () => {
  const { store: stored, log, collection } = things();
  await store(stored, "bad", { size: "hunter2" });
  await collection.get(tenant, "bad");
  await collection.list(tenant);
  assert.equal(log.lines.length, 1);
  const [line] = log.lines;
  assert.equal(line?.level, "error");
  assert.deepEqual(line?.fields, { tenant, kind: "thing", id: "bad", member: "size" });
});
