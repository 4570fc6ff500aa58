import assert from "node:assert/strict";
import { createMemoryStore } from "../../../src/adapters/memory_store.ts";
import type { Store } from "../../../src/ports/store.ts";
import { MAX_PREVIEW_TEXT_BYTES } from "../../../src/services/session_preview.ts";
import {
  MAX_HEAVY_READS,
  MAX_WAITING_READS_PER_CALLER,
} from "../../../src/services/session_reader.ts";
import type { Sessions } from "../../../src/services/sessions.ts";
import { house, main, said, tenant } from "../../support/session_house.ts";
import { alteredStore } from "../../support/altered_store.ts";

/** A store whose reads of streams wait until the gate is opened, and how much was read. */
class SlowReads {
  readonly base = createMemoryStore();
  reading = 0;
  most = 0;
  pages: number[] = [];
  readonly #opened = Promise.withResolvers<void>();

  readonly store: Store = alteredStore(this.base, {
    read: async (stream, range) => {
      this.reading++;
      this.most = Math.max(this.most, this.reading);
      await this.#opened.promise;
      const page = await this.base.read(stream, range);
      this.reading--;
      this.pages.push(page.length);
      return page;
    },
  });

  open(): void {
    this.#opened.resolve();
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

const READS: readonly {
  name: string;
  read: (sessions: Sessions, signal?: AbortSignal) => Promise<unknown>;
}[] = [
  {
    name: "history",
    read: (sessions, signal) =>
      sessions.history(tenant, main, { limit: 1_000, reader: { caller: "c", signal } }),
  },
  {
    name: "preview",
    read: (sessions, signal) =>
      sessions.preview(tenant, ["main"], { limit: 50, reader: { caller: "c", signal } }),
  },
];

for (const { name, read } of READS) {
  Deno.test(`few of ${name} read at once, some wait, more are refused`, async () => {
    const slow = new SlowReads();
    // One that knows nothing of the session yet.
    const { sessions, neighbour } = house({}, slow.store);
    await sessions.append(tenant, main, { messages: [said("x")] });
    const room = MAX_HEAVY_READS + MAX_WAITING_READS_PER_CALLER;
    const all = Promise.allSettled(Array.from({ length: 256 }, () => read(neighbour)));
    await settled();
    assert.equal(slow.reading, MAX_HEAVY_READS);
    slow.open();
    const ended = await all;
    assert.equal(ended.filter(({ status }) => status === "fulfilled").length, room);
    assert.equal(slow.most, MAX_HEAVY_READS);
  });

  Deno.test(`${name} ends at its next page when the reader is gone`, async () => {
    const slow = new SlowReads();
    const { sessions, neighbour } = house({}, slow.store);
    const messages = Array.from({ length: 100 }, () => said("x"));
    await sessions.append(tenant, main, { messages });
    const gone = new AbortController();
    const reading = read(neighbour, gone.signal);
    await settled();
    gone.abort();
    slow.open();
    await assert.rejects(reading, { code: "UNAVAILABLE" });
    assert.equal(slow.pages.length, 1);
  });
}

Deno.test("a list is not begun for a reader that is gone", async () => {
  const { sessions } = house();
  const reader = { caller: "c", signal: AbortSignal.abort() };
  await assert.rejects(sessions.list(tenant, { reader }), { code: "UNAVAILABLE" });
});

Deno.test("a preview shows a key that comes twice once", async () => {
  const { sessions } = house();
  await sessions.append(tenant, main, { messages: [said("x")] });
  const keys = Array.from({ length: 64 }, (_, at) => at % 2 === 0 ? "main" : "MAIN");
  const { previews } = await sessions.preview(tenant, keys);
  assert.deepEqual(previews.map(({ key }) => key), ["main", "MAIN"]);
});

Deno.test("a preview's text has one bound for all its sessions, and each shows its newest message", async () => {
  const { sessions } = house();
  const keys = Array.from({ length: 64 }, (_, at) => `s${at}`);
  const messages = Array.from({ length: 50 }, () => said("ä".repeat(3_000)));
  for (const key of keys) {
    await sessions.append(tenant, sessions.canonicalKey(key), { messages });
  }
  const { previews } = await sessions.preview(tenant, keys, { limit: 50, maxChars: 2_000 });
  const texts = previews.flatMap(({ items }) => items.map(({ text }) => text));
  const bytes = new TextEncoder().encode(texts.join("")).length;
  assert.ok(bytes <= MAX_PREVIEW_TEXT_BYTES, String(bytes));
  assert.ok(bytes > MAX_PREVIEW_TEXT_BYTES * 0.9, String(bytes));
  assert.ok(previews.every(({ items }) => items.length > 0));
});

Deno.test("a preview loads no more messages than it shows, in small pages", async () => {
  const slow = new SlowReads();
  slow.open();
  const { sessions } = house({}, slow.store);
  const messages = Array.from({ length: 60 }, () => said("x"));
  await sessions.append(tenant, main, { messages });
  await sessions.preview(tenant, ["main"], { limit: 12 });
  assert.deepEqual(slow.pages, [1, 1, 2, 4, 4]);
});

Deno.test("a preview stops loading where huge messages use its share up", async () => {
  const slow = new SlowReads();
  slow.open();
  const { sessions } = house({}, slow.store);
  const images = [{ mimeType: "image/png", base64: "A".repeat(9 * 1024 * 1024) }];
  const messages = Array.from({ length: 12 }, () => ({ ...said("x"), images }));
  await sessions.append(tenant, main, { messages });
  const { previews } = await sessions.preview(tenant, ["main"], { limit: 12 });
  assert.equal(previews[0]?.items.length, 2);
  assert.deepEqual(slow.pages, [1, 1]);
});
