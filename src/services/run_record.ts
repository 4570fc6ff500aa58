/** What is stored of a run, so that a request sent twice is done once, across restarts too. */

import * as v from "valibot";
import { sha256Hex } from "../core/digest.ts";
import { invalidRequest } from "../core/error.ts";
import { isSessionKey, type SessionKey, type TenantId } from "../core/id.ts";
import { isJsonObject } from "../core/json.ts";
import { quote } from "../core/quote.ts";
import type { Clock } from "../ports/clock.ts";
import type { Json, Store, StoreWrite } from "../ports/store.ts";
import { Collection, type Item } from "./collection.ts";
import type { RunId } from "./domain_event.ts";

/** How long a key is remembered, in milliseconds; a client that repeats a request does so within minutes. */
export const RUN_RECORD_RETENTION_MS = 24 * 60 * 60_000;

/** Most records kept; beyond it the oldest run that has ended is forgotten before its time. */
export const MAX_RUN_RECORDS = 10_000;

/** Records removed by one commit of a sweep, so that no sweep holds the store for long. */
export const SWEEP_PAGE = 200;

/** A sweep follows every so many runs; a gateway that is used less keeps no more than that too long. */
export const SWEEP_EVERY_RUNS = 256;

/** Longest run id, in characters; clients use UUIDs. */
export const MAX_RUN_ID_CHARS = 256;

/** Longest answer text kept in a record, in characters; the session's transcript has all of it. */
export const MAX_RECORD_TEXT_CHARS = 64 * 1024;

/** The kind under which the store holds the records. */
export const RUN_RECORD_KIND = "run";

/** How a run was asked for; see `RunRequest`. */
export const RUN_KINDS = ["chat", "agent", "channel"] as const;

/** One of {@linkcode RUN_KINDS}. */
export type RunKind = typeof RUN_KINDS[number];

const OPEN_TAG = "open";

const time = v.optional(v.number());
const text = v.optional(v.string());

const RunRecordSchema = v.object({
  kind: v.picklist(RUN_KINDS),
  sessionKey: v.custom<SessionKey>((value) => typeof value === "string" && isSessionKey(value)),
  fingerprint: v.string(),
  /** `open`: accepted or running, or ended by the death of the process. */
  state: v.picklist(["open", "ok", "aborted", "failed"]),
  acceptedAt: v.number(),
  startedAt: time,
  endedAt: time,
  /** Why it failed, or was aborted by its time limit, for people. */
  error: text,
  stopReason: text,
  /** The answer's beginning, at most {@linkcode MAX_RECORD_TEXT_CHARS}. */
  text,
  textCut: v.optional(v.boolean()),
  sessionId: text,
  provider: text,
  model: text,
  usage: v.optional(v.object({
    input: v.number(),
    output: v.number(),
    cacheRead: v.number(),
    cacheWrite: v.number(),
    total: v.number(),
  })),
});

/** A run as it is stored: what was asked, by its fingerprint, and how it ended. Times in milliseconds. */
export type RunRecord = Readonly<v.InferOutput<typeof RunRecordSchema>>;

/** What a run that was open when its process died is said to have ended with. */
export const INTERRUPTED_SUMMARY =
  "the gateway stopped before the run ended; send the message again with a new idempotency key";

/** An open record as it must be taken once its process is gone. */
export function interrupted(record: RunRecord): RunRecord {
  return { ...record, state: "failed", error: INTERRUPTED_SUMMARY };
}

/** Visible characters, at most {@linkcode MAX_RUN_ID_CHARS}. */
export function isRunId(text: string): text is RunId {
  return text.length >= 1 && text.length <= MAX_RUN_ID_CHARS && /^[^\p{Cc}\p{Cs}]+$/u.test(text);
}

/** An idempotency key as a run id; throws `INVALID_REQUEST` for one that cannot be. */
export function toRunId(key: string): RunId {
  if (isRunId(key)) return key;
  throw invalidRequest(
    `idempotencyKey ${
      quote(key, 80)
    } must be 1 to ${MAX_RUN_ID_CHARS} characters without control characters`,
  );
}

/** Hex SHA-256 of a JSON value, whatever the order of its members. Undefined members do not count. */
export function fingerprintOf(value: unknown): Promise<string> {
  return sha256Hex(JSON.stringify(value, sortMembers) ?? "");
}

function sortMembers(_name: string, value: unknown): unknown {
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).sort(([left], [right]) => left < right ? -1 : 1),
  );
}

/** The stored runs. */
export class RunRecords {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #records: Collection<RunRecord>;

  constructor({ store, clock }: { store: Store; clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
    this.#records = new Collection(store, {
      kind: RUN_RECORD_KIND,
      schema: RunRecordSchema,
      toJson: recordToJson,
      order: (record) => record.acceptedAt,
      tag: (record) => record.state === "open" ? OPEN_TAG : undefined,
    });
  }

  /** The record of a run, with its revision; undefined where there is none. */
  get(tenant: TenantId, runId: RunId): Promise<Item<RunRecord> | undefined> {
    return this.#records.get(tenant, runId);
  }

  /** Whether the time is over for which a record binds its key. */
  expired(record: RunRecord): boolean {
    return record.acceptedAt < this.#clock.now() - RUN_RECORD_RETENTION_MS;
  }

  /** The write that stores a record; see {@linkcode Collection.put}. */
  put(tenant: TenantId, runId: RunId, value: RunRecord, expect?: number): StoreWrite {
    return this.#records.put(tenant, runId, value, expect);
  }

  /** Applies writes of records that belong to no other change. */
  async commit(writes: readonly StoreWrite[]): Promise<void> {
    await this.#store.commit(writes);
  }

  /** Runs that did not end, oldest first, at most `limit`. */
  open(
    tenant: TenantId,
    page: { limit: number; after?: { order: number; id: string } },
  ): Promise<readonly Item<RunRecord>[]> {
    return this.#records.list(tenant, { ...page, tag: OPEN_TAG });
  }

  /** Removes what is past its time and what is too much, oldest first; open runs stay. */
  async sweep(tenant: TenantId): Promise<void> {
    const query = { tenant, kind: RUN_RECORD_KIND };
    const cutoff = this.#clock.now() - RUN_RECORD_RETENTION_MS;
    let surplus = await this.#store.count(query) - MAX_RUN_RECORDS;
    let after: { order: number; id: string } | undefined;
    for (;;) {
      const page = await this.#store.list({ ...query, after, limit: SWEEP_PAGE });
      const last = page.at(-1);
      const ended = page.filter((record) => record.tag !== OPEN_TAG);
      const removed = ended.filter((record, at) => record.order < cutoff || at < surplus);
      if (removed.length > 0) {
        await this.#store.commit(removed.map(({ id, revision }): StoreWrite => ({
          op: "remove",
          key: { ...query, id },
          expect: revision,
        })));
        surplus -= removed.length;
      }
      if (last === undefined || page.length < SWEEP_PAGE || removed.length < ended.length) return;
      after = { order: last.order, id: last.id };
    }
  }
}

function recordToJson(record: RunRecord): Json {
  const { usage, ...rest } = record;
  const json: Record<string, Json> = {};
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) json[name] = value;
  if (usage !== undefined) json.usage = { ...usage };
  return json;
}
