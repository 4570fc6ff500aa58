/** Files that users of a channel upload: how many each may have, and how long they are kept. */

import * as v from "valibot";
import { describeError } from "../core/error.ts";
import type { TenantId } from "../core/id.ts";
import type { Cancel, Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { type MediaFile, type MediaFolder, MediaRefused, type MediaRules } from "../ports/media.ts";
import type { Random } from "../ports/random.ts";
import type { Store } from "../ports/store.ts";
import { Collection, type Item } from "./collection.ts";

/** Uploaded files that are kept, of one owner and of all; one more is refused. */
export const MAX_OWNER_FILES = 500;
export const MAX_MEDIA_FILES = 10_000;

/** Bytes of them; an upload that might exceed them is refused. */
export const MAX_OWNER_BYTES = 256 * 1024 * 1024;
export const MAX_MEDIA_FOLDER_BYTES = 2 * 1024 * 1024 * 1024;

/** The part of all files and bytes that guests may have together: a name and an address cost them little. */
export const GUEST_UPLOAD_SHARE = 0.5;

/** How long an uploaded file is kept, in milliseconds. */
export const MEDIA_LIFE_MS = 30 * 24 * 60 * 60_000;

/** Time between two looks for files that are past their time, in milliseconds; each upload looks as well. */
export const SWEEP_INTERVAL_MS = 60 * 60_000;

/** Records read at a time. */
const PAGE = 500;

const RecordSchema = v.object({
  owner: v.string(),
  guest: v.boolean(),
  type: v.string(),
  /** The folder of its time; the settings may name another by now. */
  folder: v.string(),
  at: v.number(),
});

type UploadRecord = v.InferOutput<typeof RecordSchema>;

/** A file that somebody brings. */
export interface OwnedUpload {
  /** Against whose quota it counts. */
  readonly owner: string;
  /** The owner did not prove who they are. */
  readonly guest: boolean;
  readonly type: string;
  readonly body: ReadableStream<Uint8Array> | null;
}

/** What uploads are made of. */
export interface UploadParts {
  readonly store: Store;
  readonly media: Pick<MediaFolder, "save" | "size" | "remove">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly tenant: TenantId;
}

interface Usage {
  files: number;
  bytes: number;
}

const NOTHING: Readonly<Usage> = { files: 0, bytes: 0 };

type Owner = Pick<UploadRecord, "owner" | "guest">;

/**
 * Keeps what users upload. A record is stored before its file is made, so that every file of the gateway's own is
 * known, also after a process that died; nothing else in the folder is counted or removed. The tally is made
 * once, at the first use, and kept up from then on.
 */
export class Uploads {
  readonly #parts: UploadParts;
  readonly #records: Collection<UploadRecord>;
  /** The bytes of each file. Bounded by {@linkcode MAX_MEDIA_FILES}, as are their owners. */
  readonly #sizes = new Map<string, number>();
  readonly #owners = new Map<string, Usage>();
  readonly #all: Usage = { files: 0, bytes: 0 };
  /** Those of all guests. */
  readonly #guests: Usage = { files: 0, bytes: 0 };
  #loaded: Promise<void> | undefined;
  #sweeping: Promise<void> | undefined;
  /** When the oldest file is past its time. */
  #dueAt = Infinity;
  #timer: Cancel | undefined;

  constructor(parts: UploadParts) {
    const { store, log } = parts;
    this.#parts = parts;
    this.#records = new Collection<UploadRecord>(store, {
      kind: "upload",
      schema: RecordSchema,
      toJson: (record) => ({ ...record }),
      order: ({ at }) => at,
      log,
    });
  }

  /** Looks for files that are past their time, now and then, while `wanted` says so. */
  start(wanted: () => boolean): void {
    this.#timer?.();
    const { clock, log } = this.#parts;
    this.#timer = clock.after(SWEEP_INTERVAL_MS, () => {
      this.start(wanted);
      if (!wanted()) return;
      this.#sweep().catch((error) =>
        log.write("warn", "old uploads not removed", { error: describeError(error) })
      );
    });
  }

  /** Looks no more; resolves once nothing is being removed. */
  async stop(): Promise<void> {
    this.#timer?.();
    await this.#sweeping?.catch(() => {});
  }

  /**
   * Stores a file. Rejects with a {@linkcode MediaRefused} for what may not be, such as a file that might not
   * fit into what its owner or all may have.
   */
  async save({ owner, guest, type, body }: OwnedUpload, rules: MediaRules): Promise<MediaFile> {
    const { clock, media, random, store, tenant } = this.#parts;
    await this.#sweep();
    const { folder, maxBytes } = rules;
    this.#checkRoom({ owner, guest }, maxBytes);
    const id = random.uuid();
    const record = { owner, guest, type, folder, at: clock.now() };
    this.#count(record, { files: 1, bytes: maxBytes });
    let saved: MediaFile | undefined;
    try {
      await store.commit([this.#records.put(tenant, id, record, 0)]);
      saved = await media.save({ id, type, body }, rules);
      return saved;
    } finally {
      this.#count(record, { files: -1, bytes: -maxBytes });
      if (saved === undefined) await this.#dropRecord(id);
      else this.#add(id, { record, size: saved.size });
    }
  }

  #checkRoom({ owner, guest }: Owner, bytes: number): void {
    const own = this.#owners.get(owner) ?? NOTHING;
    const full = ({ files: used, bytes: taken }: Usage, most: Usage): boolean =>
      used >= most.files || taken + bytes > most.bytes;
    if (full(own, { files: MAX_OWNER_FILES, bytes: MAX_OWNER_BYTES })) {
      const days = MEDIA_LIFE_MS / (24 * 60 * 60_000);
      throw new MediaRefused(
        "full",
        `you have no room for more files (${own.files} with ${own.bytes} bytes); each is kept for ${days} days`,
      );
    }
    const most = { files: MAX_MEDIA_FILES, bytes: MAX_MEDIA_FOLDER_BYTES };
    const share = {
      files: MAX_MEDIA_FILES * GUEST_UPLOAD_SHARE,
      bytes: MAX_MEDIA_FOLDER_BYTES * GUEST_UPLOAD_SHARE,
    };
    if (full(this.#all, most) || guest && full(this.#guests, share)) {
      throw new MediaRefused("full", "there is no room for more files; ask who runs the gateway");
    }
  }

  #count({ owner, guest }: Owner, { files, bytes }: Usage): void {
    const own = this.#owners.get(owner) ?? { ...NOTHING };
    for (const usage of guest ? [own, this.#all, this.#guests] : [own, this.#all]) {
      usage.files += files;
      usage.bytes += bytes;
    }
    if (own.files > 0) this.#owners.set(owner, own);
    else this.#owners.delete(owner);
  }

  #add(
    id: string,
    { record, size }: { readonly record: UploadRecord; readonly size: number },
  ): void {
    this.#sizes.set(id, size);
    this.#count(record, { files: 1, bytes: size });
    this.#dueAt = Math.min(this.#dueAt, record.at + MEDIA_LIFE_MS);
  }

  /** A record that stays behind is found without its file at the next start. */
  async #dropRecord(id: string): Promise<void> {
    const { log, store, tenant } = this.#parts;
    try {
      await store.commit([this.#records.remove(tenant, id)]);
    } catch (error) {
      log.write("warn", "the record of a refused upload not removed", {
        error: describeError(error),
      });
    }
  }

  /** Reads what there is; tried again at the next use where it fails. */
  #load(): Promise<void> {
    return this.#loaded ??= this.#read().catch((error) => {
      this.#loaded = undefined;
      throw error;
    });
  }

  async #read(): Promise<void> {
    const { store, tenant } = this.#parts;
    const found: { id: string; record: UploadRecord; size: number }[] = [];
    for await (const items of this.#pages()) {
      const lost: string[] = [];
      for (const { id, value: record } of items) {
        const size = await this.#sizeOf(id, record);
        if (size === undefined) lost.push(id);
        else found.push({ id, record, size });
      }
      if (lost.length > 0) {
        await store.commit(lost.map((id) => this.#records.remove(tenant, id)));
      }
    }
    for (const { id, ...upload } of found) this.#add(id, upload);
  }

  /** The bytes of a file, none where that cannot be seen now; undefined where it is not there. */
  async #sizeOf(id: string, { type, folder }: UploadRecord): Promise<number | undefined> {
    const { log, media } = this.#parts;
    try {
      return await media.size({ id, type }, folder);
    } catch (error) {
      log.write("warn", "an upload cannot be looked at", { id, error: describeError(error) });
      return 0;
    }
  }

  /** Removes files that are past their time. */
  async #sweep(): Promise<void> {
    await this.#load();
    if (this.#parts.clock.now() < this.#dueAt) return;
    await (this.#sweeping ??= this.#removeOld().finally(() => this.#sweeping = undefined));
  }

  async #removeOld(): Promise<void> {
    const now = this.#parts.clock.now();
    // Where something fails, or comes meanwhile, it is looked at again a while later.
    this.#dueAt = now + SWEEP_INTERVAL_MS;
    let failed = false;
    for await (const items of this.#pages()) {
      for (const item of items) {
        const dueAt = item.value.at + MEDIA_LIFE_MS;
        if (dueAt > now) {
          this.#dueAt = failed ? Math.min(this.#dueAt, dueAt) : dueAt;
          return;
        }
        if (!await this.#remove(item)) failed = true;
      }
    }
  }

  async #remove({ id, value }: Item<UploadRecord>): Promise<boolean> {
    const { type, folder } = value;
    const { log, media, store, tenant } = this.#parts;
    try {
      await media.remove({ id, type }, folder);
      await store.commit([this.#records.remove(tenant, id)]);
    } catch (error) {
      log.write("warn", "an old upload not removed", { id, error: describeError(error) });
      return false;
    }
    const size = this.#sizes.get(id);
    if (size !== undefined) this.#count(value, { files: -1, bytes: -size });
    this.#sizes.delete(id);
    return true;
  }

  /** All records, the oldest first. */
  async *#pages(): AsyncGenerator<readonly Item<UploadRecord>[], void> {
    let after: { order: number; id: string } | undefined;
    do {
      const page = await this.#records.page(this.#parts.tenant, { limit: PAGE, after });
      yield page.items;
      after = page.last;
    } while (after !== undefined);
  }
}
