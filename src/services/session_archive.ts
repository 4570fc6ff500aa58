/** Puts the messages of sessions away, under names by which they can be found again, for a while. */

import type { SessionKey, TenantId } from "../core/id.ts";
import type { Store, StoreWrite } from "../ports/store.ts";
import { type Archive, ARCHIVE_RECORD_KIND, type SessionRecords } from "./session_records.ts";
import { archiveStream, transcriptStream } from "./transcript.ts";

/** How long an archive is kept, in milliseconds. */
export const ARCHIVE_RETENTION_MS = 30 * 24 * 60 * 60 * 1_000;

/** Most archives of one tenant; when another is made, the oldest ones go. */
export const MAX_ARCHIVES = 1_000;

/** Archives that go at once: more than come, so that a surplus shrinks, few enough to be quick. */
const SWEPT_ARCHIVES = 4;

/** Messages that go at once of each of them; a longer archive goes in several steps. */
const SWEPT_MESSAGES = 1_000;

/** Which messages go, and why. */
export interface PutAway {
  readonly tenant: TenantId;
  readonly key: SessionKey;
  readonly sessionId: string;
  readonly reason: Archive["reason"];
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** The sequence of the newest message that goes; absent: all go. */
  readonly through?: number;
}

/** What an archive's name says of why it exists; `bak` and `deleted` as other gateways write them. */
const NAME_PARTS = { reset: "reset", deleted: "deleted", kept: "kept", compacted: "bak" } as const;

/** The writes that put messages away, and the name of the archive: `<session id>.<why>.<time in UTC>`. */
export function putAway(
  records: SessionRecords,
  { tenant, key, sessionId, reason, at, through }: PutAway,
): { readonly writes: readonly StoreWrite[]; readonly name: string } {
  const time = new Date(at).toISOString().replaceAll(":", "-");
  const name = `${sessionId}.${NAME_PARTS[reason]}.${time}`;
  const stream = transcriptStream(tenant, sessionId);
  const into = archiveStream(tenant, name);
  return {
    name,
    writes: [
      records.archives.put(tenant, name, { key, sessionId, reason, at }),
      { op: "move", stream, into, through },
    ],
  };
}

/**
 * The writes that take the oldest archives away where another one would be one too many, or that are
 * past their time `at` (milliseconds since the Unix epoch); a bounded step.
 */
export async function sweepWrites(
  store: Store,
  { tenant, at }: { readonly tenant: TenantId; readonly at: number },
): Promise<readonly StoreWrite[]> {
  const query = { tenant, kind: ARCHIVE_RECORD_KIND };
  const surplus = await store.count(query) + 1 - MAX_ARCHIVES;
  const oldest = await store.list({ ...query, limit: SWEPT_ARCHIVES });
  const names = oldest
    .filter(({ order }, place) => place < surplus || order < at - ARCHIVE_RETENTION_MS)
    .map(({ id }) => id);
  return await removalWrites(store, { tenant, names });
}

/** The writes that take the oldest archive away whatever its age, to make room; a bounded step. */
export async function roomWrites(store: Store, tenant: TenantId): Promise<readonly StoreWrite[]> {
  const oldest = await store.list({ tenant, kind: ARCHIVE_RECORD_KIND, limit: 1 });
  return await removalWrites(store, { tenant, names: oldest.map(({ id }) => id) });
}

/** Without `expect`: archives never change, and two that take one away at once do no harm. */
async function removalWrites(
  store: Store,
  { tenant, names }: { readonly tenant: TenantId; readonly names: readonly string[] },
): Promise<readonly StoreWrite[]> {
  const writes: StoreWrite[] = [];
  for (const id of names) {
    const stream = archiveStream(tenant, id);
    if (await store.length(stream) > SWEPT_MESSAGES) {
      // Sequences have no gap; the record stays so that a later step finds what is left.
      const [first] = await store.read(stream, { limit: 1 });
      writes.push({ op: "trim", stream, through: (first?.sequence ?? 0) + SWEPT_MESSAGES - 1 });
    } else {
      writes.push({ op: "trim", stream });
      writes.push({ op: "remove", key: { tenant, kind: ARCHIVE_RECORD_KIND, id } });
    }
  }
  return writes;
}
