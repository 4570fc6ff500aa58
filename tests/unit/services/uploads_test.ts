import assert from "node:assert/strict";
import { createMemoryStore } from "../../../src/adapters/memory_store.ts";
import { DEFAULT_TENANT } from "../../../src/core/id.ts";
import { MediaRefused, type UploadName } from "../../../src/ports/media.ts";
import {
  GUEST_UPLOAD_SHARE,
  MAX_MEDIA_FILES,
  MAX_OWNER_BYTES,
  MAX_OWNER_FILES,
  MEDIA_LIFE_MS,
  SWEEP_INTERVAL_MS,
  Uploads,
} from "../../../src/services/uploads.ts";
import { ManualClock, settle } from "../../support/manual_clock.ts";
import { MemoryLog } from "../../support/memory_log.ts";

const RULES = { folder: "/in", maxBytes: 100, types: ["text/plain"] };

/** What outlives a process: the store, the files by folder and id, the time. */
interface World {
  readonly store: ReturnType<typeof createMemoryStore>;
  readonly files: Map<string, number>;
  readonly clock: ManualClock;
}

function world(): World {
  return { store: createMemoryStore(), files: new Map(), clock: new ManualClock() };
}

/** A process in it. `looks` counts the files that were measured. */
function stage({ store, files, clock }: World = world()) {
  const log = new MemoryLog();
  const seen = { looks: 0 };
  const trouble = { fails: false };
  const place = ({ id }: UploadName, folder: string) => `${folder}/${id}`;
  const uploads = new Uploads({
    store,
    clock,
    log,
    random: {
      uuid: () => crypto.randomUUID(),
      hex: () => "",
      fraction: () => 0,
    },
    tenant: DEFAULT_TENANT,
    media: {
      save: async ({ body, ...upload }, { folder, maxBytes }) => {
        let size = 0;
        for await (const chunk of body ?? []) size += chunk.length;
        if (size > maxBytes) throw new MediaRefused("size", "too large");
        files.set(place(upload, folder), size);
        return { path: upload.id, type: upload.type, size };
      },
      size: (upload, folder) => {
        seen.looks++;
        return Promise.resolve(files.get(place(upload, folder)));
      },
      remove: (upload, folder) => {
        if (trouble.fails) return Promise.reject(new Error("read only"));
        files.delete(place(upload, folder));
        return Promise.resolve();
      },
    },
  });
  const save = (owner: string, size = 1, rules = RULES) =>
    uploads.save({
      owner,
      guest: owner.startsWith("address:"),
      type: "text/plain",
      body: new Blob([new Uint8Array(size)]).stream(),
    }, rules);
  const records = () => store.count({ tenant: DEFAULT_TENANT, kind: "upload" });
  return { uploads, save, records, seen, trouble, log };
}

async function refused(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(error instanceof MediaRefused, String(error));
  return `${error.reason}: ${error.message}`;
}

Deno.test("an owner has so many files and no more, also after a restart; others have theirs", async () => {
  const here = world();
  const { save } = stage(here);
  for (let at = 0; at < MAX_OWNER_FILES; at++) await save("user:ann");
  assert.match(await refused(save("user:ann")), /^full: you have no room for more files \(500 /);
  await save("user:bob");
  const again = stage(here);
  assert.match(await refused(again.save("user:ann")), /^full: you have no room/);
  await again.save("user:bob");
  assert.equal(here.files.size, MAX_OWNER_FILES + 2);
  assert.equal(again.seen.looks, MAX_OWNER_FILES + 1, "one look at each file, with the first use");
});

Deno.test("an owner has so many bytes; what is being uploaded counts with all that it may have", async () => {
  const rules = { ...RULES, maxBytes: MAX_OWNER_BYTES / 4 };
  const { save } = stage();
  const five = [1, 2, 3, 4, 5].map(() => save("user:ann", 10, rules));
  const outcomes = (await Promise.allSettled(five)).map(({ status }) => status);
  assert.equal(outcomes.filter((status) => status === "fulfilled").length, 4);
  await save("user:ann", 10, rules);
  const whole = { ...RULES, maxBytes: MAX_OWNER_BYTES };
  assert.match(await refused(save("user:ann", 10, whole)), /^full: .*\(5 with 50 bytes\)/);
});

Deno.test("all have so many files together, guests half of them", async () => {
  const here = world();
  const { save: before } = stage(here);
  const share = MAX_MEDIA_FILES * GUEST_UPLOAD_SHARE;
  for (let at = 0; at < share; at++) await before(`address:${at}`);
  const { save } = stage(here);
  assert.match(await refused(save("address:one-more")), /^full: there is no room/);
  for (let at = share; at < MAX_MEDIA_FILES; at++) await save(`user:${at}`);
  assert.match(await refused(save("user:one-more")), /^full: there is no room.* ask who runs/);
});

Deno.test("what is refused or lost counts for nothing", async () => {
  const here = world();
  const { save, records } = stage(here);
  for (let at = 0; at <= MAX_OWNER_FILES; at++) {
    assert.equal(await refused(save("user:ann", 101)), "size: too large");
  }
  assert.equal(await records(), 0);
  const { path } = await save("user:ann");
  here.files.delete(`/in/${path}`);
  const again = stage(here);
  await again.save("user:bob");
  assert.equal(await again.records(), 1);
});

Deno.test("files past their time go, from the folder that they came to, and leave room; others stay", async () => {
  const here = world();
  here.files.set("/in/own", 5);
  const { save, uploads, records } = stage(here);
  for (let at = 0; at < MAX_OWNER_FILES; at++) await save("user:ann");
  await here.clock.advance(MEDIA_LIFE_MS - 1);
  assert.match(await refused(save("user:ann")), /^full/);
  const late = await save("user:bob", 1, { ...RULES, folder: "/other" });
  await here.clock.advance(1);
  await save("user:ann");
  assert.equal(await records(), 2);
  assert.ok(here.files.has("/in/own") && here.files.has(`/other/${late.path}`));
  assert.equal(here.files.size, 3);
  // Nobody uploads any more: they go all the same, also after a restart.
  const wanted = { is: false };
  const again = stage(here);
  again.uploads.start(() => wanted.is);
  await here.clock.advance(MEDIA_LIFE_MS);
  assert.equal(here.files.size, 3);
  wanted.is = true;
  await here.clock.advance(SWEEP_INTERVAL_MS);
  await settle();
  assert.deepEqual([...here.files.keys()], ["/in/own"]);
  await again.uploads.stop();
  await uploads.stop();
});

Deno.test("a file that cannot be removed is told of, still counts, and is tried again", async () => {
  const here = world();
  const { save, records, trouble, log } = stage(here);
  await save("user:ann");
  trouble.fails = true;
  await here.clock.advance(MEDIA_LIFE_MS);
  await save("user:bob");
  assert.equal(await records(), 2);
  assert.equal(log.lines.filter(({ message }) => /old upload not removed/.test(message)).length, 1);
  trouble.fails = false;
  await here.clock.advance(SWEEP_INTERVAL_MS);
  await save("user:bob");
  assert.equal(await records(), 2);
});
