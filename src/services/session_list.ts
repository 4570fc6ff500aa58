/** Finds sessions by what a client filters for, reading no more records than the answer needs. */

import { refuseAborted } from "../core/gate.ts";
import { type AgentId, isAgentId, type SessionKey, type TenantId } from "../core/id.ts";
import type { SessionEntry } from "./session_entry.ts";
import { agentOf, kindOf, type SessionKind } from "./session_key.ts";
import {
  agentPrefix,
  findByLabel,
  keyed,
  type KeyedEntry,
  type SessionRecords,
} from "./session_records.ts";

/**
 * Most sessions in one list: at the longest texts of an entry's row this stays near the size of a
 * transcript's bound, and no person reads further.
 */
export const MAX_LISTED_SESSIONS = 5_000;

/** Records read from the store at once, so that a search holds one page and its finds in memory. */
export const LIST_PAGE_RECORDS = 250;

/** Which sessions to list; every member that is given must fit. */
export interface SessionQuery {
  /** At most so many, the most recently used first; never more than {@linkcode MAX_LISTED_SESSIONS}. */
  readonly limit?: number;
  /** Only those used within so many minutes. */
  readonly activeMinutes?: number;
  readonly includeGlobal?: boolean;
  readonly includeUnknown?: boolean;
  readonly label?: string;
  /** A canonical key. */
  readonly spawnedBy?: string;
  /** Any spelling; one that is no agent's id matches nothing. */
  readonly agentId?: string;
  /** Part of the key, session id, label, name, subject or title, in any case. */
  readonly search?: string;
}

/** A session in a list. */
export interface ListedSession extends KeyedEntry {
  readonly kind: SessionKind;
}

/** What a session must be to be found. */
export type SessionFilter = Pick<
  SessionQuery,
  "includeGlobal" | "includeUnknown" | "label" | "spawnedBy" | "agentId" | "search"
>;

/** What to look for, for whom and when. */
export interface SessionSearch {
  readonly tenant: TenantId;
  readonly query: SessionQuery;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** Ends the search at its next page with `UNAVAILABLE`. */
  readonly signal?: AbortSignal;
}

/** The sessions that match, the most recently used first. */
export async function listSessions(
  records: SessionRecords,
  search: SessionSearch,
): Promise<readonly ListedSession[]> {
  const found = await findSessions(records, search);
  return found.map((one) => ({ ...one, kind: kindOf(one.key) }));
}

async function findSessions(
  records: SessionRecords,
  { tenant, query, now, signal }: SessionSearch,
): Promise<readonly KeyedEntry[]> {
  const limit = Math.min(query.limit ?? MAX_LISTED_SESSIONS, MAX_LISTED_SESSIONS);
  const agent = agentIdOf(query.agentId);
  if (query.agentId !== undefined && agent === undefined) return [];
  const minOrder = query.activeMinutes === undefined
    ? undefined
    : now - query.activeMinutes * MINUTE_MS;
  if (query.label !== undefined) {
    const found = await findByLabel(records, { tenant, label: query.label.trim() });
    return found !== undefined && found.entry.updatedAt >= (minOrder ?? -Infinity) &&
        matches(found, query)
      ? [found]
      : [];
  }
  return await scan(records, { tenant, query, agent, minOrder, limit, signal });
}

/** Whether a session is what the filter asks for. */
export function matches({ key, entry }: KeyedEntry, filter: SessionFilter): boolean {
  const kind = kindOf(key);
  if (kind === "global" && filter.includeGlobal !== true) return false;
  if (kind === "unknown" && filter.includeUnknown !== true) return false;
  if (filter.label !== undefined && entry.label !== filter.label.trim()) return false;
  if (filter.spawnedBy !== undefined && entry.spawnedBy !== filter.spawnedBy) return false;
  if (filter.agentId !== undefined && agentOf(key) !== agentIdOf(filter.agentId)) return false;
  return contains(key, entry, filter.search?.trim().toLowerCase() ?? "");
}

const MINUTE_MS = 60_000;

interface Scan {
  readonly tenant: TenantId;
  readonly query: SessionQuery;
  readonly agent: AgentId | undefined;
  readonly minOrder: number | undefined;
  readonly limit: number;
  readonly signal: AbortSignal | undefined;
}

/** Walks the sessions from the most recently used one until the limit is filled. */
async function scan(
  records: SessionRecords,
  { tenant, query, agent, minOrder, limit, signal }: Scan,
): Promise<readonly KeyedEntry[]> {
  const found: KeyedEntry[] = [];
  // Without a filter that must look into each record, nearly every record read is one found.
  const selective = query.spawnedBy !== undefined || (query.search ?? "").trim() !== "";
  const idPrefix = agent === undefined ? undefined : agentPrefix(agent);
  let after: { order: number; id: string } | undefined;
  while (found.length < limit) {
    refuseAborted(signal);
    const size = selective ? LIST_PAGE_RECORDS : Math.min(limit - found.length, LIST_PAGE_RECORDS);
    const { items, last } = await records.entries.page(tenant, {
      newestFirst: true,
      idPrefix,
      minOrder,
      after,
      limit: size,
    });
    if (last === undefined) break;
    after = last;
    const fitting = items.map(keyed).filter((one) => one !== undefined && matches(one, query));
    found.push(...fitting.filter((one) => one !== undefined).slice(0, limit - found.length));
  }
  return found;
}

function contains(key: SessionKey, entry: SessionEntry, wanted: string): boolean {
  if (wanted === "") return true;
  const { sessionId, label, displayName, subject, derivedTitle } = entry;
  return [key, sessionId, label, displayName, subject, derivedTitle]
    .some((text) => text?.toLowerCase().includes(wanted) === true);
}

function agentIdOf(text: string | undefined): AgentId | undefined {
  const id = text?.trim().toLowerCase();
  return id !== undefined && isAgentId(id) ? id : undefined;
}
