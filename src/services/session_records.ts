/** Where sessions lie in the store: one record each, one for every label, one for every archive. */

import * as v from "valibot";
import { type AgentId, isSessionKey, type SessionKey, type TenantId } from "../core/id.ts";
import type { Log } from "../ports/log.ts";
import type { Store } from "../ports/store.ts";
import { Collection, type Item } from "./collection.ts";
import { entryToJson, type SessionEntry, SessionEntrySchema } from "./session_entry.ts";

/** A session with its key. */
export interface KeyedEntry {
  readonly key: SessionKey;
  readonly entry: SessionEntry;
}

/** Says which session has a label; the record's id is the label, so a label cannot be given twice. */
export interface LabelOwner {
  readonly key: string;
}

/** Why messages were put away; `kept`: who deleted the session wished them kept. */
export const ARCHIVE_REASONS = ["reset", "deleted", "kept", "compacted"] as const;

/** Messages that were put away; the record's id names their stream. */
export interface Archive {
  /** The session they belonged to. */
  readonly key: string;
  readonly sessionId: string;
  readonly reason: typeof ARCHIVE_REASONS[number];
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
}

/** The kind of a session's record. */
export const SESSION_RECORD_KIND = "session";

/** The kind of an {@linkcode Archive}'s record. */
export const ARCHIVE_RECORD_KIND = "session.archive";

/** The kinds of record that {@linkcode SessionRecords} writes. */
export const SESSION_RECORD_KINDS: readonly string[] = [
  SESSION_RECORD_KIND,
  "session.label",
  ARCHIVE_RECORD_KIND,
];

/** The collections behind sessions, and the look-ups in them. */
export interface SessionRecords {
  /** By session key; listed by the time of the last activity, found by `sessionId` as their tag. */
  readonly entries: Collection<SessionEntry>;
  readonly labels: Collection<LabelOwner>;
  /** By the archive's name; listed by time, found by session key as their tag. */
  readonly archives: Collection<Archive>;
}

/**
 * The session collections of a store. `life` names this life of the gateway: a run that is open in another one was
 * ended by its end. `log` is told of records that cannot be read.
 */
export function sessionRecords(
  store: Store,
  { life, log }: { readonly life: string; readonly log?: Log },
): SessionRecords {
  const settled = (entry: SessionEntry): SessionEntry =>
    entry.openIn === undefined || entry.openIn === life
      ? entry
      : { ...entry, openIn: undefined, abortedLastRun: true };
  return {
    entries: new Collection(store, {
      kind: SESSION_RECORD_KIND,
      log,
      schema: v.pipe(SessionEntrySchema, v.transform(settled)),
      toJson: entryToJson,
      order: (entry) => entry.updatedAt,
      tag: (entry) => entry.sessionId,
    }),
    labels: new Collection<LabelOwner>(store, {
      kind: "session.label",
      log,
      schema: v.object({ key: v.string() }),
      toJson: ({ key }) => ({ key }),
      order: () => 0,
    }),
    archives: new Collection<Archive>(store, {
      kind: ARCHIVE_RECORD_KIND,
      log,
      schema: v.object({
        key: v.string(),
        sessionId: v.string(),
        reason: v.picklist(ARCHIVE_REASONS),
        at: v.number(),
      }),
      toJson: ({ key, sessionId, reason, at }) => ({ key, sessionId, reason, at }),
      order: (archive) => archive.at,
      tag: (archive) => archive.key,
    }),
  };
}

/** The item as a session, unless its id is no session key. */
export function keyed(item: Item<SessionEntry>): KeyedEntry | undefined {
  return isSessionKey(item.id) ? { key: item.id, entry: item.value } : undefined;
}

/** The session with this label. */
export async function findByLabel(
  records: SessionRecords,
  { tenant, label }: { readonly tenant: TenantId; readonly label: string },
): Promise<KeyedEntry | undefined> {
  if (!isName(label)) return undefined;
  const owner = await records.labels.get(tenant, label);
  if (owner === undefined) return undefined;
  const item = await records.entries.get(tenant, owner.value.key);
  return item?.value.label === label ? keyed(item) : undefined;
}

/** The session whose transcript has this id. */
export async function findBySessionId(
  records: SessionRecords,
  { tenant, sessionId }: { readonly tenant: TenantId; readonly sessionId: string },
): Promise<KeyedEntry | undefined> {
  if (!isName(sessionId)) return undefined;
  const [item] = await records.entries.list(tenant, { tag: sessionId, limit: 1 });
  return item === undefined ? undefined : keyed(item);
}

/** What the ids of an agent's sessions begin with. */
export function agentPrefix(agent: AgentId): string {
  return `agent:${agent}:`;
}

/** Whether a text can name a record: not empty, and free of control characters and broken ones. */
export function isName(text: string): boolean {
  return /^[^\p{Cc}\p{Cs}]+$/u.test(text);
}
